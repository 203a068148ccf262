"""Example values for a JSON Schema: the same every time, and plausible where names are known."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from hypothesis import find
from hypothesis import strategies as st

MOMENT = "2026-03-01T08:30:00Z"
_UPLOAD = f"avatars/{uuid5(NAMESPACE_DNS, 'user_id')}/{uuid5(NAMESPACE_DNS, 'upload_id')}"
_MEDIA = f"media/{uuid5(NAMESPACE_DNS, 'owner_id')}/{uuid5(NAMESPACE_DNS, 'media_id')}"
WORDS = {
    "title": "Porsche 911 Carrera 4S",
    "description": "Serviced every year, first owner",
    "make": "Porsche",
    "model": "911",
    "trim": "Carrera 4S",
    "currency": "LKR",
    "vin": "WP0ZZZ99ZTS392124",
    "exterior_color": "Guards Red",
    "interior_color": "Black",
    "first_registration": "2019-05",
    "location": "Colombo",
    "features": "Sunroof",
    "filters": '{"make":["Porsche"],"market":"exotics","price_max":20000}',
    "network": "203.0.113.0",
    "viewer": "3f0a",
    "reason": "listing_sold",
    "actor": "seller",
    "large": f"{_UPLOAD}/{'a' * 64}.webp",
    "small": f"{_UPLOAD}/{'b' * 64}.webp",
    "original": f"{_MEDIA}/original-{'c' * 64}",
    "key": f"{_MEDIA}/{'d' * 64}.webp",
    "subject": f"listing/{uuid5(NAMESPACE_DNS, 'listing_id')}",
    "email_domain": "cs.uni.example",
    "provider": "google",
    "handler": "welcome_mail",
    "zone": "Asia/Colombo",
    "cause_kind": "message.sent",
    "topic": "events.identity",
    "reference": f"item/{uuid5(NAMESPACE_DNS, 'item_id')}",
}
NUMBERS = {
    "price_minor": 8_500_000_00,
    "previous_minor": 9_000_000_00,
    "year": 2019,
    "import_year": 2020,
    "value": 42_000,
    "engine_cc": 2_981,
    "power_kw": 331,
    "doors": 2,
    "seats": 4,
    "owners": 1,
    "width": 1_200,
    "height": 800,
    "size": 184_320,
    "lat": 6.9271,
    "lon": 79.8612,
    "status": 409,
    "rating": 4,
    "previous_rating": 5,
}


def fill(schema: dict[str, Any], *, least: bool = False) -> Any:
    """A value of this schema (as `shapes.shape_of` gives it); `least`: required fields only."""
    return _fill(schema, "", least)


def _fill(schema: dict[str, Any], name: str, least: bool) -> Any:
    match schema:
        case {"const": value}:
            return value
        case {"enum": [value, *_]}:
            return value
        case {"anyOf": options}:
            return _fill(next(each for each in options if each != {"type": "null"}), name, least)
        case {"type": "object"}:
            return _fill_object(schema, least)
        case {"type": "array", "prefixItems": places}:
            return [_fill(place, name, least) for place in places]
        case {"type": "array", "items": items}:
            count = max(schema.get("minItems", 0), 0 if least else 1)
            return [_fill(items, name, least)] * count
        case {"type": "string"}:
            return _text(schema, name)
        case {"type": "integer" | "number"}:
            return _number(schema, name)
        case {"type": "boolean"}:
            return True
        case _:
            message = f"no example for {schema}: write this file by hand"
            raise ValueError(message)


def _fill_object(schema: dict[str, Any], least: bool) -> dict[str, Any]:
    wanted = schema.get("required", ()) if least else schema.get("properties", {})
    return {
        name: _fill(each, name, least)
        for name, each in schema.get("properties", {}).items()
        if name in wanted or "const" in each
    }


def _text(schema: dict[str, Any], name: str) -> str:
    match schema:
        case {"format": "uuid"}:
            return str(uuid5(NAMESPACE_DNS, name))
        case {"format": "date-time"}:
            return MOMENT
        case {"format": "date"}:
            return MOMENT[:10]
        case {"pattern": pattern} if name not in WORDS:
            shortest: str = find(st.from_regex(pattern, fullmatch=True), lambda _: True)
            return shortest
        case _:
            # What must be told apart by readers (ids of people, of commands) is told by its name.
            word = WORDS.get(name, f"some-{name.replace('_', '-')}")
            return word[: schema.get("maxLength", len(word))]


def _number(schema: dict[str, Any], name: str) -> float:
    smallest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    number: float = NUMBERS.get(name, smallest)
    return max(smallest, min(number, schema.get("maximum", number)))
