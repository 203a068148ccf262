"""What clients send of a listing and what they get, with examples for the API's document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.entry.pictures import PictureAnswer, pictures_of
from api.listings.vin_check import Hint
from api.wire.changes import ChangedAnswer
from api.wire.forms import Body
from projections.image_columns import NAMES
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from schemas.values.numbers import Switch
from schemas.values.vehicles import PriceMinor, VehicleFacts, VehicleFields

_FIELDS: dict[str, Any] = {
    "title": "Porsche 911 Carrera 4S",
    "price_minor": 8_500_000,
    "currency": "USD",
    "make": "Porsche",
    "model": "911",
    "year": 2019,
    "mileage": {"value": 42_000, "unit": "KMT"},
    "fuel_type": "petrol",
    "location": "Colombo",
    "geo": {"lat": 6.9271, "lon": 79.8612},
    "features": ["Sunroof"],
}
LISTING_ID = "01980000-0000-7000-8000-000000000001"
CHANGED = {"id": LISTING_ID, "version": 2}
STATED = {**CHANGED, "warnings": []}
IMAGE_ID = "01980000-0000-7000-8000-0000000000b1"
_SIZES = f"/api/media/01980000-0000-7000-8000-00000000000a/{IMAGE_ID}"
PICTURE = {
    "id": IMAGE_ID,
    "thumbnail": f"{_SIZES}/{'1' * 64}.webp",
    "medium": f"{_SIZES}/{'2' * 64}.webp",
    "large": f"{_SIZES}/{'3' * 64}.webp",
}
IS_FAVORITE = "Whether the caller keeps it in mind; null for strangers, API keys and of the past"
LISTING = {
    **_FIELDS,
    "id": LISTING_ID,
    "seller_id": "01980000-0000-7000-8000-00000000000a",
    "market": "exotics",
    "status": "active",
    "version": 2,
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "published_at": "2026-03-01T12:00:00Z",
    "expires_at": "2026-05-30T12:00:00Z",
    "sold_at": None,
    "days_to_sell": None,
    "mileage_km": 42_000,
    "images": [PICTURE],
    "views": 7,
    "favorites": 2,
    "is_favorite": None,
}


def _example(value: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [dict(value)]})


class NewListing(VehicleFields):
    """What a new listing states. A draft may lack anything; everyone's eyes need title, price,
    currency, make, year and mileage.
    """

    model_config = _example({**_FIELDS, "publish": True})

    publish: Switch = Field(default=False, description="Show it to everyone at once")

    @property
    def fields(self) -> VehicleFields:
        """What is stated of the vehicle."""
        return vehicle_fields(self)


class ListingChanges(VehicleFields):
    """What shall be different: a field that is left out stays, null empties it (RFC 7396).
    `mileage`, `geo` and `features` are replaced whole.
    """

    model_config = _example({"price_minor": 7_900_000, "trim": None})


class Sale(Body):
    """Who bought, and for how much in minor units; both may stay untold."""

    buyer_id: UUID | None = None
    price_minor: PriceMinor | None = None


class ListingChangedAnswer(ChangedAnswer):
    """The listing and the version it has now."""


class ListingStatedAnswer(ListingChangedAnswer):
    """The same, with what looks wrong in what was stated, and was taken nevertheless."""

    warnings: list[Hint]


class ListingAnswer(VehicleFacts):
    """A listing; null means "not stated"."""

    model_config = ConfigDict(extra="allow")

    id: UUID
    seller_id: str
    market: Market
    status: ListingStatus
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    published_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(
        description="When its time on offer ends, or ended; null: there is no end"
    )
    sold_at: AwareDatetime | None
    days_to_sell: int | None = Field(
        description="Whole days from its first publication until it was sold; null: it is not"
    )
    mileage_km: int | None
    images: list[PictureAnswer] = Field(description="In their order; the first stands for it")
    views: int | None = Field(default=None, description="Only on the listing as it is now")
    favorites: int | None = Field(
        default=None, description="How many people keep it in mind; where `views` is"
    )
    is_favorite: bool | None = Field(default=None, description=IS_FAVORITE)


class ListingsAnswer(BaseModel):
    """A page of listings, without their descriptions."""

    items: list[ListingAnswer]
    next_cursor: str | None


def vehicle_fields(body: VehicleFields) -> VehicleFields:
    """The vehicle's part of a body that holds more."""
    return VehicleFields(**{name: getattr(body, name) for name in VehicleFields.model_fields})


def shown(row: Mapping[str, Any], marks: Mapping[str, bool | None] | None = None) -> dict[str, Any]:
    """A row of the listing page as clients see it; `marks` say which are favourites of theirs."""
    body = dict(row)
    unit, lat, lon = body.pop("mileage_unit"), body.pop("lat"), body.pop("lon")
    body["id"] = body.pop("key")
    body["days_to_sell"] = _days_to_sell(row)
    if unit is not None:
        body["mileage"] = {"value": body["mileage"], "unit": unit}
    body["images"] = pictures_of(row)
    for name in NAMES:
        body.pop(name)
    if marks is not None:
        body["is_favorite"] = marks[body["id"]]
    body["geo"] = None if lat is None else {"lat": lat, "lon": lon}
    return body


def _days_to_sell(row: Mapping[str, Any]) -> int | None:
    begun, sold = row["published_at"], row["sold_at"]
    return None if begun is None or sold is None else (sold - begun).days
