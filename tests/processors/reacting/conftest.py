from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from infra.clients.kafka import aio_producer, ensure_topics
from processors.reacting import lanes, reader
from schemas.log.contexts import Topic
from tests.processors.reacting.topic_bench import Bench
from tests.worlds import World


@pytest.fixture
async def bench(mesh: World) -> AsyncIterator[Bench]:
    name = f"test_{uuid4().hex[:12]}"
    await ensure_topics(mesh.settings)
    await ensure_topics(mesh.settings, [Topic(f"events.{name}", -1)])
    producer = aio_producer(mesh.settings, name)
    await producer.start()
    try:
        yield Bench(mesh, producer, name)
    finally:
        await producer.stop()


@pytest.fixture(autouse=True)
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SAVE_S", 0.1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PAUSE_FIRST_S", 0.0001)
    monkeypatch.setattr(lanes, "PAUSE_MAX_S", 0.001)
