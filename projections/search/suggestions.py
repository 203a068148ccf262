"""What somebody may be about to type: makes, makes with models, and locations. Pure.

Beginnings are matched by edge n-grams, so one typo is tolerated in an unfinished word, too;
what fits without a typo comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from projections.search.query import LABELS_MAX, label_of
from projections.search.spelling import Asked, asked, begun_names, slipped_names
from schemas.listings import ListingStatus
from schemas.log.messages import Market

SUGGESTIONS_MAX = 10
TEXT_LENGTH_MAX = 60
TIMEOUT = "1s"
# Of what a suggestion is one, the field that tells it and that of its values, and which answer comes
# first.
_SOURCES = {
    "make": ("make", "make_key"),
    "model": ("name", "name_key"),
    "location": ("location", "location_keys"),
}
_FITS = ("exact", "typo")


def suggestions_body(text: str, market: Market, size: int) -> dict[str, Any]:
    """Counts of the makes, models and locations that begin like `text`, over active listings."""
    wanted = asked(text)
    matches = {
        (fit, kind): _begun(f"{field}_begun", wanted, typos=fit == "typo")
        for fit in _FITS
        for kind, (field, _) in _SOURCES.items()
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
            f"{fit} {kind}": {"filter": match, "aggs": {"values": _counts(kind, size)}}
            for (fit, kind), match in matches.items()
        },
    }


def _counts(kind: str, size: int) -> dict[str, Any]:
    field, values = _SOURCES[kind]
    labels = {"field": field, "size": LABELS_MAX.get(kind, 1)}
    return {"terms": {"field": values, "size": size}, "aggs": {"label": {"terms": labels}}}


def _begun(field: str, wanted: Sequence[Asked], *, typos: bool) -> dict[str, Any]:
    """Every word begins one of the name's, or is a part of such a beginning."""
    if not wanted:
        return {"match_none": {}}
    return {"bool": {"must": [_word(field, each, typos=typos) for each in wanted]}}


def _word(field: str, wanted: Asked, *, typos: bool) -> dict[str, Any]:
    names = begun_names([wanted.word, *wanted.unfinished])
    known = [wanted.word, *wanted.parts_of, *names]
    ways: list[dict[str, Any]] = [{"terms": {field: known}}]
    if typos:
        fuzzy = {"query": wanted.word, "fuzziness": "AUTO:3,100", "prefix_length": 1}
        ways.append({"match": {field: fuzzy}})
        ways.append({"terms": {field: slipped_names(wanted.word)}})
    return {"bool": {"should": ways, "minimum_should_match": 1}}


def suggestions_of(answer: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """At most `size` of `{text, kind, count}`: exact before typo, makes before models, locations last."""
    found: dict[str, dict[str, Any]] = {}
    for suggestion in _all(answer):
        found.setdefault(suggestion["text"].casefold(), suggestion)
    return list(found.values())[:size]


def _all(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for fit in _FITS:
        for kind in _SOURCES:
            for bucket in answer["aggregations"][f"{fit} {kind}"]["values"]["buckets"]:
                yield {
                    "text": label_of(kind, bucket),
                    "kind": kind,
                    "count": bucket["doc_count"],
                }
