"""The vault: the one store that replay cannot rebuild. It holds a data key for every person,
password hashes and the keys that sign tokens; everything else is in the log.

Personal fields in commands and events are sealed with their person's key (AES-GCM), which
lies here wrapped by the master key. Without the person's row, whatever the log says of them
is noise: that is how somebody is erased from a log that is never rewritten.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from infra.clients.postgres import means_down
from infra.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
SEAL_VERSION = "1"  # of the sealed text's form, its first character

_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS vault;
CREATE TABLE IF NOT EXISTS vault.people (
    user_id uuid PRIMARY KEY,
    email_hash text NOT NULL,
    wrapped_key bytea NOT NULL,
    master_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS people_by_email ON vault.people (email_hash);
CREATE TABLE IF NOT EXISTS vault.passwords (
    user_id uuid PRIMARY KEY REFERENCES vault.people ON DELETE CASCADE,
    hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS vault.erased (
    user_id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS vault.signing_keys (
    kid text PRIMARY KEY,
    wrapped_key bytea NOT NULL,
    master_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
"""


class VaultUnavailableError(Exception):
    """The vault's Postgres can't be reached; try again."""


class UnsealError(Exception):
    """A sealed text or wrapped key does not open: another key, another field, or altered."""


class MasterKeyMissingError(UnsealError):
    """A row is wrapped by a master key that this process was not given."""

    def __init__(self, master_key_id: str) -> None:
        super().__init__(
            f"master key {master_key_id} is needed: name it in MASTER_KEY or OTHER_MASTER_KEYS"
        )
        self.master_key_id = master_key_id


class PersonErasedError(Exception):
    """Somebody erased gets no new key: this id is over."""


async def create_schema(pool: asyncpg.Pool) -> None:
    """Make the vault's tables; harmless when they are there."""
    async with pool.acquire() as connection, connection.transaction():
        # IF NOT EXISTS alone fails when two processes create at the same moment.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('vault', 0))")
        await connection.execute(_SCHEMA)


@dataclass(frozen=True)
class PersonKey:
    """One person's data key. Seals and opens their fields; a text sealed for one field, or for
    somebody else, opens in no other place.
    """

    user_id: UUID
    _key: bytes

    def seal(self, field: str, text: str) -> str:
        """The sealed form of `text`, in URL-safe base64; another one at every call."""
        nonce = os.urandom(NONCE_BYTES)
        box = AESGCM(self._key).encrypt(nonce, text.encode(), self._place(field))
        return SEAL_VERSION + urlsafe_b64encode(nonce + box).decode()

    def unseal(self, field: str, sealed: str) -> str:
        """The text again; raises UnsealError."""
        if not sealed.startswith(SEAL_VERSION):
            message = "unknown form of sealed text"
            raise UnsealError(message)
        try:
            packed = urlsafe_b64decode(sealed[len(SEAL_VERSION) :])
            nonce, box = packed[:NONCE_BYTES], packed[NONCE_BYTES:]
            return AESGCM(self._key).decrypt(nonce, box, self._place(field)).decode()
        except (InvalidTag, ValueError) as error:
            raise UnsealError(field) from error

    def mark(self, field: str, text: str) -> str:
        """Tells whether two texts of this field are the same, to nobody without the key:
        64 hex digits, the same at every call.
        """
        return self.marks(field, [text])[0]

    def marks(self, field: str, texts: Sequence[str]) -> list[str]:
        """The same of many."""
        own = hmac.digest(self._key, b"mark", "sha256")  # not the key that seals
        place = self._place(field) + b"/"
        return [hmac.digest(own, place + text.encode(), "sha256").hex() for text in texts]

    def _place(self, field: str) -> bytes:
        return f"{self.user_id}/{field}".encode()

    def __repr__(self) -> str:
        return f"PersonKey({self.user_id})"


