"""Digests: at nine in the morning, Sri Lanka's, each day and each Monday, everybody for whom
something was found since is told of all of it at once. A run that was missed is caught up once. Where both
are due at one moment, the first mail tells for both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import NAMESPACE_OID, UUID, uuid5

import asyncpg

from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands
from processors.reactions.mailing.told import forget_told
from projections.reads import Reads
from projections.searches.alert_matches import people_to_tell
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope, uncaused
from schemas.searches import Frequency, SendDigest

PEOPLE = 1_000
ZONE = "Asia/Colombo"
TOLD_KEPT = timedelta(days=15)  # longer than anything waits to be told


def _digest(frequency: Frequency) -> Callable[[asyncpg.Pool, Commands, datetime], Awaitable[int]]:
    async def run(pool: asyncpg.Pool, commands: Commands, moment: datetime) -> int:
        """Ask for the digest of everybody who has one to get; returns how many they are."""
        await forget_told(pool, datetime.now(UTC) - TOLD_KEPT)
        count, last, reads = 0, "", cast("Reads", pool)
        while people := await people_to_tell(reads, frequency, moment, last, PEOPLE):
            count += await commands.hand_over(_command(each, frequency, moment) for each in people)
            last = people[-1]
        return count

    return run


def _command(user_id: str, frequency: Frequency, moment: datetime) -> CommandEnvelope:
    command = SendDigest(
        user_id=UUID(user_id),
        frequency=frequency,
        due_at=moment,
        asked_at=datetime.now(UTC),
        asked_by=f"calendar/{frequency}_digest",
        asked_role=Role.SYSTEM,
    )
    # Of the hour, so that asking again for the same one is the same command.
    name = f"digest/{frequency}/{user_id}/{moment.isoformat()}"
    return uncaused(command, str(uuid5(NAMESPACE_OID, name)))


DIGESTS: tuple[CalendarJob, ...] = (
    CalendarJob("daily_digest", "0 9 * * *", ZONE, _digest(Frequency.DAILY)),
    CalendarJob("weekly_digest", "0 9 * * 1", ZONE, _digest(Frequency.WEEKLY)),
)
_JOBS = dict(zip((Frequency.DAILY, Frequency.WEEKLY), DIGESTS, strict=True))


def due_together(frequency: Frequency, moment: datetime) -> tuple[Frequency, ...]:
    """The digest of this frequency, and the others that are due at the same moment."""
    others = (each for each, job in _JOBS.items() if job.last_until(moment) == moment)
    return tuple(dict.fromkeys((frequency, *others)))
