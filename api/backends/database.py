"""Postgres as routes use it: short reads through a pool that needs no Postgres to start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from api.wire.problems import StoreUnavailableError
from infra.clients.postgres import means_down, open_pool
from infra.settings import Settings

CONNECTIONS_MAX = 16
ANSWER_TIMEOUT_S = 5.0
STORE = "postgres"
LIVE_WATERMARKS = """
    SELECT topic, partition, next_offset, parked FROM mesh.live_watermarks WHERE projection = $1
"""

_UNBUILT = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


class Database:
    """Queries on the read models. Every method raises StoreUnavailableError when Postgres
    can't be reached, or when the read model asked for has not been built yet.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Make the pool; connects nowhere before the first query."""
        self._pool = await open_pool(
            self._settings,
            size_min=0,
            size_max=CONNECTIONS_MAX,
            command_timeout_s=ANSWER_TIMEOUT_S,
        )

    async def close(self) -> None:
        """Close every connection; harmless when never opened."""
        if self._pool is not None:
            await self._pool.close()

    @property
    def pool(self) -> asyncpg.Pool:
        """The pool itself, for the vault's own statements and transactions."""
        if self._pool is None:
            raise StoreUnavailableError(STORE)
        return self._pool

    async def fetchrow(self, query: str, *values: Any) -> Mapping[str, Any] | None:
        """The first row, or None."""
        try:  # spelt out, not `available()`: this is the read by id
            row: Any = await self.pool.fetchrow(query, *values)
        except Exception as error:
            raise _translated(error) from error
        return row  # type: ignore[no-any-return]  # a Record is a mapping, its stub says less

    async def fetch(self, query: str, *values: Any) -> list[Mapping[str, Any]]:
        """Every row; bound the query with LIMIT."""
        async with self.available():
            rows: Any = await self.pool.fetch(query, *values)
            return rows  # type: ignore[no-any-return]

    async def fetchval(self, query: str, *values: Any) -> Any:
        """The first row's first column, or None."""
        async with self.available():
            return await self.pool.fetchval(query, *values)

    @asynccontextmanager
    async def available(self) -> AsyncIterator[None]:
        """Turns "Postgres is down" inside the block into StoreUnavailableError."""
        try:
            yield
        except Exception as error:
            raise _translated(error) from error


def _translated(error: Exception) -> Exception:
    if isinstance(error, _UNBUILT):
        return StoreUnavailableError(STORE, "this answer is still being built; try again soon")
    if means_down(error):
        return StoreUnavailableError(STORE)
    return error
