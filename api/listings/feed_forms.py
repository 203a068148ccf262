"""A listing in the words of others: schema.org's JSON-LD, Meta's vehicle catalogue and Google's vehicle
listings. Pure. What the fields are called and which are required, the tests keep, with their sources.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.wire.emitted import json_of
from schemas.listings import ListingStatus
from schemas.values.money import major_units
from schemas.values.vehicles import (
    Availability,
    BodyType,
    Condition,
    Drivetrain,
    FuelType,
    Transmission,
)
from schemas.values.vins import check_digit_fits

META_IMAGES: Final = 5
META_TEXT_MAX: Final = 5_000
# A table calculator takes a text that begins so for a formula.
_FORMULA: Final = "=+-@\t\r"
# What ends a script or begins one where JSON stands inside a page, and the two ends of a line that
# JSON knows and older JavaScript does not.
_IN_PAGES: Final = {each: f"\\u{ord(each):04x}".encode() for each in "<>&\u2028\u2029"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose listings they are, and where pages and pictures of ours are."""

    name: str
    pages: str
    pictures: str

    def page_of(self, listing_id: str) -> str:
        """The address of a listing."""
        return f"{self.pages}/listings/{listing_id}"

    def images_of(self, row: Row) -> list[str]:
        """The addresses of the pictures that are drawn, in their order."""
        return [f"{self.pictures}/api/{key}" for key in row["large_keys"] if key]


def price_of(row: Row) -> str:
    """`85000.00 USD`."""
    return f"{major_units(row['price_minor'], row['currency'])} {row['currency']}"


def plain(text: str) -> str:
    """The text without what makes a formula of it in a table: signs at its beginning, in whatever
    width, and what can't be seen before them.
    """
    for place, letter in enumerate(text):
        if not (_unseen(letter) or unicodedata.normalize("NFKC", letter)[0] in _FORMULA):
            return text[place:]
    return ""


def _unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter)[0] in "CMZ"


# schema.org


def page_json_of(body: Any) -> bytes:
    """The body as JSON that may stand inside a page's `<script>`: no text of it can end that. Whoever
    reads it as JSON gets the same.
    """
    text = json_of(body)
    for letter, escaped in _IN_PAGES.items():
        text = text.replace(letter.encode(), escaped)
    return text


_SCHEMA_CONDITION: Final = {Condition.NEW: "NewCondition"}
_SCHEMA_AVAILABILITY: Final = {
    Availability.IN_STOCK: "InStock",
    Availability.RESERVED: "Reserved",
    Availability.PRE_ORDER: "PreOrder",
}
_SCHEMA_DRIVE: Final = {
    Drivetrain.FWD: "FrontWheelDriveConfiguration",
    Drivetrain.RWD: "RearWheelDriveConfiguration",
    Drivetrain.AWD: "AllWheelDriveConfiguration",
    Drivetrain.FOUR_WD: "FourWheelDriveConfiguration",
}


def json_ld(row: Row, shop: Shop) -> dict[str, Any]:
    """The listing as a schema.org Car with its Offer; what is not stated is not there."""
    stated = {
        "@context": "https://schema.org",
        "@type": "Car",
        "@id": shop.page_of(row["key"]),
        "url": shop.page_of(row["key"]),
        "name": row["title"],
        "description": row["description"],
        "image": shop.images_of(row) or None,
        "brand": row["make"] and {"@type": "Brand", "name": row["make"]},
        "manufacturer": row["make"] and {"@type": "Organization", "name": row["make"]},
        "model": row["model"],
        "vehicleConfiguration": row["trim"],
        "vehicleModelDate": row["year"] and str(row["year"]),
        "productionDate": row["year"] and str(row["year"]),
        "dateVehicleFirstRegistered": row["first_registration"],
        "vehicleIdentificationNumber": row["vin"],
        "mileageFromOdometer": _quantity(row["mileage"], row["mileage_unit"]),
        "bodyType": row["body_type"],
        "fuelType": row["fuel_type"],
        "vehicleTransmission": row["transmission"],
        "driveWheelConfiguration": _term(_SCHEMA_DRIVE.get(row["drivetrain"])),
        "vehicleEngine": _engine(row),
        "numberOfDoors": row["doors"],
        "vehicleSeatingCapacity": row["seats"],
        "numberOfPreviousOwners": row["owners"],
        "color": row["exterior_color"],
        "vehicleInteriorColor": row["interior_color"],
        "itemCondition": _term(_SCHEMA_CONDITION.get(row["condition"], "UsedCondition")),
        "offers": _offer(row, shop),
    }
    return {name: value for name, value in stated.items() if value is not None}


