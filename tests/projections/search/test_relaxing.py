"""What a search without hits could do without, on the real OpenSearch: as many hits as the search has
that is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.settings import Settings
from projections.search.query import FACETS, RANGES
from projections.search.relaxing import (
    RELAXATIONS_MAX,
    hits_without,
    relaxing_body,
    removable,
    without,
)
from schemas.search import Filters
from tests.projections.search.index import SearchedIndex, index_of
from tests.projections.search.many_ads import some_ads
from tests.projections.searches.many_searches import some_filters

SEARCHES = 25
# All that can be asked at once.
EVERYTHING: dict[str, Any] = {
    "q": "golf diesel", "make": ["VW"], "model": ["Golf"], "body": ["suv"], "fuel": ["diesel"],
    "transmission": ["manual"], "drivetrain": ["awd"], "condition": ["new"], "color": ["red"],
    "location": ["Colombo"], "features": ["Sunroof"], "currency": "USD",
    "price_min": 1, "price_max": 2, "year_max": 2000, "mileage_min": 1, "power_max": 9,
    "lat": 6.9, "lon": 79.9, "radius_km": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[SearchedIndex]:
    with index_of(stack, some_ads()) as opened:
        yield opened


def hits(index: SearchedIndex, filters: Filters) -> int:
    """As many as a search has, which allows typos where there are none without."""
    found: int = index.search(filters, size=0)["hits"]["total"]["value"]
    if filters.q and not found:
        found = index.search(filters, size=0, typos=True)["hits"]["total"]["value"]
    return found


def in_vain(index: SearchedIndex) -> Iterator[Filters]:
    """Searches that find nothing, though they ask for several things."""
    tried = (each for each in some_filters(3_000, seed=21) if len(removable(each)) > 1)
    found = (each for each in tried if hits(index, each) == 0)
    for _ in range(SEARCHES):
        yield next(found)


def test_SE_01_each_relaxation_tells_the_hits_of_the_search_that_is_left(
    index: SearchedIndex,
) -> None:
    told = 0
    for filters in in_vain(index):
        asked = removable(filters)
        expected = {name: hits(index, without(filters, each)) for name, each in asked.items()}
        best = sorted((-count, name) for name, count in expected.items() if count)
        found = hits_without(index.ask(relaxing_body(filters)))
        assert list(found.items()) == [(name, -count) for count, name in best[:RELAXATIONS_MAX]]
        told += len(found)
    assert told > SEARCHES / 2


def test_SE_01_a_word_with_a_typo_is_relaxed_as_it_is_searched(index: SearchedIndex) -> None:
    filters = Filters(q="octavai", year_min=2030)
    found = hits_without(index.ask(relaxing_body(filters)))
    assert found["year"] == hits(index, Filters(q="octavai")) > 0


def test_SE_01_everything_that_can_be_asked_can_be_relaxed_and_no_more_is_counted_than_is_said() -> (
    None
):
    filters = Filters.model_validate(EVERYTHING)
    asked = removable(filters)
    assert asked.keys() == {"q", "radius_km", *FACETS, *RANGES}
    assert asked["price"] == ("price_min", "price_max")
    assert asked["year"] == ("year_max",)
    body = relaxing_body(filters)
    assert len(body["aggs"]["without"]["filters"]["filters"]) == 2 * len(asked) - 1 <= 34
    for parameters in asked.values():
        assert removable(without(filters, parameters)).keys() == asked.keys() - {
            name for name, each in asked.items() if each == parameters
        }


def test_SE_01_what_helps_most_comes_first_and_what_helps_nothing_is_not_told() -> None:
    buckets = {"q": 0, "q with typos": 0, "year": 0, "year with typos": 7, "make": 3,
               "make with typos": 40, "fuel": 9, "price": 3, "body": 1, "color": 2}  # fmt: skip
    answer = {
        "aggregations": {
            "without": {"buckets": {name: {"doc_count": each} for name, each in buckets.items()}}
        }
    }
    assert list(hits_without(answer).items()) == [
        ("fuel", 9), ("year", 7), ("make", 3), ("price", 3), ("color", 2),
    ]  # fmt: skip


def test_SE_01_a_place_without_a_distance_stands_in_nobodys_way() -> None:
    assert removable(Filters(lat=6.9, lon=79.9)) == {}
