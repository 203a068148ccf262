"""What somebody compares. Postgres, one row per person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.comparisons.compared_columns import COLUMNS
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.comparisons import (
    COMPARED_MAX,
    ComparisonCleared,
    ComparisonItemAdded,
    ComparisonItemRemoved,
)
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded

Heard: TypeAlias = ComparisonItemAdded | ComparisonItemRemoved | ComparisonCleared | UserDeleted


@dataclass(frozen=True, slots=True)
class Comparison:
    """The listings, each once, and when each was added, the last added last. Of a deleted person
    nothing is left but that they are.
    """

    listing_ids: tuple[str, ...] = ()
    added_at: tuple[datetime, ...] = ()
    version: int = 0
    deleted: bool = False


def key(recorded: Recorded[Heard]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: Comparison | None, recorded: Recorded[Heard]) -> Comparison:
    """The comparison after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return Comparison(deleted=True)
    row = row or Comparison()
    if row.deleted:
        return row
    match event:
        case ComparisonItemAdded(listing_id=listing_id, added_at=at):
            row = _without(row, str(listing_id))
            row = replace(
                row,
                listing_ids=(*row.listing_ids, str(listing_id)),
                added_at=(*row.added_at, at),
            )
        case ComparisonItemRemoved(listing_id=listing_id):
            row = _without(row, str(listing_id))
        case ComparisonCleared():
            row = Comparison()
        case _:
            assert_never(event)
    return replace(row, version=recorded.version)


def _without(row: Comparison, listing_id: str) -> Comparison:
    if listing_id not in row.listing_ids:
        return row
    place = row.listing_ids.index(listing_id)
    return replace(
        row,
        listing_ids=row.listing_ids[:place] + row.listing_ids[place + 1 :],
        added_at=row.added_at[:place] + row.added_at[place + 1 :],
    )


comparisons = Projection(
    name="comparisons",
    version=1,
    hears=(ComparisonItemAdded, ComparisonItemRemoved, ComparisonCleared, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=Comparison,
    target=PostgresTable(Table("comparisons", MetaData(), *columns_of(Comparison))),
)

_OF_OWNER = f"""
    SELECT one.listing_id AS key, one.added_at, {COLUMNS}
    FROM reads.comparisons AS own
    CROSS JOIN LATERAL unnest(own.listing_ids, own.added_at)
        WITH ORDINALITY AS one (listing_id, added_at, place)
    LEFT JOIN reads.listing_page AS page ON page.key = one.listing_id
    WHERE own.key = $1 ORDER BY one.place LIMIT {COMPARED_MAX}
"""  # noqa: S608 - our own names
_COUNT = "SELECT cardinality(listing_ids) AS count FROM reads.comparisons WHERE key = $1"


async def of_owner(reads: Reads, user_id: str) -> Sequence[Mapping[str, Any]]:
    """What one person compares, the first added first, each with what its page says; of a listing
    that has none the columns are null.
    """
    return await reads.fetch(_OF_OWNER, user_id)


async def count(reads: Reads, user_id: str) -> int:
    """How many listings one person compares."""
    row = await reads.fetchrow(_COUNT, user_id)
    found: int = 0 if row is None else row["count"]
    return found