class Wrapping:
    """Keys wrapped by the master key, and look-up hashes. Pure: no store behind it.

    Everything is wrapped by the present master key; what one of the others wrapped still
    opens, so that a new master key can take over row by row (see infra.vault.rotation).
    """

    def __init__(self, settings: Settings) -> None:
        present = b64decode(settings.master_key.get_secret_value())
        others = settings.other_master_keys.get_secret_value().split(",")
        known = [present, *(b64decode(each) for each in others if each.strip())]
        self._masters = {master_key_id_of(each): each for each in known}
        self._lookup = b64decode(settings.lookup_key.get_secret_value())
        self.master_key_id = master_key_id_of(present)

    def wrap(self, key: bytes, owner: str) -> bytes:
        """A key as it may lie in a table, bound to its owner's name."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._masters[self.master_key_id]).encrypt(nonce, key, owner.encode())

    def unwrap(self, wrapped: bytes, owner: str, master_key_id: str) -> bytes:
        """The key again, as that master key wrapped it; raises UnsealError."""
        nonce, box = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return AESGCM(self._master(master_key_id)).decrypt(nonce, box, owner.encode())
        except (InvalidTag, ValueError) as error:
            raise UnsealError(owner) from error

    def derived_key(self, purpose: str, salt: bytes, master_key_id: str) -> bytes:
        """A key for one purpose and salt, from which the master key can't be told."""
        derivation = HKDF(hashes.SHA256(), KEY_BYTES, salt, purpose.encode())
        return derivation.derive(self._master(master_key_id))

    def _master(self, master_key_id: str) -> bytes:
        found = self._masters.get(master_key_id)
        if found is None:
            raise MasterKeyMissingError(master_key_id)
        return found

    def lookup_hash(self, text: str) -> str:
        """A keyed hash by which a normalised text is found again but not read: 64 hex digits."""
        return hmac.new(self._lookup, text.encode(), hashlib.sha256).hexdigest()


def master_key_id_of(master_key: bytes) -> str:
    """Says which master key wraps a row, without telling anything of it."""
    return hashlib.sha256(b"master key id" + master_key).hexdigest()[:16]


def person_owner(user_id: UUID | str) -> str:
    """The name that a person's data key is bound to."""
    return f"person/{user_id}"


def signing_owner(kid: str) -> str:
    """The name that a signing key is bound to."""
    return f"signing/{kid}"


