"""The vocabulary of vehicles: closed lists, quantities and the fields of an advertisement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.values.money import CURRENCIES
from schemas.values.numbers import NUMBER, Day, Switch
from schemas.values.texts import Form, Line, Lines, OneOf

YEAR_MIN = 1886  # Benz Patent-Motorwagen
YEAR_MAX = 2100
PRICE_MINOR_MAX = 10**15

ShortText = Annotated[str, Line(80)]
Year = Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX), NUMBER]
PriceMinor = Annotated[int, Field(gt=0, le=PRICE_MINOR_MAX), NUMBER]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]  # as stored, of any day
Currency = Annotated[
    str, OneOf(CURRENCIES, "is no currency of today: send its ISO 4217 code, such as EUR")
]
Vin = Annotated[
    str,
    Form(
        r"^[A-HJ-NPR-Z0-9]{17}$",
        "is no VIN: it has 17 capital letters and digits, and no I, O or Q",
    ),
]
Month = Annotated[
    str,
    Form(
        r"^(188[6-9]|189[0-9]|19[0-9]{2}|20[0-9]{2})-(0[1-9]|1[0-2])$",  # from YEAR_MIN on
        "is no month from 1886 on: write it like 2020-07",
    ),
]


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

    value: Annotated[int, Field(ge=0, le=5_000_000), NUMBER]
    unit: DistanceUnit = DistanceUnit.KMT

    @property
    def kilometres(self) -> int:
        """The distance in kilometres, rounded."""
        return self.value if self.unit is DistanceUnit.KMT else round(self.value * 1.609344)


class GeoPoint(_Value):
    """A place in WGS 84 degrees."""

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False), NUMBER]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False), NUMBER]


class VehicleFacts(_Value):
    """What the log says of a vehicle, by the rules of its day; None means "not stated".

    `accident_free`, `damaged` and their like are tri-state: false is a statement.
    """

    title: str | None = None
    description: str | None = None
    price_minor: int | None = None
    currency: CurrencyCode | None = None
    year: int | None = None
    make: str | None = None
    model: str | None = None
    trim: str | None = None
    vin: str | None = None
    body_type: BodyType | None = None
    mileage: Mileage | None = None
    fuel_type: FuelType | None = None
    transmission: Transmission | None = None
    drivetrain: Drivetrain | None = None
    condition: Condition | None = None
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
    availability: Availability | None = None
    date_in_stock: date | None = None
    location: str | None = None
    geo: GeoPoint | None = None
    features: tuple[str, ...] | None = None

    def stated(self) -> dict[str, Any]:
        """The values that are stated, by field name."""
        return {name: value for name, value in self if value is not None}

    def merged(self, newer: VehicleFacts, cleared: Iterable[str] = ()) -> VehicleFacts:
        """These fields with what `newer` states put in and the `cleared` ones emptied."""
        known = {name: None for name in cleared if name in VehicleFacts.model_fields}
        return self.model_copy(update={**newer.stated(), **known})


class VehicleFields(VehicleFacts):
    """Everything a seller may state of a vehicle; None means "not stated".

    `accident_free`, `damaged` and their like are tri-state: false is a statement.
    """

    title: Annotated[str, Line(160, 3)] | None = None
    description: Annotated[str, Lines(10_000, 0)] | None = None
    price_minor: PriceMinor | None = None
    currency: Currency | None = None
    year: Year | None = None
    make: ShortText | None = None
    model: ShortText | None = None
    trim: ShortText | None = None
    vin: Vin | None = None
    engine_cc: Annotated[int, Field(ge=1, le=20_000), NUMBER] | None = None
    power_kw: Annotated[int, Field(ge=1, le=2_000), NUMBER] | None = None
    doors: Annotated[int, Field(ge=1, le=6), NUMBER] | None = None
    seats: Annotated[int, Field(ge=1, le=12), NUMBER] | None = None
    exterior_color: ShortText | None = None
    interior_color: ShortText | None = None
    owners: Annotated[int, Field(ge=0, le=99), NUMBER] | None = None
    first_registration: Month | None = None
    registered: Switch | None = None
    import_year: Year | None = None
    accident_free: Switch | None = None
    damaged: Switch | None = None
    warranty: Switch | None = None
    finance: Switch | None = None
    negotiable: Switch | None = None
    date_in_stock: Day | None = None
    location: ShortText | None = None
    features: Annotated[tuple[ShortText, ...], Field(max_length=60)] | None = None
