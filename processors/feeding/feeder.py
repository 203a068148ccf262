"""The generations of one worker group, fed from one stream of records.

The stream (Faust, or a test) says which partitions it has, is told where to begin, and hands
over batches. Where to begin comes from the stores' watermarks, never from the consumer group.

A generation that is far behind the others (newly ready, a new projection, a store that was
down) would make the stream go back for all. It catches up by reading the log directly instead,
from its own watermark to the place that the stream has reached, and then joins the stream. The
last stretch is read while no batch can be applied, so that place stands still: everything
before it came from the log, everything after it comes from the stream. Nothing is left out,
and nothing comes twice (if it did, the watermark would pass it over).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from infra.clients.postgres import means_down
from infra.metrics import LAG_SECONDS, PARKED_STREAMS
from infra.settings import Settings
from processors.feeding.generations import (
    FED,
    GenerationStatus,
    Registered,
    fed_generations,
    list_generations,
    replay_due,
)
from processors.feeding.parking import Parking
from processors.feeding.reading import Log, Stretch, open_log
from processors.feeding.recorded_stream import Batch, Guard, read_batch
from processors.feeding.runner import Runner, StoreWentBackError
from processors.stores.opening import store_name
from processors.stores.port import Generation, GenerationGoneError, Store
from projections.projection import Projection
from schemas.log.positions import TopicPartition
from schemas.log.recorded import RawRecord

NEAR = 2_000  # records: so few are read again, or held up for, in less than a second

_PARKED = """
    SELECT projection, count(DISTINCT stream_id) AS streams FROM mesh.live_parked
    GROUP BY projection
