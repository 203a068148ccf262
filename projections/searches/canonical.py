"""One form for filters that ask for the same, however they are spelt and in whatever order.

The words are no part of it: they are personal, and judged for each person by themselves.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

from projections.search.query import FACETS, KEYS
from schemas.search import Filters

# A place without a distance sorts hits, and leaves none out.
_PLACE = ("lat", "lon", "radius_km")


def filters_text(filters: Filters) -> str:
    """The filters as they are kept: JSON, of each value one spelling, in its order."""
    return _json({name: _kept(name, value) for name, value in _stated(filters).items()})


def filters_hash(filters: Filters) -> str:
    """The same for all that ask for the same."""
    stated = _stated(filters)
    keys = {name: sorted(_by_key(name, value)) for name, value in stated.items() if name in FACETS}
    return sha256(_json(stated | keys).encode()).hexdigest()


def filters_of(text: str) -> Filters:
    """The filters that a text keeps."""
    return Filters.model_validate_json(text)


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
