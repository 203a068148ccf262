"""The queries of saved searches, turned round: of a listing OpenSearch tells which it fits.

One document a distinct set of filters, however many people look for that. It holds the very query
that a search with these filters runs, so that both find the same; words, which are personal, are
not in it (projections.searches.words). How many people keep a set is counted, which gives the same
in whatever order their streams are read.

The engine itself runs only the queries whose market, make and other plain values the listing has: to
tell it these beside the query makes it no quicker (ADR 0040).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args

from projections.projection import Projection, SearchIndex
from projections.search.listing_search import INDEX as LISTINGS
from projections.search.listing_search import ListingDocument
from projections.search.query import FACETS, RANGES, fitting
from projections.searches.canonical import filters_of
from schemas.log.frozen import frozen
from schemas.log.recorded import Recorded
from schemas.searches import SearchDeleted, SearchSaved

Heard: TypeAlias = SearchSaved | SearchDeleted

QUERY = "query"
PERCOLATION_TIMEOUT = "20s"  # nobody waits for it, and some 10,000 sets take a second (ADR 0040)
# All that filters ask of a listing.
FIELDS = ("status", "market", "place", *RANGES.values(), *FACETS.values())


@frozen
class FilterSet:
    """One set of filters, as a query; none as long as it is only known that it was given up.
    `filters_hash` is its own, to sort by.
    """

    watchers: int
    query: Mapping[str, Any] | None = None
    filters_hash: str = ""


def key(recorded: Recorded[Heard]) -> str:
    """The hash of the filters."""
    return recorded.event.filters_hash


def fold(row: FilterSet | None, recorded: Recorded[Heard]) -> FilterSet | None:
    """The set after the event; none when nobody keeps it any more."""
    row = row or FilterSet(0)
    match recorded.event:
        case SearchSaved(filters=text, filters_hash=filters_hash):
            if row.watchers + 1 > 0:
                return FilterSet(row.watchers + 1, fitting(filters_of(text)), filters_hash)
            watchers = row.watchers + 1
        case SearchDeleted():
            watchers = row.watchers - 1
    if watchers == 0:
        return None
    return replace(row, watchers=watchers) if watchers > 0 else FilterSet(watchers)


filter_sets = Projection(
    name="filter_sets",
    version=1,  # another one with each change of what `fitting` makes of filters
    hears=get_args(Heard),
    key=key,
    fold=fold,
    row=FilterSet,
    # Which sets an unreadable event was about nobody knows; they stay as they are.
    rows_of=lambda _stream_id: (),
    target=SearchIndex(
        settings={"number_of_shards": 1},
        mappings={
            "dynamic": "strict",
            "properties": {
                QUERY: {"type": "percolator"},
                "watchers": {"type": "integer", "index": False},
                "filters_hash": {"type": "keyword"},
                **{name: LISTINGS.mappings["properties"][name] for name in FIELDS},
            },
        },
    ),
)


def percolation(
    document: ListingDocument,
    size: int,
    after: Sequence[Any] | None = None,
    *,
    only: str | None = None,
) -> dict[str, Any]:
    """Ask which sets the listing fits, in the order of their hashes: `size` of them after a hit; or
    of one set whether it does.
    """
    asked = {name: getattr(document, name) for name in FIELDS}
    asked["place"] = None if document.place is None else document.place.model_dump()
    stated = {name: value for name, value in asked.items() if value is not None}
    wanted: list[dict[str, Any]] = [{"percolate": {"field": QUERY, "document": stated}}]
    if only is not None:
        wanted.insert(0, {"ids": {"values": [only]}})
    body: dict[str, Any] = {
        "query": {"bool": {"filter": wanted}},
        "sort": [{"filters_hash": "asc"}],
        "size": size,
        "_source": False,
        "track_total_hits": False,
        "timeout": PERCOLATION_TIMEOUT,
    }
    return body if after is None else {**body, "search_after": list(after)}
