"""The one reader of a process: it hands each record to every handler that hears it.

The processes share the partitions as members of one consumer group, which commits nothing: where
each handler goes on stands in Postgres. The reader begins where most of a partition's handlers
are, and waits for none; who is further back fetches what it lacks by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from infra.clients.kafka import Gathering, aio_consumer, membership, start_client
from infra.clients.postgres import means_down
from infra.metrics import HANDLER_PARKED
from infra.process import first_of
from infra.settings import Settings
from processors.feeding.reading import kind_of_record
from processors.reacting.effects import Effect
from processors.reacting.hearing import Heard
from processors.reacting.lanes import Head, Lane, Means, end
from processors.reacting.positions import UNBUILT, Place
from processors.reacting.reactions import Reaction
from schemas.log.positions import TopicPartition

BATCH_MAX = 500
POLL_MS = 2_000
# Nobody waits for what follows from an event: where many come, the broker may hold them back
# until a fetch is worth it.
GATHER_MS = 500
NEAR = 1_000  # offsets: handlers no further apart are given the same records, not cursors
SAVE_S = 2.0  # between two looks at how far the lanes are and what has been decided
RETRY_S = 0.5
BEYOND_S = 5.0
STOP_S = 5.0  # what runs may end within so long, then it is cancelled and repeated later
# How long the others wait for a member to give its lanes up: twice that, and a store that hangs.
REBALANCE_TIMEOUT_MS = 30_000

log = structlog.get_logger()

Handlers = Sequence[Effect | Reaction]


@dataclass(frozen=True)
class _Partition:
    """A partition that is ours: its lanes, and by kind those that hear it."""

    head: Head
    lanes: Sequence[Lane]
    hearing: Mapping[bytes, Sequence[Lane]]


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads the topics of all handlers for the lanes of the partitions that are ours now."""

    def __init__(self, settings: Settings, handlers: Handlers, means: Means) -> None:
        self._handlers = handlers
        self._means = means
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._saved: dict[Place, int] = {}
        self._opening: asyncio.Task[None] | None = None
        self._stopped = False
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._consumer: AIOKafkaConsumer = aio_consumer(
            settings,
            "mesh-reactor",
            group_id=group_of(settings),
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            **membership(settings),
            **Gathering.options(),
        )
        self._gathering = Gathering(self._consumer, GATHER_MS)

    async def start(self) -> None:
        """Join the group; raises KafkaError when the broker can't be reached."""
        topics = sorted({topic for each in self._handlers for topic in each.topics})
        self._consumer.subscribe(topics, listener=self)
        await start_client(self._consumer)

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set; raises what ends the work of a lane."""
        try:
            await first_of(
                stop.wait(), asyncio.shield(self._failed), self._read(), self._keep_saving()
            )
        finally:
            self._stopped = True  # to stop, the consumer may first be given partitions once more
            await self._give_up()
            await self._consumer.stop()

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        """End the lanes: each partition comes back with its own, here or elsewhere."""
        del revoked
        await self._give_up()

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Open the lanes; until it is known where they go on, nothing is read."""
        self._consumer.pause(*assigned)
        for each in assigned:
            # Any place will do. For one of its own aiokafka asks the broker, and while that is away
            # again and again without a pause.
            self._consumer.seek(each, 0)
        if self._stopped:
            return
        places = [TopicPartition(each.topic, each.partition) for each in assigned]
        self._opening = asyncio.create_task(self._open(places), name="open lanes")
        self._opening.add_done_callback(self._note)

    def _note(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    async def _open(self, places: Sequence[TopicPartition]) -> None:
        while True:
            try:
                reached = await self._reached(places)
                parked = await self._means.parked.streams(places)
                break
            except Exception as error:
                if not (means_down(error) or isinstance(error, (*UNBUILT, KafkaError))):
                    raise
                log.warning("positions_waited_for", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
        if self._opening is not asyncio.current_task():
            return  # given up meanwhile
        self._saved = reached
        for place in places:
            self._partitions[place] = opened = self._opened(place, reached)
            kafka = KafkaPartition(*place)
            self._consumer.seek(kafka, opened.head.next_offset)
            self._consumer.resume(kafka)
            for lane in opened.lanes:
                waiting = parked.get(lane.place, {})
                lane.parked.update(waiting)
                _pass_on_decisions(lane, waiting)
                lane.start()

    async def _reached(self, places: Sequence[TopicPartition]) -> dict[Place, int]:
        """Where the handlers go on. What lies beyond the log's end is of a log that is gone, or
        has lost its end: they begin anew, and nothing is passed over.
        """
        names = [each.name for each in self._handlers]
        reached = await self._means.positions.of(names)
        if not await self._beyond(reached, places):
            return reached
        # A broker that has only just come back may not know all of its log.
        await asyncio.sleep(BEYOND_S)
        beyond = await self._beyond(reached, places)
        if beyond:
            log.error("positions_beyond_the_log", places=[tuple(each) for each in beyond[:10]])
            await self._means.positions.forget(beyond)
        return await self._means.positions.of(names)

    async def _beyond(
        self, reached: Mapping[Place, int], places: Sequence[TopicPartition]
    ) -> list[Place]:
        ends = await self._consumer.end_offsets([KafkaPartition(*each) for each in places])
        return [
            at
            for at, offset in reached.items()
            if offset > ends.get(KafkaPartition(*at.topic_partition), offset)
        ]

    def _opened(self, place: TopicPartition, reached: Mapping[Place, int]) -> _Partition:
        own = [
            (each, Place(each.name, *place))
            for each in self._handlers
            if place.topic in each.topics
        ]
        head = Head(common_start([reached.get(at, 0) for _, at in own]))
        hearing: dict[bytes, list[Lane]] = defaultdict(list)
        lanes = []
        for handler, at in own:
            lane = Lane(handler, at, head, reached.get(at, 0), self._means, self._fail)
            lanes.append(lane)
            for kind in handler.kinds:
                hearing[kind.encode()].append(lane)
        return _Partition(head, lanes, hearing)

    async def _read(self) -> None:
        while True:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            self._gathering.took(some=bool(batches))
            for place, records in batches.items():
                self._offer(TopicPartition(place.topic, place.partition), records)

    def _offer(self, place: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        partition = self._partitions.get(place)
        if partition is None:
            return
        for record in records:
            if hearing := partition.hearing.get(kind_of_record(record)):
                heard = Heard(record)
                for lane in hearing:
                    lane.offer(heard)
        partition.head.next_offset = records[-1].offset + 1

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            for lane in self._lanes():
                lane.end_overdue(time.monotonic())
            try:
                await self._save()
                await self._look_for_decisions()
            except Exception as error:
                if not (means_down(error) or isinstance(error, UNBUILT)):
                    raise
                log.warning("positions_not_saved", error=type(error).__name__)

    async def _save(self) -> None:
        reached = {lane.place: lane.next_offset for lane in self._lanes()}
        moved = {at: offset for at, offset in reached.items() if self._saved.get(at) != offset}
        if moved:
            await self._means.positions.save(moved)
            self._saved |= moved

    async def _look_for_decisions(self) -> None:
        # Also of lanes that have parked nothing: another process may have, before it noticed that
        # the partition was no longer its own.
        parked = await self._means.parked.streams(list(self._partitions))
        for lane in self._lanes():
            waiting = parked.get(lane.place, {})
            lane.parked.update(waiting)
            _pass_on_decisions(lane, waiting)
        streams = Counter(lane.handler.name for lane in self._lanes() for _ in lane.parked)
        for handler in self._handlers:
            HANDLER_PARKED.labels(handler.name).set(streams[handler.name])

    def _lanes(self) -> Iterable[Lane]:
        return (lane for partition in self._partitions.values() for lane in partition.lanes)

    async def _give_up(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening}, timeout=STOP_S)
            self._opening = None
        await end(list(self._lanes()), STOP_S)
        # Not cancelled by a time-out: what waits for a store that hangs is not free to end.
        saving = asyncio.create_task(self._save(), name="save positions")
        await asyncio.wait({saving}, timeout=STOP_S)
        if not saving.done():
            saving.cancel()
        if not saving.done() or saving.exception() is not None:
            # What they were about is done once more, by whoever comes next.
            error = saving.exception() if saving.done() else TimeoutError()
            log.warning("positions_not_saved", error=type(error).__name__)
        self._partitions.clear()


def _pass_on_decisions(lane: Lane, waiting: Mapping[str, bool]) -> None:
    for stream_id, decided in waiting.items():
        if decided:
            lane.decided(stream_id)


def group_of(settings: Settings) -> str:
    """The consumer group whose members share the partitions. Of one set of stores: another has
    other people in its vault.
    """
    return f"mesh.{settings.store_prefix}reactor"


def common_start(offsets: Sequence[int]) -> int:
    """Where to begin for handlers that have come so far each: with the last of those that are
    near the first. Whoever is further back has to catch up by itself.
    """
    first = max(offsets)
    return min(each for each in offsets if each >= first - NEAR)
