"""E-mail addresses: what is mailed, and what is taken for the same."""

from __future__ import annotations

import pytest

from schemas.values.emails import address_of, earlier_form, lookup_form

OTHERS = [
    ("straße@example.org", "strasse@example.org"),
    ("νίκος@example.org", "νίκοσ@example.org"),
    ("o\ufb03ce@example.org", "office@example.org"),
]


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_two_mailboxes_are_two_people(one: str, other: str) -> None:
    assert lookup_form(address_of(one)) != lookup_form(address_of(other))
    assert earlier_form(address_of(one)) == lookup_form(address_of(other))


@pytest.mark.parametrize("text", ["straße@example.org", "Nimal@example.org", "νίκος@example.org"])
def test_mail_goes_to_the_address_as_typed(text: str) -> None:
    assert address_of(text) == text


def test_upper_case_is_the_same_mailbox() -> None:
    assert lookup_form(address_of("NIMAL@EXAMPLE.ORG")) == "nimal@example.org"
    assert earlier_form("NIMAL@example.org") is None


NONE = [
    "nimal",
    "a\x00b@example.org",
    "a\ud800@example.org",
    "@",
    "",
    *(f"{hidden}@example.org" for hidden in ("\u3164", "\u2800", "\ufffc", "\u0301" * 8)),
    *(f"ni{hidden}mal@example.org" for hidden in ("\u200b", "\u00ad", "\u3164", "\ue000")),
    "a" * 65 + "@example.org",
    "\u00e9" * 33 + "@example.org",
]


@pytest.mark.parametrize("text", NONE, ids=ascii)
def test_what_is_no_address_is_told_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match="is no e-mail address") as told:
        address_of(text)
    assert "nimal" not in str(told.value)
