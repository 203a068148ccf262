"""How many members a group has is asked of the broker, and at once of nobody twice."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import uuid4

import pytest
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer

from infra.clients.kafka import committed_reader_config, ensure_topics
from infra.group_members import GroupMembers
from infra.settings import Settings
from schemas.topics import CONTEXTS
from tests.waiting import eventually


async def test_members_are_counted(kafka_settings: Settings) -> None:
    group = f"group-{uuid4().hex}"
    members = GroupMembers(kafka_settings, group)
    await ensure_topics(kafka_settings)
    assert await members.count(5) == 0
    member = Consumer(committed_reader_config(kafka_settings, group))
    member.subscribe([CONTEXTS[0].events_topic])

    async def one() -> bool:
        member.poll(0.05)
        return await members.count(5) == 1

    try:
        await eventually(one, 20)
    finally:
        member.close()
    assert await members.count(5) == 0


async def test_many_who_ask_at_once_ask_once(
    kafka_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, asked = GroupMembers(kafka_settings, "nobody"), []
    count = members._count
    monkeypatch.setattr(members, "_count", lambda timeout_s: (asked.append(1), count(timeout_s))[1])
    assert await asyncio.gather(*(members.count(5) for _ in range(50))) == [0] * 50
    assert len(asked) == 1
    await members.count(5)
    assert len(asked) == 2


async def test_a_broker_that_is_away_is_an_error_for_all_who_ask(kafka_settings: Settings) -> None:
    away = kafka_settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    members = GroupMembers(away, "nobody")
    found = await asyncio.gather(*(members.count(0.3) for _ in range(3)), return_exceptions=True)
    assert len(found) == 3
    assert all(isinstance(each, KafkaError | TimeoutError) for each in found)


async def test_a_question_that_never_ends_is_asked_anew(
    kafka_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's client may never come to the end of closing when its broker died meanwhile."""
    members, hung = GroupMembers(kafka_settings, "nobody"), asyncio.Event()
    count = members._count

    async def for_ever(_timeout_s: float) -> int:
        hung.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(members, "_count", for_ever)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(members.count(0.5), 0.5)
    assert hung.is_set()
    monkeypatch.setattr(members, "_count", count)

    async def answered() -> bool:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(members.count(0.5), 0.5) == 0
        return False

    await eventually(answered, 20)
