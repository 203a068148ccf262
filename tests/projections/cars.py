"""Listings' events for tests: one car and what happens to it, at moments of one's choice."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingExpired,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingRenewed,
    ListingShown,
    ListingSold,
    ListingUnpublished,
    ListingUpdated,
)
from schemas.log.messages import Market
from schemas.tracking import ListingViewed
from schemas.values.vehicles import (
    BodyType,
    Condition,
    Drivetrain,
    FuelType,
    GeoPoint,
    Mileage,
    Transmission,
    VehicleFields,
)
from tests.projections.history import BEGINNING

ID = UUID("01980000-0000-7000-8000-000000000001")
STREAM = f"listing/{ID}"
SELLER = "01980000-0000-7000-8000-00000000000a"
FULL = VehicleFields(
    title="Porsche 911 Carrera 4S",
    description="Serviced every year",
    price_minor=8_500_000,
    currency="USD",
    year=2019,
    make="Porsche",
    model="911",
    trim="Carrera 4S",
    body_type=BodyType.COUPE,
    mileage=Mileage(value=42_000),
    fuel_type=FuelType.PETROL,
    transmission=Transmission.AUTOMATIC,
    drivetrain=Drivetrain.AWD,
    condition=Condition.EXCELLENT,
    power_kw=331,
    exterior_color="Black",
    accident_free=False,
    location="Colombo",
    geo=GeoPoint(lat=6.9271, lon=79.8612),
    features=("Sunroof", "Sport Chrono"),
)


def day(number: float) -> datetime:
    return BEGINNING + timedelta(days=number)


def created(fields: VehicleFields = FULL, on: float = 0, listing_id: UUID = ID) -> ListingCreated:
    return ListingCreated(
        listing_id=listing_id,
        seller_id=SELLER,
        market=Market.EXOTICS,
        fields=fields,
        created_at=day(on),
    )


def updated(fields: VehicleFields | None = None, *cleared: str, on: float = 0) -> ListingUpdated:
    return ListingUpdated(
        listing_id=ID, fields=fields or VehicleFields(), cleared=cleared, updated_at=day(on)
    )


def repriced(price_minor: int, currency: str = "USD", on: float = 0) -> ListingPriceChanged:
    return ListingPriceChanged(
        listing_id=ID, price_minor=price_minor, currency=currency, changed_at=day(on)
    )


def published(on: float = 0, listing_id: UUID = ID, until: float | None = None) -> ListingPublished:
    ends = None if until is None else day(until)
    return ListingPublished(listing_id=listing_id, published_at=day(on), expires_at=ends)


def renewed(on: float, until: float) -> ListingRenewed:
    return ListingRenewed(listing_id=ID, renewed_at=day(on), expires_at=day(until))


def expired(on: float) -> ListingExpired:
    return ListingExpired(listing_id=ID, expired_at=day(on))


def unpublished(on: float = 0) -> ListingUnpublished:
    return ListingUnpublished(listing_id=ID, unpublished_at=day(on))


def sold(on: float = 0, price_minor: int | None = None) -> ListingSold:
    return ListingSold(listing_id=ID, price_minor=price_minor, sold_at=day(on))


def deleted(on: float = 0) -> ListingDeleted:
    return ListingDeleted(listing_id=ID, deleted_at=day(on))


def viewed(on: float = 0, viewer: str = "v", listing_id: UUID = ID) -> ListingViewed:
    return ListingViewed(
        listing_id=listing_id, seller_id=SELLER, viewer=viewer, signed_in=False, viewed_at=day(on)
    )


def hidden(on: float = 1) -> ListingHidden:
    return ListingHidden(listing_id=ID, hidden_at=day(on))


def shown(on: float = 2) -> ListingShown:
    return ListingShown(listing_id=ID, shown_at=day(on))