@asynccontextmanager
async def vault_connection(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection to the vault's tables; raises VaultUnavailableError when Postgres is down or
    goes down meanwhile.
    """
    try:
        async with pool.acquire() as connection:
            yield connection
    except Exception as error:
        if means_down(error):
            raise VaultUnavailableError from error
        raise


class Vault:
    """The vault's rows. Every method raises VaultUnavailableError when Postgres is down."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self.wrapping = Wrapping(settings)

    def _connection(self) -> AbstractAsyncContextManager[PoolConnectionProxy]:
        return vault_connection(self._pool)

    async def new_person(self, user_id: UUID, email_hash: str) -> PersonKey:
        """A data key for somebody new; the existing one when this is a repeat. Raises
        PersonErasedError for an id that has been erased. Without a hash it is for whoever has no
        e-mail yet, and is given the first that there is.
        """
        fresh = self.wrapping.wrap(os.urandom(KEY_BYTES), person_owner(user_id))
        async with self._connection() as connection:
            row = await connection.fetchrow(
                "INSERT INTO vault.people (user_id, email_hash, wrapped_key, master_key_id)"
                " SELECT $1, $2, $3, $4"
                " WHERE NOT EXISTS (SELECT FROM vault.erased WHERE user_id = $1)"
                " ON CONFLICT (user_id) DO UPDATE SET email_hash ="
                " coalesce(nullif(vault.people.email_hash, ''), excluded.email_hash)"
                " RETURNING user_id, wrapped_key, master_key_id",
                user_id,
                email_hash,
                fresh,
                self.wrapping.master_key_id,
            )
        if row is None:
            raise PersonErasedError
        return self._key(row)

    async def person(self, user_id: UUID) -> PersonKey | None:
        """Somebody's data key; None for the unknown and the erased."""
        return (await self.people([user_id])).get(user_id)

    async def people(self, user_ids: Iterable[UUID]) -> Mapping[UUID, PersonKey]:
        """The data keys of those who have one."""
        async with self._connection() as connection:
            rows = await connection.fetch(
                "SELECT user_id, wrapped_key, master_key_id FROM vault.people"
                " WHERE user_id = ANY($1)",
                list(user_ids),
            )
        return {row["user_id"]: self._key(row) for row in rows}

    def _key(self, row: asyncpg.Record) -> PersonKey:
        owner = person_owner(row["user_id"])
        key = self.wrapping.unwrap(row["wrapped_key"], owner, row["master_key_id"])
        return PersonKey(row["user_id"], key)

    async def people_with_email(self, email_hash: str) -> list[UUID]:
        """Everyone who ever began to register with this e-mail, registered or not."""
        async with self._connection() as connection:
            rows = await connection.fetch(
                "SELECT user_id FROM vault.people WHERE email_hash = $1 LIMIT 100", email_hash
            )
        return [row["user_id"] for row in rows]

    async def erase(self, user_id: UUID) -> bool:
        """Destroy somebody's key and password; whether there was one. There is no way back:
        the id is noted, gets no key ever again, and no backup brings the old one back.
        """
        async with self._connection() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO vault.erased (user_id) VALUES ($1) ON CONFLICT DO NOTHING", user_id
            )
            done = await connection.fetchval(
                "DELETE FROM vault.people WHERE user_id = $1 RETURNING true", user_id
            )
        return bool(done)

    async def forget_newcomer(self, user_id: UUID) -> None:
        """Drop the key of somebody who began to register and was refused. Nothing was sealed
        with it, so the id stays free: a repeat is refused as it was the first time.
        """
        async with self._connection() as connection:
            await connection.execute("DELETE FROM vault.people WHERE user_id = $1", user_id)

    async def first_password(self, user_id: UUID, password_hash: str) -> None:
        """Keep a new person's password hash; a repeat never replaces the one that is there."""
        async with self._connection() as connection:
            await connection.execute(
                "INSERT INTO vault.passwords (user_id, hash) VALUES ($1, $2)"
                " ON CONFLICT (user_id) DO NOTHING",
                user_id,
                password_hash,
            )

    async def replace_password(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        """Store a hash in a newer form, unless the password has been changed meanwhile."""
        async with self._connection() as connection:
            await connection.execute(
                "UPDATE vault.passwords SET hash = $3 WHERE user_id = $1 AND hash = $2",
                user_id,
                old_hash,
                new_hash,
            )

    async def password_hash(self, user_id: UUID) -> str | None:
        """A person's password hash, if there is one."""
        async with self._connection() as connection:
            found: str | None = await connection.fetchval(
                "SELECT hash FROM vault.passwords WHERE user_id = $1", user_id
            )
        return found

    async def add_signing_key(self, kid: str, private_key: bytes) -> None:
        """Keep a key that signs tokens, unless another process has just added the first."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute("LOCK TABLE vault.signing_keys IN EXCLUSIVE MODE")
            await connection.execute(
                "INSERT INTO vault.signing_keys (kid, wrapped_key, master_key_id)"
                " SELECT $1, $2, $3 WHERE NOT EXISTS"
                " (SELECT FROM vault.signing_keys WHERE retired_at IS NULL)",
                kid,
                self.wrapping.wrap(private_key, signing_owner(kid)),
                self.wrapping.master_key_id,
            )

    async def signing_keys(self) -> list[tuple[str, bytes]]:
        """Every signing key in use as (kid, private key), the newest first."""
        async with self._connection() as connection:
            rows = await connection.fetch(
                "SELECT kid, wrapped_key, master_key_id FROM vault.signing_keys"
                " WHERE retired_at IS NULL ORDER BY created_at DESC LIMIT 10"
            )
        return [(row["kid"], self._signing_key(row)) for row in rows]

    def _signing_key(self, row: asyncpg.Record) -> bytes:
        owner = signing_owner(row["kid"])
        return self.wrapping.unwrap(row["wrapped_key"], owner, row["master_key_id"])
