"""Filters as a search body: the pure half of searching."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from projections.search.query import (
    FACETS,
    Sort,
    by_currency,
    candidates,
    facets_of,
    search_body,
    truncated_facets,
)
from projections.search.spelling import compact
from projections.search.suggestions import suggestions_of
from schemas.search import Filters
from schemas.values.vehicles import FuelType


def body(sort: Sort = Sort.NEWEST, **filters: Any) -> dict[str, Any]:
    return search_body(Filters(**filters), sort, size=10)


def fitting(**filters: Any) -> list[dict[str, Any]]:
    clauses: list[dict[str, Any]] = candidates(Filters(**filters))["bool"]["filter"]
    return clauses


def others_of(facet: str, **filters: Any) -> list[dict[str, Any]]:
    clauses: list[dict[str, Any]] = body(**filters)["aggs"][facet]["filter"]["bool"]["filter"]
    return clauses


def test_SE_01_only_active_listings_of_one_market_are_candidates() -> None:
    assert fitting() == [{"term": {"status": "active"}}, {"term": {"market": "exotics"}}]


def test_SE_02_values_of_one_facet_are_alternatives_and_facets_add_up() -> None:
    found = body(fuel=["diesel", "petrol"], make=["BMW"])["post_filter"]["bool"]["filter"]
    assert found == [
        {"terms": {"make_key": ["bmw"]}},
        {"terms": {"fuel_type": [FuelType.DIESEL, FuelType.PETROL]}},
    ]


def test_SE_02_a_facet_is_counted_under_the_choices_of_all_others() -> None:
    chosen = {"fuel": ["diesel"], "make": ["BMW"]}
    assert others_of("fuel", **chosen) == [{"terms": {"make_key": ["bmw"]}}]
    assert others_of("make", **chosen) == [{"terms": {"fuel_type": ["diesel"]}}]
    assert len(others_of("features", **chosen)) == 2


def test_SE_02_chosen_facets_do_not_narrow_the_candidates() -> None:
    assert fitting(fuel=["diesel"]) == fitting()


def test_SE_02_bounds_are_ranges_and_prices_are_in_major_units() -> None:
    found = fitting(price_max=Decimal("4999.5"), year_min=2010, mileage_max=90_000, power_min=100)
    assert found[2:] == [
        {"range": {"price": {"lte": 4999.5}}},
        {"range": {"year": {"gte": 2010}}},
        {"range": {"mileage_km": {"lte": 90_000}}},
        {"range": {"power_kw": {"gte": 100}}},
    ]


def test_SE_02_a_currency_leaves_only_its_own_prices() -> None:
    assert body(currency="LKR")["post_filter"]["bool"]["filter"] == [
        {"terms": {"currency": ["LKR"]}}
    ]


@pytest.mark.parametrize("sort", [Sort.PRICE, Sort.PRICE_DOWN])
def test_prices_of_different_currencies_are_not_sorted_as_bare_numbers(sort: Sort) -> None:
    assert body(sort)["sort"][0] == {"currency": "asc"}
    assert list(body(sort, currency="LKR")["sort"][0]) == ["price"]
    assert by_currency(sort, Filters())
    assert not by_currency(sort, Filters(currency="LKR"))


def test_SE_01_a_radius_is_a_filter_and_a_place_alone_is_not() -> None:
    place = {"lat": 6.9, "lon": 79.8}
    assert fitting(**place) == fitting()
    assert fitting(**place, radius_km=25)[-1] == {
        "geo_distance": {"distance": "25.0km", "place": place}
    }


def prefixes(text: str) -> list[str]:
    (words,) = candidates(Filters(q=text))["bool"]["must"]
    ways = [way for word in words["bool"]["must"] for way in word["bool"]["should"]]
    return [way["prefix"]["words"] for way in ways if "prefix" in way]


def test_SE_01_the_last_word_may_be_unfinished_once_it_has_three_letters() -> None:
    assert "tour" in prefixes("bmw tour")
    assert "m" not in prefixes("bmw m")


@pytest.mark.parametrize("sort", Sort)
def test_SE_01_every_order_tells_equals_apart_by_id(sort: Sort) -> None:
    assert body(sort, lat=6.9, lon=79.8)["sort"][-1] == {"listing_id": "desc"}


def test_SE_01_a_cursor_replaces_the_offset() -> None:
    found = search_body(Filters(), Sort.NEWEST, size=5, after=[1, "a"])
    assert found["search_after"] == [1, "a"]
    assert "from" not in found


def test_SE_02_facets_are_read_with_a_spelling_to_show() -> None:
    empty: dict[str, Any] = {facet: {"values": {"buckets": []}} for facet in FACETS}
    empty["make"]["values"]["buckets"] = [
        {"key": "bmw", "doc_count": 3, "label": {"buckets": [{"key": "BMW"}]}}
    ]
    empty["fuel"]["values"]["buckets"] = [{"key": "diesel", "doc_count": 2}]
    found = facets_of({"aggregations": empty})
    assert found["make"] == [{"value": "bmw", "label": "BMW", "count": 3}]
    assert found["fuel"] == [{"value": "diesel", "label": "diesel", "count": 2}]
    assert found["model"] == []


def test_facets_with_more_values_than_are_told_say_so() -> None:
    found: dict[str, Any] = {facet: {"values": {"buckets": []}} for facet in FACETS}
    found["make"]["values"]["sum_other_doc_count"] = 3
    found["fuel"]["values"]["sum_other_doc_count"] = 0
    assert truncated_facets({"aggregations": found}) == ["make"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_min": 2, "price_max": 1},
        {"year_min": 2020, "year_max": 2010},
        {"lat": 1},
        {"radius_km": 5},
        {"lat": 1, "lon": 1, "radius_km": 5_000},
        {"fuel": ["water"]},
        {"q": "x" * 201},
        {"make": ["x"] * 31},
        {"colour": ["red"]},
        {"price_max": -1},
    ],
    ids=str,
)
def test_SE_04_filters_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Filters(**wrong)


def test_SE_03_what_fits_exactly_comes_before_what_fits_with_a_typo_and_nothing_twice() -> None:
    def found(*names: str) -> dict[str, Any]:
        buckets = [
            {"key": compact(name), "doc_count": 1, "label": {"buckets": [{"key": name}]}}
            for name in names
        ]
        return {"values": {"buckets": buckets}}

    answer = {
        "exact make": found("Porsche"),
        "exact model": found("Porsche 911"),
        "exact location": found(),
        "typo make": found("Pontiac", "PORSCHE"),
        "typo model": found(),
        "typo location": found("Portland"),
    }
    texts = [each["text"] for each in suggestions_of({"aggregations": answer}, 3)]
    assert texts == ["Porsche", "Porsche 911", "Pontiac"]
