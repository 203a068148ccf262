"""The vocabulary of vehicles: closed lists, quantities and the fields of an advertisement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

YEAR_MIN = 1886  # Benz Patent-Motorwagen
YEAR_MAX = 2100
PRICE_MINOR_MAX = 10**15

ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Year = Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX)]
PriceMinor = Annotated[int, Field(gt=0, le=PRICE_MINOR_MAX)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class FuelType(StrEnum):
    """What the vehicle burns or stores."""

    PETROL = "petrol"
    DIESEL = "diesel"
    HYBRID = "hybrid"
    ELECTRIC = "electric"
    LPG = "lpg"
    CNG = "cng"
    OTHER = "other"


class Transmission(StrEnum):
    """How gears are changed."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    CVT = "cvt"
    SEMI_AUTOMATIC = "semi_automatic"


class Drivetrain(StrEnum):
    """Which wheels are driven."""

    FWD = "fwd"
    RWD = "rwd"
    AWD = "awd"
    FOUR_WD = "4wd"


class Condition(StrEnum):
    """How used the vehicle is."""

    NEW = "new"
    LIKE_NEW = "like_new"
    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"


class BodyType(StrEnum):
    """The shape of the body."""

    SEDAN = "sedan"
    HATCHBACK = "hatchback"
    SMALL_CAR = "small_car"
    WAGON = "wagon"
    COUPE = "coupe"
    CONVERTIBLE = "convertible"
    SUV = "suv"
    VAN = "van"
    PICKUP = "pickup"
    OTHER = "other"


class DistanceUnit(StrEnum):
    """UN/CEFACT codes, as schema.org uses them: kilometre and statute mile."""

    KMT = "KMT"
    SMI = "SMI"


class Availability(StrEnum):
    """Whether the vehicle can be had now."""

    IN_STOCK = "in_stock"
    RESERVED = "reserved"
    PRE_ORDER = "pre_order"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mileage(_Value):
    """What the odometer shows, in its own unit."""

    value: Annotated[int, Field(ge=0, le=5_000_000)]
    unit: DistanceUnit = DistanceUnit.KMT

    @property
    def kilometres(self) -> int:
        """The distance in kilometres, rounded."""
        return self.value if self.unit is DistanceUnit.KMT else round(self.value * 1.609344)


class GeoPoint(_Value):
    """A place in WGS 84 degrees."""

    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class VehicleFields(_Value):
    """Everything a seller may state of a vehicle; None means "not stated".

    `accident_free`, `damaged` and their like are tri-state: false is a statement.
    """

    title: Annotated[
        str | None, StringConstraints(strip_whitespace=True, min_length=3, max_length=160)
    ] = None
    description: Annotated[str | None, StringConstraints(max_length=10_000)] = None
    price_minor: PriceMinor | None = None
    currency: Currency | None = None
    year: Year | None = None
    make: ShortText | None = None
    model: ShortText | None = None
    trim: ShortText | None = None
    vin: Annotated[str | None, StringConstraints(pattern=r"^[A-HJ-NPR-Z0-9]{17}$")] = None
    body_type: BodyType | None = None
    mileage: Mileage | None = None
    fuel_type: FuelType | None = None
    transmission: Transmission | None = None
    drivetrain: Drivetrain | None = None
    condition: Condition | None = None
    engine_cc: Annotated[int | None, Field(ge=1, le=20_000)] = None
    power_kw: Annotated[int | None, Field(ge=1, le=2_000)] = None
    doors: Annotated[int | None, Field(ge=1, le=6)] = None
    seats: Annotated[int | None, Field(ge=1, le=12)] = None
    exterior_color: ShortText | None = None
    interior_color: ShortText | None = None
    owners: Annotated[int | None, Field(ge=0, le=99)] = None
    first_registration: Annotated[
        str | None, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    ] = None
    registered: bool | None = None
    import_year: Year | None = None
    accident_free: bool | None = None
    damaged: bool | None = None
    warranty: bool | None = None
    finance: bool | None = None
    negotiable: bool | None = None
    availability: Availability | None = None
    date_in_stock: date | None = None
    location: ShortText | None = None
    geo: GeoPoint | None = None
    features: Annotated[tuple[ShortText, ...] | None, Field(max_length=60)] = None

    def stated(self) -> dict[str, Any]:
        """The values that are stated, by field name."""
        return {name: value for name, value in self if value is not None}

    def merged(self, newer: VehicleFields, cleared: Iterable[str] = ()) -> VehicleFields:
        """These fields with what `newer` states put in and the `cleared` ones emptied."""
        known = {name: None for name in cleared if name in VehicleFields.model_fields}
        return self.model_copy(update={**newer.stated(), **known})
