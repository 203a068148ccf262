"""The queries of saved searches, turned round: of a listing OpenSearch tells which it fits.

One document a distinct set of filters, however many people look for that. It holds the very query
that a search with these filters runs, so that both find the same; words, which are personal, are
not in it (projections.searches.words). How many people keep a set is counted, which gives the same
in whatever order their streams are read.

Beside its query each document says of which market it is and which makes it asks for, so that only
those queries are run that have a chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args

from projections.projection import Projection, SearchIndex
from projections.search.listing_search import INDEX as LISTINGS
from projections.search.listing_search import ListingDocument
from projections.search.query import FACETS, KEYS, RANGES, fitting
from projections.searches.canonical import filters_of
from schemas.frozen import frozen
from schemas.recorded import Recorded
from schemas.search import Filters
from schemas.searches import SearchDeleted, SearchSaved

Heard: TypeAlias = SearchSaved | SearchDeleted

QUERY = "query"
ANY_MAKE = "*"  # `compact` leaves no such key but of a make that is called so
PERCOLATION_TIMEOUT = "20s"  # nobody waits for it, and some 10,000 sets take a second (ADR 0040)
# All that filters ask of a listing.
FIELDS = ("status", "market", "place", *RANGES.values(), *FACETS.values())


@frozen
class FilterSet:
    """One set of filters, as a query; none as long as it is only known that it was given up.
    `of_makes` are those that it asks for, by what their spellings have in common, or ANY_MAKE.
    """

    watchers: int
    query: Mapping[str, Any] | None = None
    filters_hash: str = ""
    of_market: str = ""
    of_makes: tuple[str, ...] = ()


def key(recorded: Recorded[Heard]) -> str:
    """The hash of the filters."""
    return recorded.event.filters_hash


def fold(row: FilterSet | None, recorded: Recorded[Heard]) -> FilterSet | None:
    """The set after the event; none when nobody keeps it any more."""
    row = row or FilterSet(0)
    match recorded.event:
        case SearchSaved(filters=text, filters_hash=filters_hash):
            if row.watchers + 1 > 0:
                return _asking(filters_of(text), filters_hash, row.watchers + 1)
            watchers = row.watchers + 1
        case SearchDeleted():
            watchers = row.watchers - 1
    if watchers == 0:
        return None
    return replace(row, watchers=watchers) if watchers > 0 else FilterSet(watchers)


def _asking(filters: Filters, filters_hash: str, watchers: int) -> FilterSet:
    return FilterSet(
        watchers=watchers,
        query=fitting(filters),
        filters_hash=filters_hash,
        of_market=filters.market.value,
        of_makes=tuple(sorted({KEYS["make"](each) for each in filters.make})) or (ANY_MAKE,),
    )


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
                "of_market": {"type": "keyword"},
                "of_makes": {"type": "keyword"},
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
    makes = [ANY_MAKE, *([] if document.make_key is None else [document.make_key])]
    wanted: list[dict[str, Any]] = [
        {"term": {"of_market": document.market}},
        {"terms": {"of_makes": makes}},
        {"percolate": {"field": QUERY, "document": stated}},
    ]
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
