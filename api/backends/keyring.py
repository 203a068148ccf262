"""API keys' texts: made here, shown once, known by their hash ever after.

`mm_` and 64 characters: the key's id, by which its row is found, and 256 random bits.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from api.backends.database import Database
from api.wire.deadlines import left
from api.wire.problems import StoreUnavailableError
from infra.settings import Settings
from projections.identity import api_keys, users
from schemas.identity import UserStatus
from schemas.log.messages import Role

PREFIX = "mm_"
ID_BYTES, SECRET_BYTES = 16, 32  # together a multiple of 3: no padding
POLL_S = 0.02
ACTING = frozenset({UserStatus.PENDING, UserStatus.ACTIVE})


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its holder has it."""

    key_id: UUID
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the text, in hex; enough for 256 random bits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"KeyText({self.key_id})"


@dataclass(frozen=True, slots=True)
class Holder:
    """For whom a key acts, as they stand at this moment, and what it opens."""

    key_id: str
    user_id: str
    role: Role
    email_verified: bool
    market: str
    operations: frozenset[str]
    expires_at: datetime


def new_key(key_id: UUID) -> KeyText:
    """A key's text; nobody can make it again."""
    packed = key_id.bytes + secrets.token_bytes(SECRET_BYTES)
    return KeyText(key_id, PREFIX + urlsafe_b64encode(packed).decode())


def derived_key(settings: Settings, key_id: UUID) -> KeyText:
    """The text of a key that may be asked for again under an Idempotency-Key: the same text."""
    lookup = b64decode(settings.lookup_key.get_secret_value())
    secret = hmac.digest(lookup, b"api key" + key_id.bytes, hashlib.sha256)
    return KeyText(key_id, PREFIX + urlsafe_b64encode(key_id.bytes + secret).decode())


def parse_key(text: str) -> KeyText | None:
    """The key in `text`, None where it can't be one of ours."""
    try:
        packed = urlsafe_b64decode(text.removeprefix(PREFIX).encode("ascii"))
    except ValueError:
        return None
    if len(packed) != ID_BYTES + SECRET_BYTES:
        return None
    key = KeyText(UUID(bytes=packed[:ID_BYTES]), text)
    canonical = PREFIX + urlsafe_b64encode(packed).decode() == text
    return key if canonical else None


class Keyring:
    """Tells whose key it is. Asks Postgres each time: a revoked key, and a role that was taken
    away, must count at once. `newest_cut` tells how new its owner's row must be, for which
    `row_wait_s` seconds are waited.
    """

    def __init__(
        self,
        postgres: Database,
        newest_cut: Callable[[str], Awaitable[int]],
        *,
        row_wait_s: float,
    ) -> None:
        self._postgres = postgres
        self._newest_cut = newest_cut
        self._row_wait_s = row_wait_s

    async def holder(self, text: str) -> Holder | None:
        """None for a key that was made up, has expired or was revoked, or whose owner may do
        nothing any more; raises StoreUnavailableError when nobody can tell.
        """
        presented = parse_key(text)
        if presented is None:
            return None
        row = await api_keys.by_id(self._postgres, str(presented.key_id))
        if row is None or not hmac.compare_digest(row["hash"], presented.hash):
            return None
        if row["revoked_at"] is not None or row["expires_at"] <= datetime.now(UTC):
            return None
        user = await self._owner(row["user_id"])
        if user is None or user["status"] not in ACTING:
            return None
        return Holder(
            key_id=row["key"],
            user_id=row["user_id"],
            role=Role(user["role"]),
            email_verified=user["email_verified"],
            market=user["market"],
            operations=frozenset(row["operations"].split()),
            expires_at=row["expires_at"],
        )

    async def _owner(self, user_id: str) -> Mapping[str, Any] | None:
        """Their row, no older than what last took rights from them: before that they had some."""
        deadline = time.monotonic() + left(self._row_wait_s)
        while True:
            row = await users.by_id(self._postgres, user_id)
            if row is None or row["version"] >= await self._newest_cut(user_id):
                return row
            if time.monotonic() > deadline:
                raise StoreUnavailableError("users", "whose key this is can't be told now")
            await asyncio.sleep(POLL_S)
