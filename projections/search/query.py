"""From filters to the body of an OpenSearch search, and from its answer to facets. Pure.

Facets that do not lie: what is chosen of facets goes into the post filter, and each facet's
counts are taken under the choices of all *other* facets. So a count says how many hits there
will be with that value alone chosen in its facet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from projections.search.listing_search import ListingDocument
from schemas.frozen import names_of
from schemas.listings import ListingStatus
from schemas.search import Filters

FACET_VALUES_MAX = 50
PREFIX_LENGTH_MIN = 3  # the last word of a text is taken as unfinished from here on
SEARCH_TIMEOUT = "2s"

# Facet → field. The free ones fold spellings, so they carry one to show.
FACETS = {
    "make": "make",
    "model": "model",
    "body": "body_type",
    "fuel": "fuel_type",
    "transmission": "transmission",
    "drivetrain": "drivetrain",
    "condition": "condition",
    "color": "exterior_color",
    "location": "location",
    "features": "features",
}
FREE = frozenset({"make", "model", "color", "location", "features"})
RANGES = {"price": "price", "year": "year", "mileage": "mileage_km", "power": "power_kw"}

SHOWN = sorted({*names_of(ListingDocument)} - {"listing_id", "description", "name", "price"})

Clause = dict[str, Any]


class Sort(StrEnum):
    """Orders of hits; `-` turns one round. Equals are told apart by their id."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    DISTANCE = "distance"
    PRICE = "price"
    PRICE_DOWN = "-price"
    YEAR = "year"
    YEAR_DOWN = "-year"
    MILEAGE = "mileage"
    MILEAGE_DOWN = "-mileage"


def search_body(
    filters: Filters,
    sort: Sort,
    *,
    size: int,
    offset: int = 0,
    after: Sequence[Any] | None = None,
    typos: bool = False,
) -> dict[str, Any]:
    """One page of hits, the total and every facet's counts. `after` holds the sort values of
    the hit before; `typos` lets each word of the text be one letter off.
    """
    body: dict[str, Any] = {
        "query": candidates(filters, typos=typos),
        "post_filter": {"bool": {"filter": list(_chosen(filters).values())}},
        "aggs": {facet: _facet(facet, filters) for facet in FACETS},
        "sort": _order(sort, filters),
        "size": size,
        "track_total_hits": True,
        "timeout": SEARCH_TIMEOUT,
        "_source": SHOWN,
    }
    if after is not None:
        return {**body, "search_after": list(after)}
    return {**body, "from": offset}


def candidates(filters: Filters, *, typos: bool = False) -> Clause:
    """What fits everything but the chosen facets: the set that facets are counted in."""
    fitting: list[Clause] = [
        {"term": {"status": ListingStatus.ACTIVE}},
        {"term": {"market": filters.market}},
        *_ranges(filters),
    ]
    if filters.currency is not None:
        fitting.append({"term": {"currency": filters.currency}})
    if filters.radius_km is not None:
        center = {"lat": filters.lat, "lon": filters.lon}
        fitting.append({"geo_distance": {"distance": f"{filters.radius_km}km", "place": center}})
    query: Clause = {"filter": fitting}
    if filters.q:
        query["must"] = [_all_words(filters.q, typos=typos)]
        query["should"] = [
            {"match": {"make.words": {"query": filters.q, "boost": 3}}},
            {"match": {"model.words": {"query": filters.q, "boost": 3}}},
            {"match": {"title": {"query": filters.q, "boost": 2}}},
        ]
    return {"bool": query}


def _all_words(text: str, *, typos: bool) -> Clause:
    if typos:
        # Short words have too many neighbours: `golf` and `gold` both mean what they say.
        fuzzy = {"query": text, "operator": "and", "fuzziness": "AUTO:4,100", "prefix_length": 1}
        return {"match": {"words": fuzzy}}
    unfinished = len(text.rsplit(maxsplit=1)[-1]) >= PREFIX_LENGTH_MIN
    kind = "match_bool_prefix" if unfinished else "match"
    return {kind: {"words": {"query": text, "operator": "and"}}}


def _ranges(filters: Filters) -> Iterable[Clause]:
    for name, field in RANGES.items():
        low, high = filters.bounds(name)
        limits = {"gte": _number(low), "lte": _number(high)}
        if wanted := {side: limit for side, limit in limits.items() if limit is not None}:
            yield {"range": {field: wanted}}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _chosen(filters: Filters) -> dict[str, Clause]:
    return {
        facet: {"terms": {field: list(values)}}
        for facet, field in FACETS.items()
        if (values := getattr(filters, facet))
    }


def _facet(facet: str, filters: Filters) -> Clause:
    others = [clause for name, clause in _chosen(filters).items() if name != facet]
    field = FACETS[facet]
    order = [{"_count": "desc"}, {"_key": "asc"}]
    values: Clause = {"terms": {"field": field, "size": FACET_VALUES_MAX, "order": order}}
    if facet in FREE:
        values["aggs"] = {"label": {"terms": {"field": f"{field}.raw", "size": 1}}}
    return {"filter": {"bool": {"filter": others}}, "aggs": {"values": values}}


def _order(sort: Sort, filters: Filters) -> list[Clause]:
    tie_break: Clause = {"listing_id": "desc"}
    match sort:
        case Sort.RELEVANCE:
            return [{"_score": "desc"}, tie_break]
        case Sort.NEWEST:
            return [{"published_at": "desc"}, tie_break]
        case Sort.DISTANCE:
            center = {"lat": filters.lat, "lon": filters.lon}
            return [{"_geo_distance": {"place": center, "order": "asc", "unit": "km"}}, tie_break]
        case _:
            field = RANGES[sort.removeprefix("-")]
            direction = "desc" if sort.startswith("-") else "asc"
            return [{field: {"order": direction, "missing": "_last"}}, tie_break]


def facets_of(answer: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Each facet's values as `{value, label, count}`, the most frequent first."""
    return {
        facet: [
            {
                "value": bucket["key"],
                "label": _label(bucket),
                "count": bucket["doc_count"],
            }
            for bucket in answer["aggregations"][facet]["values"]["buckets"]
        ]
        for facet in FACETS
    }


def _label(bucket: Mapping[str, Any]) -> str:
    spellings = bucket.get("label", {}).get("buckets") or [bucket]
    return str(spellings[0]["key"])
