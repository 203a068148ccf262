"""What became of every listing, for figures over many. ClickHouse, one row per listing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from projections.projection import ClickHouseTable, Projection
from projections.vehicle_columns import changed_columns, stated_columns
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingEvent,
    ListingPriceChanged,
    ListingPublished,
    ListingSold,
    ListingStatus,
    ListingUpdated,
    status_after,
)
from schemas.log.frozen import changed, frozen, names_of
from schemas.log.messages import Market
from schemas.log.recorded import Recorded


@frozen
class ListingFacts:
    """Dimensions to group by and the moments between which a listing lived."""

    seller_id: str
    market: Market
    status: ListingStatus
    created_at: datetime
    published_at: datetime | None = None
    sold_at: datetime | None = None
    deleted_at: datetime | None = None
    sold_minor: int | None = None
    price_minor: int | None = None
    currency: str | None = None
    price_changes: int = 0
    make: str | None = None
    model: str | None = None
    year: int | None = None
    mileage_km: int | None = None
    body_type: str | None = None
    fuel_type: str | None = None
    location: str | None = None


_STATED = frozenset(names_of(ListingFacts))


def key(recorded: Recorded[ListingEvent]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingFacts | None, recorded: Recorded[ListingEvent]) -> ListingFacts | None:
    """The facts after the event; those of a deleted listing stay, for it was there."""
    event, at = recorded.event, recorded.recorded_at
    if isinstance(event, ListingCreated):
        return ListingFacts(
            seller_id=event.seller_id,
            market=event.market,
            status=ListingStatus.DRAFT,
            created_at=at,
            **_known(stated_columns(event.fields)),
        )
    if row is None:
        return None
    return changed(row, status=status_after(event, row.status), **_changes(row, event, at))


def _changes(row: ListingFacts, event: ListingEvent, at: datetime) -> dict[str, Any]:
    match event:
        case ListingUpdated(fields=fields, cleared=cleared):
            return _known(changed_columns(fields, cleared))
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            changes = row.price_changes + 1
            return {"price_minor": price_minor, "currency": currency, "price_changes": changes}
        case ListingPublished():
            return {"published_at": row.published_at or at}
        case ListingSold(price_minor=price_minor):
            return {"sold_at": at, "sold_minor": price_minor}
        case ListingDeleted():
            return {"deleted_at": at}
        case _:
            return {}


def _known(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: columns[name] for name in columns.keys() & _STATED}


_MOMENT = "DateTime64(6, 'UTC')"

listing_facts = Projection(
    name="listing_facts",
    version=4,
    hears=get_args(ListingEvent),
    key=key,
    fold=fold,
    erased_by=(ListingDeleted,),
    row=ListingFacts,
    target=ClickHouseTable(
        columns=(
            ("seller_id", "String"),
            ("market", "LowCardinality(String)"),
            ("status", "LowCardinality(String)"),
            ("created_at", _MOMENT),
            ("published_at", f"Nullable({_MOMENT})"),
            ("sold_at", f"Nullable({_MOMENT})"),
            ("deleted_at", f"Nullable({_MOMENT})"),
            ("sold_minor", "Nullable(Int64)"),
            ("price_minor", "Nullable(Int64)"),
            ("currency", "LowCardinality(Nullable(String))"),
            ("price_changes", "UInt32"),
            ("make", "LowCardinality(Nullable(String))"),
            ("model", "LowCardinality(Nullable(String))"),
            ("year", "Nullable(UInt16)"),
            ("mileage_km", "Nullable(UInt32)"),
            ("body_type", "LowCardinality(Nullable(String))"),
            ("fuel_type", "LowCardinality(Nullable(String))"),
            ("location", "LowCardinality(Nullable(String))"),
        ),
    ),
)
