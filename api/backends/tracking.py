"""Facts that need no judging go straight to the log: views, appended in batches.

The producer gathers what is sent within a millisecond into one request. A fact is
acknowledged once the broker has it.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from api.wire.deadlines import left
from api.wire.problems import WriteUnavailableError
from infra.clients.kafka import aio_producer, stop_client, within
from infra.settings import Settings
from schemas.log.messages import Event
from schemas.log.partitioning import partition_of
from schemas.log.positions import Position
from schemas.log.recorded import CommandEnvelope, headers_of_event, value_of
from schemas.topics import topics_of

START_TIMEOUT_S = 15.0
RETRY_S = 0.5

log = structlog.get_logger()


class Tracking:
    """Appends events in whose streams order does not matter: all have version 0."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()

    async def keep(self) -> None:
        """Have a working producer, for ever; ends when cancelled, the producer with it."""
        try:
            while True:
                await self._wanted.wait()
                await self._close()
                self._producer = await self._open()
                if self._producer is None:
                    await asyncio.sleep(RETRY_S)
                else:
                    self._wanted.clear()
        finally:
            await self._close()

    async def append(self, envelope: CommandEnvelope, event: Event) -> Position:
        """The event's place in the log; raises WriteUnavailableError when the broker did not
        confirm it in time. Then nobody knows whether it is there: do not send it again.
        """
        producer = self._producer
        if producer is None:
            raise WriteUnavailableError
        stream_id = envelope.command.stream_id
        headers = headers_of_event(
            event,
            index=0,
            count=1,
            version=0,
            envelope=envelope,
            writer_epoch=0,
            recorded_at=envelope.command.asked_at,
        )
        topic = topics_of(type(event))[0]
        partition = partition_of(stream_id, self._settings.topic_partitions)
        try:
            async with asyncio.timeout(left(self._settings.write_timeout_s)):
                sent = await producer.send_and_wait(
                    topic,
                    value_of(event),
                    key=stream_id.encode(),
                    partition=partition,
                    headers=headers,
                )
        except (KafkaError, TimeoutError) as error:
            # An idempotent producer that has failed once stays failed.
            self._wanted.set()
            raise WriteUnavailableError from error
        return Position(topic, partition, sent.offset)

    async def _open(self) -> AIOKafkaProducer | None:
        producer = aio_producer(self._settings, f"mesh-tracking-{uuid4().hex[:8]}")
        try:
            await within(START_TIMEOUT_S, producer.start())
        except (KafkaError, TimeoutError) as error:
            log.warning("tracking_not_started", error=type(error).__name__)
            await stop_client(producer)
            return None
        return producer

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_client(producer)
