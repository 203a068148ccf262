"""Topics are made from the one table, and a broker that disagrees is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from infra.clients.kafka import (
    TopicMismatchError,
    aio_consumer,
    client_config,
    differences,
    ensure_topics,
    learn_topics,
    wanted_config,
    within,
)
from infra.settings import Settings
from schemas.log.contexts import FOREVER_MS, Topic
from schemas.topics import TOPICS


@pytest.fixture
def topic(kafka_settings: Settings) -> Iterator[Topic]:
    found = Topic(f"test.{uuid4().hex}", FOREVER_MS)
    yield found
    deleted(kafka_settings, [found])


@pytest_asyncio.fixture
async def several(kafka_settings: Settings) -> AsyncIterator[list[Topic]]:
    found = [Topic(f"test.{uuid4().hex}", FOREVER_MS) for _ in range(12)]
    await ensure_topics(kafka_settings, found)
    yield found
    deleted(kafka_settings, found)


def deleted(settings: Settings, topics: list[Topic]) -> None:
    admin = AdminClient(client_config(settings, "test-topics"))
    for future in admin.delete_topics([each.name for each in topics]).values():
        future.result(timeout=20)


def partitions_of(settings: Settings, topic: Topic) -> int:
    admin = AdminClient(client_config(settings, "test-topics"))
    return len(admin.list_topics(topic.name, timeout=10).topics[topic.name].partitions)


async def test_missing_topics_are_created_as_the_table_says(
    kafka_settings: Settings, topic: Topic
) -> None:
    await ensure_topics(kafka_settings, [topic])

    assert partitions_of(kafka_settings, topic) == kafka_settings.topic_partitions


async def test_topics_that_are_there_are_left_alone(kafka_settings: Settings, topic: Topic) -> None:
    await ensure_topics(kafka_settings, [topic])

    await ensure_topics(kafka_settings, [topic])

    assert partitions_of(kafka_settings, topic) == kafka_settings.topic_partitions


@pytest.mark.parametrize("partitions", [1, 3, 8])
async def test_a_log_has_as_many_partitions_as_the_settings_say_and_keeps_them(
    kafka_settings: Settings, topic: Topic, partitions: int
) -> None:
    made = kafka_settings.model_copy(update={"topic_partitions": partitions})
    await ensure_topics(made, [topic])
    assert partitions_of(made, topic) == partitions
    await ensure_topics(made, [topic])

    other = kafka_settings.model_copy(update={"topic_partitions": partitions + 1})
    told = f"{topic.name} has {partitions} partitions, TOPIC_PARTITIONS is {partitions + 1}"
    with pytest.raises(TopicMismatchError, match=told):
        await ensure_topics(other, [topic])
    assert partitions_of(made, topic) == partitions


async def test_a_topic_that_differs_is_refused_by_name(
    kafka_settings: Settings, topic: Topic
) -> None:
    await ensure_topics(kafka_settings, [topic])

    told = f"{topic.name} has retention.ms=-1, must have 1000"
    with pytest.raises(TopicMismatchError, match=told):
        await ensure_topics(kafka_settings, [replace(topic, retention_ms=1_000)])


async def test_a_compacted_topic_is_refused(kafka_settings: Settings, topic: Topic) -> None:
    admin = AdminClient(client_config(kafka_settings, "test-topics"))
    made = NewTopic(
        topic.name,
        num_partitions=kafka_settings.topic_partitions,
        replication_factor=1,
        config=wanted_config(topic) | {"cleanup.policy": "compact"},
    )
    admin.create_topics([made])[topic.name].result(timeout=20)

    with pytest.raises(TopicMismatchError, match=r"cleanup\.policy=compact, must have delete"):
        await ensure_topics(kafka_settings, [topic])


async def test_every_difference_is_told_at_once() -> None:
    topic = Topic("t", FOREVER_MS)
    config = wanted_config(topic) | {"retention.ms": "1", "cleanup.policy": "compact"}

    faults = differences(topic, 8, 4, config)

    assert len(faults) == 3


def test_topics_of_the_table_are_kept_for_ever() -> None:
    assert {wanted_config(each)["retention.ms"] for each in TOPICS} == {"-1"}


async def test_a_broker_that_is_away_is_an_error_and_no_hang(kafka_settings: Settings) -> None:
    nowhere = kafka_settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})

    with pytest.raises(KafkaException):
        await ensure_topics(nowhere, [])


async def test_a_consumer_finds_many_topics_in_one_go(
    kafka_settings: Settings, several: list[Topic]
) -> None:
    places = [TopicPartition(each.name, 0) for each in several]
    async with aio_consumer(kafka_settings, "test-topics", retry_backoff_ms=1_000) as consumer:
        async with asyncio.timeout(8):  # new topics may have no leader at once
            await learn_topics(consumer, places)
            assert await consumer.end_offsets(places) == dict.fromkeys(places, 0)


async def test_what_swallows_its_cancellation_holds_up_nobody() -> None:
    """As Kafka's client does now and then while the broker dies."""
    again = asyncio.Event()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        again.set()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await within(0.05, stubborn())
    await asyncio.wait_for(again.wait(), 5)


async def test_what_is_done_in_time_is_given_or_raised() -> None:
    async def done(error: Exception | None = None) -> int:
        if error is not None:
            raise error
        return 7

    assert await within(5, done()) == 7
    with pytest.raises(KafkaConnectionError):
        await within(5, done(KafkaConnectionError()))
