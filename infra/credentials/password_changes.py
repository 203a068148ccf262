"""Changed passwords on their way into the vault.

The log decides whether a change happens, and holds no hash; the vault holds the hash and does
not decide. So a new hash first waits here under the id of its change. Once the change is in the
log, whoever sees it there applies it: the request itself or, had it died in between, the next
log-in. Versions are those of the person in the log, so a late one never undoes a newer one.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from infra.vault.vault import vault_connection

_SCHEMA = """
ALTER TABLE vault.passwords ADD COLUMN IF NOT EXISTS version bigint NOT NULL DEFAULT 0;
CREATE TABLE IF NOT EXISTS vault.password_changes (
    change_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES vault.people ON DELETE CASCADE,
    hash text NOT NULL,
    waiting_since timestamptz NOT NULL DEFAULT now()
);
"""
_APPLY = """
WITH waiting AS (
    DELETE FROM vault.password_changes WHERE change_id = $1 AND user_id = $2 RETURNING hash
)
INSERT INTO vault.passwords (user_id, hash, changed_at, version)
SELECT $2, hash, now(), $3 FROM waiting
ON CONFLICT (user_id) DO UPDATE
SET hash = excluded.hash, changed_at = excluded.changed_at, version = excluded.version
WHERE vault.passwords.version < excluded.version
"""


async def create_schema(pool: asyncpg.Pool) -> None:
    """Make the table, after the vault's own; harmless when it is there."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('vault', 0))")
        await connection.execute(_SCHEMA)


class PasswordChanges:
    """Hashes that wait. Every method raises VaultUnavailableError when Postgres is down."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def _connection(self) -> AbstractAsyncContextManager[PoolConnectionProxy]:
        return vault_connection(self._pool)

    async def wait(self, change_id: UUID, user_id: UUID, password_hash: str) -> bool:
        """Keep a hash until its change is decided; False for a person that has been erased."""
        async with self._connection() as connection:
            try:
                await connection.execute(
                    "INSERT INTO vault.password_changes (change_id, user_id, hash)"
                    " VALUES ($1, $2, $3) ON CONFLICT (change_id) DO NOTHING",
                    change_id,
                    user_id,
                    password_hash,
                )
            except asyncpg.ForeignKeyViolationError:
                return False
        return True

    async def apply(self, change_id: UUID, user_id: UUID, version: int) -> None:
        """Make the hash that waits the person's, unless a newer one is already."""
        async with self._connection() as connection:
            await connection.execute(_APPLY, change_id, user_id, version)

    async def drop(self, change_id: UUID) -> None:
        """Forget a hash whose change was refused."""
        async with self._connection() as connection:
            await connection.execute(
                "DELETE FROM vault.password_changes WHERE change_id = $1", change_id
            )

    async def sweep(self, before: datetime) -> None:
        """Forget hashes that have waited since then: nobody decides on their change any more."""
        async with self._connection() as connection:
            await connection.execute(
                "DELETE FROM vault.password_changes WHERE waiting_since < $1", before
            )

    async def current_hash(self, user_id: UUID, change_id: UUID | None, version: int) -> str | None:
        """A person's password hash, after the change that their row names has been applied."""
        async with self._connection() as connection:
            row = await connection.fetchrow(
                "SELECT p.hash, c.change_id IS NOT NULL AS waits"
                " FROM (SELECT $1::uuid AS user_id) AS one"
                " LEFT JOIN vault.passwords AS p USING (user_id)"
                " LEFT JOIN vault.password_changes AS c"
                " ON c.user_id = one.user_id AND c.change_id = $2",
                user_id,
                change_id,
            )
        assert row is not None  # it has a row of its own, whoever is known
        if row["waits"] and change_id is not None:
            await self.apply(change_id, user_id, version)
            return await self.current_hash(user_id, None, 0)
        found: str | None = row["hash"]
        return found
