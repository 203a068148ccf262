"""What tells compared listings apart, rule by rule, and against a second way of reckoning it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.comparisons.table import table_of
from projections.comparisons.compared_columns import FACTS
from schemas.comparisons import COMPARED_MAX

Car = dict[str, Any] | None


def a_car(**facts: Any) -> dict[str, Any]:
    """One of which only this is stated."""
    return {**dict.fromkeys(FACTS), **facts}


def row(name: str, *values: Any, **more: Sequence[Any]) -> dict[str, Any]:
    """What the table says of a fact of which the cars state these values."""
    others = [{key: each[place] for key, each in more.items()} for place in range(len(values))]
    cars = [a_car(**{name: value}, **other) for value, other in zip(values, others, strict=True)]
    (found,) = [each for each in table_of(cars)["rows"] if each["name"] == name]
    return found


def test_CO_04_a_row_has_a_value_for_each_listing_in_their_order() -> None:
    assert row("year", 2019, None, 2021)["values"] == [2019, None, 2021]
    assert [each["name"] for each in table_of([])["rows"]] == list(FACTS)


def test_CO_04_what_differs_is_flagged_and_what_is_not_stated_makes_no_difference() -> None:
    assert row("fuel_type", "petrol", "diesel")["differs"] is True
    assert row("fuel_type", "petrol", "petrol", None)["differs"] is False
    assert row("fuel_type", None, None)["differs"] is False
    assert row("warranty", True, False)["differs"] is True


def test_CO_04_features_differ_whatever_their_order() -> None:
    assert row("features", ["Sunroof", "ABS"], ["ABS", "Sunroof"])["differs"] is False
    assert row("features", ["Sunroof"], ["ABS"])["differs"] is True


def test_CO_04_equal_figures_in_two_currencies_are_two_prices() -> None:
    assert row("price_minor", 500, 500, currency=["USD", "EUR"])["differs"] is True
    assert row("price_minor", 500, 500, currency=["USD", "USD"])["differs"] is False


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("mileage_km", [9_000, 4_000, None], [1]),
        ("owners", [2, 0, 0], [1, 2]),
        ("year", [2019, None, 2021], [2]),
        ("power_kw", [200, 331, 331], [1, 2]),
        ("warranty", [False, True, None], [1]),
        ("accident_free", [True, True, False], [0, 1]),
        ("warranty", [False, None], None),
        ("year", [None, None], None),
    ],
)
def test_CO_04_the_best_is_told_where_there_is_a_natural_order(name, values, best) -> None:
    assert row(name, *values)["best"] == best


@pytest.mark.parametrize("name", ["doors", "engine_cc", "condition", "registered", "damaged"])
def test_CO_04_elsewhere_none_is_the_best(name: str) -> None:
    values = {"condition": ["new", "good"], "registered": [True, False], "damaged": [True, False]}
    assert row(name, *values.get(name, [2, 4]))["best"] is None


def test_CO_04_prices_are_ranked_within_one_currency_alone() -> None:
    def told(*prices: tuple[int | None, str | None]) -> tuple[Any, Any]:
        cars = [a_car(price_minor=price, currency=currency) for price, currency in prices]
        table = table_of(cars)
        return table["rows"][0]["best"], table["price_position"]

    assert told((700, "USD"), (500, "USD"), (None, None)) == ([1], [2, 1, None])
    assert told((500, "USD"), (700, "USD"), (500, "USD"), (900, "USD")) == ([0, 2], [1, 3, 1, 4])
    assert told((700, "USD"), (500, "EUR")) == (None, [None, None])
    assert told((700, None), (500, None)) == (None, [None, None])
    assert told((700, "USD"), (500, None)) == (None, [None, None])
    assert told((700, "USD"), (None, "EUR")) == ([0], [1, None])


def test_CO_04_features_are_in_common_or_of_one_alone() -> None:
    cars = [a_car(features=each) for each in (["ABS", "Sunroof"], ["Sunroof", "Bose", "ABS"])]
    assert table_of(cars)["common_features"] == ["ABS", "Sunroof"]
    assert table_of(cars)["unique_features"] == [[], ["Bose"]]


def test_CO_04_of_one_that_states_no_features_none_is_in_common() -> None:
    table = table_of([a_car(features=["ABS"]), a_car()])
    assert (table["common_features"], table["unique_features"]) == ([], [["ABS"], None])


def test_CO_04_what_is_gone_says_nothing_and_hinders_nothing() -> None:
    here = a_car(year=2019, price_minor=500, currency="USD", features=["ABS", "Bose"])
    other = a_car(year=2019, price_minor=400, currency="USD", features=["ABS"])
    table = table_of([here, None, other])
    assert {each["values"][1] for each in table["rows"]} == {None}
    assert not [each for each in table["rows"] if 1 in (each["best"] or [])]
    assert [each["name"] for each in table["rows"] if each["differs"]] == [
        "price_minor",
        "features",
    ]
    assert table["common_features"] == ["ABS"]
    assert table["unique_features"] == [["Bose"], None, []]
    assert table["price_position"] == [2, None, 1]


_NUMBERS = {"price_minor", "year", "mileage_km", "engine_cc", "power_kw", "doors", "seats",
            "owners", "import_year"}  # fmt: skip
_SWITCHES = {"registered", "accident_free", "damaged", "warranty", "finance", "negotiable"}
_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(_NUMBERS, st.integers(0, 3)),
    **dict.fromkeys(_SWITCHES, st.booleans()),
    "currency": st.sampled_from(["USD", "USD", "USD", "EUR"]),
    "features": st.lists(st.sampled_from("ABCD"), max_size=5),
}
_FACTS = {name: st.none() | _VALUES.get(name, st.sampled_from("xyz")) for name in FACTS}
_CARS = st.lists(st.none() | st.fixed_dictionaries(_FACTS), max_size=COMPARED_MAX)


def beats(name: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one car's value is strictly better than the other's, which says something."""
    left, right = one[name], other[name]
    if left is None or right is None:
        return False
    if name in ("year", "power_kw", "warranty", "accident_free"):
        return left > right
    return left < right


