"""Access tokens: what has been verified once is remembered, and no longer than it is good."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import uuid4

import pytest

from api.backends import tokens as module
from api.backends.tokens import Subject, TokenRefused, Tokens
from schemas.identity import UserStatus
from schemas.log.messages import Role
from tests.infra.vault.test_vault_keys import settings_with

SOMEBODY = Subject(
    user_id=uuid4(),
    session_id=uuid4(),
    email="nimal@example.org",
    email_verified=True,
    role=Role.BUYER,
    market="exotics",
    user_version=1,
    status=UserStatus.ACTIVE,
)


class KeysOnly:
    """A vault of signing keys; `lose` has it forget them, as a retirement does."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, bytes]] = []

    async def signing_keys(self) -> list[tuple[str, bytes]]:
        return self.keys

    async def add_signing_key(self, kid: str, pem: bytes) -> None:
        self.keys = [(kid, pem)]

    def lose(self) -> None:
        self.keys = []


@pytest.fixture
def vault() -> KeysOnly:
    return KeysOnly()


@pytest.fixture
def tokens(vault: KeysOnly) -> Tokens:
    settings = settings_with(bytes(32), bytes(32))
    return Tokens(vault, settings)  # type: ignore[arg-type]  # only its keys are asked for


async def test_ID_12_a_remembered_token_says_what_it_said(tokens: Tokens) -> None:
    token = await tokens.issue(SOMEBODY, time.time())
    first = await tokens.verify(token)
    assert await tokens.verify(token) is first
    assert first.user_id == str(SOMEBODY.user_id)


async def test_ID_12_a_remembered_token_expires_as_others_do(tokens: Tokens) -> None:
    now = time.time()
    token = await tokens.issue(SOMEBODY, now)
    claims = await tokens.verify(token, now)
    with pytest.raises(TokenRefused, match="has expired"):
        await tokens.verify(token, float(claims.expires_at))


async def test_ID_12_with_its_key_a_remembered_token_is_forgotten(
    tokens: Tokens, vault: KeysOnly, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await tokens.issue(SOMEBODY, time.time())
    await tokens.verify(token)
    vault.lose()
    monkeypatch.setattr(module, "RELOAD_S", 0.0)
    unknown = await other_vaults_token()
    with pytest.raises(TokenRefused):
        await tokens.verify(unknown)  # an unknown key: they are all read again
    with pytest.raises(TokenRefused):
        await tokens.verify(token)


async def other_vaults_token() -> str:
    settings = settings_with(bytes(32), bytes(32))
    return await Tokens(KeysOnly(), settings).issue(SOMEBODY, time.time())  # type: ignore[arg-type]


async def test_ID_12_a_bounded_number_is_remembered(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_MAX", 3)
    issued = [await tokens.issue(SOMEBODY, time.time()) for _ in range(5)]
    for token in issued:
        await tokens.verify(token)
    remembered: Mapping[str, object] = tokens._verified
    assert list(remembered) == issued[2:]
