"""Every look at a listing. ClickHouse, one row per view.

No address of anybody: `viewer` is a keyed hash that changes every day (UTC), `network` the
address cut to its network. So unique viewers are counted within a day and added up over days.
Rows older than `KEPT_DAYS` are taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from projections.projection import ClickHouseTable, Projection
from schemas.recorded import Recorded
from schemas.tracking import ListingViewed

DAYS_MAX = 366  # of one answer
KEPT_DAYS = 395  # thirteen months: this month and the same one last year


@dataclass(frozen=True, slots=True)
class ListingView:
    """One look."""

    listing_id: str
    seller_id: str
    viewer: str
    signed_in: bool
    network: str
    viewed_at: datetime


def key(recorded: Recorded[ListingViewed]) -> str:
    """The event's own id: every view has a row."""
    return recorded.event_id


def fold(_row: ListingView | None, recorded: Recorded[ListingViewed]) -> ListingView:
    """The view itself."""
    event = recorded.event
    return ListingView(
        listing_id=str(event.listing_id),
        seller_id=event.seller_id,
        viewer=event.viewer,
        signed_in=event.signed_in,
        network=event.network,
        viewed_at=event.viewed_at,
    )


listing_views_log = Projection(
    name="listing_views_log",
    version=1,
    hears=(ListingViewed,),
    key=key,
    fold=fold,
    row=ListingView,
    target=ClickHouseTable(
        columns=(
            ("listing_id", "String"),
            ("seller_id", "String"),
            ("viewer", "String"),
            ("signed_in", "Bool"),
            ("network", "LowCardinality(String)"),
            ("viewed_at", "DateTime64(6, 'UTC')"),
        ),
        order_by=("listing_id", "viewed_at"),
        kept=("viewed_at", KEPT_DAYS),
    ),
    insert_only=True,
)


# What ClickHouse can count from and to. Nobody looked before or after.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2261, 12, 31)


class Analytics(Protocol):
    """Runs queries on the ClickHouse views."""

    async def fetch(self, query: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Every row."""
        ...


@dataclass(frozen=True, slots=True)
class DayOfViews:
    """One day, UTC."""

    day: date
    views: int
    uniques: int


async def views_per_day(
    analytics: Analytics, listing_id: str, first: date, last: date
) -> list[DayOfViews]:
    """The days from `first` to `last` on which somebody looked, at most `DAYS_MAX`."""
    if last < FIRST_DAY or first > LAST_DAY:
        return []
    first, last = max(first, FIRST_DAY), min(last, LAST_DAY)
    rows = await analytics.fetch(
        """
        SELECT toDate(viewed_at, 'UTC') AS day, count() AS views, uniqExact(viewer) AS uniques
        FROM listing_views_log
        WHERE listing_id = %(listing_id)s
          AND viewed_at >= toDateTime64(%(first)s, 6, 'UTC')
          AND viewed_at < addDays(toDateTime64(%(last)s, 6, 'UTC'), 1)
        GROUP BY day ORDER BY day LIMIT %(days_max)s
        """,
        {"listing_id": listing_id, "first": first, "last": last, "days_max": DAYS_MAX},
    )
    return [DayOfViews(*row) for row in rows]
