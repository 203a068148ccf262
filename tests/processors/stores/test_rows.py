from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest

from processors.stores.rows import plain_row, row_hash, row_of
from schemas.values.vehicles import GeoPoint

SOMEBODY, SOMEWHERE = UUID(int=1), GeoPoint(lat=1, lon=2)


class Mood(StrEnum):
    CALM = "calm"


@dataclass(frozen=True)
class Inner:
    words: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    text: str = "a"
    number: int = 1
    share: float | None = 0.5
    yes: bool = True
    mood: Mood = Mood.CALM
    at: datetime | None = datetime(2026, 1, 2, tzinfo=UTC)
    day: date = date(2026, 1, 2)
    who: UUID = SOMEBODY
    price: Decimal = Decimal("1.50")
    tags: tuple[str, ...] = ("x",)
    names: frozenset[str] = frozenset({"b", "a"})
    detail: Mapping[str, Any] | None = None
    inner: Inner = Inner(("w",))
    place: GeoPoint = SOMEWHERE


def test_a_row_survives_being_made_plain() -> None:
    row = Row(detail={"a": [1, None, {"b": True}]})
    assert row_of(Row, plain_row(row)) == row


@pytest.mark.parametrize(
    "same",
    [
        {"at": datetime(2026, 1, 2, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))},
        {"price": Decimal("1.5")},
        {"names": frozenset({"a", "b"})},
        {"tags": ["x"]},
        {"mood": "calm"},
    ],
)
def test_what_is_the_same_has_one_hash(same: dict[str, Any]) -> None:
    assert row_hash("k", replace(Row(), **same)) == row_hash("k", Row())


def test_a_whole_number_has_one_hash_as_float_and_as_integer() -> None:
    assert row_hash("k", Row(share=5.0)) == row_hash("k", Row(share=5))


def test_the_order_of_a_mappings_names_does_not_matter() -> None:
    left, right = Row(detail={"a": 1, "b": 2}), Row(detail={"b": 2, "a": 1})
    assert row_hash("k", left) == row_hash("k", right)


@pytest.mark.parametrize(
    "other",
    [
        {"text": "b"},
        {"number": 2},
        {"share": None},
        {"yes": False},
        {"at": None},
        {"at": datetime(2026, 1, 2, 0, 0, 0, 1, UTC)},
        {"tags": ()},
        {"tags": ("x", "y")},
        {"detail": {}},
    ],
)
def test_what_differs_has_another_hash(other: dict[str, Any]) -> None:
    assert row_hash("k", replace(Row(), **other)) != row_hash("k", Row())


def test_the_key_is_part_of_the_hash() -> None:
    assert row_hash("k", Row()) != row_hash("l", Row())


def test_a_type_that_no_row_may_have_is_an_error() -> None:
    with pytest.raises(TypeError, match="complex"):
        plain_row(Row(detail={"a": 1j}))
