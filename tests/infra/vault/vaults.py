"""Vaults of their own for tests, on a Postgres that all share; no other store is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from pydantic import SecretStr

from infra.clients.postgres import open_pool
from infra.credentials import password_changes
from infra.settings import Settings
from infra.vault.vault import Vault, create_schema


@dataclass(frozen=True)
class VaultPlace:
    """An empty vault. `pool` is a small pool on its database."""

    settings: Settings
    pool: asyncpg.Pool

    @property
    def vault(self) -> Vault:
        return Vault(self.pool, self.settings)

    async def make(self) -> None:
        """Make the tables."""
        await create_schema(self.pool)
        await password_changes.create_schema(self.pool)

    async def lose(self) -> None:
        """Lose every row."""
        await self.pool.execute("DROP SCHEMA vault CASCADE")
        await self.make()


@asynccontextmanager
async def vault_place(stack: Settings) -> AsyncIterator[VaultPlace]:
    """A database with an empty vault, removed at the end."""
    name = f"t{uuid4().hex[:16]}"
    url = urlsplit(stack.database_url.get_secret_value())
    own = SecretStr(urlunsplit(url._replace(path=f"/{name}")))
    settings = stack.model_copy(update={"database_url": own})
    connection = await asyncpg.connect(stack.database_url.get_secret_value(), timeout=10)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        async with await open_pool(settings, size_max=4) as pool:
            place = VaultPlace(settings, pool)
            await place.make()
            yield place
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()
