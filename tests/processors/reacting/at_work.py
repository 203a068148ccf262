"""Lanes of a test's own: what they park and their positions are real, the log is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

from infra.metrics import HANDLED
from processors.reacting.effects import (
    Effect,
    EffectRefusedError,
    Tools,
)
from processors.reacting.hearing import Heard
from processors.reacting.lanes import Head, Lane, Means
from processors.reacting.parked import Parked, ParkedStream, list_parked
from processors.reacting.positions import Place, Positions
from schemas.identity import (
    UserRegistered,
)
from schemas.log.recorded import Record, Recorded
from tests.worlds import World

Run = Callable[[Recorded[Any], Tools], Awaitable[None]]
OUTCOMES = ("done", "late", "parked", "skipped")


class Log:
    """What a lane fetches by itself, in place of the log."""

    def __init__(self, *records: Record) -> None:
        self.records = records
        self.asked: list[tuple[int, int]] = []

    async def read(
        self, _place: Place, _kinds: frozenset[str], stretch: tuple[int, int]
    ) -> tuple[list[Heard], int]:
        self.asked.append(stretch)
        start, end = stretch
        return [Heard(each) for each in self.records if start <= each.offset < end], end

    async def one(self, _place: Place, offset: int) -> Heard | None:
        found = [Heard(each) for each in self.records if each.offset == offset]
        return found[0] if found else None


def lane(mesh: World, run: Run, log: Log | None = None, **how: Any) -> Lane:
    """A lane of an effect of the test's own: its positions and what it parks are real."""
    effect = Effect(f"test_{uuid4().hex[:12]}", (UserRegistered,), run, **how)
    cursors: Any = log or Log()
    nothing: Any = None
    means = Means(nothing, Positions(mesh.pool), Parked(mesh.pool), cursors)
    return Lane(effect, Place(effect.name, "events.test", 0), Head(0), 0, means, raised)


def raised(error: BaseException) -> None:
    raise error


async def worked(at_work: Lane) -> None:
    """Return when the lane has nothing to do."""
    while (task := at_work.task) is not None:
        await asyncio.wait_for(task, 20)


def offer(at_work: Lane, *records: Record) -> None:
    """What the reader does with records."""
    for each in records:
        at_work.offer(Heard(each))
        at_work.head.next_offset = each.offset + 1


async def outcome(at_work: Lane, record: Record) -> str:
    """What becomes of one record."""
    offer(at_work, record)
    await worked(at_work)
    (found,) = outcomes(at_work)
    return found


def outcomes(at_work: Lane) -> Mapping[str, int]:
    """How many events came to which end."""
    counts = {each: HANDLED.labels(at_work.handler.name, each)._value.get() for each in OUTCOMES}
    return {each: int(count) for each, count in counts.items() if count}


async def waiting(mesh: World, at_work: Lane) -> list[ParkedStream]:
    return await list_parked(mesh.pool, [at_work.handler.name])


async def position(mesh: World, at_work: Lane) -> int:
    return (await Positions(mesh.pool).of([at_work.handler.name])).get(at_work.place, 0)


def failing(*errors: Exception) -> tuple[Run, list[str]]:
    """An effect that raises these, one a try, and then succeeds; and its tries."""
    tries: list[str] = []

    async def run(recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(recorded.event_id)
        if len(tries) <= len(errors):
            raise errors[len(tries) - 1]

    return run, tries


def refusing(*refused: UUID) -> tuple[Run, list[UUID], set[UUID]]:
    """An effect that refuses these people, whom it took, and whom it goes on to refuse."""
    took: list[UUID] = []
    refuses = set(refused)

    async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
        if recorded.event.user_id in refuses:
            message = "no such mailbox"
            raise EffectRefusedError(message)
        took.append(recorded.event.user_id)

    return run, took, refuses


async def decide(mesh: World, at_work: Lane, offset: int, decided: Any) -> None:
    """What an operator does, and the reader when it finds that."""
    place = at_work.place
    position = place.topic_partition.at(offset)
    await Parked(mesh.pool).decide(place.handler, position, decided)
    for stream_id, is_decided in (await streams(mesh, at_work)).items():
        assert is_decided
        at_work.decided(stream_id)
    await worked(at_work)


async def streams(mesh: World, at_work: Lane) -> Mapping[str, bool]:
    found = await Parked(mesh.pool).streams([at_work.place.topic_partition])
    return found.get(at_work.place, {})
