"""Days, in UTC, as ClickHouse can count them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol

DAYS_MAX = 366  # of one answer
# What ClickHouse can count from and to. Nothing was before or after.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2261, 12, 31)


class Analytics(Protocol):
    """Runs queries on the ClickHouse views."""

    async def fetch(self, query: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Every row."""
        ...


def clipped(first: date, last: date) -> tuple[date, date] | None:
    """The days among these that can be asked for; None if there are none."""
    if last < FIRST_DAY or first > LAST_DAY:
        return None
    return max(first, FIRST_DAY), min(last, LAST_DAY)
