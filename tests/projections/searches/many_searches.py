"""A few hundred generated searches over the generated ads of tests.projections.search.many_ads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from schemas.search import Filters
from schemas.values.vehicles import BodyType, Condition, FuelType, Transmission
from tests.projections.search.many_ads import CITIES, FEATURES, MODELS

TEXTS = ("golf", "Gol", "bmw m3", "skoda", "diesel", "tow bar", "price call", "m", "911 sport",
         "fam", "first-owner", "OCTAVIA gar", "!!", "320 d", "golfplus", "heated sea")  # fmt: skip
_FACETS: dict[str, list[Any]] = {
    "make": [*MODELS, "skoda", "B.M.W"],
    "model": ["Golf", "golf-plus", "m3", "911"],
    "body": list(BodyType),
    "fuel": list(FuelType),
    "transmission": list(Transmission),
    "condition": list(Condition),
    "color": ["black", "RED", "blue"],
    "location": [*CITIES, "colombo"],
    "features": FEATURES,
}
_RANGES = {
    "price": (500, 20_000),
    "year": (1995, 2026),
    "mileage": (0, 300_000),
    "power": (50, 300),
}


def some_filters(count: int, seed: int = 5) -> Iterator[Filters]:
    """So many filters, each of a few kinds, some with words."""
    chance = random.Random(seed)
    for _ in range(count):
        yield Filters.model_validate(_filters(chance))


def _filters(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in chance.sample(list(_FACETS), chance.choice([0, 1, 1, 2])):
        values = _FACETS[name]
        found[name] = chance.sample(values, min(len(values), chance.randint(1, 3)))
    for name in chance.sample(list(_RANGES), chance.choice([0, 0, 1, 2])):
        low, high = sorted(chance.randint(*_RANGES[name]) for _ in range(2))
        found |= chance.choice([
            {f"{name}_min": low}, {f"{name}_max": high}, {f"{name}_min": low, f"{name}_max": high}
        ])  # fmt: skip
    if chance.random() < 0.2:
        lat, lon = chance.choice(list(CITIES.values()))
        found |= {"lat": lat, "lon": lon, "radius_km": chance.choice([2, 5, 60, 150])}
    if chance.random() < 0.3:
        found["q"] = chance.choice(TEXTS)
    if chance.random() < 0.2:
        found["currency"] = chance.choice(["USD", "LKR"])
    return found
