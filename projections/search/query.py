"""From filters to the body of an OpenSearch search, and from its answer to facets. Pure.

Facets that do not lie: what is chosen of facets goes into the post filter, and each facet's
counts are taken under the choices of all *other* facets. So a count says how many hits there
will be with that value alone chosen in its facet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from projections.image_columns import NAMES
from projections.search.listing_search import DERIVED, ListingDocument
from projections.search.spelling import (
    SLIP_LENGTH_MIN,
    Asked,
    asked,
    begun_names,
    compact,
    folded,
    slipped_names,
)
from schemas.listings import ListingStatus
from schemas.log.frozen import names_of
from schemas.search import Filters

FACET_VALUES_MAX = 50
PREFIX_LENGTH_MIN = 3  # the last word of a text is taken as unfinished from here on
SEARCH_TIMEOUT = "2s"

# Facet → field. What is free to spell is counted and chosen by what its spellings have in common,
# and carries one of them to show, from the field in LABELS.
FACETS = {
    "make": "make_key",
    "model": "model_key",
    "body": "body_type",
    "fuel": "fuel_type",
    "transmission": "transmission",
    "drivetrain": "drivetrain",
    "condition": "condition",
    "color": "color_key",
    "location": "location_keys",
    "features": "feature_keys",
    "currency": "currency",
}
LABELS = {
    "make": "make",
    "model": "model",
    "color": "exterior_color",
    "location": "location",
    "features": "features",
}
KEYS: dict[str, Callable[[str], str]] = {
    "make": compact,
    "model": compact,
    "color": folded,
    "location": folded,
    "features": folded,
}
# The spellings looked through for one to show. A listing has many features, and a location its city
# beside it, so that the most frequent beside a value need not be one of its own.
LABELS_MAX = {"features": 200, "location": 50}
RANGES = {"price": "price", "year": "year", "mileage": "mileage_km", "power": "power_kw"}

_A_LETTER_OFF = {"fuzziness": f"AUTO:{SLIP_LENGTH_MIN},100", "prefix_length": 1}

_NOT_SHOWN = {*DERIVED, *NAMES, "listing_id", "description"} - {"place", "thumbnail_keys"}
SHOWN = sorted({*names_of(ListingDocument)} - _NOT_SHOWN)

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
    if filters.radius_km is not None:
        center = {"lat": filters.lat, "lon": filters.lon}
        fitting.append({"geo_distance": {"distance": f"{filters.radius_km}km", "place": center}})
    query: Clause = {"filter": fitting}
    if filters.q:
        wanted = asked(filters.q)
        query["must"] = [_all_words(wanted, typos=typos)]
        query["should"] = _better(filters.q, wanted, typos=typos)
    return {"bool": query}


def fitting(filters: Filters, *, typos: bool = False) -> Clause:
    """What fits all filters, the chosen facets too: exactly the hits of a search."""
    query = candidates(filters, typos=typos)["bool"]
    return {"bool": {**query, "filter": [*query["filter"], *_chosen(filters).values()]}}


def _better(text: str, wanted: Sequence[Asked], *, typos: bool) -> list[Clause]:
    """What is called so comes before what only mentions it, also when it is misspelt."""
    title: Clause = {"query": folded(text), "boost": 2}
    if typos:
        makes_and_models = [
            {"match": {field: {"query": each.word, "boost": 3, **_A_LETTER_OFF}}}
            for field in ("make_key", "model_key")
            for each in wanted
        ]
        return [*makes_and_models, {"match": {"title_words": title | _A_LETTER_OFF}}]
    names = sorted({part for each in wanted for part in (each.word, *each.parts_of)})
    return [
        {"terms": {"make_key": names, "boost": 3}},
        {"terms": {"model_key": names, "boost": 3}},
        {"match": {"title_words": title}},
    ]


def _all_words(wanted: Sequence[Asked], *, typos: bool) -> Clause:
    if not wanted:
        return {"match_none": {}}
    last = wanted[-1]
    return {"bool": {"must": [_word(each, typos=typos, last=each is last) for each in wanted]}}


def _word(wanted: Asked, *, typos: bool, last: bool) -> Clause:
    ways: list[Clause] = [{"term": {"words": wanted.word}}]
    if wanted.parts_of:
        ways.append({"terms": {"words": list(wanted.parts_of)}})
    if typos:
        ways.append({"match": {"words": {"query": wanted.word, **_A_LETTER_OFF}}})
        ways.append({"terms": {"words": slipped_names(wanted.word)}})
    else:
        begun = [*wanted.unfinished, *([wanted.word] if last else [])]
        ways += _unfinished([each for each in begun if len(each) >= PREFIX_LENGTH_MIN])
    return {"bool": {"should": ways, "minimum_should_match": 1}}


def _unfinished(begun: Sequence[str]) -> list[Clause]:
    """What begins so, or is called something that does."""
    ways: list[Clause] = [{"prefix": {"words": each}} for each in begun]
    names = begun_names(begun)
    return [*ways, {"terms": {"words": names}}] if names else ways


def _ranges(filters: Filters) -> Iterable[Clause]:
    for name, field in RANGES.items():
        low, high = filters.bounds(name)
        limits = {"gte": _number(low), "lte": _number(high)}
        if wanted := {side: limit for side, limit in limits.items() if limit is not None}:
            yield {"range": {field: wanted}}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _chosen(filters: Filters) -> dict[str, Clause]:
    # In one order, so that whoever asks for the same gives the same body.
    chosen = {
        facet: sorted({KEYS[facet](value) if facet in KEYS else value for value in values})
        for facet in FACETS
        if (values := _values(filters, facet))
    }
    return {facet: {"terms": {FACETS[facet]: values}} for facet, values in chosen.items()}


def _values(filters: Filters, facet: str) -> Sequence[str]:
    if facet == "currency":
        return () if filters.currency is None else (filters.currency,)
    values: Sequence[str] = getattr(filters, facet)
    return values


def _facet(facet: str, filters: Filters) -> Clause:
    others = [clause for name, clause in _chosen(filters).items() if name != facet]
    order = [{"_count": "desc"}, {"_key": "asc"}]
    values: Clause = {"terms": {"field": FACETS[facet], "size": FACET_VALUES_MAX, "order": order}}
    if facet in LABELS:
        labels = {"field": LABELS[facet], "size": LABELS_MAX.get(facet, 1)}
        values["aggs"] = {"label": {"terms": labels}}
    return {"filter": {"bool": {"filter": others}}, "aggs": {"values": values}}


def by_currency(sort: Sort, filters: Filters) -> bool:
    """Whether hits come one currency after another: prices in several are no numbers that could
    be compared.
    """
    return sort in (Sort.PRICE, Sort.PRICE_DOWN) and filters.currency is None


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
            found: list[Clause] = [{field: {"order": direction, "missing": "_last"}}, tie_break]
            return [{"currency": "asc"}, *found] if by_currency(sort, filters) else found


def facets_of(answer: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Each facet's values as `{value, label, count}`, the most frequent first."""
    return {
        facet: [
            {
                "value": bucket["key"],
                "label": label_of(facet, bucket),
                "count": bucket["doc_count"],
            }
            for bucket in answer["aggregations"][facet]["values"]["buckets"]
        ]
        for facet in FACETS
    }


def truncated_facets(answer: Mapping[str, Any]) -> list[str]:
    """The facets that have more values than are told, the most frequent ones."""
    found = answer["aggregations"]
    return [facet for facet in FACETS if found[facet]["values"].get("sum_other_doc_count")]


def label_of(facet: str, bucket: Mapping[str, Any]) -> str:
    """The spelling that most people use; the value itself where none of its own is known."""
    spellings = [str(each["key"]) for each in bucket.get("label", {}).get("buckets", [])]
    own = (each for each in spellings if KEYS[facet](each) == bucket["key"])
    return next(own, str(bucket["key"]))
