"""The transactional append: events, replies and how far the commands are done with become
durable together or not at all, and only the newest opener of a partition can append.

Kafka has no conditional append. What stands in for it is the transactional id: opening it
fences every earlier owner and ends what that owner left open, after which the log's tail is
final. The port is small so that its contract can be held on a real broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from os import _exit
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from infra.clients.kafka import transactional_config
from infra.settings import Settings
from producers.writer.done import DoneWith
from schemas.log import positions
from schemas.log.recorded import Headers

OPEN_TIMEOUT_S = 10.0
APPEND_TIMEOUT_S = 10.0
DROP_TIMEOUT_S = 2.0
# Longer than any call may take. Not every call of librdkafka's has kept its time
# (confluentinc/librdkafka#5456), and a thread that never returns ends with the process alone.
HANGS_S = 15.0
EXIT_HANGS = 70  # EX_SOFTWARE

_FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own codes start with an underscore
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
    }
)

T = TypeVar("T")

log = structlog.get_logger()


class AppendUnknownError(Exception):
    """Nobody can say whether the append took effect: drop, open again and read the tail."""


class DisplacedError(AppendUnknownError):
    """Events would not stand where they were expected, so nothing was committed: someone else
    has appended to the partition, or the expectation was wrong.
    """


class FencedError(Exception):
    """Another owner has opened the partition: nothing was appended, and nothing may be until
    the group says so.
    """


class Outgoing(NamedTuple):
    """One record to append."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Batch(NamedTuple):
    """What one transaction holds. `first_event` is the offset at which the first event must
    come to stand, `done` is what the last answer says is done with; one answer there must be.
    """

    events: Sequence[Outgoing]
    replies: Sequence[Outgoing]
    parked: Sequence[Outgoing]
    first_event: int
    done: DoneWith


class Appender(Protocol):
    """One partition's way into the log."""

    async def open(self) -> None:
        """Fence every earlier owner and end what it left open. Raises AppendUnknownError."""
        ...

    async def append(self, batch: Batch) -> int:
        """Append and commit; returns the offset of the first reply (-1 when there is none).

        Raises FencedError, DisplacedError or AppendUnknownError; after any of them only
        `drop` and `open` may be called.
        """
        ...

    async def drop(self) -> None:
        """Let go of the partition without ending anything; harmless when not open."""
        ...


