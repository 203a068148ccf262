"""What tells compared listings apart, fact by fact: rows of the listing page in, a table out. What is
not stated, or of a listing that is gone (None), is never the best and makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from projections.comparisons.compared_columns import FACTS

Car = Mapping[str, Any] | None

# Where one value is better than another, whoever looks.
_BEST: Final[Mapping[str, Callable[[Collection[Any]], Any]]] = {
    "price_minor": min,
    "mileage_km": min,
    "owners": min,
    "year": max,
    "power_kw": max,
}
_BEST_IF_TRUE: Final = frozenset({"accident_free", "warranty"})


def table_of(cars: Sequence[Car]) -> dict[str, Any]:
    """A row for each fact, with a value for each of the cars in their order; then their features and
    prices beside each other.
    """
    return {
        "rows": [_row(name, cars) for name in FACTS],
        "common_features": common_features(cars),
        "unique_features": unique_features(cars),
        "price_position": price_position(cars),
    }


def _row(name: str, cars: Sequence[Car]) -> dict[str, Any]:
    return {
        "name": name,
        "values": values_of(name, cars),
        "differs": differs(name, cars),
        "best": best(name, cars),
    }


def values_of(name: str, cars: Sequence[Car]) -> list[Any]:
    """What each of the cars says; None: nothing."""
    return [None if car is None else car[name] for car in cars]


def differs(name: str, cars: Sequence[Car]) -> bool:
    """Whether two of the cars say unlike things. Features have no order, and a price is none without
    its currency.
    """
    values = values_of(name, cars)
    if name == "features":
        values = [None if each is None else frozenset(each) for each in values]
    if name == "price_minor":
        currencies = values_of("currency", cars)
        pairs = zip(values, currencies, strict=True)
        values = [None if price is None else (price, currency) for price, currency in pairs]
    return len({each for each in values if each is not None}) > 1


def best(name: str, cars: Sequence[Car]) -> list[int] | None:
    """The places of the cars with the best value; None where none is better than another by itself,
    where none is stated, and among prices in several currencies.
    """
    values = values_of(name, cars)
    if name == "price_minor":
        values = _comparable_prices(cars)
    if name in _BEST_IF_TRUE:
        return _places(values, True) or None
    stated = [each for each in values if each is not None]
    if name not in _BEST or not stated:
        return None
    return _places(values, _BEST[name](stated))


def _places(values: Sequence[Any], wanted: Any) -> list[int]:
    return [place for place, each in enumerate(values) if each == wanted]


def price_position(cars: Sequence[Car]) -> list[int | None]:
    """The rank of each price, 1 for the lowest; equal prices have one rank."""
    prices = _comparable_prices(cars)
    stated = [each for each in prices if each is not None]
    return [
        None if price is None else 1 + sum(other < price for other in stated) for price in prices
    ]


def _comparable_prices(cars: Sequence[Car]) -> list[int | None]:
    """The prices, if all are in one currency; else none."""
    prices, currencies = values_of("price_minor", cars), values_of("currency", cars)
    priced = {
        currency for price, currency in zip(prices, currencies, strict=True) if price is not None
    }
    return prices if len(priced) == 1 and None not in priced else [None] * len(cars)


def common_features(cars: Sequence[Car]) -> list[str]:
    """What all that are there have; one that states no features is not known to share any."""
    stated = [car["features"] or () for car in cars if car is not None]
    if not stated:
        return []
    first, *others = stated
    return [each for each in dict.fromkeys(first) if all(each in other for other in others)]


def unique_features(cars: Sequence[Car]) -> list[list[str] | None]:
    """What each has and no other states; None where none are stated."""
    stated = values_of("features", cars)
    return [
        None if features is None else _without(features, [*stated[:place], *stated[place + 1 :]])
        for place, features in enumerate(stated)
    ]


def _without(features: Sequence[str], others: Sequence[Sequence[str] | None]) -> list[str]:
    elsewhere = {each for other in others for each in other or ()}
    return [each for each in dict.fromkeys(features) if each not in elsewhere]
