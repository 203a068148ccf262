"""Calendar jobs: what is done at set times, whatever has happened.

A time is a cron expression and a zone. Where clocks go forward, a time that does not exist is taken
as soon as they have; where they go back, one that comes twice is taken once, but for every hour's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
from cronsim import CronSim

from processors.reacting.commands import Commands


@dataclass(frozen=True)
class CalendarJob:
    """One job. `name` is under which its last run is kept, so it never changes. `run` is told the
    moment of the run, and harms nobody when it is done twice.
    """

    name: str
    cron: str
    zone: str
    run: Callable[[asyncpg.Pool, Commands, datetime], Awaitable[object]]

    def next_after(self, moment: datetime) -> datetime:
        """The job's first time after a moment, in UTC."""
        local = moment.astimezone(ZoneInfo(self.zone))
        return next(CronSim(self.cron, local)).astimezone(UTC)

    def last_until(self, moment: datetime) -> datetime:
        """The job's last time up to a moment, in UTC."""
        # Backwards the start itself does not count.
        after = moment.replace(microsecond=0) + timedelta(seconds=1)
        local = after.astimezone(ZoneInfo(self.zone))
        return next(CronSim(self.cron, local, reverse=True)).astimezone(UTC)
