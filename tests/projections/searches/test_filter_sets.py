"""What the stored searches find of a listing is what each of them finds by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from infra.settings import Settings
from processors.stores.rows import plain_row
from projections.search.listing_search import ListingDocument
from projections.searches.canonical import (
    filters_hash,
    filters_of,
    filters_text,
    private_text,
    public_part,
    whole_of,
)
from projections.searches.filter_sets import FilterSet, filter_sets, fold, percolation
from projections.searches.rest import fits_rest
from projections.searches.words import Words
from schemas.search import Filters
from schemas.searches import searches_stream
from tests.producers.searches.looking import ID, OTHER, deleted, saved
from tests.projections.history import history, recorded
from tests.projections.search.index import SearchedIndex, index_of
from tests.projections.search.many_ads import some_ads
from tests.projections.searches.many_searches import some_filters
from tests.sizes import FULL_SIZE

SEARCHES = 500
PAGE = 60  # less than fit some listings


@pytest.fixture(scope="module")
def listings(stack: Settings) -> Iterator[SearchedIndex]:
    with index_of(stack, some_ads()) as opened:
        yield opened


@dataclass(frozen=True)
class Stored:
    """The sets of filters of many searches, in OpenSearch."""

    client: httpx.Client

    def fitting(self, document: ListingDocument) -> set[str]:
        """The hashes of all that a listing fits, page by page."""
        found: list[str] = []
        last: Sequence[Any] | None = None
        while True:
            body = orjson.dumps(percolation(document, PAGE, last))
            headers = {"Content-Type": "application/json"}
            answer = self.client.post("/_search", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            hits = answer.json()["hits"]["hits"]
            found += [hit["_id"] for hit in hits]
            if len(hits) < PAGE:
                assert len(found) == len(set(found))
                return set(found)
            last = hits[-1]["sort"]


def rows(filters: Sequence[Filters]) -> dict[str, FilterSet]:
    """The sets as the projection folds them, each of somebody else."""
    found: dict[str, FilterSet] = {}
    for number, each in enumerate(filters):
        event = saved(
            number, user_id=UUID(int=number), filters=filters_text(public_part(each)),
            filters_hash=filters_hash(public_part(each)),
        )  # fmt: skip
        one = recorded(searches_stream(event.user_id), 1, event)
        row = fold(found.get(event.filters_hash), one)
        assert row is not None
        found[event.filters_hash] = row
    return found


@pytest.fixture(scope="module")
def stored(stack: Settings) -> Iterator[Stored]:
    target: Any = filter_sets.target
    url = f"{stack.opensearch_url}/test-{uuid4().hex}"
    with httpx.Client(base_url=url, timeout=60) as client:
        made = client.put("", json={"settings": target.settings, "mappings": target.mappings})
        assert made.status_code == 200, made.text
        try:
            sets = rows(list(some_filters(SEARCHES)))
            lines = b"".join(
                orjson.dumps({"index": {"_id": key}}) + b"\n" + orjson.dumps(plain_row(row)) + b"\n"
                for key, row in sets.items()
            )
            headers = {"Content-Type": "application/x-ndjson"}
            loaded = client.post("/_bulk?refresh=true", content=lines, headers=headers).json()
            assert loaded["errors"] is False, loaded
            yield Stored(client)
        finally:
            client.delete("").raise_for_status()


def test_SE_11_stored_searches_find_what_they_find_one_by_one(
    listings: SearchedIndex, stored: Stored
) -> None:
    filters = list(some_filters(SEARCHES))
    documents = listings.documents[:: 1 if FULL_SIZE else 4]  # each is asked against all searches
    asked = {each.listing_id for each in documents}
    wanted = {
        (number, listing_id)
        for number, each in enumerate(filters)
        for listing_id in asked.intersection(listings.ids(each))
    }
    parts = [(filters_hash(public_part(each)), private_text(each)) for each in filters]
    found: set[tuple[int, str]] = set()
    for document in documents:
        hashes, words = stored.fitting(document), Words(document)
        found |= {
            (number, document.listing_id)
            for number, (public, private) in enumerate(parts)
            if public in hashes and fits_rest(private, words)
        }
    assert len(wanted) > 1_000
    assert found == wanted


@pytest.mark.parametrize("filters", some_filters(40, seed=9))
def test_SE_04_what_is_kept_of_filters_asks_for_the_same(
    listings: SearchedIndex, filters: Filters
) -> None:
    public, private = filters_text(public_part(filters)), private_text(filters)
    assert filters_hash(filters_of(public)) == filters_hash(public_part(filters))
    again = Filters.model_validate(whole_of(public, private))
    assert listings.ids(again) == listings.ids(filters)


def test_SE_04_one_set_is_kept_for_all_who_look_for_it() -> None:
    one = recorded(searches_stream(ID), 1, saved())
    other = recorded(searches_stream(OTHER), 1, saved(user_id=OTHER))
    first = fold(None, one)
    assert first is not None
    both = fold(first, other)
    assert both == replace(first, watchers=2)
    gone = recorded(searches_stream(ID), 2, deleted())
    assert fold(both, gone) == first
    assert fold(first, gone) is None


def test_whoever_gives_up_before_the_others_are_read_is_counted_all_the_same() -> None:
    kept, gone, again = history(searches_stream(ID), saved(), deleted(), saved())
    early = fold(None, gone)
    assert early == FilterSet(-1)
    assert fold(early, kept) is None
    assert fold(fold(early, kept), again) == fold(None, kept)
