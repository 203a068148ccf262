"""A few hundred generated ads, and what fits a filter, judged by hand: no search engine here."""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections import Counter
from typing import Any
from uuid import UUID

from projections.search.listing_search import ListingDocument
from projections.search.query import FACETS, KEYS, LABELS
from schemas.listings import ListingSold, ListingUnpublished
from schemas.log.messages import Event
from schemas.search import Filters
from schemas.values.vehicles import (
    BodyType,
    Condition,
    FuelType,
    GeoPoint,
    Mileage,
    Transmission,
    VehicleFields,
)
from tests.projections.cars import created, day, published

ADS = 400
MODELS = {
    "BMW": ["320d", "M3", "X5"],
    "bmw": ["M3"],
    "Volkswagen": ["Golf", "Golf Plus", "Polo"],
    "Škoda": ["Octavia"],
    "Porsche": ["911", "Cayenne"],
    "Toyota": ["Corolla", "Aqua"],
}
CITIES = {"Colombo": (6.93, 79.86), "Kandy": (7.29, 80.63), "Galle": (6.05, 80.22)}
FEATURES = ["Sunroof", "sunroof", "Tow bar", "Heated seats", "Navigation"]
COLORS = ["Black", "black", "Red", None]
_FIELDS = LABELS | {"body": "body_type", "fuel": "fuel_type"}
WORDS = ["clean", "family", "sport", "first owner", "garage", "urgent"]


def some_ads(seed: int = 7) -> list[tuple[UUID, list[Event]]]:
    chance = random.Random(seed)
    return [(UUID(int=number), _life(UUID(int=number), chance)) for number in range(1, ADS + 1)]


def _life(listing_id: UUID, chance: random.Random) -> list[Event]:
    on = chance.randint(0, 40)  # Few days, so that many ads are equally new.
    life: list[Event] = [created(_fields(chance), on, listing_id)]
    fate = chance.random()
    if fate > 0.1:
        life.append(published(on, listing_id))
    if 0.1 < fate < 0.15:
        life.append(ListingSold(listing_id=listing_id, sold_at=day(50)))
    if 0.15 < fate < 0.2:
        life.append(ListingUnpublished(listing_id=listing_id, unpublished_at=day(50)))
    return life


def _fields(chance: random.Random) -> VehicleFields:
    make = chance.choice(list(MODELS))
    model = chance.choice(MODELS[make])
    city = chance.choice([*CITIES, None])
    where = CITIES[city] if city else None
    return VehicleFields(
        title=f"{make} {model} {chance.choice(WORDS)}",
        description=chance.choice([None, "Price is negotiable, call me"]),
        price_minor=chance.randint(1, 40) * 50_000,
        currency=chance.choice(["USD", "LKR"]),
        year=chance.randint(1995, 2026),
        make=make,
        model=chance.choice([model, model, None]),
        body_type=chance.choice([*BodyType, None]),
        mileage=Mileage(value=chance.randint(0, 30) * 10_000),
        fuel_type=chance.choice([*FuelType, None]),
        transmission=chance.choice([*Transmission, None]),
        condition=chance.choice([*Condition, None]),
        power_kw=chance.choice([None, 55, 90, 140, 280]),
        exterior_color=chance.choice(COLORS),
        location=city,
        geo=where and GeoPoint(lat=where[0] + chance.random() / 10, lon=where[1]),
        features=tuple(chance.sample(FEATURES, chance.randint(0, 3))) or None,
    )


def wanted(ads: list[ListingDocument], filters: Filters, *, but: str = "") -> list[ListingDocument]:
    """The ads that fit, the choices of facet `but` left aside."""
    return [
        ad
        for ad in ads
        if _is_candidate(ad, filters)
        and all(_chosen(ad, facet, filters) for facet in FACETS if facet != but)
    ]


def counts(ads: list[ListingDocument], facet: str, filters: Filters) -> Counter[str]:
    """How many ads there would be with each value of a facet chosen alone."""
    found: Counter[str] = Counter()
    for ad in wanted(ads, filters, but=facet):
        found.update(set(_values(ad, facet)))
    return found


def _is_candidate(ad: ListingDocument, filters: Filters) -> bool:
    return (
        ad.status == "active"
        and ad.market == filters.market
        and all(
            _within(value, *filters.bounds(name))
            for name, value in [
                ("price", ad.price_minor and ad.price_minor / 100),
                ("year", ad.year),
                ("mileage", ad.mileage_km),
                ("power", ad.power_kw),
            ]
        )
        and (filters.radius_km is None or distance_km(ad, filters) <= filters.radius_km)
        and _says(ad, filters.q)
    )


def _within(value: Any, low: Any, high: Any) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def distance_km(ad: ListingDocument, filters: Filters) -> float:
    if ad.place is None or filters.lat is None or filters.lon is None:
        return math.inf
    one, two = math.radians(ad.place.lat), math.radians(filters.lat)
    lon = math.radians(filters.lon - ad.place.lon)
    half = math.sin((two - one) / 2) ** 2 + math.cos(one) * math.cos(two) * math.sin(lon / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(half))


def _chosen(ad: ListingDocument, facet: str, filters: Filters) -> bool:
    asked = (filters.currency,) if facet == "currency" else getattr(filters, facet)
    chosen = {_folded(facet, value) for value in asked if value is not None}
    return not chosen or not chosen.isdisjoint(_values(ad, facet))


def _values(ad: ListingDocument, facet: str) -> list[str]:
    value = getattr(ad, _FIELDS.get(facet, facet))
    values = value if isinstance(value, tuple) else [value]
    return [_folded(facet, each) for each in values if each is not None]


def _folded(facet: str, value: str) -> str:
    if facet in ("make", "model"):
        return re.sub(r"[\W_]+", "", _plain(value))
    return _plain(value) if facet in KEYS else str(value)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(each for each in decomposed if not unicodedata.combining(each)).lower()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", _plain(text))


def _says(ad: ListingDocument, text: str) -> bool:
    said = {
        word
        for field in ("title", "description", "make", "model", "trim", "body_type", "fuel_type",
                      "transmission", "drivetrain", "condition", "exterior_color", "location")
        for word in _words(getattr(ad, field) or "")
    }  # fmt: skip
    said |= {word for feature in ad.features or () for word in _words(feature)}
    asked = _words(text)
    if not asked:
        return True
    *whole, last = asked
    last_is_there = last in said or (len(last) >= 3 and any(w.startswith(last) for w in said))
    return last_is_there and all(word in said for word in whole)
