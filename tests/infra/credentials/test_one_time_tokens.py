from __future__ import annotations

from base64 import b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.credentials.one_time_tokens import OneTimeTokens
from infra.settings import Settings
from schemas.identity import TokenPurpose

USER, OTHER, ID = UUID(int=1), UUID(int=2), UUID(int=3)
VERIFY, RESET = TokenPurpose.VERIFY_EMAIL, TokenPurpose.RESET_PASSWORD


def tokens(key: bytes = b"k" * 32) -> OneTimeTokens:
    found = Settings.model_construct(
        lookup_key=Settings.model_fields["lookup_key"].annotation(b64encode(key).decode())
    )
    return OneTimeTokens(found)


def test_ID_08_a_token_is_the_same_whoever_derives_it() -> None:
    first, second = tokens().derive(VERIFY, USER, ID), tokens().derive(VERIFY, USER, ID)
    assert (first.text, first.hash) == (second.text, second.hash)
    assert tokens().matches(first.text, VERIFY, USER)


@pytest.mark.parametrize(
    ("purpose", "user", "key"),
    [(RESET, USER, b"k" * 32), (VERIFY, OTHER, b"k" * 32), (VERIFY, USER, b"j" * 32)],
)
def test_ID_08_a_token_fits_one_purpose_one_person_and_one_key(purpose, user, key) -> None:
    text = tokens().derive(VERIFY, USER, ID).text
    assert not tokens(key).matches(text, purpose, user)


def test_ID_08_a_token_names_its_id_and_hides_its_text() -> None:
    token = tokens().derive(VERIFY, USER, ID)
    assert tokens().id_in(token.text) == ID
    assert token.text not in repr(token)


@given(st.text(max_size=80))
def test_ID_08_no_made_up_text_is_a_token(text: str) -> None:
    assert not tokens().matches(text, VERIFY, USER)


def test_ID_08_every_changed_letter_spoils_it() -> None:
    text = tokens().derive(VERIFY, USER, ID).text
    spoiled = [
        text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text))
    ]
    assert len(spoiled) == len(text) > 20
    assert not any(tokens().matches(each, VERIFY, USER) for each in spoiled)
