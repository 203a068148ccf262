"""Every look at a listing. ClickHouse, one row per view.

No address of anybody: `viewer` is a keyed hash that changes every day (UTC), `network` the
address cut to its network. So unique viewers are counted within a day and added up over days.
Rows older than `KEPT_DAYS` are taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from projections.analytics.days import DAYS_MAX, Analytics, clipped
from projections.projection import ClickHouseTable, Projection
from schemas.log.recorded import Recorded
from schemas.tracking import ListingViewed

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
    span = clipped(first, last)
    if span is None:
        return []
    rows = await analytics.fetch(
        """
        SELECT toDate(viewed_at, 'UTC') AS day, count() AS views, uniqExact(viewer) AS uniques
        FROM listing_views_log
        WHERE listing_id = %(listing_id)s
          AND viewed_at >= toDateTime64(%(first)s, 6, 'UTC')
          AND viewed_at < addDays(toDateTime64(%(last)s, 6, 'UTC'), 1)
        GROUP BY day ORDER BY day LIMIT %(days_max)s
        """,
        {"listing_id": listing_id, "first": span[0], "last": span[1], "days_max": DAYS_MAX},
    )
    return [DayOfViews(*row) for row in rows]
