"""A quiet consumer is told of an event at once and asks seldom; a busy one is told in lots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from infra.clients.kafka import (
    QUIET_AFTER_S,
    QUIET_WAIT_MS,
    Gathering,
    aio_consumer,
    aio_producer,
    ensure_topics,
)
from infra.settings import Settings
from schemas.log.contexts import FOREVER_MS, Topic
from tests.waiting import eventually, let_pass

GATHER_MS = 200


@dataclass
class Reader:
    """Somebody who looks for records for ever, and how often the broker was asked meanwhile."""

    consumer: AIOKafkaConsumer
    gathering: Gathering
    fetches: list[float] = field(default_factory=list)  # time.monotonic()
    got: int = 0

    async def look(self, seconds: float, *, until: int = 10**9) -> float:
        """Take what comes for so long, or until so many have come in all; seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds and self.got < until:
            batches = await self.consumer.getmany(timeout_ms=100)
            self.gathering.took(some=bool(batches))
            self.got += sum(map(len, batches.values()))
        return time.monotonic() - began

    def asked_since(self, moment: float) -> int:
        return sum(1 for each in self.fetches if each >= moment)


@pytest.fixture
async def topic(kafka_settings: Settings) -> str:
    found = Topic(f"test.{uuid4().hex}", FOREVER_MS)
    await ensure_topics(kafka_settings.model_copy(update={"topic_partitions": 1}), [found])
    return found.name


@pytest.fixture
async def producer(kafka_settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    async with aio_producer(kafka_settings, "test-gathering") as started:
        yield started


@pytest.fixture
async def reader(
    kafka_settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Reader]:
    consumer = aio_consumer(kafka_settings, "test-gathering", **Gathering.options())
    consumer.subscribe([topic])
    async with consumer:
        found = Reader(consumer, Gathering(consumer, GATHER_MS))
        send = consumer._client.send

        async def counted(node: Any, request: Any, **how: Any) -> Any:
            if type(request).__name__.startswith("FetchRequest"):
                found.fetches.append(time.monotonic())
            return await send(node, request, **how)

        monkeypatch.setattr(consumer._client, "send", counted)
        await eventually(consumer.assignment)
        yield found


async def test_a_quiet_consumer_asks_seldom_and_is_told_at_once(
    reader: Reader, producer: AIOKafkaProducer, topic: str
) -> None:
    began = time.monotonic()
    await reader.look(2 * QUIET_WAIT_MS / 1_000)
    assert reader.asked_since(began) <= 4
    await producer.send_and_wait(topic, b"one")
    assert await reader.look(QUIET_WAIT_MS / 1_000, until=1) < QUIET_WAIT_MS / 2_000
    assert reader.got == 1


async def test_a_busy_consumer_is_told_in_lots_until_it_is_quiet_again(
    reader: Reader, producer: AIOKafkaProducer, topic: str
) -> None:
    await producer.send_and_wait(topic, b"first")
    await reader.look(10, until=1)
    began = time.monotonic()
    sent = [await producer.send(topic, b"one of many")]

    async def go_on_sending() -> None:
        while time.monotonic() - began < 10 * GATHER_MS / 1_000:
            sent.append(await producer.send(topic, b"one of many"))
            await let_pass(0.005, because="records keep coming")

    sending = asyncio.create_task(go_on_sending())
    await reader.look(12 * GATHER_MS / 1_000)
    await sending
    await asyncio.gather(*sent)
    await reader.look(10, until=1 + len(sent))
    took = time.monotonic() - began
    assert reader.got == 1 + len(sent)
    asked = reader.asked_since(began)
    assert asked <= 1_000 * took / GATHER_MS + 3
    assert len(sent) > 3 * asked

    await reader.look(QUIET_AFTER_S + 1)
    quiet = time.monotonic()
    await reader.look(QUIET_WAIT_MS / 1_000)
    assert reader.asked_since(quiet) <= 2
