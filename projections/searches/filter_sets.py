"""The queries of saved searches, turned round: of a listing OpenSearch tells which it fits.

One document a distinct set of filters, however many people look for that. It holds the very query
that a search with these filters runs, so that both find the same; words, which are personal, are
not in it (projections.searches.words). How many people keep a set is counted, which gives the same
in whatever order their streams are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, get_args

from projections.projection import Projection, SearchIndex
from projections.search.listing_search import INDEX as LISTINGS
from projections.search.listing_search import ListingDocument
from projections.search.query import FACETS, RANGES, fitting
from projections.searches.canonical import filters_of
from schemas.frozen import frozen
from schemas.recorded import Recorded
from schemas.searches import SearchDeleted, SearchSaved

Heard: TypeAlias = SearchSaved | SearchDeleted

QUERY = "query"
PERCOLATION_TIMEOUT = "20s"  # nobody waits for it, and some 10,000 sets take a second (ADR 0040)
# All that filters ask of a listing.
FIELDS = ("status", "market", "place", *RANGES.values(), *FACETS.values())


@frozen
class FilterSet:
    """One set of filters, as a query; none as long as it is only known that it was given up."""

    watchers: int
    query: Mapping[str, Any] | None = None


def key(recorded: Recorded[Heard]) -> str:
    """The hash of the filters."""
    return recorded.event.filters_hash


def fold(row: FilterSet | None, recorded: Recorded[Heard]) -> FilterSet | None:
    """The set after the event; none when nobody keeps it any more."""
    watchers, query = (0, None) if row is None else (row.watchers, row.query)
    match recorded.event:
        case SearchSaved(filters=filters):
            watchers, query = watchers + 1, fitting(filters_of(filters))
        case SearchDeleted():
            watchers -= 1
    if watchers == 0:
        return None
    return FilterSet(watchers, query if watchers > 0 else None)


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
                **{name: LISTINGS.mappings["properties"][name] for name in FIELDS},
            },
        },
    ),
)


def percolation(
    document: ListingDocument, size: int, after: Sequence[Any] | None = None
) -> dict[str, Any]:
    """Ask which sets the listing fits, in the order of their hashes: `size` of them after a hit."""
    asked = {name: getattr(document, name) for name in FIELDS}
    asked["place"] = None if document.place is None else document.place.model_dump()
    stated = {name: value for name, value in asked.items() if value is not None}
    body: dict[str, Any] = {
        "query": {"constant_score": {"filter": {
            "percolate": {"field": QUERY, "document": stated}
        }}},
        "sort": [{"_id": "asc"}],
        "size": size,
        "_source": False,
        "track_total_hits": False,
        "timeout": PERCOLATION_TIMEOUT,
    }  # fmt: skip
    return body if after is None else {**body, "search_after": list(after)}
