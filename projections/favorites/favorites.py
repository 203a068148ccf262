"""Who keeps which listings in mind. Postgres, one row per person: an event changes one row, and how
many keep a listing in mind is counted over an index, so that it can't drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.favorites import FavoriteAdded, FavoriteRemoved, FavoritesCleared
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded

Heard: TypeAlias = FavoriteAdded | FavoriteRemoved | FavoritesCleared | UserDeleted


@dataclass(frozen=True, slots=True)
class Favorites:
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


def fold(row: Favorites | None, recorded: Recorded[Heard]) -> Favorites:
    """The favourites after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return Favorites(deleted=True)
    row = row or Favorites()
    if row.deleted:
        return row
    match event:
        case FavoriteAdded(listing_id=listing_id, added_at=at):
            row = _without(row, str(listing_id))
            row = replace(
                row,
                listing_ids=(*row.listing_ids, str(listing_id)),
                added_at=(*row.added_at, at),
            )
        case FavoriteRemoved(listing_id=listing_id):
            row = _without(row, str(listing_id))
        case FavoritesCleared():
            row = Favorites()
        case _:
            assert_never(event)
    return replace(row, version=recorded.version)


def _without(row: Favorites, listing_id: str) -> Favorites:
    if listing_id not in row.listing_ids:
        return row
    place = row.listing_ids.index(listing_id)
    return replace(
        row,
        listing_ids=row.listing_ids[:place] + row.listing_ids[place + 1 :],
        added_at=row.added_at[:place] + row.added_at[place + 1 :],
    )


table = Table("favorites", MetaData(), *columns_of(Favorites))
Index("of_listing", table.c.listing_ids, postgresql_using="gin")

favorites = Projection(
    name="favorites",
    version=1,
    hears=(FavoriteAdded, FavoriteRemoved, FavoritesCleared, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=Favorites,
    target=PostgresTable(table),
)

COUNTED_MAX = 10_000
# How many keep the listing `{listing}` in mind, as a part of other queries: one more than COUNTED_MAX
# where they are more, for each is looked at.
COUNT = f"""(
    SELECT count(*) FROM (
        SELECT FROM reads.favorites WHERE listing_ids @> ARRAY[{{listing}}] LIMIT {COUNTED_MAX + 1}
    ) AS few
)"""  # noqa: S608 - our own figure
# Whether `{person}` keeps it in mind, likewise.
MARK = (
    "EXISTS (SELECT FROM reads.favorites WHERE key = {person} AND listing_ids @> ARRAY[{listing}])"
)

_AMONG = """
    SELECT ARRAY(SELECT unnest(listing_ids) INTERSECT SELECT unnest($2::text[])) AS found
    FROM reads.favorites WHERE key = $1
"""
_ADDED_AT = """
    SELECT added_at[array_position(listing_ids, $2)] AS added_at
    FROM reads.favorites WHERE key = $1 AND listing_ids @> ARRAY[$2]
"""
# The part is cut out first: of a thousand only those that are shown are looked up.
_OF_OWNER = """
    SELECT saved.listing_id AS key, saved.added_at AS favored_at, page.seller_id, page.status,
           page.title, page.price_minor, page.currency, page.year, page.make, page.model,
           page.mileage_km, page.fuel_type, page.location, page.published_at, page.sold_at,
           page.thumbnail_keys
    FROM (
        SELECT one.listing_id, one.added_at FROM reads.favorites AS own
        CROSS JOIN LATERAL unnest(own.listing_ids, own.added_at) AS one (listing_id, added_at)
        WHERE own.key = $1 {after} ORDER BY one.added_at DESC, one.listing_id DESC {limit}
    ) AS saved LEFT JOIN reads.listing_page AS page ON page.key = saved.listing_id
    ORDER BY saved.added_at DESC, saved.listing_id DESC
"""


async def among(reads: Reads, user_id: str, listing_ids: Sequence[str]) -> frozenset[str]:
    """Which of these listings somebody keeps in mind."""
    row = await reads.fetchrow(_AMONG, user_id, listing_ids)
    return frozenset() if row is None else frozenset(row["found"])


async def added_at(reads: Reads, user_id: str, listing_id: str) -> datetime | None:
    """Since when somebody keeps the listing in mind; None: they don't."""
    row = await reads.fetchrow(_ADDED_AT, user_id, listing_id)
    found: datetime | None = None if row is None else row["added_at"]
    return found


async def of_owner(reads: Reads, user_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """One person's favourites, the last added first, each with what its page says in a list; of
    a listing that has none the columns are null.
    """
    return await fetch_slice(reads, _OF_OWNER, "one.added_at, one.listing_id", part, user_id)