def _offer(row: Row, shop: Shop) -> dict[str, Any] | None:
    if row["price_minor"] is None or row["currency"] is None:
        return None
    availability = "InStock"
    if row["status"] == ListingStatus.SOLD:
        availability = "SoldOut"
    elif row["availability"] is not None:
        availability = _SCHEMA_AVAILABILITY[row["availability"]]
    offer = {
        "@type": "Offer",
        "url": shop.page_of(row["key"]),
        "price": str(major_units(row["price_minor"], row["currency"])),
        "priceCurrency": row["currency"],
        "availability": _term(availability),
        "itemCondition": _term(_SCHEMA_CONDITION.get(row["condition"], "UsedCondition")),
        "seller": {"@type": "Organization", "name": shop.name},
    }
    if row["expires_at"] is not None:
        offer["priceValidUntil"] = row["expires_at"].date().isoformat()
    return offer


def _term(name: str | None) -> str | None:
    return None if name is None else f"https://schema.org/{name}"


def _quantity(value: int | None, unit: str | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"@type": "QuantitativeValue", "value": value, "unitCode": unit}


def _engine(row: Row) -> dict[str, Any] | None:
    size, power = _quantity(row["engine_cc"], "CMQ"), _quantity(row["power_kw"], "KWT")
    if size is None and power is None:
        return None
    told = {"@type": "EngineSpecification", "engineDisplacement": size, "enginePower": power}
    return {name: value for name, value in told.items() if value is not None}


# Tables

Column = Callable[[Row, Shop], str]


@dataclass(frozen=True, slots=True)
class TableFeed:
    """A feed of a line a listing. A listing that lacks one of the `required` has no line: whoever takes
    the feed would refuse it, or all of the file.
    """

    columns: Mapping[str, Column]
    required: frozenset[str]

    def header(self) -> list[str]:
        """The first line."""
        return list(self.columns)

    def line(self, row: Row, shop: Shop) -> list[str] | None:
        """The listing's line, if it has one."""
        row = {**row, "images": shop.images_of(row)}  # once, for all of the columns that show them
        values = {name: column(row, shop) for name, column in self.columns.items()}
        if not all(values[name] for name in self.required):
            return None
        return list(values.values())


def _text(name: str, most: int = META_TEXT_MAX) -> Column:
    """What the listing states, never a formula."""
    return lambda row, _shop: plain(str(row[name] or ""))[:most]


def _number(name: str) -> Column:
    return lambda row, _shop: "" if row[name] is None else str(row[name])


def _word(name: str, words: Mapping[Any, str], otherwise: str) -> Column:
    return lambda row, _shop: words.get(row[name] or "", otherwise)


def _price(row: Row, _shop: Shop) -> str:
    return "" if row["price_minor"] is None or row["currency"] is None else price_of(row)


def _page(row: Row, shop: Shop) -> str:
    return shop.page_of(row["key"])


def _image(place: int) -> Column:
    return lambda row, _shop: (row["images"][place : place + 1] or [""])[0]


def _tag(place: int) -> Column:
    return lambda row, _shop: f"Picture {place + 1}" if len(row["images"]) > place else ""


def _city(row: Row, _shop: Shop) -> str:
    city = plain(str(row["location"] or ""))
    return json_of({"city": city}).decode() if city else ""


