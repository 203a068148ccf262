"""How often a listing was looked at. Postgres, one exact counter per listing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import MetaData, Table

from projections.listings.listings_view import LISTINGS_VIEW
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from schemas.log.recorded import Recorded
from schemas.tracking import ListingViewed


@dataclass(frozen=True, slots=True)
class ListingViews:
    """All views ever, and the moment of the latest."""

    views: int
    last_viewed_at: datetime


def key(recorded: Recorded[ListingViewed]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingViews | None, recorded: Recorded[ListingViewed]) -> ListingViews:
    """One more. Views come in any order, so the latest moment is the greatest."""
    at = recorded.event.viewed_at
    if row is None:
        return ListingViews(views=1, last_viewed_at=at)
    return ListingViews(views=row.views + 1, last_viewed_at=max(row.last_viewed_at, at))


listing_views = Projection(
    name="listing_views",
    version=1,
    hears=(ListingViewed,),
    key=key,
    fold=fold,
    row=ListingViews,
    target=PostgresTable(
        Table("listing_views", MetaData(), *columns_of(ListingViews)), extras=(LISTINGS_VIEW,)
    ),
)
