"""The way to the writer and back: a command goes to its partition, its reply comes from the log.

Replies are read from where their topics ended when the gateway started, which is before its
first command, so none can be missed. A command that was not answered in time may still take
effect until its deadline; after that the writer refuses it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from api.wire.deadlines import left
from api.wire.problems import WriteUnavailableError
from infra.clients.kafka import aio_consumer, aio_producer, learn_topics, stop_client, within
from infra.settings import Settings
from schemas.log.contexts import Context
from schemas.log.partitioning import partition_of
from schemas.log.positions import TopicPartition as Place
from schemas.log.recorded import (
    CommandEnvelope,
    RawRecord,
    Reply,
    UndecodableError,
    decode_event,
    headers_of_command,
    value_of,
)
from schemas.registry import kind_of
from schemas.topics import CONTEXTS, EVENT_TYPES

IN_FLIGHT_MAX = 20_000
START_TIMEOUT_S = 15.0
ENDS_TIMEOUT_S = 1.0
POLL_MS = 1_000
RECORDS_MAX = 5_000
RECONNECT_S = 0.5
SILENCE_S = 1.0  # whoever has waited for less says nothing about the writer
DEADLINE_PASSED = "deadline_passed"

log = structlog.get_logger()


T = TypeVar("T")
_Waiting = tuple[str, str]  # a command's id and fingerprint: the id alone may be used twice


class CommandGateway:
    """Sends commands and hands out their replies. Many thousands may be in flight."""

    def __init__(
        self,
        settings: Settings,
        contexts: Sequence[Context] = CONTEXTS,
        in_flight_max: int = IN_FLIGHT_MAX,
    ) -> None:
        self._settings = settings
        self._topics = {
            kind_of(command): context.commands_topic
            for context in contexts
            for command in context.commands
        }
        self._places = [
            TopicPartition(context.replies_topic, partition)
            for context in contexts
            if context.commands
            for partition in range(settings.topic_partitions)
        ]
        self._client_id = f"mesh-gateway-{uuid4().hex[:8]}"
        self._room = asyncio.Semaphore(in_flight_max)
        self._waiting: dict[_Waiting, list[asyncio.Future[Reply]]] = defaultdict(list)
        self._next: dict[TopicPartition, int] = {}
        self._producer: AIOKafkaProducer | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._unanswered_at: float | None = None
        self._broken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect. Raises KafkaError or TimeoutError when the broker does not answer; may be
        called again then.
        """
        consumer = await within(START_TIMEOUT_S, self._open_consumer())
        try:
            self._producer = await within(START_TIMEOUT_S, self._open_producer())
        except BaseException:
            await stop_client(consumer)
            raise
        self._tasks = [
            asyncio.create_task(self._read(consumer), name="gateway-replies"),
            asyncio.create_task(self._keep_producer(), name="gateway-producer"),
        ]

    async def stop(self) -> None:
        """Disconnect; whoever still waits gets WriteUnavailableError."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for future in [each for waiting in self._waiting.values() for each in waiting]:
            _fail(future, WriteUnavailableError())
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_client(producer)

    async def send(self, envelope: CommandEnvelope, timeout_s: float | None = None) -> Reply:
        """The writer's reply, accepted or not. Raises WriteUnavailableError when there is none
        within `timeout_s` seconds (the settings' bound when None), or until the request that asks
        must be answered.
        """
        bound_s = left(self._settings.write_timeout_s if timeout_s is None else timeout_s)
        if envelope.deadline is None:
            deadline = datetime.now(UTC) + timedelta(seconds=bound_s)
            envelope = envelope._replace(deadline=deadline)
        began = time.monotonic()
        try:
            async with asyncio.timeout(bound_s), self._room:
                return await self._ask(envelope)
        except TimeoutError as error:
            self._note_silence(began)
            raise WriteUnavailableError from error
        except asyncio.CancelledError:  # the request's own bound may come a moment before ours
            self._note_silence(began)
            raise

    def _note_silence(self, began: float) -> None:
        now = time.monotonic()
        if now - began >= SILENCE_S:
            self._unanswered_at = now

    @property
    def unanswered_s(self) -> float | None:
        """How long ago a command was given up, in seconds; None if anybody's has been answered
        since.
        """
        return self._unanswered_at and time.monotonic() - self._unanswered_at

    async def ends_of(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Where these partitions of the log end now; raises WriteUnavailableError when the broker
        does not say so in time.
        """
        if self._consumer is None:
            raise WriteUnavailableError
        wanted = [TopicPartition(*each) for each in places]
        try:
            async with asyncio.timeout(ENDS_TIMEOUT_S):
                await learn_topics(self._consumer, wanted)
                found = await self._consumer.end_offsets(wanted)
        except (KafkaError, TimeoutError) as error:
            raise WriteUnavailableError from error
        return {Place(*each): end for each, end in found.items()}

    async def _ask(self, envelope: CommandEnvelope) -> Reply:
        key = (envelope.command_id, envelope.fingerprint)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(reply)
        try:
            await self._produce(envelope, reply)
            found = await reply
            while found.reason == DEADLINE_PASSED and _has_time(envelope):
                # The answer to an earlier try that lay in the log too long; ours comes behind it.
                self._waiting[key].remove(reply)
                reply = asyncio.get_running_loop().create_future()
                self._waiting[key].append(reply)
                found = await reply
            return found  # noqa: TRY300 - what may fail is the waiting above
        except MessageSizeTooLargeError:
            return _too_large(envelope)
        except KafkaError as error:
            raise WriteUnavailableError from error
        finally:
            self._waiting[key].remove(reply)
            if not self._waiting[key]:
                del self._waiting[key]

    async def _produce(self, envelope: CommandEnvelope, reply: asyncio.Future[Reply]) -> None:
        """Hand the command to the producer; `reply` fails if the broker does not take it."""
        producer = self._producer
        if producer is None:
            raise WriteUnavailableError
        stream_id = envelope.command.stream_id
        try:
            sent = await producer.send(
                self._topics[envelope.command.kind],
                value_of(envelope.command),
                key=stream_id.encode(),
                partition=partition_of(stream_id, self._settings.topic_partitions),
                headers=headers_of_command(envelope),
            )
        except KafkaError as error:
            self._note_failure(producer, error)
            raise

        def note(done: asyncio.Future[Any]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is not None:
                _fail(reply, error)
                self._note_failure(producer, error)

        sent.add_done_callback(note)

    def _note_failure(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """An idempotent producer that has failed once stays failed: have it replaced. One that
        was only too busy or given too much has not failed.
        """
        harmless = isinstance(error, MessageSizeTooLargeError | KafkaTimeoutError)
        if producer is self._producer and not harmless and not self._broken.is_set():
            # Said once, not for every command that waits.
            log.warning("commands_not_sent", error=type(error).__name__)
            self._broken.set()

    async def _keep_producer(self) -> None:
        while True:
            await self._broken.wait()
            broken, self._producer = self._producer, None
            self._broken.clear()
            if broken is not None:
                await stop_client(broken)
            self._producer = await _reopened(self._open_producer)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        """Hand out replies, for ever; a broker that is away only makes them late."""
        while True:
            try:
                await self._read_on(consumer)
            except KafkaError as error:
                log.warning("replies_unreadable", error=type(error).__name__)
            finally:
                await stop_client(consumer)
            consumer = await _reopened(self._open_consumer)

    async def _read_on(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for place, records in batches.items():
                for record in records:
                    self._hand_out(record)
                self._next[place] = records[-1].offset + 1

    def _hand_out(self, record: RawRecord) -> None:
        self._unanswered_at = None
        headers = dict(record.headers)
        key = (
            headers.get("command_id", b"").decode(errors="replace"),
            headers.get("fingerprint", b"").decode(errors="replace"),
        )
        if key not in self._waiting:
            return  # Another gateway's, or too late.
        try:
            reply: Reply = decode_event(record, EVENT_TYPES).event
        except UndecodableError as error:
            log.warning("reply_undecodable", error=str(error))
            return
        for future in self._waiting[key]:
            if not future.done():
                future.set_result(reply)

    async def _open_producer(self) -> AIOKafkaProducer:
        producer = aio_producer(self._settings, self._client_id)
        try:
            await producer.start()
        except BaseException:
            await stop_client(producer)
            raise
        return producer

    async def _open_consumer(self) -> AIOKafkaConsumer:
        """A reader of all replies, placed where the last one stopped, the first at the end."""
        consumer = self._consumer = aio_consumer(self._settings, self._client_id)
        try:
            await consumer.start()
            new = [place for place in self._places if place not in self._next]
            if new:
                await learn_topics(consumer, new)
                self._next.update(await consumer.end_offsets(new))
            consumer.assign(self._places)
            for place in self._places:
                consumer.seek(place, self._next[place])
        except BaseException:
            await stop_client(consumer)
            raise
        return consumer


def _has_time(envelope: CommandEnvelope) -> bool:
    return envelope.deadline is not None and datetime.now(UTC) < envelope.deadline


async def _reopened(open_client: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The client, as soon as the broker lets it in."""
    while True:
        try:
            return await within(START_TIMEOUT_S, open_client())
        except (KafkaError, TimeoutError) as error:
            log.warning("gateway_reconnects", error=type(error).__name__)
        await asyncio.sleep(RECONNECT_S)


def _fail(reply: asyncio.Future[Reply], error: BaseException) -> None:
    if not reply.done():
        reply.set_exception(error)
        reply.exception()  # Whoever asked may have gone: the loop must not complain of it.


def _too_large(envelope: CommandEnvelope) -> Reply:
    """What the writer would say, had the command fitted into the log."""
    return Reply(
        command_id=envelope.command_id,
        outcome="refused",
        stream_id=envelope.command.stream_id,
        reason="too_large",
        status=422,
        fingerprint=envelope.fingerprint,
    )
