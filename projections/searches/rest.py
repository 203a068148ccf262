"""Whether a listing fits what somebody keeps to themselves of their filters, without asking the search
engine: the words, what is written freely, and the exact place.

It says what the engine says of the same filters: values are made by the same rules
(projections.search.query.KEYS), and distances are those over the same sphere.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Any

from projections.search.listing_search import ListingDocument
from projections.search.query import FACETS, KEYS
from projections.searches.canonical import FREE, private_of
from projections.searches.words import Words

_EARTH_KM = 6_371.0087714  # the engine's


def fits_rest(text: str, words: Words) -> bool:
    """Whether the listing of these words fits all that `private_text` has kept."""
    wanted, document = private_of(text), words.document
    return (
        all(_has(document, name, wanted[name]) for name in FREE if name in wanted)
        and ("radius_km" not in wanted or _is_near(document, wanted))
        and words.fit(wanted.get("q", ""))
    )


def _has(document: ListingDocument, facet: str, values: list[str]) -> bool:
    """Whether it has any of the values."""
    own = getattr(document, FACETS[facet]) or ()
    keys = {own} if isinstance(own, str) else set(own)
    return not keys.isdisjoint(map(KEYS[facet], values))


def _is_near(document: ListingDocument, wanted: Mapping[str, Any]) -> bool:
    place = document.place
    if place is None:
        return False
    lat, other = radians(wanted["lat"]), radians(place.lat)
    east = sin(radians(place.lon - wanted["lon"]) / 2) ** 2
    half = sin((other - lat) / 2) ** 2 + cos(lat) * cos(other) * east
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half))) <= float(wanted["radius_km"])
