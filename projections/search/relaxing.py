"""What a search that finds nothing could do without: each of its filters alone, and how many hits there
would be. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from projections.search.query import FACETS, RANGES, SEARCH_TIMEOUT, Clause, fitting
from schemas.search import Filters

RELAXATIONS_MAX = 5  # more would be no advice
_TYPOS = "with typos"  # as a search allows them where nothing fits without


def removable(filters: Filters) -> dict[str, tuple[str, ...]]:
    """What can be taken out of the filters, each with the parameters that it consists of: the words,
    both ends of a range, the distance, and all values of a facet.
    """
    ends = {name: (f"{name}_min", f"{name}_max") for name in RANGES}
    others = {name: (name,) for name in ("q", "radius_km", *FACETS)}
    return {
        name: stated
        for name, parameters in (others | ends).items()
        if (stated := tuple(each for each in parameters if getattr(filters, each) not in _UNSET))
    }


_UNSET: tuple[Any, ...] = (None, "", ())


def without(filters: Filters, parameters: tuple[str, ...]) -> Filters:
    """The filters but for these."""
    fields = Filters.model_fields
    return filters.model_copy(update={each: fields[each].default for each in parameters})


def relaxing_body(filters: Filters) -> dict[str, Any]:
    """Count the hits without each of them, in one question; with typos beside it where words are
    left.
    """
    counted: dict[str, Clause] = {}
    for name, parameters in removable(filters).items():
        left = without(filters, parameters)
        counted[name] = _fitting(left, typos=False)
        if left.q:
            counted[f"{name} {_TYPOS}"] = _fitting(left, typos=True)
    return {
        "size": 0,
        "track_total_hits": False,
        "timeout": SEARCH_TIMEOUT,
        "query": _fitting(Filters(market=filters.market), typos=False),
        "aggs": {"without": {"filters": {"filters": counted}}},
    }


def _fitting(filters: Filters, *, typos: bool) -> Clause:
    """What fits, whatever fits better."""
    asked = fitting(filters, typos=typos)["bool"]
    return {"bool": {kind: asked[kind] for kind in ("filter", "must") if kind in asked}}


def hits_without(answer: Mapping[str, Any]) -> dict[str, int]:
    """The most hits first: what to take out, and how many hits a search without it has. What helps
    nothing is left out.
    """
    counted = {
        name: int(each["doc_count"])
        for name, each in answer["aggregations"]["without"]["buckets"].items()
    }
    found = {
        name: hits or counted.get(f"{name} {_TYPOS}", 0)
        for name, hits in counted.items()
        if not name.endswith(_TYPOS)
    }
    best = sorted((-hits, name) for name, hits in found.items() if hits)
    return {name: -hits for hits, name in best[:RELAXATIONS_MAX]}
