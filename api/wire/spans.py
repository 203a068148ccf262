"""A span of days, UTC, as figures are asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import Query

from api.wire.problems import Problem
from projections.analytics.days import DAYS_MAX
from schemas.log.messages import Fault

DAYS_DEFAULT = 30

First = Annotated[date | None, Query(description="Default: 30 days up to `last`")]
Last = Annotated[date | None, Query(description="Default: today, UTC")]


def span_of(first: date | None, last: date | None) -> tuple[date, date]:
    """The first and the last day, both included; raises a 422 problem for a span that is none, or
    too long.
    """
    end = last or datetime.now(UTC).date()
    begin = first or max(date.min + timedelta(DAYS_DEFAULT), end) - timedelta(DAYS_DEFAULT - 1)
    if not 0 <= (end - begin).days < DAYS_MAX:
        detail = f"must not be after `last`, nor {DAYS_MAX} days or more before it"
        raise Problem(
            422, "invalid", "No such span", faults=[Fault(pointer="?first", detail=detail)]
        )
    return begin, end