def naive_best(name: str, cars: list[Car]) -> list[int] | None:
    """Those that no other beats, one pair after another."""
    ordered = {"price_minor", "mileage_km", "owners", "year", "power_kw"}
    told = [(place, each) for place, each in enumerate(cars) if each and each[name] is not None]
    if name in ("warranty", "accident_free"):
        told = [(place, each) for place, each in told if each[name]]
    elif name not in ordered:
        return None
    if name == "price_minor":
        money = [each["currency"] for _, each in told]
        if any(each is None or each != money[0] for each in money):
            return None
    found = [
        place for place, each in told if not any(beats(name, other, each) for _, other in told)
    ]
    return found or None


def said(car: dict[str, Any], name: str) -> Any:
    """A value in a form in which equal ones are equal."""
    match name:
        case "features":
            return sorted(set(car[name]))
        case "price_minor":
            return (car[name], car["currency"])
        case _:
            return car[name]


@given(_CARS)
def test_CO_04_any_cars_give_the_table_that_is_found_pair_by_pair(cars: list[Car]) -> None:
    for found in table_of(cars)["rows"]:
        name = found["name"]
        assert found["values"] == [each and each[name] for each in cars]
        told = [each for each in cars if each is not None and each[name] is not None]
        unlike = any(said(one, name) != said(other, name) for one in told for other in told)
        assert found["differs"] == unlike, name
        assert found["best"] == naive_best(name, cars), name


@given(_CARS)
def test_CO_04_any_cars_share_what_each_has_and_have_alone_what_no_other_has(
    cars: list[Car],
) -> None:
    table = table_of(cars)
    there = [each for each in cars if each is not None]
    for feature in "ABCD":
        having = [
            place for place, each in enumerate(cars) if each and feature in (each["features"] or [])
        ]
        shared = bool(there) and len(having) == len(there)
        assert table["common_features"].count(feature) == shared
        for place, alone in enumerate(table["unique_features"]):
            assert (alone or []).count(feature) == (having == [place])
    silent = [not each or each["features"] is None for each in cars]
    assert [each is None for each in table["unique_features"]] == silent


@given(_CARS)
def test_CO_04_any_prices_are_ranked_by_how_many_are_lower(cars: list[Car]) -> None:
    positions = table_of(cars)["price_position"]
    priced = [
        (place, each) for place, each in enumerate(cars) if each and each["price_minor"] is not None
    ]
    ranked = naive_best("price_minor", cars) is not None
    for place, car in enumerate(cars):
        lower = [each for _, each in priced if car and beats("price_minor", each, car)]
        stated = place in dict(priced)
        assert positions[place] == (len(lower) + 1 if ranked and stated else None)
