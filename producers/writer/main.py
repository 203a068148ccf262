"""The writer process: it joins the writers' group and owns the partitions it is given."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog

from infra.metrics import WRITER_PARTITIONS
from infra.process import announce_ready, first_of
from infra.settings import Settings
from producers.writer.append import KafkaAppender
from producers.writer.deciders import RULEBOOKS, Rulebook
from producers.writer.done import TopicIds
from producers.writer.journal import JournalUnavailableError, PostgresJournal
from producers.writer.partition import PartitionWriter, Parts
from producers.writer.recovery import Recovery
from producers.writer.source import CommandSource
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from schemas.topics import WRITERS

THREADS_MAX = 64
# A command leaves no cycles behind (of 40,000 none), only a failure may.
COLLECT_EVERY_S = 600.0
UPKEEP_EVERY_S = 0.25
# Enough transactions at once to make use of the time that one waits for the broker.
TURNS = 4
ROOM_WAIT_S = 0.2
ROOM_POLL_S = 0.002
HAND_OVER_TIMEOUT_S = 11.0  # one append's bound and a little

log = structlog.get_logger()


class WatermarkWentBackError(Exception):
    """The journal that readers see has read less than it had: what was forgotten because of it
    is missing now. A new process reads the longer tail.
    """


async def run_writer(
    settings: Settings,
    stop: asyncio.Event,
    *,
    rulebooks: Sequence[Rulebook] = RULEBOOKS,
    group: str = WRITERS,
) -> None:
    """Judge commands and append events until `stop` is set.

    Raises when something is beyond repair in this process; its supervisor starts a new one.
    """
    with ThreadPoolExecutor(THREADS_MAX, "writer") as executor:
        writer = Writer(settings, rulebooks, group, executor)
        try:
            await writer.run(stop)
        finally:
            await writer.close()


class Writer:
    """Every partition that the group has given to this process."""

    def __init__(
        self,
        settings: Settings,
        rulebooks: Sequence[Rulebook],
        group: str,
        executor: ThreadPoolExecutor,
    ) -> None:
        self._settings = settings
        self._rulebooks = {each.context.commands_topic: each for each in rulebooks}
        self._executor = executor
        self._journal = PostgresJournal(settings)
        self._topic_ids = TopicIds(settings)
        self._source = CommandSource(settings, group, list(self._rulebooks), executor)
        self._owned: dict[TopicPartition, PartitionWriter] = {}
        # Outlives `_owned` when an owner is slow to end: its successor waits for it.
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._assigned = False
        self._announced = False
        self._turns = asyncio.Semaphore(TURNS)
        self._collected_at = time.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Own partitions until `stop`; raises what no repair helped against."""
        self._source.start(self)
        await first_of(stop.wait(), self._keep_up(), self._failure)

    async def close(self) -> None:
        """Finish what is under way and leave the group."""
        places = list(self._owned)
        for writer in self._owned.values():
            writer.stop()
        await self._ended(places)
        await self._source.stop()
        await self._journal.close()

    def assigned(self, places: Sequence[TopicPartition]) -> None:
        """The source's word: these are ours now."""
        log.info("partitions_assigned", places=_names(places))
        for place in places:
            writer = PartitionWriter(self._rulebooks[place.topic], place, self._parts(place))
            self._owned[place] = writer
            task = asyncio.create_task(_own(writer, self._tasks.get(place)))
            task.add_done_callback(self._note_end)
            self._tasks[place] = task
        WRITER_PARTITIONS.set(len(self._owned))
        self._assigned = True

    async def revoked(self, places: Sequence[TopicPartition]) -> None:
        """The source's word: these will be someone else's; finish what is under way."""
        log.info("partitions_revoked", places=_names(places))
        self._assigned = False  # What is left or new is told next, even if it is nothing.
        for place in places:
            writer = self._owned.pop(place, None)
            if writer is not None:
                writer.stop()
        WRITER_PARTITIONS.set(len(self._owned))
        await self._ended(places)

    async def deliver(self, commands: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """The source's word: commands by partition. Returns when there is room for more; a
        partition that makes none soon is paused, so that it holds up no other.
        """
        for place, records in commands.items():
            if place in self._owned:
                self._owned[place].offer(records)
        patience_s = ROOM_WAIT_S
        while crowded := [each for each in self._owned.values() if each.crowded]:
            if patience_s <= 0:
                for writer in crowded:
                    writer.pause()
                return
            await asyncio.sleep(ROOM_POLL_S)
            patience_s -= ROOM_POLL_S

    def failed(self, error: Exception) -> None:
        """The source has ended by itself, or a partition is beyond help."""
        if not self._failure.done():
            self._failure.set_exception(error)

    def _parts(self, place: TopicPartition) -> Parts:
        return Parts(
            appender=KafkaAppender(self._settings, place, self._executor),
            recovery=Recovery(
                self._settings,
                self._rulebooks[place.topic],
                place,
                self._topic_ids,
                self._journal,
                self._executor,
            ),
            journal=self._journal,
            flow=self._source,
            clock=lambda: datetime.now(UTC),
            settle_s=self._source.settle_s,
            turns=self._turns,
            partitions=self._settings.topic_partitions,
        )

    def _note_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.failed(error)

    async def _ended(self, places: Sequence[TopicPartition]) -> None:
        """Wait until the owners of these partitions have ended, within reason: whoever comes
        next fences them.
        """
        tasks = [self._tasks[place] for place in places if place in self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=HAND_OVER_TIMEOUT_S)
        for place in places:
            if place in self._tasks and self._tasks[place].done():
                del self._tasks[place]

    async def _keep_up(self) -> None:
        """Say when everything is open, and forget what Postgres has read."""
        while True:
            if not self._announced and self._assigned:
                self._announce_when_open()
            await self._trim()
            self._collect()
            await asyncio.sleep(UPKEEP_EVERY_S)

    def _announce_when_open(self) -> None:
        if all(writer.opened.is_set() for writer in self._owned.values()):
            self._announced = True
            announce_ready()

    def _collect(self) -> None:
        """Look for cycles, seldom and while no command waits: it takes up to a second."""
        due = time.monotonic() >= self._collected_at + COLLECT_EVERY_S
        if due and all(writer.idle for writer in self._owned.values()):
            gc.collect()
            self._collected_at = time.monotonic()

    async def _trim(self) -> None:
        if not any(writer.memory.pending for writer in self._owned.values()):
            return
        rulebooks = self._rulebooks.values()
        topics = [
            topic
            for each in rulebooks
            for topic in (each.context.events_topic, each.context.replies_topic)
        ]
        try:
            marks = await self._journal.watermarks(topics)
        except JournalUnavailableError:
            return  # Said and counted where it was noticed; the next round asks again.
        for writer in self._owned.values():
            context = self._rulebooks[writer.place.topic].context
            partition = writer.place.partition
            journal = marks.journal.get(TopicPartition(context.events_topic, partition), 0)
            outcomes = marks.outcomes.get(TopicPartition(context.replies_topic, partition), 0)
            if journal < writer.memory.journal_next or outcomes < writer.memory.outcomes_next:
                message = f"the live watermarks of {_names([writer.place])[0]} went back"
                raise WatermarkWentBackError(message)
            writer.trim(journal, outcomes)


async def _own(writer: PartitionWriter, earlier: asyncio.Task[None] | None) -> None:
    if earlier is not None:
        await asyncio.wait([earlier])
    await writer.run()


def _names(places: Iterable[TopicPartition]) -> list[str]:
    return [f"{place.topic}/{place.partition}" for place in places]
