"""Stored events are for ever: a breaking edit of an event's class fails here.

To change a shape: raise the class's SCHEMA, write the upcaster from the version before beside
it, then `python -m tests.house.accept`. See docs/adding-an-event.md.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, StringConstraints, create_model

from schemas.log.messages import Event
from schemas.registry import kind_of
from tests.house.accept import accept
from tests.house.examples import ACCEPT, EVENTS, EXAMPLES, shape_file
from tests.house.shapes import breaks, shape_of


@pytest.mark.parametrize("event", EVENTS, ids=kind_of)
def test_an_event_still_takes_whatever_it_once_took(event: type[Event]) -> None:
    path = shape_file(kind_of(event), event.SCHEMA)
    assert path.exists(), f"a new event or version: {ACCEPT}"
    found = list(breaks(json.loads(path.read_text("utf-8")), shape_of(event)))
    assert not found, (
        f"{kind_of(event)} no longer reads what is stored as version {event.SCHEMA}: "
        f"{'; '.join(found)}. Raise SCHEMA, write an upcaster, {ACCEPT}."
    )


@pytest.mark.parametrize("event", EVENTS, ids=kind_of)
def test_a_shape_that_has_grown_is_written_down(event: type[Event]) -> None:
    path = shape_file(kind_of(event), event.SCHEMA)
    assert json.loads(path.read_text("utf-8")) == shape_of(event), ACCEPT


def test_no_stored_shape_is_of_an_event_or_version_that_is_gone() -> None:
    newest = {kind_of(event): event.SCHEMA for event in EVENTS}
    for path in (EXAMPLES / "schemas").glob("*.json"):
        kind, _, version = path.stem.rpartition(".v")
        assert int(version) <= newest[kind], path.name


class Shade(StrEnum):
    """A closed list."""

    RED = "red"
    BLUE = "blue"


class Part(Event):
    """A part within an event."""

    kind: str = "part"
    size: int = 0


def shape(**fields: Any) -> dict[str, Any]:
    kind = (Literal["thing.happened"], "thing.happened")
    return shape_of(create_model("Thing", __base__=Event, kind=kind, **fields))


BREAKING = [
    ({"a": (int, ...)}, {}, ".a: removed or renamed"),
    ({"a": (int, 0)}, {"b": (int, 0)}, ".a: removed or renamed"),
    ({}, {"a": (int, ...)}, ".a: required now"),
    ({"a": (int, 0)}, {"a": (int, ...)}, ".a: required now"),
    ({"a": (int, 0)}, {"a": (str, "")}, ".a: was integer, is string"),
    ({"a": (float, 0)}, {"a": (int, 0)}, ".a: was number, is integer"),
    ({"a": (int | None, None)}, {"a": (int, 0)}, "no longer takes null"),
    ({"a": (int | str, 0)}, {"a": (int, 0)}, "no longer takes string"),
    ({"a": (str, "")}, {"a": (Shade, Shade.RED)}, ".a: no longer takes every value"),
    ({"a": (Shade, Shade.RED)}, {"a": (Literal["red"], "red")}, ".a: no longer takes blue"),
    ({"a": (int, 0)}, {"a": (Annotated[int, Field(ge=1)], 1)}, "minimum was None, is 1"),
    (
        {"a": (Annotated[int, Field(le=9)], 1)},
        {"a": (Annotated[int, Field(le=8)], 1)},
        "maximum was 9, is 8",
    ),
    (
        {"a": (str, "")},
        {"a": (Annotated[str, StringConstraints(max_length=5)], "")},
        "maxLength was None, is 5",
    ),
    (
        {"a": (str, "")},
        {"a": (Annotated[str, StringConstraints(pattern="^x")], "x")},
        "pattern was None, is ^x",
    ),
    ({"a": (list[int], [])}, {"a": (list[str], [])}, ".a[]: was integer, is string"),
    ({"a": (tuple[int, int], (0, 0))}, {"a": (tuple[int], (0,))}, "had 2 places, has 1"),
    ({"a": (Part, Part())}, {"a": (create_model("Part"), ...)}, ".a.size: removed or renamed"),
]
GROWING = [
    ({}, {"a": (int, 0)}),
    ({"a": (int, ...)}, {"a": (int, 0)}),
    ({"a": (int, 0)}, {"a": (float, 0)}),
    ({"a": (int, 0)}, {"a": (int | None, None)}),
    ({"a": (Literal["red"], "red")}, {"a": (Shade, Shade.RED)}),
    ({"a": (Shade, Shade.RED)}, {"a": (str, "")}),
    ({"a": (Annotated[int, Field(ge=1)], 1)}, {"a": (Annotated[int, Field(ge=0)], 1)}),
    ({"a": (Annotated[str, StringConstraints(pattern="^x")], "x")}, {"a": (str, "")}),
]


@pytest.mark.parametrize(("old", "new", "told"), BREAKING)
def test_a_breaking_edit_is_caught_by_its_place(
    old: dict[str, Any], new: dict[str, Any], told: str
) -> None:
    found = list(breaks(shape(**old), shape(**new)))
    assert any(told in line for line in found), found


@pytest.mark.parametrize(("old", "new"), GROWING)
def test_a_growing_edit_is_let_through(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert list(breaks(shape(**old), shape(**new))) == []


def test_words_about_a_shape_are_no_part_of_it() -> None:
    told = shape(a=(Annotated[int, Field(description="how many", examples=[3])], 0))
    assert told == shape(a=(int, 0))


class ThingHappened(Event):
    """Version 1 of something."""

    kind: Literal["thing.happened"] = "thing.happened"
    listing_id: str
    price: int


class ThingChanged(Event):
    """The same kind and version with a field renamed."""

    kind: Literal["thing.happened"] = "thing.happened"
    listing_id: str
    price_minor: int


class ThingUpgraded(ThingChanged):
    """The same edit, told as a new version."""

    SCHEMA: ClassVar[int] = 2


def test_accept_refuses_a_breaking_edit_and_leaves_the_stored_shape(tmp_path: Path) -> None:
    list(accept((ThingHappened,), (), tmp_path))
    before = shape_file("thing.happened", 1, tmp_path).read_text("utf-8")
    (said,) = accept((ThingChanged,), (), tmp_path)
    assert said.startswith("REFUSED thing.happened")
    assert ".price: removed or renamed" in said
    assert shape_file("thing.happened", 1, tmp_path).read_text("utf-8") == before


def test_accept_takes_the_same_edit_as_a_new_version(tmp_path: Path) -> None:
    list(accept((ThingHappened,), (), tmp_path))
    assert list(accept((ThingUpgraded,), (), tmp_path)) == [
        "wrote schemas/thing.happened.v2.json",
        "wrote events/thing.happened/v2.json",
    ]
