"""Refresh tokens by themselves; pure."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from uuid import UUID

from api.backends.tokens import MAC_BYTES, SECRET_BYTES, SESSION_ID_BYTES, RefreshTokens
from infra.settings import Settings

SESSION = UUID(int=1)


def tokens(key: bytes) -> RefreshTokens:
    secret = Settings.model_fields["lookup_key"].annotation(b64encode(key).decode())
    return RefreshTokens(Settings.model_construct(lookup_key=secret))


def test_V7_2_3_a_token_holds_256_bits_of_chance() -> None:
    texts = [tokens(b"k" * 32).new(SESSION).text for _ in range(1_000)]
    secrets = {urlsafe_b64decode(text)[SESSION_ID_BYTES:-MAC_BYTES] for text in texts}
    assert len(secrets) == 1_000
    assert {len(secret) for secret in secrets} == {SECRET_BYTES}
    assert SECRET_BYTES * 8 == 256


def test_ID_22_what_is_shown_of_a_token_is_not_the_token() -> None:
    token = tokens(b"k" * 32).new(SESSION)
    assert token.text not in repr(token)
    assert token.text not in token.hash


def test_ID_07_a_token_of_another_key_is_none_of_ours() -> None:
    text = tokens(b"k" * 32).new(SESSION).text
    assert tokens(b"k" * 32).parse(text) is not None
    assert tokens(b"j" * 32).parse(text) is None
