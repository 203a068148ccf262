"""One replay a projection, also across machines: Postgres advisory locks.

The coordinator holds an exclusive lock on each projection for as long as it lives, every
shard a shared one of another name. Postgres frees both when their process dies, so a kill
blocks nobody; and because a shard outlives a killed coordinator by some milliseconds, whoever
comes next waits until the shards' locks are free, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

from infra.clients.postgres import CONNECT_TIMEOUT_S
from infra.settings import Settings

ORPHANS_TIMEOUT_S = 15.0

_TRY = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_TRY_SHARED = "SELECT pg_try_advisory_lock_shared(hashtextextended($1, 0))"
_FREE = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"
_POLL_S = 0.1


class ReplayRunningError(Exception):
    """Another process replays this projection now."""


class LockLostError(Exception):
    """Postgres went away, and with it the right to be the only replay; resume later."""


@asynccontextmanager
async def only_replay(settings: Settings, names: Iterable[str]) -> AsyncIterator[asyncio.Event]:
    """Be the only replay of these projections; the event is set when that right is lost.

    Raises ReplayRunningError at once when another process is at it.
    """
    connection, lost = await _connect(settings)
    try:
        for name in sorted(set(names)):
            if not await connection.fetchval(_TRY, f"replay of {name}"):
                message = (
                    f"a replay of {name} runs in another process: wait for it,"
                    f" or end it with `mesh replay cancel {name}`"
                )
                raise ReplayRunningError(message)
            await _orphans_gone(connection, name)
        yield lost
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


@asynccontextmanager
async def one_shard(settings: Settings, names: Iterable[str]) -> AsyncIterator[asyncio.Event]:
    """Be one of the shards of a replay; the event is set when that right is lost."""
    connection, lost = await _connect(settings)
    try:
        for name in sorted(set(names)):
            if not await connection.fetchval(_TRY_SHARED, f"shard of {name}"):
                message = f"another replay of {name} has begun"
                raise ReplayRunningError(message)
        yield lost
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


async def is_running(settings: Settings, name: str) -> bool:
    """Whether some process replays this projection now."""
    try:
        async with only_replay(settings, [name]):
            return False
    except ReplayRunningError:
        return True


async def _connect(settings: Settings) -> tuple[asyncpg.Connection, asyncio.Event]:
    lost = asyncio.Event()
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=ORPHANS_TIMEOUT_S,
        server_settings={"application_name": "mesh replay"},
    )
    connection.add_termination_listener(lambda _: lost.set())
    return connection, lost


async def _orphans_gone(connection: asyncpg.Connection, name: str) -> None:
    """Wait until the shards of a killed coordinator have ended."""
    deadline = asyncio.get_running_loop().time() + ORPHANS_TIMEOUT_S
    while not await connection.fetchval(_TRY, f"shard of {name}"):
        if asyncio.get_running_loop().time() > deadline:
            message = f"shards of an earlier replay of {name} still run"
            raise ReplayRunningError(message)
        await asyncio.sleep(_POLL_S)
    await connection.fetchval(_FREE, f"shard of {name}")
