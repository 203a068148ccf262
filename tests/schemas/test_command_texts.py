"""Every text of every command, found by its shape: none may hold what a store can't hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.log.messages import Command
from schemas.registry import kind_of
from schemas.search import Filters
from schemas.tracking import ViewListing
from tests.house.examples import COMMANDS, command_file
from tests.house.filling import fill
from tests.house.shapes import shape_of
from tests.texts import NOT_IN_A_LINE, NOWHERE, leaves, replaced, with_inside

# Where line breaks belong; everything else is one line.
OF_SEVERAL_LINES = {"description", "text"}
EXAMPLES: dict[type[Any], dict[str, Any]] = {
    ViewListing: {**fill(shape_of(ViewListing)), "asked_by": "3f0a"},
    Filters: {
        "q": "porsche",
        **{name: ["some-word"] for name in ("make", "model", "color", "location", "features")},
        "currency": "EUR",
    },
}
ALL: tuple[type[Any], ...] = (*COMMANDS, ViewListing, Filters)


def example_of(kind: type[Any]) -> dict[str, Any]:
    """All that a command of this kind can state, optional fields too."""
    if kind in EXAMPLES:
        return EXAMPLES[kind]
    stored = json.loads(command_file(kind_of(kind)).read_text("utf-8"))
    return {"kind": kind_of(kind), **stored}


def takes(kind: type[Any], value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_example_states_every_text_and_is_taken(kind: type[Any]) -> None:
    example = example_of(kind)
    assert takes(kind, example)
    left_out = kind.model_fields.keys() - example.keys()
    assert [name for name in left_out if "str" in str(kind.model_fields[name].annotation)] == []


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_no_text_of_a_command_holds_what_no_store_can_hold(kind: type[Any]) -> None:
    example = example_of(kind)
    taken = [
        f"{'.'.join(map(str, path))}: {name}"
        for path, text in leaves(example)
        for name, character in NOWHERE.items()
        if takes(kind, replaced(example, path, with_inside(text, character)))
    ]
    assert taken == []


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_only_texts_of_several_lines_hold_line_breaks(kind: type[Any]) -> None:
    example = example_of(kind)
    taken = {
        path[-1]
        for path, text in leaves(example)
        for character in NOT_IN_A_LINE.values()
        if takes(kind, replaced(example, path, with_inside(text, character)))
    }
    assert taken <= OF_SEVERAL_LINES


def test_the_sweep_reaches_texts_of_every_depth() -> None:
    (create,) = (kind for kind in COMMANDS if kind_of(kind) == "listing.create")
    paths = {path for path, _ in leaves(example_of(create))}
    assert {("asked_by",), ("fields", "title"), ("fields", "features", 0)} <= paths


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_with_a_nul_in_the_log_is_unreadable(kind: type[Command]) -> None:
    """The writer parks such a command, whoever wrote it there."""
    hostile = {**example_of(kind), "asked_by": "some\x00body"}
    with pytest.raises(ValidationError):
        kind.model_validate_json(json.dumps(hostile))
