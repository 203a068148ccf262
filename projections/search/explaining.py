"""Why a listing stands where it does: which words met which field, and what each is worth. Pure.

The clauses of a search that count for the score get names, and the engine tells of each hit which of
them it meets and what that adds. The score is their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from projections.search.query import Clause, Sort, search_body
from schemas.search import Filters

EXPLAINED_MAX = 20
SCORED = {"include_named_queries_score": "true"}  # beside the body


@dataclass(frozen=True)
class Part:
    """One clause: `way` is how `words` are to be met in `field`: `term` and `terms` by one of them,
    `prefix` by what begins so, `match` by any of them, perhaps with a typo.
    """

    field: str
    way: str
    words: list[str]
    score: float


def explained_body(
    filters: Filters, sort: Sort, *, size: int, typos: bool
) -> tuple[dict[str, Any], list[Part]]:
    """The search with its clauses named by their places in the list."""
    body = search_body(filters, sort, size=size, typos=typos)
    parts: list[Part] = []
    asked = body["query"]["bool"]
    named = {kind: _named(asked[kind], parts) for kind in ("must", "should") if kind in asked}
    body["query"] = {"bool": asked | named}
    return {**body, "aggs": {}, "track_scores": True}, parts


def _named(clause: Any, parts: list[Part]) -> Any:
    if isinstance(clause, list):
        return [_named(each, parts) for each in clause]
    ((way, asked),) = clause.items()
    if way == "bool":
        return {way: {kind: _named(each, parts) if isinstance(each, list) else each
                      for kind, each in asked.items()}}  # fmt: skip
    return {way: _leaf(way, asked, parts)}


def _leaf(way: str, asked: Clause, parts: list[Part]) -> Clause:
    name = str(len(parts))
    if way == "match_none":
        return asked
    field = next(each for each in asked if each != "boost")
    value = asked[field]
    if way == "terms":
        parts.append(Part(field, way, list(value), 0))
        return {**asked, "_name": name}
    text = value["query"] if isinstance(value, dict) else value
    parts.append(Part(field, way, text.split(), 0))
    stated = value if isinstance(value, dict) else {"value": value}
    return {field: {**stated, "_name": name}}


def parts_of(hit: Mapping[str, Any], parts: list[Part]) -> list[dict[str, Any]]:
    """What a hit meets, what counts most first."""
    met = [
        {**asdict(parts[int(name)]), "score": round(float(score), 4)}
        for name, score in hit.get("matched_queries", {}).items()
    ]
    return sorted(met, key=lambda part: -part["score"])
