"""One form for filters that ask for the same, however they are spelt and in whatever order, and what
of them may be told.

What somebody writes freely, and where they look, may tell who they are. So only a part of filters is
public, that many people have in common: it asks for no less than the whole does, mostly for more. The
rest (`private_text`) is sealed, and judged for each person by itself (projections.searches.rest).
"""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import sha256
from math import ceil
from typing import Any

import orjson

from projections.search.query import FACETS, KEYS
from schemas.search import RADIUS_KM_MAX, Filters

# A place without a distance sorts hits, and leaves none out.
_PLACE = ("lat", "lon", "radius_km")
FREE = ("make", "model", "color", "location", "features")  # facets that anything can be written in
PRIVATE = ("q", *FREE, *_PLACE)

# What makes and models are called, as a key; what is longer is rather a sentence, and five digits in a
# row rather somebody's number.
_VEHICLE = re.compile(r"(?!.*\d{5})[^\W_]{1,24}")
_VEHICLES = ("make", "model")
_CELLS = 2  # a degree; from anywhere in one to its middle it is never further than _CELL_KM
_CELL_KM = 40
_RADIUS_STEP_KM = 50  # else the public radius would tell the private one


def public_part(filters: Filters) -> Filters:
    """What may stand in the log for ever and in an index. Whatever fits the filters fits this."""
    changes: dict[str, Any] = {"q": "", **dict.fromkeys(FREE, ()), **dict.fromkeys(_PLACE)}
    changes |= {name: _vehicles(name, getattr(filters, name)) for name in _VEHICLES}
    return filters.model_copy(update=changes | _around(filters))


def _vehicles(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of all these; none where one of them can't be told: without it, less would fit."""
    key = KEYS[name]
    keys = sorted({key(each) for each in values})
    told = all(_VEHICLE.fullmatch(each) and key(each) == each for each in keys)
    return tuple(keys) if told else ()


def _around(filters: Filters) -> dict[str, float]:
    """The middle of the cell that the place is in, and a radius from there that holds all of the
    private one.
    """
    lat, lon, radius_km = filters.lat, filters.lon, filters.radius_km
    if lat is None or lon is None or radius_km is None:
        return {}
    wider = ceil((radius_km + _CELL_KM) / _RADIUS_STEP_KM) * _RADIUS_STEP_KM
    if wider > RADIUS_KM_MAX:
        return {}
    middle = {name: round(value * _CELLS) / _CELLS for name, value in (("lat", lat), ("lon", lon))}
    return {**middle, "radius_km": float(wider)}


def private_text(filters: Filters) -> str:
    """The words, and exactly what the public part leaves out or tells roughly, in one spelling; empty
    where that is nothing.
    """
    stated = _stated(filters) | ({"q": filters.q} if filters.q else {})
    kept = {name: _kept(name, value) for name, value in stated.items() if name in PRIVATE}
    return _json(kept) if kept else ""


def whole_text(filters: Filters) -> str:
    """The same for all that ask for the same, with the words. It is personal, and only to be marked
    with the person's key.
    """
    return _json({**_by_keys(filters), "q": filters.q})


def whole_of(public: str, private: str) -> dict[str, Any]:
    """The filters again that were kept so."""
    whole: dict[str, Any] = orjson.loads(public)
    return whole | private_of(private)


def private_of(text: str) -> dict[str, Any]:
    """What `private_text` has kept."""
    kept: dict[str, Any] = orjson.loads(text) if text else {}
    return kept


def filters_text(filters: Filters) -> str:
    """The filters without the words: JSON, of each value one spelling, in its order."""
    return _json({name: _kept(name, value) for name, value in _stated(filters).items()})


def filters_hash(filters: Filters) -> str:
    """The same for all that ask for the same, but for the words."""
    return sha256(_json(_by_keys(filters)).encode()).hexdigest()


def filters_of(text: str) -> Filters:
    """The filters that a text keeps."""
    return Filters.model_validate_json(text)


def _by_keys(filters: Filters) -> dict[str, Any]:
    stated = _stated(filters)
    keys = {name: sorted(_by_key(name, value)) for name, value in stated.items() if name in FACETS}
    return stated | keys


def _stated(filters: Filters) -> dict[str, Any]:
    found: dict[str, Any] = {"market": filters.market.value}
    for name, value in filters:
        if name in ("q", "market") or value is None or value == ():
            continue
        found[name] = _plain(value)
    if "currency" in found:
        found["currency"] = [found["currency"]]
    if "radius_km" not in found:
        for name in _PLACE:
            found.pop(name, None)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    if isinstance(value, (Decimal, float)):
        return int(value) if value == int(value) else float(value)
    return value


def _kept(name: str, value: Any) -> Any:
    if name == "currency":
        return value[0]
    return [spelt for _, spelt in sorted(_by_key(name, value).items())] if name in FACETS else value


def _by_key(name: str, values: list[str]) -> dict[str, str]:
    """Of each value the spelling that comes first in the alphabet, by what all have in common."""
    key = KEYS.get(name, str)
    return {key(each): each for each in sorted(values, reverse=True)}


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
