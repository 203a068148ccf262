"""What somebody may be about to type: makes, and makes with models. Pure.

Beginnings are matched by edge n-grams, so one typo is tolerated in an unfinished word, too;
what fits without a typo comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.listings import ListingStatus
from schemas.messages import Market

SUGGESTIONS_MAX = 10
TEXT_LENGTH_MAX = 60
TIMEOUT = "1s"
# Where a suggestion is read from, and which answer comes first.
_SOURCES = {"make": "make", "model": "name"}
_FITS = {"exact": {}, "typo": {"fuzziness": "AUTO:3,100", "prefix_length": 1}}


def suggestions_body(text: str, market: Market, size: int) -> dict[str, Any]:
    """Counts of the makes and models that begin like `text`, over active listings."""
    matches = {
        (fit, kind): {"match": {f"{field}.begun": {"query": text, "operator": "and", **how}}}
        for fit, how in _FITS.items()
        for kind, field in _SOURCES.items()
    }
    return {
        "size": 0,
        "timeout": TIMEOUT,
        "query": {
            "bool": {
                "filter": [
                    {"term": {"status": ListingStatus.ACTIVE}},
                    {"term": {"market": market}},
                ],
                "must": {"bool": {"should": list(matches.values())}},
            }
        },
        "aggs": {
            f"{fit} {kind}": {
                "filter": match,
                "aggs": {
                    "values": {
                        "terms": {"field": _SOURCES[kind], "size": size},
                        "aggs": {"label": {"terms": {"field": f"{_SOURCES[kind]}.raw", "size": 1}}},
                    }
                },
            }
            for (fit, kind), match in matches.items()
        },
    }


def suggestions_of(answer: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """At most `size` of `{text, kind, count}`: exact before typo, makes before models."""
    found: dict[str, dict[str, Any]] = {}
    for suggestion in _all(answer):
        found.setdefault(suggestion["text"].casefold(), suggestion)
    return list(found.values())[:size]


def _all(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for fit in _FITS:
        for kind in _SOURCES:
            for bucket in answer["aggregations"][f"{fit} {kind}"]["values"]["buckets"]:
                label = bucket["label"]["buckets"][0]["key"]
                yield {"text": label, "kind": kind, "count": bucket["doc_count"]}
