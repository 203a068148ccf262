"""The page that a buyer opens, and the lists that lead there. Postgres, one row per listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any, get_args

from sqlalchemy import Index, MetaData, Table

from projections.favorites.favorites import COUNT, MARK
from projections.listings.listing_images import LISTING_IMAGES_VIEW, image_changes
from projections.listings.listings_view import LISTINGS_VIEW
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from projections.vehicle_columns import changed_columns, stated_columns
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingEvent,
    ListingPriceChanged,
    ListingPublished,
    ListingRenewed,
    ListingSold,
    ListingStatus,
    ListingUnpublished,
    ListingUpdated,
    status_after,
)
from schemas.log.frozen import changed, frozen
from schemas.log.messages import Market
from schemas.log.recorded import Recorded


@frozen
class ListingPage:
    """Everything that is stated of a listing; None means "not stated".

    Times are those at which the log took each event: the one clock that prices, history and
    reads of the past go by, too. `published_at` is the first time: whoever hides and shows a
    listing again does not get back to the top of the newest. `expires_at` is when its time on offer ends,
    or ended; None where it has no end.
    """

    seller_id: str
    market: Market
    status: ListingStatus
    version: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None = None
    expires_at: datetime | None = None
    sold_at: datetime | None = None
    title: str | None = None
    description: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    year: int | None = None
    make: str | None = None
    model: str | None = None
    trim: str | None = None
    vin: str | None = None
    body_type: str | None = None
    mileage: int | None = None
    mileage_unit: str | None = None
    mileage_km: int | None = None
    fuel_type: str | None = None
    transmission: str | None = None
    drivetrain: str | None = None
    condition: str | None = None
    engine_cc: int | None = None
    power_kw: int | None = None
    doors: int | None = None
    seats: int | None = None
    exterior_color: str | None = None
    interior_color: str | None = None
    owners: int | None = None
    first_registration: str | None = None
    registered: bool | None = None
    import_year: int | None = None
    accident_free: bool | None = None
    damaged: bool | None = None
    warranty: bool | None = None
    finance: bool | None = None
    negotiable: bool | None = None
    availability: str | None = None
    date_in_stock: date | None = None
    location: str | None = None
    lat: float | None = None
    lon: float | None = None
    features: tuple[str, ...] | None = None
    image_ids: tuple[str, ...] = ()
    thumbnail_keys: tuple[str, ...] = ()
    medium_keys: tuple[str, ...] = ()
    large_keys: tuple[str, ...] = ()


def key(recorded: Recorded[ListingEvent]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingPage | None, recorded: Recorded[ListingEvent]) -> ListingPage | None:
    """The page after the event. A deleted listing keeps its row: links to it answer 410."""
    event, at = recorded.event, recorded.recorded_at
    if isinstance(event, ListingCreated):
        return ListingPage(
            seller_id=event.seller_id,
            market=event.market,
            status=ListingStatus.DRAFT,
            version=recorded.version,
            created_at=at,
            updated_at=at,
            **stated_columns(event.fields),
        )
    if row is None:
        return None
    changes = {**_changes(row, event, at), **image_changes(row, event)}
    status = status_after(event, row.status)
    return changed(row, version=recorded.version, updated_at=at, status=status, **changes)


def _changes(row: ListingPage, event: ListingEvent, at: datetime) -> dict[str, Any]:
    match event:
        case ListingUpdated(fields=stated, cleared=cleared):
            return changed_columns(stated, cleared)
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            return {"price_minor": price_minor, "currency": currency}
        case ListingPublished(expires_at=expires_at):
            return {"published_at": row.published_at or at, "expires_at": expires_at}
        case ListingRenewed(expires_at=expires_at):
            return {"expires_at": expires_at}
        case ListingSold():
            return {"sold_at": at, "expires_at": None}
        case ListingUnpublished() | ListingDeleted():
            return {"expires_at": None}
        case _:
            return {}


table = Table("listing_page", MetaData(), *columns_of(ListingPage))
Index(
    "newest",
    table.c.market,
    table.c.published_at.desc(),
    table.c.key.desc(),
    postgresql_where=table.c.status == "active",
)
Index(
    "changed",
    table.c.market,
    table.c.updated_at,
    table.c.key,
    postgresql_where=table.c.status == "active",
)
Index("of_vin", table.c.vin, table.c.key, postgresql_where=table.c.vin.is_not(None))
Index(
    "vins_on_offer",
    table.c.vin,
    table.c.key,
    postgresql_where=table.c.vin.is_not(None) & (table.c.status == "active"),
)
Index(
    "feed",
    table.c.seller_id,
    table.c.updated_at,
    table.c.key,
    postgresql_where=table.c.status == "active",
)
Index("mine", table.c.seller_id, table.c.created_at.desc(), table.c.key.desc())

FEATURES_VIEW = """
    CREATE OR REPLACE VIEW reads.listing_features AS
    SELECT key || '/' || feature AS id, key AS listing_id, feature AS feature_name
    FROM {view} CROSS JOIN LATERAL unnest(features) AS feature
