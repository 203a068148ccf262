"""Every record of every topic, as consumers get them: decompressed, uncommitted ones too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cli.erasing.needles import Needles
from cli.erasing.searched import Searched
from infra.clients.kafka import (
    ADMIN_TIMEOUT_S,
    aio_consumer,
    client_config,
    learn_topics,
    start_client,
)
from infra.settings import Settings

PLACE = "Kafka's records"
POLL_MS = 500
STALL_S = 60.0


async def search_records(settings: Settings, needles: Needles) -> Searched:
    """Keys, headers and values of all that stands in the log now."""
    searched = Searched(PLACE, "records")
    try:
        places = await asyncio.to_thread(_places, settings)
        consumer = aio_consumer(
            settings,
            "mesh-erase",
            isolation_level="read_uncommitted",
            exclude_internal_topics=False,
        )
        await start_client(consumer)
        try:
            await _search(consumer, places, needles, searched)
        finally:
            await consumer.stop()
    except (KafkaError, KafkaException) as error:
        searched.could_not(PLACE, error)
    if not searched.count:
        searched.could_not(PLACE, "there is not one record: this is no log of ours")
    return searched


def _places(settings: Settings) -> list[TopicPartition]:
    """Every partition of every topic of the broker, its own too."""
    admin = AdminClient(client_config(settings, "mesh-erase"))
    topics = admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics
    return [
        TopicPartition(name, partition)
        for name, topic in sorted(topics.items())
        for partition in topic.partitions
    ]


async def _search(
    consumer: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    needles: Needles,
    searched: Searched,
) -> None:
    await learn_topics(consumer, places)
    ends = await consumer.end_offsets(places)
    starts = await consumer.beginning_offsets(places)
    waiting = {place for place in places if starts[place] < ends[place]}
    consumer.assign(sorted(waiting))
    for place in waiting:
        consumer.seek(place, starts[place])
    moved_at = time.monotonic()
    while waiting:
        got = await consumer.getmany(timeout_ms=POLL_MS)
        _look(got, needles, searched)
        done = {place for place in waiting if await consumer.position(place) >= ends[place]}
        consumer.pause(*done)
        waiting -= done
        if got or done:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > STALL_S:
            for place in sorted(waiting):
                searched.could_not(f"{place.topic}/{place.partition}", "the log gave nothing")
            return


def _look(
    batches: Mapping[TopicPartition, Sequence[Any]], needles: Needles, searched: Searched
) -> None:
    for place, records in batches.items():
        for record in records:
            parts = [record.key or b"", record.value or b""]
            parts += [part for name, value in record.headers for part in (name.encode(), value)]
            where = f"{place.topic}/{place.partition}@{record.offset}"
            searched.look(where, b"\n".join(parts), needles)
