"""Where commands come from: one consumer in the writers' group, polled in a thread of its own.

librdkafka keeps the membership alive in its own threads, so a busy writer is not taken for
dead; a stopped one is, and its partitions go to others.

The Python client lets one thread at a time into a consumer, and a thread that polls all the
time leaves no gap for others: `pause` from another thread can wait for ever. So everything is
asked of the polling thread, which runs such errands between two polls.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from infra.clients.kafka import MEMBER_METADATA_AGE_MS, committed_reader_config
from infra.settings import Settings
from producers.writer.tail import record_of
from schemas.log import positions
from schemas.log.recorded import Record

RECORDS_MAX = 2_000  # in one poll
IDLE_POLL_S = 0.1
PAUSED_POLL_S = 0.005  # a paused partition goes on as soon as it may
REVOKE_TIMEOUT_S = 12.0  # longer than one append may take
CLOSE_TIMEOUT_S = 10.0
FETCHED_KILOBYTES_MAX = 16_384
MAX_POLL_INTERVAL_MS = 60_000

log = structlog.get_logger()


class SourceFailedError(Exception):
    """The consumer can't go on; only a new process can."""


class Owner(Protocol):
    """Who owns the partitions. Called in the event loop."""

    def assigned(self, places: Sequence[positions.TopicPartition]) -> None:
        """These are ours now. Nothing of them comes before `begin`."""
        ...

    async def revoked(self, places: Sequence[positions.TopicPartition]) -> None:
        """These will be someone else's when this returns; finish what is under way."""
        ...

    async def deliver(self, commands: Mapping[positions.TopicPartition, Sequence[Record]]) -> None:
        """Commands by partition, in order; more come when this returns."""
        ...

    def failed(self, error: Exception) -> None:
        """The source has ended by itself."""
        ...


