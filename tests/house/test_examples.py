from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from producers.writer.deciders import DECIDERS
from projections import PROJECTIONS
from projections.projection import Projection
from schemas.log.messages import Event, category_of
from schemas.topics import CONTEXTS, EVENT_TYPES
from tests.house.accept import accept
from tests.house.examples import (
    COMMANDS,
    EVENTS,
    UNHEARD,
    Example,
    command_file,
    examples,
    missing_commands,
    missing_examples,
    orphaned,
    unheard,
)

ALL = examples()
TYPES = {command.model_fields["kind"].default: command for command in COMMANDS}


class ThingHappened(Event):
    """An event that nobody has prepared for."""

    SCHEMA: ClassVar[int] = 2
    kind: Literal["thing.happened"] = "thing.happened"
    listing_id: str


def test_every_version_of_every_event_has_an_example() -> None:
    assert list(missing_examples(EVENTS)) == []


def test_an_event_without_examples_is_caught_at_every_version(tmp_path: Path) -> None:
    assert list(missing_examples((ThingHappened,), tmp_path)) == [
        "events/thing.happened/v1.json is missing: an old version is written by hand",
        "events/thing.happened/v2.json is missing: run `python -m tests.house.accept`",
    ]


def test_accept_writes_the_newest_example_and_no_old_one(tmp_path: Path) -> None:
    said = list(accept((ThingHappened,), (), tmp_path))
    assert said == [
        "wrote schemas/thing.happened.v2.json",
        "wrote events/thing.happened/v2.json",
    ]
    assert [line for line in missing_examples((ThingHappened,), tmp_path) if "v2" in line] == []
    assert list(accept((ThingHappened,), (), tmp_path)) == []


@pytest.mark.parametrize("example", ALL, ids=lambda each: each.name)
def test_an_example_stands_in_a_stream_that_somebody_judges(example: Example) -> None:
    """Else tests of the read side mix it into a stream of nobody's: name its id in accept.py."""
    stream_id = example.recorded().stream_id
    assert category_of(stream_id) in DECIDERS, stream_id


def test_every_command_has_an_example() -> None:
    assert list(missing_commands(COMMANDS)) == []


def test_a_command_without_an_example_is_caught(tmp_path: Path) -> None:
    assert len(list(missing_commands(COMMANDS[:1], tmp_path))) == 1
    assert len(list(accept((), COMMANDS[:1], tmp_path))) == 1
    assert list(missing_commands(COMMANDS[:1], tmp_path)) == []


@pytest.mark.parametrize("kind", TYPES)
def test_the_example_of_a_command_is_taken(kind: str) -> None:
    command = TYPES[kind].model_validate_json(command_file(kind).read_text("utf-8"))
    assert command.kind == kind
    assert "/" in command.stream_id


def test_no_example_has_lost_its_class() -> None:
    assert list(orphaned()) == []


def test_an_example_without_a_class_is_caught(tmp_path: Path) -> None:
    list(accept((ThingHappened,), (), tmp_path))
    (caught,) = orphaned(tmp_path)
    assert "no class reads thing.happened any more" in caught


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_an_example_of_any_version_is_read_as_the_newest(example: Example) -> None:
    recorded = example.recorded()
    assert recorded.kind == example.kind
    assert recorded.schema_version == example.schema
    assert isinstance(recorded.event, EVENT_TYPES[example.kind])


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_a_projection_folds_every_example_it_hears_in_any_order(
    projection: Projection[Any],
) -> None:
    heard = [example.recorded() for example in ALL if EVENT_TYPES[example.kind] in projection.hears]
    assert heard
    firsts = [projection.fold(None, recorded) for recorded in heard]
    for row in (None, *firsts):
        for recorded in heard:
            assert projection.key(recorded)
            after = projection.fold(row, recorded)
            assert after is None or isinstance(after, projection.row)
            assert projection.fold(row, recorded) == after


def test_every_event_is_heard_by_a_projection_or_excused() -> None:
    assert list(unheard(EVENTS, UNHEARD)) == []


def test_an_event_that_nobody_hears_is_caught() -> None:
    assert len(list(unheard((ThingHappened,), {}))) == 1
    assert not list(unheard((ThingHappened,), {"thing.happened": "only a test knows it"}))


def test_an_excuse_that_is_no_longer_needed_is_caught() -> None:
    heard = PROJECTIONS[0].hears[:1]
    kind = heard[0].model_fields["kind"].default
    assert len(list(unheard(heard, {kind: "an old reason"}))) == 1


def test_no_kind_belongs_to_two_classes() -> None:
    kinds = [
        message.model_fields["kind"].default
        for context in CONTEXTS
        for message in (*context.events, *context.commands)
    ]
    assert len(set(kinds)) == len(kinds)