class KafkaAppender:
    """The append through a transactional producer of librdkafka, whose calls block and so run
    in `executor`.
    """

    def __init__(
        self, settings: Settings, place: positions.TopicPartition, executor: Executor
    ) -> None:
        self._place = place
        self._id = f"writer-{place.topic}-{place.partition}"
        self._config = transactional_config(settings, self._id)
        self._executor = executor
        self._producer: Producer | None = None

    async def open(self) -> None:
        """See Appender.open."""
        await self.drop()
        self._producer = await self._in_thread(self._open)

    async def append(self, batch: Batch) -> int:
        """See Appender.append."""
        producer = self._producer
        if producer is None:
            message = f"{self._id} is not open"
            raise AppendUnknownError(message)
        return await self._in_thread(self._append, producer, batch)

    async def drop(self) -> None:
        """See Appender.drop."""
        if self._producer is not None:
            await self._in_thread(self._discard)

    async def _in_thread(self, call: Callable[..., T], *values: Any) -> T:
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._executor, call, *values)
        done, _ = await asyncio.wait([asked], timeout=HANGS_S)
        if not done:
            _end_process(f"{self._id}: {call.__name__} has not returned for {HANGS_S:.0f} s")
        return await asked

    def _open(self) -> Producer:
        producer = Producer(self._config)
        try:
            producer.init_transactions(OPEN_TIMEOUT_S)
        except KafkaException as error:
            _purge(producer)
            message = f"{self._id} could not be opened: {error.args[0].str()}"
            raise AppendUnknownError(message) from error
        return producer

    def _discard(self) -> None:
        # Taken here, so that the last reference and with it the client ends in this thread.
        producer, self._producer = self._producer, None
        if producer is not None:
            _purge(producer)

    def _append(self, producer: Producer, batch: Batch) -> int:
        deadline = time.monotonic() + APPEND_TIMEOUT_S
        try:
            producer.begin_transaction()
            events = self._produce(producer, batch.events)
            replies = self._produce(producer, _signed(batch.replies, batch.done))
            self._produce(producer, _signed(batch.parked, batch.done))
            if producer.flush(_left(deadline)):
                message = f"{self._id}: records were not delivered in time"
                raise AppendUnknownError(message)
            events.check(batch.first_event)
            producer.commit_transaction(_left(deadline))
        except (KafkaException, SystemError) as error:
            raise self._failure(_said_by_kafka(error)) from error
        except BufferError as error:
            message = f"{self._id}: the producer's queue is full"
            raise AppendUnknownError(message) from error
        return replies.first

    def _produce(self, producer: Producer, records: Sequence[Outgoing]) -> _Delivered:
        """Queue the records. Only the first and the last report where they came to stand:
        the others lie in between, as one producer's records keep their order.
        """
        delivered = _Delivered(len(records))
        last = len(records) - 1
        for index, (topic, key, value, headers) in enumerate(records):
            producer.produce(
                topic,
                value,
                key,
                self._place.partition,
                headers=headers,  # type: ignore[arg-type]  # list is invariant in its stubs
                on_delivery=delivered.note if index in (0, last) else None,
            )
        return delivered

    def _failure(self, error: KafkaError) -> Exception:
        message = f"{self._id}: {error.name()}: {error.str()}"
        if error.code() in _FENCED:
            return FencedError(message)
        return AppendUnknownError(message)


def _signed(answers: Sequence[Outgoing], done: DoneWith) -> Sequence[Outgoing]:
    """The same, the last of them with what is done with. It stands before whatever else a command
    brought along that is parked as it came: of two headers the first counts.
    """
    return [
        *answers[:-1],
        *(each._replace(headers=[done.header, *each.headers]) for each in answers[-1:]),
    ]


class _Delivered:
    """Where the first and the last of some records came to stand."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._offsets: list[int] = []

    def note(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._offsets.append(message.offset() or 0)

    @property
    def first(self) -> int:
        """The first record's offset, or -1 when there was no record."""
        return min(self._offsets, default=-1)

    def check(self, expected: int) -> None:
        """Raise DisplacedError unless the records stand at `expected` and right behind."""
        if self._count == 0:
            return
        wanted = {expected, expected + self._count - 1}
        if set(self._offsets) != wanted:
            message = f"events expected at {sorted(wanted)} stand at {sorted(self._offsets)}"
            raise DisplacedError(message)


def _end_process(message: str) -> NoReturn:
    """End as kill -9 would, which the log bears: the next process fences this one."""
    log.critical("append_hangs", detail=message)
    _exit(EXIT_HANGS)


def _left(deadline: float) -> float:
    """The seconds left, never so few that a healthy broker could not answer."""
    return max(0.1, deadline - time.monotonic())


def _purge(producer: Producer) -> None:
    """Forget what a producer has queued. Nothing is aborted: an abort that is late or repeated
    could meet the next transaction, and opening again ends this one anyway.
    """
    try:
        producer.purge()
        producer.flush(DROP_TIMEOUT_S)
    except (KafkaException, SystemError) as error:
        log.debug("fenced_producer_dropped", error=_said_by_kafka(error).name())


def _said_by_kafka(error: BaseException) -> KafkaError:
    """What the client has raised. When it raises something fatal and then reports deliveries
    in the same call, Python blames the one to whom it reports: the SystemError's cause is it.
    """
    cause: BaseException | None = error
    while isinstance(cause, SystemError):
        cause = cause.__cause__
    if not isinstance(cause, KafkaException):
        raise error
    said: KafkaError = cause.args[0]
    return said
