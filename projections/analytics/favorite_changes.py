"""Every listing kept in mind, and let go. ClickHouse, one row per event, and nobody's name in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias, assert_never

from projections.analytics.days import DAYS_MAX, Analytics, clipped
from projections.projection import ClickHouseTable, Projection
from schemas.favorites import FavoriteAdded, FavoriteRemoved, FavoritesCleared
from schemas.log.recorded import Recorded

Heard: TypeAlias = FavoriteAdded | FavoriteRemoved | FavoritesCleared


@dataclass(frozen=True, slots=True)
class FavoriteChange:
    """How many more, or fewer, keep each of the listings in mind. The moment is the log's."""

    listing_ids: tuple[str, ...]
    more: int
    recorded_at: datetime


def key(recorded: Recorded[Heard]) -> str:
    """The event's own id: every change has a row."""
    return recorded.event_id


def fold(_row: FavoriteChange | None, recorded: Recorded[Heard]) -> FavoriteChange:
    """The change itself."""
    match recorded.event:
        case FavoriteAdded(listing_id=listing_id):
            listing_ids, more = (listing_id,), 1
        case FavoriteRemoved(listing_id=listing_id):
            listing_ids, more = (listing_id,), -1
        case FavoritesCleared(listing_ids=listing_ids):
            more = -1
        case _:
            assert_never(recorded.event)
    return FavoriteChange(tuple(map(str, listing_ids)), more, recorded.recorded_at)


favorite_changes = Projection(
    name="favorite_changes",
    version=1,
    hears=(FavoriteAdded, FavoriteRemoved, FavoritesCleared),
    key=key,
    fold=fold,
    row=FavoriteChange,
    target=ClickHouseTable(
        columns=(
            ("listing_ids", "Array(String)"),
            ("more", "Int8"),
            ("recorded_at", "DateTime64(6, 'UTC')"),
        ),
        order_by=("recorded_at",),
    ),
    insert_only=True,
)


@dataclass(frozen=True, slots=True)
class DayOfChanges:
    """One day, UTC, of one listing; `kept` is how many kept it in mind at the day's end."""

    day: date
    added: int
    removed: int
    kept: int


_PER_DAY = """
    SELECT listing_id, day, added, removed, kept FROM (
        SELECT listing_id, day, added, removed,
               sum(added - removed) OVER (PARTITION BY listing_id ORDER BY day) AS kept
        FROM (
            SELECT arrayJoin(listing_ids) AS listing_id, toDate(recorded_at, 'UTC') AS day,
                   countIf(more > 0) AS added, countIf(more < 0) AS removed
            FROM favorite_changes
            WHERE hasAny(listing_ids, %(listing_ids)s)
              AND recorded_at < addDays(toDateTime64(%(last)s, 6, 'UTC'), 1)
            GROUP BY listing_id, day HAVING has(%(listing_ids)s, listing_id)
        )
    )
    WHERE day >= toDate(%(first)s) ORDER BY listing_id, day LIMIT %(most)s
"""
_BEFORE = """
    SELECT listing_id, sum(more) FROM (
        SELECT arrayJoin(listing_ids) AS listing_id, more FROM favorite_changes
        WHERE hasAny(listing_ids, %(listing_ids)s)
          AND recorded_at < toDateTime64(%(first)s, 6, 'UTC')
    )
    WHERE has(%(listing_ids)s, listing_id) GROUP BY listing_id
"""


async def changes_per_day(
    analytics: Analytics, listing_ids: Sequence[str], first: date, last: date
) -> Mapping[str, Sequence[DayOfChanges]]:
    """The days from `first` to `last` on which somebody began or ceased to keep one of these
    listings in mind, by listing.
    """
    found: dict[str, list[DayOfChanges]] = {each: [] for each in listing_ids}
    span = clipped(first, last)
    if span is None or not listing_ids:
        return found
    rows = await analytics.fetch(
        _PER_DAY,
        {
            "listing_ids": list(listing_ids),
            "first": span[0],
            "last": span[1],
            "most": DAYS_MAX * len(listing_ids),
        },
    )
    for listing_id, *day in rows:
        found[listing_id].append(DayOfChanges(*day))
    return found


async def kept_before(
    analytics: Analytics, listing_ids: Iterable[str], first: date
) -> Mapping[str, int]:
    """How many kept each of these listings in mind when the day began."""
    asked = list(listing_ids)
    found = dict.fromkeys(asked, 0)
    span = clipped(first, date.max)
    if span is not None and asked:
        rows = await analytics.fetch(_BEFORE, {"listing_ids": asked, "first": span[0]})
        found |= {listing_id: int(kept) for listing_id, kept in rows}
    return found