"""

log = structlog.get_logger()


@dataclass(eq=False)
class _Fed:
    """One generation: `joined` are the partitions in which it takes part in the stream."""

    generation: Generation
    store: Store
    runner: Runner
    live: bool
    joined: set[TopicPartition] = field(default_factory=set)
    catching_up: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.generation.name


class Feeder:
    """Applies batches to every generation that is to be fed. `failed` gets the first error of
    a task in the background: whoever runs this must end then.
    """

    def __init__(
        self,
        settings: Settings,
        projections: Sequence[Projection[Any]],
        pool: asyncpg.Pool,
        stores: Mapping[str, Store],
    ) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.next_offsets: dict[TopicPartition, int] = {}  # what the stream gives next
        self._settings = settings
        self._projections = projections
        self._pool = pool
        self._stores = stores
        self._parking = Parking(pool)
        self._fed: dict[tuple[str, int], _Fed] = {}
        self._guards: dict[TopicPartition, Guard] = {}
        self._lock = asyncio.Lock()
        self._due: list[str] = []

    async def refresh(self) -> bool:
        """Look up which generations are to be fed; False when Postgres can't be asked, and
        then those known go on.
        """
        async with self._lock:
            return await self._refresh()

    async def _refresh(self) -> bool:
        try:
            registered = await list_generations(
                self._pool, projections=[each.name for each in self._projections], statuses=FED
            )
            parked = await self._pool.fetch(_PARKED)
        except Exception as error:
            if not means_down(error):
                raise
            return False
        self._tell_what_is_due(registered)
        live = {
            (each.projection, each.number)
            for each in registered
            if each.status is GenerationStatus.LIVE
        }
        wanted = {
            (each.projection.name, each.number): each
            for each in fed_generations(self._projections, registered)
        }
        for identity in self._fed.keys() - wanted.keys():
            self._drop(identity)
        for identity, generation in wanted.items():
            if identity not in self._fed:
                self._add(identity, generation)
            self._fed[identity].live = identity in live
        # Asked and not counted along: retries happen in other processes.
        waiting = {record["projection"]: record["streams"] for record in parked}
        for projection in self._projections:
            PARKED_STREAMS.labels(projection.name).set(waiting.get(projection.name, 0))
        return True

    def _tell_what_is_due(self, registered: Iterable[Registered]) -> None:
        due = replay_due(self._projections, registered)
        if due != self._due:
            self._due = due
            if due:
                # Rows of one table must all come from one version of the fold.
                log.warning("replay_due", projections=due, effect="live rows stand still")

    def _add(self, identity: tuple[str, int], generation: Generation) -> None:
        store = self._stores[store_name(generation.projection)]
        fed = _Fed(generation, store, Runner(generation, store, self._parking), live=False)
        self._fed[identity] = fed
        log.info("generation_fed", generation=fed.name)
        self._let_catch_up(fed)

    def _drop(self, identity: tuple[str, int]) -> None:
        fed = self._fed.pop(identity)
        log.info("generation_no_longer_fed", generation=fed.name)
        if fed.catching_up is not None:
            fed.catching_up.cancel()

    async def begin(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The stream has these partitions from now on, and no others: where it is to start."""
        self.lose()
        async with self._lock:
            marks = {
                fed: await fed.runner.start(self._own(fed, places)) for fed in self._fed.values()
            }
            for place in places:
                reached = {
                    fed: own[place].next_offset if place in own else 0
                    for fed, own in marks.items()
                    if place.topic in fed.runner.topics
                }
                furthest = max(reached.values(), default=0)
                near = [fed for fed, offset in reached.items() if furthest - offset <= NEAR]
                start = min((reached[fed] for fed in near), default=0)
                # Who stands at the start knows the epoch there; further on it may be higher.
                epochs = [
                    marks[fed][place].writer_epoch
                    for fed in near
                    if reached[fed] == start and place in marks[fed]
                ]
                self._guards[place] = Guard(start=start, epoch=min(epochs, default=0))
                self.next_offsets[place] = start
                for fed in near:
                    fed.joined.add(place)
        for fed in self._fed.values():
            self._let_catch_up(fed)
        return {place: self.next_offsets[place] for place in places}

    def lose(self) -> None:
        """The stream has no partitions until `begin` says which."""
        self.next_offsets.clear()
        self._guards.clear()
        for fed in self._fed.values():
            fed.joined.clear()
            if fed.catching_up is not None:
                fed.catching_up.cancel()

    @staticmethod
    def _own(fed: _Fed, places: Iterable[TopicPartition]) -> list[TopicPartition]:
        return [place for place in places if place.topic in fed.runner.topics]

    async def apply(self, records: Sequence[RawRecord]) -> None:
        """Let every generation have these records, each partition's in order. Returns when all
        stores have them; records of partitions that are not the stream's are passed over.
        """
        async with self._lock:
            ours = [
                each
                for each in records
                if TopicPartition(each.topic, each.partition) in self._guards
            ]
            batch = read_batch(ours, self._guards)
            await self._apply(batch)
            for place, mark in batch.marks.items():
                if place in self.next_offsets:
                    self.next_offsets[place] = mark.next_offset

    async def _apply(self, batch: Batch) -> None:
        fed = [each for each in self._fed.values() if each.joined]
        results = await asyncio.gather(
            *(each.runner.apply(_joined(each, batch)) for each in fed), return_exceptions=True
        )
        for each, result in zip(fed, results, strict=True):
            if isinstance(result, GenerationGoneError | StoreWentBackError):
                await self._forgive(each, result)
            elif isinstance(result, BaseException):
                raise result
        for each in fed:
            if each.live and each.runner.recorded_at:
                age_s = max(0.0, time.time() - each.runner.recorded_at)
                LAG_SECONDS.labels(each.generation.projection.name).set(age_s)

    async def _forgive(self, fed: _Fed, error: Exception) -> None:
        """A generation that was dropped since the last look is no fault."""
        await self._refresh()
        if fed in self._fed.values():
            raise error

    def _let_catch_up(self, fed: _Fed) -> None:
        places = set(self._own(fed, self.next_offsets)) - fed.joined
        if places:
            fed.catching_up = asyncio.create_task(
                self._catch_up_watched(fed, places), name=f"catch-up-{fed.name}"
            )

    async def _catch_up_watched(self, fed: _Fed, places: Collection[TopicPartition]) -> None:
        try:
            await self._catch_up(fed, places)
        except Exception as error:  # noqa: BLE001 - it ends the process, see `failed`
            if not self.failed.done():
                self.failed.set_exception(error)

    async def _catch_up(self, fed: _Fed, places: Collection[TopicPartition]) -> None:
        """Read the log until the generation is where the stream is in these partitions."""
        runner = Runner(fed.generation, fed.store, self._parking)
        marks = await runner.start(places)
        guards = {
            place: Guard(
                start=marks[place].next_offset if place in marks else 0,
                epoch=marks[place].writer_epoch if place in marks else 0,
            )
            for place in places
        }
        reached = {place: marks[place].next_offset if place in marks else 0 for place in places}
        log.info("catching_up", generation=fed.name, records=self._behind(reached))
        async with open_log(self._settings) as opened:
            while self._behind(reached) > NEAR:
                await self._read(opened, runner, guards, reached)
            async with self._lock:
                await self._read(opened, runner, guards, reached)
                fed.runner.forget(places)
                fed.joined.update(places)
        log.info("caught_up", generation=fed.name)

    def _behind(self, reached: Mapping[TopicPartition, int]) -> int:
        return sum(max(0, self.next_offsets[place] - offset) for place, offset in reached.items())

    async def _read(
        self,
        opened: Log,
        runner: Runner,
        guards: Mapping[TopicPartition, Guard],
        reached: dict[TopicPartition, int],
    ) -> None:
        """Apply what lies between `reached` and the stream, and note it there."""
        ahead = {
            place: Stretch(offset, self.next_offsets[place])
            for place, offset in reached.items()
            if offset < self.next_offsets[place]
        }
        async with aclosing(opened.read(ahead, records_max=NEAR)) as batches:
            async for each in batches:
                await runner.apply(read_batch(each.records, guards))
                reached[each.place] = each.next_offset

    def catching_up(self) -> list[Generation]:
        """The generations that do not take part in all of the stream yet."""
        return [
            fed.generation
            for fed in self._fed.values()
            if fed.catching_up is not None and not fed.catching_up.done()
        ]

    def waiting(self) -> bool:
        """Whether some generation waits for its store: standing still is no fault then."""
        return any(fed.runner.waiting_since is not None for fed in self._fed.values())

    def live_topics(self) -> dict[str, frozenset[str]]:
        """The topics of each projection that has a live generation here."""
        return {
            fed.generation.projection.name: fed.runner.topics
            for fed in self._fed.values()
            if fed.live
        }


def _joined(fed: _Fed, batch: Batch) -> Batch:
    if all(place in fed.joined for place in batch.marks):
        return batch
    return Batch.of([each for each in batch.incoming if each.place in fed.joined])
