"""The hourly sweep, which clears sessions past their end and lapsed one-time tokens away, and the
weekly one of pictures that nothing shows. What is due stands in the read models; whether it really is
due is for the deciders to say, so that sweeping twice is sweeping once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg
import structlog
import uuid_utils

from infra.credentials.password_changes import PasswordChanges
from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands
from processors.reacting.scheduler import forget_sent
from projections.identity import sessions, verification_tokens
from projections.media import media_files
from projections.reads import Reads
from schemas.identity import SweepSessions, SweepTokens
from schemas.log.messages import Command, Role
from schemas.log.recorded import uncaused
from schemas.media import DeleteUnused, KeepMedia, MarkUnused

PAGE = 1_000
WAITING_MAX = timedelta(days=1)  # longer than any change of a password takes to be decided

log = structlog.get_logger()

Due = Callable[[Reads, datetime, str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Swept:
    """How much was found to be due."""

    sessions: int
    people: int


@dataclass(frozen=True)
class Cleaned:
    """How many uploads were asked to be marked, kept and deleted."""

    marked: int
    kept: int
    deleted: int


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


async def clean_media(pool: asyncpg.Pool, commands: Commands, now: datetime) -> Cleaned:
    """Mark uploads that nothing shows, and take those away that were marked a week ago and still are
    shown by nothing. Those that something shows again are unmarked first.
    """
    asked: dict[str, Any] = {
        "asked_at": now,
        "asked_by": "old_media",
        "asked_role": Role.SYSTEM,
    }

    async def ask(due: Due, kind: type[KeepMedia | DeleteUnused | MarkUnused]) -> int:
        return await _send(pool, commands, now, due, lambda key: kind(media_id=UUID(key), **asked))

    kept = await ask(media_files.used_again, KeepMedia)
    deleted = await ask(media_files.unused_for_long, DeleteUnused)
    marked = await ask(media_files.unused, MarkUnused)
    log.info("media_cleaned", kept=kept, deleted=deleted, marked=marked)
    return Cleaned(marked, kept, deleted)


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


OLD_MEDIA = CalendarJob("old_media", "0 3 * * 0", "UTC", clean_media)
SWEEP = CalendarJob("sweep", "0 * * * *", "UTC", sweep)
