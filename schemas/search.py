"""Search: what somebody is looking for."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from schemas.log.messages import Market
from schemas.values.texts import Line
from schemas.values.vehicles import (
    PRICE_MINOR_MAX,
    YEAR_MAX,
    YEAR_MIN,
    BodyType,
    Condition,
    Currency,
    Drivetrain,
    FuelType,
    ShortText,
    Transmission,
)

TEXT_LENGTH_MAX = 200
VALUES_MAX = 30  # of one facet; more would be no choice
RADIUS_KM_MAX = 2_000

T = TypeVar("T")
Chosen = Annotated[tuple[T, ...], Field(max_length=VALUES_MAX)]
Amount = Annotated[
    Decimal,
    Field(ge=0, le=PRICE_MINOR_MAX, decimal_places=3, allow_inf_nan=False),
    # Queries hold texts, so a number written as one is no choice of its own.
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": PRICE_MINOR_MAX}),
]
Year = Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX)]
Kilometers = Annotated[int, Field(ge=0, le=10_000_000)]
Power = Annotated[int, Field(ge=0, le=2_000)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Radius = Annotated[float, Field(gt=0, le=RADIUS_KM_MAX, allow_inf_nan=False)]


class Filters(BaseModel):
    """Listings that fit. Several values of one facet mean any of them; different filters all
    have to fit. Prices are in major units (5000 is $5,000.00), compared with each listing's
    price in its own currency; `currency` leaves only listings in that one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: Annotated[str, Line(TEXT_LENGTH_MAX, 0)] = Field(
        default="", description="Words that must all occur; the last may be unfinished"
    )
    market: Market = Market.EXOTICS
    make: Chosen[ShortText] = ()
    model: Chosen[ShortText] = ()
    body: Chosen[BodyType] = ()
    fuel: Chosen[FuelType] = ()
    transmission: Chosen[Transmission] = ()
    drivetrain: Chosen[Drivetrain] = ()
    condition: Chosen[Condition] = ()
    color: Chosen[ShortText] = ()
    location: Chosen[ShortText] = ()
    features: Chosen[ShortText] = ()
    currency: Currency | None = None
    price_min: Amount | None = Field(default=None, description="Major units, e.g. 5000")
    price_max: Amount | None = Field(default=None, description="Major units, e.g. 5000")
    year_min: Year | None = None
    year_max: Year | None = None
    mileage_min: Kilometers | None = Field(default=None, description="Kilometers")
    mileage_max: Kilometers | None = Field(default=None, description="Kilometers")
    power_min: Power | None = Field(default=None, description="Kilowatts")
    power_max: Power | None = Field(default=None, description="Kilowatts")
    lat: Latitude | None = None
    lon: Longitude | None = None
    radius_km: Radius | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Filters:
        for name in ("price", "year", "mileage", "power"):
            low, high = self.bounds(name)
            if low is not None and high is not None and low > high:
                message = f"{name}_min is above {name}_max: swap them"
                raise ValueError(message)
        if (self.lat is None) != (self.lon is None):
            message = "lat and lon name a place together: send both"
            raise ValueError(message)
        if self.radius_km is not None and self.lat is None:
            message = "radius_km needs a center: send lat and lon"
            raise ValueError(message)
        return self

    def bounds(self, name: str) -> tuple[Any, Any]:
        """The least and the greatest value wanted of `price`, `year`, `mileage` or `power`."""
        return getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
