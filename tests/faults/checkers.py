"""Checkers of the system's promises, read off the log alone (ids of reliability.md section 2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.settings import Settings
from schemas.log.recorded import Recorded, decode_event
from schemas.topics import CONTEXTS, EVENT_TYPES
from tests.partitions import PARTITIONS

IDLE_MS = 1_000


@dataclass
class Log:
    """Everything committed to the event topics, in offset order per partition."""

    events: list[Recorded[Any]] = field(default_factory=list)


async def read_log(settings: Settings) -> Log:
    """The whole committed log of every context whose commands are judged."""
    topics = [context.events_topic for context in CONTEXTS if context.commands]
    partitions = [TopicPartition(topic, p) for topic in topics for p in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        log = Log()
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            batches = await consumer.getmany(timeout_ms=IDLE_MS, max_records=5_000)
            for records in batches.values():
                log.events += [decode_event(record, EVENT_TYPES) for record in records]
        return log
    finally:
        await consumer.stop()


def torn_commands(events: Iterable[Recorded[Any]]) -> list[str]:
    """I1 and I6: commands of which an event is missing or stands twice."""
    seen: dict[str, list[Recorded[Any]]] = defaultdict(list)
    for event in events:
        seen[event.command_id].append(event)
    return [
        command
        for command, found in seen.items()
        if sorted(each.index for each in found) != list(range(found[0].count))
    ]


def missing_commands(events: Iterable[Recorded[Any]], acknowledged: Iterable[str]) -> list[str]:
    """I1: acknowledged commands that are not in the log."""
    known = {event.command_id for event in events}
    return [command for command in acknowledged if command not in known]


def present_commands(events: Iterable[Recorded[Any]], refused: Iterable[str]) -> list[str]:
    """I2: refused commands that are in the log all the same."""
    known = {event.command_id for event in events}
    return [command for command in refused if command in known]


def broken_streams(events: Iterable[Recorded[Any]]) -> list[str]:
    """I4: streams whose versions are not 1, 2, 3 … in offset order."""
    last: Counter[str] = Counter()
    broken = []
    for event in sorted(events, key=lambda each: each.position):
        if event.version != last[event.stream_id] + 1:
            broken.append(event.stream_id)
        last[event.stream_id] = event.version
    return broken


def epochs_gone_back(events: Iterable[Recorded[Any]]) -> list[Any]:
    """I5: positions at which a partition's writer epoch is lower than before."""
    highest: dict[Any, int] = {}
    gone_back = []
    for event in sorted(events, key=lambda each: each.position):
        place = event.position.topic_partition
        if event.writer_epoch < highest.get(place, 0):
            gone_back.append(event.position)
        highest[place] = max(event.writer_epoch, highest.get(place, 0))
    return gone_back


def violations(
    log: Log, acknowledged: Iterable[str] = (), refused: Iterable[str] = ()
) -> dict[str, list[Any]]:
    """Every violation by the invariant's id; empty when all promises held."""
    found = {
        "I1 acknowledged but missing": missing_commands(log.events, acknowledged),
        "I2 refused but present": present_commands(log.events, refused),
        "I4 versions": broken_streams(log.events),
        "I5 epochs": epochs_gone_back(log.events),
        "I6 torn": torn_commands(log.events),
    }
    return {name: what for name, what in found.items() if what}