_META_BODIES: Final = {
    **{each: each.upper() for each in BodyType},
    BodyType.OTHER: "OTHER",
}
_META_DRIVES: Final = {
    Drivetrain.FWD: "FWD",
    Drivetrain.RWD: "RWD",
    Drivetrain.AWD: "AWD",
    Drivetrain.FOUR_WD: "OTHER",
}
_META_FUELS: Final = {
    FuelType.PETROL: "PETROL",
    FuelType.DIESEL: "DIESEL",
    FuelType.HYBRID: "HYBRID",
    FuelType.ELECTRIC: "ELECTRIC",
}
_META_GEARS: Final = {
    Transmission.AUTOMATIC: "AUTOMATIC",
    Transmission.MANUAL: "MANUAL",
    Transmission.CVT: "AUTOMATIC",
}
_META_CONDITIONS: Final = {
    Condition.NEW: "EXCELLENT",
    Condition.LIKE_NEW: "EXCELLENT",
    Condition.EXCELLENT: "EXCELLENT",
    Condition.GOOD: "GOOD",
    Condition.FAIR: "FAIR",
}
_META_UNITS: Final = {"KMT": "KM", "SMI": "MI"}

META: Final = TableFeed(
    columns={
        "vehicle_id": _text("key"),
        "vin": _text("vin"),
        "title": _text("title"),
        "description": _text("description"),
        "url": _page,
        "make": _text("make"),
        "model": _text("model"),
        "trim": _text("trim"),
        "year": _number("year"),
        "mileage.value": _number("mileage"),
        "mileage.unit": _word("mileage_unit", _META_UNITS, ""),
        **{
            name: column
            for place in range(META_IMAGES)
            for name, column in (
                (f"image[{place}].url", _image(place)),
                (f"image[{place}].tag[0]", _tag(place)),
            )
        },
        "body_style": _word("body_type", _META_BODIES, "OTHER"),
        "drivetrain": _word("drivetrain", _META_DRIVES, "NONE"),
        "fuel_type": _word("fuel_type", _META_FUELS, "OTHER"),
        "transmission": _word("transmission", _META_GEARS, "OTHER"),
        "condition": _word("condition", _META_CONDITIONS, "OTHER"),
        "state_of_vehicle": _word("condition", {Condition.NEW: "NEW"}, "USED"),
        "exterior_color": _text("exterior_color"),
        "price": _price,
        "availability": _word(
            "availability",
            {Availability.RESERVED: "PENDING", Availability.PRE_ORDER: "PENDING"},
            "AVAILABLE",
        ),
        "address": _city,
        "latitude": _number("lat"),
        "longitude": _number("lon"),
        "date_first_on_lot": _number("date_in_stock"),
    },
    required=frozenset(
        {
            *("vehicle_id", "vin", "title", "description", "url", "make", "model", "year"),
            *("mileage.value", "mileage.unit", "image[0].url", "image[0].tag[0]", "body_style"),
            *("state_of_vehicle", "exterior_color", "price", "address", "latitude", "longitude"),
        }
    ),
)


def _checked_vin(row: Row, _shop: Shop) -> str:
    """Google takes none whose check digit does not fit."""
    vin = row["vin"]
    return vin if vin is not None and check_digit_fits(vin) else ""


def _distance(row: Row, _shop: Shop) -> str:
    unit = {"KMT": "km", "SMI": "miles"}.get(row["mileage_unit"] or "")
    return "" if row["mileage"] is None or unit is None else f"{row['mileage']} {unit}"


def _more_images(row: Row, _shop: Shop) -> str:
    return ",".join(row["images"][1:])


GOOGLE: Final = TableFeed(
    columns={
        "vin": _checked_vin,
        "id": _text("key"),
        "store_code": _text("seller_id"),
        "dealership_name": lambda _row, shop: plain(shop.name),
        "dealership_address": _text("location"),
        "image_link": _image(0),
        "additional_image_link": _more_images,
        "link": _page,
        "date_in_stock": _number("date_in_stock"),
        "price": _price,
        "condition": _word("condition", {Condition.NEW: "new"}, "used"),
        "make": _text("make"),
        "model": _text("model"),
        "trim": _text("trim"),
        "year": _number("year"),
        "mileage": _distance,
        "exterior_color": _text("exterior_color"),
    },
    required=frozenset(
        {
            *("vin", "store_code", "dealership_name", "dealership_address", "price"),
            *("condition", "make", "model", "year", "mileage"),
        }
    ),
)


def lines_of(feed: TableFeed, rows: Sequence[Row], shop: Shop) -> list[list[str]]:
    """The lines of those of these listings that have one."""
    return [line for row in rows if (line := feed.line(row, shop)) is not None]