class CommandSource:
    """The group's consumer and its thread. Methods are for the event loop."""

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Sequence[str],
        executor: Executor,
    ) -> None:
        self._topics = list(topics)
        # A member learns with a heartbeat's answer that the group has moved, and we at the
        # next poll.
        self.settle_s = 1.5 * _heartbeat_ms(settings) / 1000 + 2 * IDLE_POLL_S
        self._executor = executor
        self._fatal: KafkaError | None = None
        self._errands: deque[Callable[[], None]] = deque()
        self._paused: set[positions.TopicPartition] = set()
        self._consumer = Consumer(member_config(settings, group) | {"error_cb": self._note_error})
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, owner: Owner) -> None:
        """Join the group; partitions and commands go to `owner` from now on."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._run, args=(owner, loop), name="commands", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Leave the group, so that others take over at once."""
        self._stopping.set()
        thread = self._thread
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(
                self._executor, thread.join, CLOSE_TIMEOUT_S
            )

    def begin(self, place: positions.TopicPartition, offset: int) -> None:
        """Bring the partition's commands from this offset on; until then none comes."""
        self._errands.append(lambda: self._begin(place, offset))

    def pause(self, place: positions.TopicPartition) -> None:
        """Bring nothing more of a partition for now."""
        self._paused.add(place)
        self._errands.append(lambda: self._flow(self._consumer.pause, place))

    def resume(self, place: positions.TopicPartition) -> None:
        """Bring the partition's commands again."""
        self._paused.discard(place)
        self._errands.append(lambda: self._flow(self._consumer.resume, place))

    def _begin(self, place: positions.TopicPartition, offset: int) -> None:
        if place not in self._paused:
            return  # Revoked a moment ago.
        try:
            self._consumer.seek(TopicPartition(*place, offset))
        except KafkaException as error:
            log.debug("begun_later", error=error.args[0].name(), **place._asdict())
            self.begin(place, offset)  # librdkafka has not yet taken it up
        else:
            self.resume(place)

    def _flow(
        self, call: Callable[[list[TopicPartition]], None], place: positions.TopicPartition
    ) -> None:
        try:
            call([TopicPartition(*place)])
        except KafkaException as error:
            # Revoked a moment ago: there is nothing to hold back any more.
            log.debug("flow_unchanged", error=error.args[0].name(), **place._asdict())

    def _note_error(self, error: KafkaError) -> None:
        if _is_fatal(error):
            self._fatal = error
        # A broker that is away is tried many times a second; only that none is left is news.
        alone = error.code() == KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
        (log.warning if alone or _is_fatal(error) else log.debug)(
            "commands_consumer", error=error.name()
        )

    def _run(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._consumer.subscribe(self._topics, **self._callbacks(owner, loop))
            while not self._stopping.is_set():
                for _ in range(len(self._errands)):
                    self._errands.popleft()()
                self._poll(owner, loop)
        except Exception as error:  # noqa: BLE001 - the owner must learn of any end
            loop.call_soon_threadsafe(owner.failed, error)
        finally:
            self._consumer.close()

    def _poll(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        first = self._consumer.poll(PAUSED_POLL_S if self._paused else IDLE_POLL_S)
        if self._fatal is not None:
            raise SourceFailedError(self._fatal.str())
        if first is None:
            return
        batches: dict[positions.TopicPartition, list[Record]] = defaultdict(list)
        for message in (first, *self._consumer.consume(RECORDS_MAX - 1, 0)):
            error = message.error()
            if error is None:
                record = record_of(message)
                place = positions.TopicPartition(record.topic, record.partition)
                batches[place].append(record)
            elif _is_fatal(error):
                raise SourceFailedError(error.str())
            else:
                log.warning("commands_poll", error=error.name())
        _wait(loop, owner.deliver(batches))

    def _callbacks(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
        """What librdkafka calls, in our thread, when the group has moved."""

        def on_assign(_: Consumer, partitions: list[TopicPartition]) -> None:
            places = _places(partitions)
            held_back = [TopicPartition(*place, OFFSET_BEGINNING) for place in places]
            self._consumer.incremental_assign(held_back)
            self._consumer.pause(held_back)
            self._paused.update(places)
            loop.call_soon_threadsafe(owner.assigned, places)

        def on_revoke(_: Consumer, partitions: list[TopicPartition]) -> None:
            places = _places(partitions)
            self._paused.difference_update(places)
            _wait(loop, owner.revoked(places))

        return {"on_assign": on_assign, "on_revoke": on_revoke, "on_lost": on_revoke}


def member_config(settings: Settings, group: str) -> dict[str, Any]:
    """A confluent consumer that is a member of the writers' group."""
    return committed_reader_config(settings, group) | {
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": _heartbeat_ms(settings),
        "max.poll.interval.ms": max(MAX_POLL_INTERVAL_MS, settings.session_timeout_ms),
        "topic.metadata.refresh.interval.ms": MEMBER_METADATA_AGE_MS,
        "queued.min.messages": 2 * RECORDS_MAX,
        "queued.max.messages.kbytes": FETCHED_KILOBYTES_MAX,
    }


def _is_fatal(error: KafkaError) -> bool:
    """Whether the client will do nothing ever more. What it says by polls is not marked as that."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - librdkafka's name


def _heartbeat_ms(settings: Settings) -> int:
    return settings.session_timeout_ms // 6


def _places(partitions: Sequence[TopicPartition]) -> list[positions.TopicPartition]:
    return [positions.TopicPartition(each.topic, each.partition) for each in partitions]


def _wait(loop: asyncio.AbstractEventLoop, work: Awaitable[None]) -> None:
    """Have the event loop do something and wait for it: its pace is this thread's pace."""

    async def run() -> None:
        await work

    future = asyncio.run_coroutine_threadsafe(run(), loop)
    try:
        future.result(REVOKE_TIMEOUT_S)
    except TimeoutError:
        # The partition's next owner fences whatever is still under way.
        log.warning("writer_busy_at_hand_over")
        future.cancel()
