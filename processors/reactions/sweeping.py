"""The hourly sweep: sessions past their end and lapsed one-time tokens are cleared away. What is
due stands in the read models; whether it really is due is for the deciders to say, so that sweeping
twice is sweeping once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import asyncpg
import structlog
import uuid_utils

from infra.password_changes import PasswordChanges
from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands
from processors.reacting.scheduler import forget_sent
from projections.identity import sessions, verification_tokens
from projections.reads import Reads
from schemas.identity import SweepSessions, SweepTokens
from schemas.messages import Command, Role
from schemas.recorded import uncaused

PAGE = 1_000
WAITING_MAX = timedelta(days=1)  # longer than any change of a password takes to be decided

log = structlog.get_logger()

Due = Callable[[Reads, datetime, str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Swept:
    """How much was found to be due."""

    sessions: int
    people: int


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
    await forget_sent(pool)
    log.info("swept", sessions=swept.sessions, people=swept.people)
    return swept


async def _send(
    pool: asyncpg.Pool,
    commands: Commands,
    now: datetime,
    due: Due,
    command: Callable[[str], Command],
) -> int:
    count = 0
    async for keys in _pages(pool, now, due):
        count += await commands.hand_over(
            uncaused(command(key), str(uuid_utils.uuid7())) for key in keys
        )
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


SWEEP = CalendarJob("sweep", "0 * * * *", "UTC", sweep)
