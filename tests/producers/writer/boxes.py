"""A context for tests of the writer: boxes into which things are put, with every way to go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from producers.decider import Decider, Rejected
from producers.writer.deciders import Rulebook
from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, Fault, Role
from schemas.log.recorded import CommandEnvelope, Reply
from schemas.registry import Registry


class _BoxCommand(Command):
    box_id: UUID

    @property
    def stream_id(self) -> str:
        return f"box/{self.box_id}"


class OpenBox(_BoxCommand):
    """Open a box that is not open yet; `note` is how large the event shall be."""

    kind: Literal["box.open"] = "box.open"
    note: str = ""


class PutIn(_BoxCommand):
    """Put things in: one event each; none at all is no event."""

    kind: Literal["box.put_in"] = "box.put_in"
    things: int = 1


class Break(_BoxCommand):
    """Runs into a bug."""

    kind: Literal["box.break"] = "box.break"


class BoxOpened(Event):
    kind: Literal["box.opened"] = "box.opened"
    note: str = ""


class ThingPutIn(Event):
    kind: Literal["box.thing_put_in"] = "box.thing_put_in"
    number: int


@dataclass(frozen=True)
class Closed:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class Opened:
    """Takes things."""

    things: int


def decide(command: Command, box: Closed | Opened) -> Sequence[Event]:
    match command, box:
        case OpenBox(note=note), Closed():
            return [BoxOpened(note=note)]
        case OpenBox(), _:
            raise Rejected("box_is_open")  # noqa: EM101
        case PutIn(), Closed():
            raise Rejected("box_is_closed", 404)  # noqa: EM101
        case PutIn(asked_by="stranger"), _:
            raise Rejected("not_yours", 403)  # noqa: EM101
        case PutIn(things=things), _ if things < 0:
            fault = Fault(pointer="/things", detail="less than nothing")
            raise Rejected("too_few", 422, [fault])  # noqa: EM101
        case PutIn(things=things), Opened(things=before):
            return [ThingPutIn(number=before + n + 1) for n in range(things)]
        case Break(), _:
            secret = "secret text"
            raise ZeroDivisionError(secret)
    raise AssertionError(command)


def evolve(box: Closed | Opened, event: Event) -> Closed | Opened:
    match event, box:
        case BoxOpened(), _:
            return Opened(0)
        case ThingPutIn(number=number), _:
            return Opened(number)
    raise AssertionError(event)


BOXES: Decider[Any, Any, Any] = Decider(Closed(), decide, evolve)
TYPES = Registry((BoxOpened, ThingPutIn, Reply), {})


def rulebook(name: str) -> Rulebook:
    """The boxes as a context of that name, with topics of its own."""
    context = Context(name, (OpenBox, PutIn, Break), (BoxOpened, ThingPutIn))
    return Rulebook(context, {"box": BOXES}, TYPES)


def envelope(
    command: Command,
    command_id: str | None = None,
    *,
    fingerprint: str = "f",
    expected_version: int | None = None,
    deadline: datetime | None = None,
) -> CommandEnvelope:
    return CommandEnvelope(
        command,
        command_id or str(uuid4()),
        "correlation",
        "causation",
        fingerprint,
        None if expected_version is None else frozenset({expected_version, 99}),
        deadline,
    )


def asked() -> dict[str, Any]:
    """Who asks and when, as every command states it."""
    return {"asked_at": datetime.now(UTC), "asked_by": "tester", "asked_role": Role.SYSTEM}


def open_box(box: UUID, **fields: Any) -> OpenBox:
    return OpenBox(box_id=box, **asked(), **fields)


def put_in(box: UUID, things: int = 1, *, by: str = "tester") -> PutIn:
    """Whoever `stranger` is may not."""
    return PutIn(box_id=box, things=things, **{**asked(), "asked_by": by})


def break_box(box: UUID) -> Break:
    return Break(box_id=box, **asked())


def long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)
