"""Searching on the real OpenSearch: equal to judging every ad by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.settings import Settings
from projections.search.listing_search import ListingDocument
from projections.search.query import FACET_VALUES_MAX, Sort, facets_of
from schemas.log.messages import Event
from schemas.search import Filters
from schemas.values.vehicles import BodyType, Condition, FuelType, Transmission, VehicleFields
from tests.projections.cars import created, published
from tests.projections.search.index import SearchedIndex, index_of
from tests.projections.search.many_ads import (
    CITIES,
    FEATURES,
    MODELS,
    counts,
    distance_km,
    some_ads,
    wanted,
)

COLOMBO = {"lat": 6.93, "lon": 79.86}


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[SearchedIndex]:
    with index_of(stack, some_ads()) as opened:
        yield opened


def some(values: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(list(values)), max_size=2)


def maybe(values: Any) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(list(values))


texts = st.sampled_from(
    ["", "", "golf", "Gol", "bmw m3", "skoda", "diesel", "tow bar", "price call", "m", "911 sport"]
)
any_filters = st.builds(
    Filters,
    q=texts,
    make=some(MODELS),
    model=some(["Golf", "m3", "911"]),
    body=some(BodyType),
    fuel=some(FuelType),
    transmission=some(Transmission),
    condition=some(Condition),
    color=some(["BLACK", "red"]),
    location=some(CITIES),
    features=some(FEATURES),
    currency=maybe(["USD", "LKR"]),
    price_max=maybe([500, 4_000, 12_000]),
    year_min=maybe([2000, 2015]),
    mileage_max=maybe([50_000, 200_000]),
    power_min=maybe([60, 140]),
)
near = st.builds(Filters, q=texts, radius_km=st.sampled_from([8, 100, 130]), **{
    name: st.just(value) for name, value in COLOMBO.items()
})  # fmt: skip


@settings(
    max_examples=75,
    deadline=None,  # what a busy machine takes for one search says nothing of the search
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(filters=any_filters | near)
def test_SE_02_hits_and_facet_counts_equal_brute_force(
    index: SearchedIndex, filters: Filters
) -> None:
    answer = index.search(filters, size=0)
    expected = wanted(index.documents, filters)
    assert set(index.ids(filters)) == {ad.listing_id for ad in expected}
    assert answer["hits"]["total"] == {"value": len(expected), "relation": "eq"}
    for facet, values in facets_of(answer).items():
        brute = counts(index.documents, facet, filters)
        assert len(brute) <= FACET_VALUES_MAX
        assert {each["value"]: each["count"] for each in values} == brute


def test_SE_02_a_facets_label_is_a_spelling_that_people_use(index: SearchedIndex) -> None:
    makes = facets_of(index.search(Filters()))["make"]
    labels = {each["value"]: each["label"] for each in makes}
    spellings = Counter(ad.make for ad in wanted(index.documents, Filters()))
    assert labels["skoda"] == "Škoda"
    assert spellings[labels["bmw"]] == max(spellings["BMW"], spellings["bmw"])


def _in_order(ads: list[ListingDocument], sort: Sort, filters: Filters) -> list[str]:
    """Hand-made order: by the sort's value, absent last, then by id, the greatest first."""
    values = {
        Sort.NEWEST: lambda ad: -ad.published_at.timestamp(),
        Sort.DISTANCE: lambda ad: distance_km(ad, filters),
        Sort.PRICE: lambda ad: (ad.currency, ad.price),
        Sort.PRICE_DOWN: lambda ad: (ad.currency, -ad.price),
        Sort.YEAR: lambda ad: ad.year,
        Sort.YEAR_DOWN: lambda ad: -ad.year,
        Sort.MILEAGE: lambda ad: ad.mileage_km,
        Sort.MILEAGE_DOWN: lambda ad: -ad.mileage_km,
    }
    by_id = sorted(ads, key=lambda ad: ad.listing_id, reverse=True)
    return [ad.listing_id for ad in sorted(by_id, key=values[sort])]


@pytest.mark.parametrize("sort", [sort for sort in Sort if sort != Sort.RELEVANCE])
def test_SE_01_pages_in_every_order_show_each_hit_once(index: SearchedIndex, sort: Sort) -> None:
    filters = Filters(**COLOMBO)
    found = index.ids(filters, sort)
    expected = _in_order(wanted(index.documents, filters), sort, filters)
    if sort is Sort.DISTANCE:  # OpenSearch keeps places to some centimeters.
        assert sorted(found) == sorted(expected)
        away = {ad.listing_id: round(distance_km(ad, filters), 3) for ad in index.documents
                if ad.place}  # fmt: skip
        distances = [away.get(each, 9e9) for each in found]
        assert distances == sorted(distances)
    else:
        assert found == expected


def test_SE_01_relevance_pages_show_each_hit_once(index: SearchedIndex) -> None:
    filters = Filters(q="bmw")
    found = index.ids(filters, Sort.RELEVANCE)
    assert len(found) == len(set(found)) == len(wanted(index.documents, filters))


def test_SE_01_page_numbers_show_what_the_cursor_shows(index: SearchedIndex) -> None:
    pages = [
        hit["_id"]
        for page in range(4)
        for hit in index.search(Filters(), size=25, offset=25 * page)["hits"]["hits"]
    ]
    assert pages == index.ids(Filters())[:100]


HOSTILE = ["*", "title:*", '{"match_all":{}}', "AND OR NOT", "\\", "a" * 200, "(", "/.*/", "🏎️"]


@pytest.mark.parametrize("text", HOSTILE)
def test_NS_05_a_text_is_only_ever_words(index: SearchedIndex, text: str) -> None:
    assert index.search(Filters(q=text))["hits"]["total"]["value"] == 0
    assert index.search(Filters(make=[text[:80]]))["hits"]["total"]["value"] == 0


@pytest.mark.parametrize(("typed", "typos"), [("golf", False), ("glof", True)])
def test_SE_01_what_is_called_so_comes_before_what_only_mentions_it(
    stack: Settings, typed: str, typos: bool
) -> None:
    wordy = "Kept in a dry garage, " * 20
    golfs = {UUID(int=1): ("Golf", wordy), UUID(int=2): ("Golf Plus", wordy)}
    others = {UUID(int=number): ("Corolla", "As good as a Golf") for number in range(3, 9)}
    lives: list[tuple[UUID, list[Event]]] = []
    for listing_id, (model, description) in (golfs | others).items():
        car = VehicleFields(title=f"My {model}", model=model, description=description)
        lives.append((listing_id, [created(car, 0, listing_id), published(0, listing_id)]))
    with index_of(stack, lives) as opened:
        found = opened.ids(Filters(q=typed), Sort.RELEVANCE, typos=typos)
    assert len(found) == len(lives)
    assert set(found[: len(golfs)]) == {str(each) for each in golfs}
