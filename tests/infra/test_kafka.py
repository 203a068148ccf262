"""Topics are made from the one table, and a broker that disagrees is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from infra.kafka import (
    TopicMismatchError,
    client_config,
    differences,
    ensure_topics,
    wanted_config,
)
from infra.settings import Settings
from schemas.topics import FOREVER_MS, TOPICS, Topic


@pytest.fixture
def topic(kafka_settings: Settings) -> Iterator[Topic]:
    found = Topic(f"test.{uuid4().hex}", partitions=2, retention_ms=FOREVER_MS)
    yield found
    admin = AdminClient(client_config(kafka_settings, "test-topics"))
    for future in admin.delete_topics([found.name]).values():
        future.result(timeout=20)


def partitions_of(settings: Settings, topic: Topic) -> int:
    admin = AdminClient(client_config(settings, "test-topics"))
    return len(admin.list_topics(topic.name, timeout=10).topics[topic.name].partitions)


async def test_missing_topics_are_created_as_the_table_says(
    kafka_settings: Settings, topic: Topic
) -> None:
    await ensure_topics(kafka_settings, [topic])

    assert partitions_of(kafka_settings, topic) == 2


async def test_topics_that_are_there_are_left_alone(kafka_settings: Settings, topic: Topic) -> None:
    await ensure_topics(kafka_settings, [topic])

    await ensure_topics(kafka_settings, [topic])

    assert partitions_of(kafka_settings, topic) == 2


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"partitions": 3}, "has 2 partitions, must have 3"),
        ({"retention_ms": 1_000}, "has retention.ms=-1, must have 1000"),
    ],
)
async def test_a_topic_that_differs_is_refused_by_name(
    kafka_settings: Settings, topic: Topic, other: dict[str, int], told: str
) -> None:
    await ensure_topics(kafka_settings, [topic])

    with pytest.raises(TopicMismatchError, match=f"{topic.name} {told}"):
        await ensure_topics(kafka_settings, [replace(topic, **other)])


async def test_a_compacted_topic_is_refused(kafka_settings: Settings, topic: Topic) -> None:
    admin = AdminClient(client_config(kafka_settings, "test-topics"))
    made = NewTopic(
        topic.name,
        num_partitions=2,
        replication_factor=1,
        config=wanted_config(topic) | {"cleanup.policy": "compact"},
    )
    admin.create_topics([made])[topic.name].result(timeout=20)

    with pytest.raises(TopicMismatchError, match=r"cleanup\.policy=compact, must have delete"):
        await ensure_topics(kafka_settings, [topic])


async def test_every_difference_is_told_at_once() -> None:
    topic = Topic("t", partitions=8, retention_ms=FOREVER_MS)
    config = wanted_config(topic) | {"retention.ms": "1", "cleanup.policy": "compact"}

    faults = differences(topic, 4, config)

    assert len(faults) == 3


def test_topics_of_the_table_are_kept_for_ever() -> None:
    assert {wanted_config(each)["retention.ms"] for each in TOPICS} == {"-1"}


async def test_a_broker_that_is_away_is_an_error_and_no_hang(kafka_settings: Settings) -> None:
    nowhere = kafka_settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})

    with pytest.raises(KafkaException):
        await ensure_topics(nowhere, [])
