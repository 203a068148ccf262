"""Replay: build the next generation of read models from the log, beside the live ones.

The coordinator registers, makes the tables, splits the log among at most two processes,
shows progress and, once only a moment's worth of events is left, hands over to the workers by
making the builds ready. Everything that is known of a build lies in the registry and in its
watermarks: killed at any moment, `resume` goes on, `cancel` takes it away. Nothing here can
touch a live generation, nor does any reaction run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.reading import Stretch, open_log
from processors.replay import builds as registry
from processors.replay.builds import Build, ReplayError
from processors.replay.limits import Limits, stretches
from processors.replay.locks import LockLostError, only_replay
from processors.replay.processes import run_shards
from processors.replay.progress import Stand, View
from processors.replay.shard import BATCH_RECORDS, Ends, Task, run_shard
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation, Watermarks
from projections.projection import Projection
from schemas.log.positions import TopicPartition
from schemas.topics import topics_of

PROCESSES_MAX = 2
SHORT = 50_000  # records: starting processes takes longer than folding them here
WATCH_EVERY_S = 1.0


@dataclass(frozen=True)
class Pace:
    """How a replay shares its work out: over so many processes (0: none but this one; None: by
    the log's length), in rounds of so many records; smaller ones need less memory.
    """

    processes: int | None = None
    batch_records: int = BATCH_RECORDS


PACE = Pace()


async def start(
    settings: Settings,
    projections: Sequence[Projection[Any]],
    limits: Limits | None = None,
    *,
    view: View | None = None,
    pace: Pace = PACE,
) -> list[Generation]:
    """Build the next generation of these projections in one pass over the log.

    Returns them ready (or for inspection, with limits). Raises ReplayRunningError,
    ReplayError and LimitsError before anything has changed, and after that whatever a server
    that stays away raises: the builds can then be resumed.
    """
    limits = limits or Limits()
    limits.check()
    async with only_replay(settings, [each.name for each in projections]) as lost:
        if not limits.whole:
            # Positions that are not in the log are told before anything is registered.
            heard = {event for each in projections for event in each.hears}
            async with open_log(settings) as log:
                await stretches(log, topics_of(*heard), limits)
        builds = await registry.begin(settings, projections, limits)
        return await _build(settings, builds, lost, view or View(quiet=True), pace)


async def resume(
    settings: Settings,
    projections: Sequence[Projection[Any]],
    *,
    view: View | None = None,
    pace: Pace = PACE,
) -> list[Generation]:
    """Go on with what `start` began, from the watermarks; raises as `start` does."""
    async with only_replay(settings, [each.name for each in projections]) as lost:
        builds = await registry.half_built(settings, projections)
        if not builds:
            message = "nothing is half built: `mesh replay start` begins"
            raise ReplayError(message)
        if len({build.limits for build in builds}) > 1:
            message = "these builds cover different parts of the log: resume them one by one"
            raise ReplayError(message)
        return await _build(settings, builds, lost, view or View(quiet=True), pace)


async def _build(
    settings: Settings,
    builds: Sequence[Build],
    lost: asyncio.Event,
    view: View,
    pace: Pace,
) -> list[Generation]:
    async with opened_stores(settings, [build.projection for build in builds]) as stores:
        for build in builds:
            await stores[store_name(build.projection)].create(build.generation)
        whole = await _whole(settings, builds)
        marks = {
            build.name: await stores[store_name(build.projection)].watermarks(build.generation)
            for build in builds
        }
        ahead = _ahead(whole, marks)
        tally = _Tally(view, whole, ahead)
        with view.showing(), _first_error():
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_watch(settings, builds, lost))
                count = _processes(ahead, pace.processes)
                tasks = [
                    Task(settings, tuple(builds), share, _epochs(marks), pace.batch_records)
                    for share in _shares(ahead, max(1, count))
                ]
                await (run_shards(tasks, tally.take) if count else run_shard(tasks[0], tally.take))
                watch.cancel()
            tally.show(last=True)
        for build in builds:
            await stores[store_name(build.projection)].settle(build.generation)
    await registry.finish(settings, builds)
    return [build.generation for build in builds]


@contextmanager
def _first_error() -> Iterator[None]:
    """Let the error that ended a group of tasks come out as itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def _whole(settings: Settings, builds: Sequence[Build]) -> Ends:
    """All that each build has to read, from the log's start; fixed ends where it has limits."""
    whole: dict[str, Mapping[TopicPartition, Stretch]] = {}
    async with open_log(settings) as log:
        for build in builds:
            own = await stretches(log, build.projection.topics, build.limits)
            if not build.limits.whole:
                ends = build.ends or {_named(place): each.end for place, each in own.items()}
                await registry.note_ends(settings, build, ends)
                own = {
                    place: Stretch(each.start, ends.get(_named(place), each.start))
                    for place, each in own.items()
                }
            whole[build.name] = own
    return whole


def _named(place: TopicPartition) -> str:
    return f"{place.topic}:{place.partition}"


def _ahead(whole: Ends, marks: Mapping[str, Watermarks]) -> Ends:
    """What of it is still to be read."""
    return {
        name: {
            place: Stretch(
                min(each.end, max(each.start, _next_offset(marks[name], place))), each.end
            )
            for place, each in own.items()
        }
        for name, own in whole.items()
    }


def _next_offset(marks: Watermarks, place: TopicPartition) -> int:
    return marks[place].next_offset if place in marks else 0


def _epochs(marks: Mapping[str, Watermarks]) -> dict[TopicPartition, int]:
    """The highest epoch before the place where the build that is least far goes on."""
    epochs: dict[TopicPartition, int] = {}
    for place in {place for own in marks.values() for place in own}:
        epochs[place] = min(
            own[place].writer_epoch if place in own else 0 for own in marks.values()
        )
    return epochs


def _processes(ahead: Ends, wanted: int | None) -> int:
    """How many processes to start; 0: all is done in this one."""
    if wanted is not None:
        return wanted
    longest = max(sum(each.end - each.start for each in own.values()) for own in ahead.values())
    return 0 if longest < SHORT else min(PROCESSES_MAX, os.cpu_count() or 1)


def _shares(ahead: Ends, count: int) -> list[Ends]:
    """By the partition's number, so that a stream's events in all topics stay together."""
    return [
        {
            name: {place: each for place, each in own.items() if place.partition % count == number}
            for name, own in ahead.items()
        }
        for number in range(count)
    ]


async def _watch(settings: Settings, builds: Sequence[Build], lost: asyncio.Event) -> None:
    """Ends the replay when it is cancelled or may no longer be the only one."""
    async with await open_pool(settings, size_max=1) as pool:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_EVERY_S):
                    await lost.wait()
            if lost.is_set():
                message = "the connection to Postgres broke: resume when it is back"
                raise LockLostError(message)
            if not await registry.none_cancelled(pool, builds):
                raise ReplayError(registry.CANCELLED)


class _Tally:
    """How far all shards together have brought each build."""

    def __init__(self, view: View, whole: Ends, ahead: Ends) -> None:
        self._view = view
        self._first = {
            name: {place: each.start for place, each in own.items()} for name, own in whole.items()
        }
        self._total = {
            name: sum(each.end - each.start for each in own.values()) for name, own in whole.items()
        }
        self._reached = {
            name: {place: each.start for place, each in own.items()} for name, own in ahead.items()
        }

    def take(self, reached: Mapping[str, Mapping[TopicPartition, int]]) -> None:
        """What one shard has reached."""
        for name, own in reached.items():
            self._reached[name].update(own)
        self.show()

    def show(self, *, last: bool = False) -> None:
        """Draw."""
        stands = {}
        for name, own in self._reached.items():
            done = sum(offset - self._first[name][place] for place, offset in own.items())
            # Markers of transactions at the very end are not events: nothing waits for them.
            total = max(done, self._total[name])
            stands[name] = Stand(total if last else done, total)
        self._view.show(stands, last=last)