"""

listing_page = Projection(
    name="listing_page",
    version=6,
    hears=get_args(ListingEvent),
    key=key,
    fold=fold,
    erased_by=(ListingDeleted,),
    row=ListingPage,
    target=PostgresTable(table, extras=(FEATURES_VIEW, LISTING_IMAGES_VIEW, LISTINGS_VIEW)),
)

_NAMES = ("key", *(each.name for each in fields(ListingPage)))
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
# Lists do without the one column that is as long as all others together.
_LISTED = ", ".join(f'"{name}"' for name in _NAMES if name != "description")
_BY_ID = f"""
    SELECT {_COLUMNS}, coalesce(views, 0) AS views{{counts}}
    FROM reads.listing_page LEFT JOIN reads.listing_views USING (key)
    WHERE key = $1
"""  # noqa: S608 - our own names
_SEEN = _BY_ID.format(counts="")
_COUNTED = _BY_ID.format(
    counts=f""", {COUNT.format(listing="$1")} AS favorites,
           {MARK.format(listing="$1", person="$2")} AS is_favorite"""
)
_NEWEST = f"""
    SELECT {_LISTED} FROM reads.listing_page
    WHERE status = 'active' AND market = $1 {{after}}
    ORDER BY published_at DESC, key DESC {{limit}}
"""  # noqa: S608 - our own names
_CHANGED = """
    SELECT key, status, price_minor, currency, updated_at FROM reads.listing_page
    WHERE status = 'active' AND market = $1 AND (updated_at, key) > ($2, $3)
    ORDER BY updated_at, key LIMIT $4
"""
_MINE = f"""
    SELECT {_LISTED} FROM reads.listing_page
    WHERE seller_id = $1 AND status = ANY($2) {{after}}
    ORDER BY created_at DESC, key DESC {{limit}}
"""  # noqa: S608 - our own names


FEED_MAX = 100
_FEED = f"""
    SELECT {_COLUMNS} FROM reads.listing_page
    WHERE seller_id = $1 AND status = 'active' AND (updated_at, key) > ($2, $3)
    ORDER BY updated_at, key LIMIT $4
"""  # noqa: S608 - our own names
VIN_OFFERS_MAX = 20
_WITH_VIN = f"""
    SELECT key AS listing_id, seller_id, status, title, published_at FROM reads.listing_page
    WHERE vin = $1 AND status <> 'deleted' AND ($2 OR seller_id = $3)
    ORDER BY key DESC LIMIT {VIN_OFFERS_MAX}
"""  # noqa: S608 - our own names
_ALSO_WITH_VIN = f"""
    SELECT key AS listing_id, seller_id, title, published_at FROM reads.listing_page
    WHERE vin = $1 AND status = 'active' AND key <> $2 ORDER BY key LIMIT {VIN_OFFERS_MAX}
"""  # noqa: S608 - our own names
_SHARED_VINS = f"""
    SELECT vin, count(*) AS count, (array_agg(key ORDER BY key))[:{VIN_OFFERS_MAX}] AS listing_ids
    FROM reads.listing_page WHERE vin IS NOT NULL AND status = 'active' {{after}}
    GROUP BY vin HAVING count(*) > 1 ORDER BY vin DESC {{limit}}
"""  # noqa: S608 - our own names


async def feed(
    reads: Reads, seller_id: str, after: tuple[datetime, str], limit: int
) -> Sequence[Mapping[str, Any]]:
    """A seller's listings on offer in the order in which the log last told of them, after that moment
    and id: what changes while somebody reads on comes again, and nothing is passed over.
    """
    return await reads.fetch(_FEED, seller_id, *after, limit)


async def with_vin(
    reads: Reads, vin: str, caller_id: str, *, everyones: bool
) -> Sequence[Mapping[str, Any]]:
    """What there is of this VIN, the last created first: the caller's, or everyone's."""
    return await reads.fetch(_WITH_VIN, vin, everyones, caller_id)


async def also_with_vin(reads: Reads, vin: str, listing_id: str) -> Sequence[Mapping[str, Any]]:
    """What else is on offer with this VIN."""
    return await reads.fetch(_ALSO_WITH_VIN, vin, listing_id)


async def shared_vins(reads: Reads, part: Slice) -> Sequence[Mapping[str, Any]]:
    """The VINs with which more than one listing is on offer."""
    return await fetch_slice(reads, _SHARED_VINS, "vin", part)


async def by_id(reads: Reads, listing_id: str) -> Mapping[str, Any] | None:
    """One listing with how often it was seen."""
    return await reads.fetchrow(_SEEN, listing_id)


async def counted_by_id(reads: Reads, listing_id: str, user_id: str) -> Mapping[str, Any] | None:
    """The same with how many keep it in mind, and whether this person does."""
    return await reads.fetchrow(_COUNTED, listing_id, user_id)


async def newest(reads: Reads, market: Market, part: Slice) -> Sequence[Mapping[str, Any]]:
    """What everyone can see of a market, the last published first."""
    return await fetch_slice(reads, _NEWEST, "published_at, key", part, market)


async def changed_since(
    reads: Reads, market: Market, after: tuple[datetime, str], limit: int
) -> Sequence[Mapping[str, Any]]:
    """What of a market's listings on offer has changed after that moment and id, the first first:
    their price and when.
    """
    return await reads.fetch(_CHANGED, market, *after, limit)


async def mine(
    reads: Reads, seller_id: str, statuses: Sequence[ListingStatus], part: Slice
) -> Sequence[Mapping[str, Any]]:
    """A seller's listings in these states, the last created first."""
    return await fetch_slice(reads, _MINE, "created_at, key", part, seller_id, statuses)
