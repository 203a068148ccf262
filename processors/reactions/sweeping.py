"""What time alone brings about: sessions past their end and lapsed one-time tokens are cleared
away, every hour, and items whose images take too long are shown without them. What is due
stands in the read models; whether it really is due is for the deciders to say, so that sweeping
twice, or from two processes, is sweeping once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import asyncpg
import structlog
import uuid_utils

from infra.password_changes import PasswordChanges
from infra.postgres import means_down, open_pool
from infra.settings import Settings
from infra.vault import VaultUnavailableError
from processors.reactions.commands import Commands
from processors.reactions.positions import UNBUILT
from projections.identity import sessions, verification_tokens
from projections.items import items
from projections.reads import Reads
from schemas.identity import SweepSessions, SweepTokens
from schemas.items import StopWaitingForImages
from schemas.messages import Command, Role
from schemas.recorded import CommandEnvelope

EVERY_S = 3_600.0
ITEMS_EVERY_S = 10.0
RETRY_S = 60.0
PAGE = 1_000
WAITING_MAX = timedelta(days=1)  # longer than any change of a password takes to be decided

log = structlog.get_logger()

Due = Callable[[Reads, datetime, str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Swept:
    """How much was found to be due."""

    sessions: int
    people: int


async def keep_sweeping(settings: Settings, commands: Commands, stop: asyncio.Event) -> None:
    """Sweep now and every hour until `stop` is set, and for items more often. A store that is
    down is tried again.
    """
    patience = timedelta(seconds=settings.item_images_wait_s)
    async with asyncio.TaskGroup() as group:
        group.create_task(
            _keep(settings, stop, EVERY_S, lambda pool, now: sweep(pool, commands, now))
        )
        group.create_task(
            _keep(
                settings,
                stop,
                ITEMS_EVERY_S,
                lambda pool, now: sweep_items(pool, commands, now, patience),
            )
        )


async def _keep(
    settings: Settings,
    stop: asyncio.Event,
    every_s: float,
    once: Callable[[asyncpg.Pool, datetime], Awaitable[object]],
) -> None:
    while not stop.is_set():
        pause = every_s
        try:
            async with await open_pool(settings, size_max=1) as pool:
                await once(pool, datetime.now(UTC))
        except Exception as error:
            if not (means_down(error) or isinstance(error, (*UNBUILT, VaultUnavailableError))):
                raise
            log.warning("sweep_put_off", error=type(error).__name__)
            pause = RETRY_S
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()


async def sweep(pool: asyncpg.Pool, commands: Commands, now: datetime) -> Swept:
    """Ask for everything to be cleared away that is due; the broker has taken it all then."""
    asked = {"asked_at": now, "asked_by": "sweeper", "asked_role": Role.SYSTEM}
    swept = Swept(
        sessions=await _send(
            pool,
            commands,
            now,
            sessions.past_their_time,
            lambda key: SweepSessions(session_id=UUID(key), **asked),
        ),
        people=await _send(
            pool,
            commands,
            now,
            verification_tokens.owners_of_lapsed,
            lambda key: SweepTokens(user_id=UUID(key), **asked),
        ),
    )
    await PasswordChanges(pool).sweep(now - WAITING_MAX)
    log.info("swept", sessions=swept.sessions, people=swept.people)
    return swept


async def sweep_items(
    pool: asyncpg.Pool, commands: Commands, now: datetime, patience: timedelta
) -> int:
    """Have items shown whose images were awaited for longer than `patience`; how many."""
    asked = {"asked_at": now, "asked_by": "sweeper", "asked_role": Role.SYSTEM}
    count = await _send(
        pool,
        commands,
        now - patience,
        items.waiting_since,
        lambda key: StopWaitingForImages(item_id=UUID(key), **asked),
    )
    if count:
        log.info("swept_items", items=count)
    return count


async def _send(
    pool: asyncpg.Pool,
    commands: Commands,
    now: datetime,
    due: Due,
    command: Callable[[str], Command],
) -> int:
    count = 0
    async for keys in _pages(pool, now, due):
        count += await commands.hand_over(_envelope(command(key)) for key in keys)
    return count


async def _pages(pool: asyncpg.Pool, now: datetime, due: Due) -> AsyncIterator[Sequence[str]]:
    last = ""
    while True:
        keys = await due(cast("Reads", pool), now, last, PAGE)
        if keys:
            yield keys
            last = keys[-1]
        if len(keys) < PAGE:
            return


def _envelope(command: Command) -> CommandEnvelope:
    command_id = str(uuid_utils.uuid7())
    return CommandEnvelope(
        command=command,
        command_id=command_id,
        correlation_id=command_id,
        causation_id=command_id,
        fingerprint="",
    )
