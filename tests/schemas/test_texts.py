"""Texts: what a line and what several may hold, and what is said of the rest."""

from __future__ import annotations

import re
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.values.texts import Form, Line, Lines, shown_of
from tests.texts import NOT_IN_A_LINE, NOWHERE, UNSEEN, default_ignorable, with_inside

TITLE: TypeAdapter[str] = TypeAdapter(Annotated[str, Line(160, 3)])
WORDS: TypeAdapter[str] = TypeAdapter(Annotated[str, Lines(4_000)])
QUERY: TypeAdapter[str] = TypeAdapter(Annotated[str, Line(200, 0)])
ALL = (TITLE, WORDS, QUERY)


def refusal_of(kind: TypeAdapter[str], text: str) -> str:
    with pytest.raises(ValidationError) as refused:
        kind.validate_python(text)
    return str(refused.value.errors()[0]["msg"])


@pytest.mark.parametrize("character", NOWHERE.values(), ids=NOWHERE)
@pytest.mark.parametrize("kind", ALL)
def test_no_text_holds_what_no_store_can_hold(kind: TypeAdapter[str], character: str) -> None:
    for text in (f"ab{character}c", f"{character}abc", f"abc{character}"):
        assert f"U+{ord(character):04X}" in refusal_of(kind, text)


@pytest.mark.parametrize("character", NOT_IN_A_LINE.values(), ids=NOT_IN_A_LINE)
def test_a_line_has_no_breaks(character: str) -> None:
    assert "write it in one line" in refusal_of(TITLE, f"ab{character}c")
    assert WORDS.validate_python(f"ab{character}c") == f"ab{character}c"


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_what_shows_nothing_is_no_name_and_no_message(text: str) -> None:
    for kind in (TITLE, WORDS):
        assert "shows nothing" in refusal_of(kind, text * 3) or not text.strip()
    assert not shown_of(text * 3, 100)


@pytest.mark.parametrize("mark", ["\u0301", "\u20dd", "\u093e", "\u0dca", "\U0001e8d0"], ids=ascii)
def test_marks_that_stand_on_nothing_show_nothing(mark: str) -> None:
    for kind in (TITLE, WORDS):
        assert "shows nothing" in refusal_of(kind, mark * 3)
        assert kind.validate_python(f"abe{mark}") == f"abe{mark}"
    assert not shown_of(mark * 3, 100)


def test_no_format_and_no_space_is_seen() -> None:
    told = [each for each in default_ignorable() if shown_of(each, 10)]
    # These stand for numbers and verses, and are drawn.
    assert {hex(ord(each)) for each in told} <= {
        *map(hex, range(0x600, 0x606)),
        *("0x6dd", "0x70f", "0x890", "0x891", "0x8e2", "0x110bd", "0x110cd"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "Åsa Łuk",
        "නිමල්",
        "நிமல்",
        "👩\u200d👩\u200d👧",
        "\u0645\u06cc\u200c\u062e\u0648\u0627",
        "🏴\U000e0067\U000e0062\U000e007f",
        "\U0001fae9!!",
    ],
)
def test_every_script_and_sign_is_kept(text: str) -> None:
    assert TITLE.validate_python(text) == text


@given(st.text(max_size=20))
def test_what_is_taken_can_be_stored_and_is_taken_again(text: str) -> None:
    try:
        taken = TITLE.validate_python(text)
    except ValidationError:
        return
    assert "\x00" not in taken
    assert taken.encode().decode() == taken == TITLE.validate_python(taken)


@given(st.text(max_size=20))
def test_what_the_published_pattern_refuses_is_refused_or_trimmed(text: str) -> None:
    pattern = TITLE.json_schema()["pattern"]
    if re.search(pattern, text.strip()) is None:
        assert refusal_of(TITLE, text)


def test_a_form_does_not_pass_over_a_line_break_at_the_end() -> None:
    form: TypeAdapter[str] = TypeAdapter(Annotated[str, Form(r"^[a-z]{3}$", "is no word")])
    assert refusal_of(form, "abc\n") == "is no word"


def test_a_foreign_name_keeps_what_can_be_told() -> None:
    assert shown_of("my\x00car\u202egnp.jpg", 100) == "my car gnp.jpg"
    assert shown_of(with_inside("photo.jpg", "\ud800"), 100) == "phot o.jpg"
