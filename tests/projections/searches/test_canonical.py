"""One form for filters that ask for the same."""

from __future__ import annotations

from typing import Any

import pytest

from projections.searches.canonical import filters_hash, filters_text, public_part, whole_text
from schemas.search import Filters


def filters(**given: Any) -> Filters:
    return Filters.model_validate(given)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"make": ["BMW", "Audi"]}, {"make": ["audi", "bmw", "B-M-W"]}),
        ({"color": ["Guards Red"]}, {"color": ["guards-red", "GUARDS RED"]}),
        ({"price_max": 5000}, {"price_max": "5000.00"}),
        ({"radius_km": 10, "lat": 1, "lon": 2}, {"lon": 2.0, "lat": 1.0, "radius_km": 10.0}),
        ({}, {"lat": 1, "lon": 2}),  # that only sorts
        ({"market": "exotics"}, {}),
        ({"fuel": ["petrol", "diesel"]}, {"fuel": ["diesel", "petrol", "petrol"]}),
        ({"q": "some words"}, {}),  # judged by themselves
        ({"location": ["Košice"]}, {"location": ["kosice"]}),
    ],
)
def test_SE_04_the_same_has_the_same_hash(one, other) -> None:
    assert filters_hash(filters(**one)) == filters_hash(filters(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"make": ["VW"]}, {"make": ["வோக்ஸ்வேகன்", "volkswagen"]}),
        ({"make": ["Merc"]}, {"make": ["මර්සිඩීස් බෙන්ස්"]}),
        ({"location": ["Colombo"]}, {"location": ["කොළඹ", "கொழும்பு", "Kolomba"]}),
        ({"color": ["Gray"]}, {"color": ["අළු"]}),
    ],
)
def test_BY_24_the_same_in_three_scripts_has_the_same_hash(one, other) -> None:
    assert filters_hash(filters(**one)) == filters_hash(filters(**other))


def test_BY_24_a_known_make_is_public_in_every_script() -> None:
    assert public_part(filters(make=["වොක්ස්වැගන්", "VW"])).make == ("volkswagen",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"make": ["BMW"]}, {"make": ["BMW", "Audi"]}),
        ({"make": ["Golf"]}, {"model": ["Golf"]}),
        ({"price_max": 5000}, {"price_max": 5000.5}),
        ({"price_max": 5000}, {"price_min": 5000}),
        ({"market": "campus"}, {}),
        ({"currency": "USD"}, {"currency": "LKR"}),
        ({"radius_km": 10, "lat": 1, "lon": 2}, {"radius_km": 10, "lat": 2, "lon": 1}),
    ],
)
def test_SE_04_what_is_not_the_same_has_another(one, other) -> None:
    assert filters_hash(filters(**one)) != filters_hash(filters(**other))


def test_SE_04_the_words_are_of_the_whole_alone() -> None:
    words = filters(q="present", make=["BMW"])
    assert filters_text(words) == '{"make":["BMW"],"market":"exotics"}'
    assert whole_text(words) != whole_text(filters(make=["BMW"]))
    assert whole_text(words) == whole_text(filters(make=["b.m.w"], q="present"))
