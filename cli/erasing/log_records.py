"""Every record of every topic, as consumers get them: decompressed, uncommitted ones too."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cli.erasing.needles import Needles
from cli.erasing.searched import Searched
from infra.kafka import aio_consumer
from infra.settings import Settings

PLACE = "Kafka's records"
POLL_MS = 500
STALL_S = 60.0


async def search_records(settings: Settings, needles: Needles) -> Searched:
    """Keys, headers and values of all that stands in the log now."""
    searched = Searched(PLACE, "records")
    consumer = aio_consumer(
        settings,
        "mesh-erase",
        isolation_level="read_uncommitted",
        exclude_internal_topics=False,
    )
    try:
        await consumer.start()
        try:
            await _search(consumer, needles, searched)
        finally:
            await consumer.stop()
    except KafkaError as error:
        searched.could_not(PLACE, error)
    return searched


async def _search(consumer: AIOKafkaConsumer, needles: Needles, searched: Searched) -> None:
    places = [
        TopicPartition(topic, partition)
        for topic in sorted(await consumer.topics())
        for partition in consumer.partitions_for_topic(topic) or ()
    ]
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
