"""A room for tests of the writer: topics, a database and a group that nobody else uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, OffsetSpec
from pydantic import SecretStr

from infra.clients.kafka import aio_consumer, aio_producer, client_config, ensure_topics
from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.generations import create_system_schema, ensure_generations
from producers.writer.deciders import Rulebook
from producers.writer.main import run_writer
from projections.journal.journal import journal
from projections.journal.outcomes import outcomes
from schemas.log.partitioning import partition_of
from schemas.log.recorded import (
    CommandEnvelope,
    Headers,
    Recorded,
    Reply,
    decode_event,
    headers_of_command,
    value_of,
)
from tests.partitions import PARTITIONS
from tests.producers.writer.boxes import rulebook
from tests.waiting import eventually


@dataclass
class Room:
    """One context's topics and a database with an empty journal."""

    settings: Settings
    rules: Rulebook
    group: str
    pool: asyncpg.Pool
    producer: AIOKafkaProducer

    async def send(self, *envelopes: CommandEnvelope) -> None:
        """Put commands into their topic, in order, and wait until the broker has them."""
        sent = [
            await self.producer.send(
                self.rules.context.commands_topic,
                value_of(each.command),
                key=each.command.stream_id.encode(),
                partition=partition_of(each.command.stream_id, self.settings.topic_partitions),
                headers=headers_of_command(each),
            )
            for each in envelopes
        ]
        await asyncio.gather(*sent)

    async def send_raw(self, partition: int, value: bytes, headers: Headers) -> None:
        """Put any bytes into the commands topic."""
        topic = self.rules.context.commands_topic
        await self.producer.send_and_wait(
            topic, value, key=b"raw", partition=partition, headers=headers
        )

    async def records(self, topic: str) -> list[Any]:
        """Every committed record of a topic, by partition and offset."""
        consumer = aio_consumer(self.settings, "test-records")
        await consumer.start()
        try:
            return await _read_all(consumer, topic, self.settings.topic_partitions)
        finally:
            await consumer.stop()

    async def events(self) -> list[Recorded[Any]]:
        found = await self.records(self.rules.context.events_topic)
        return [decode_event(each, self.rules.events) for each in found]

    async def replies(self) -> list[Reply]:
        found = await self.records(self.rules.context.replies_topic)
        return [decode_event(each, self.rules.events).event for each in found]

    async def parked(self) -> list[Any]:
        return await self.records(self.rules.context.parked_topic)

    async def ask(self, *envelopes: CommandEnvelope, timeout_s: float = 20.0) -> list[Reply]:
        """Send commands and return the last reply to each, in the order sent."""
        before = len(await self.replies())
        await self.send(*envelopes)

        async def all_answered() -> list[Reply]:
            replies = await self.replies()
            return replies if len(replies) >= before + len(envelopes) else []

        replies = await eventually(all_answered, timeout_s, "replies")
        by_id = {(each.command_id, each.fingerprint): each for each in replies}
        return [by_id[each.command_id, each.fingerprint] for each in envelopes]

    @asynccontextmanager
    async def writer(self, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
        """A writer in this process, stopped cleanly at the end."""
        stop = asyncio.Event()
        chosen = self.settings.model_copy(update=settings)
        task = asyncio.create_task(
            run_writer(chosen, stop, rulebooks=[self.rules], group=self.group)
        )
        try:
            yield task
        finally:
            stop.set()
            await task

    async def note_in_journal(self, upto: Callable[[Any], bool] = lambda _: True) -> None:
        """Do the journal worker's work once: copy committed events and replies that `upto`
        accepts, in order, and move the watermarks behind them."""
        await _copy(self, journal, self.rules.context.events_topic, upto)
        await _copy(self, outcomes, self.rules.context.replies_topic, upto)


async def _read_all(consumer: Any, topic: str, partitions: int) -> list[Any]:
    places = [TopicPartition(topic, each) for each in range(partitions)]
    consumer.assign(places)
    ends = await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, 0)
    found: list[Any] = []
    waiting = {place for place in places if ends[place] > 0}

    async def finished() -> bool:
        for records in (await consumer.getmany(timeout_ms=50)).values():
            found.extend(records)
        for place in list(waiting):
            if await consumer.position(place) >= ends[place]:
                waiting.discard(place)
        return not waiting

    await eventually(finished, 20, f"the end of {topic}")
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def _copy(room: Room, projection: Any, topic: str, upto: Callable[[Any], bool]) -> None:
    fields = ["key", *projection.row.__slots__]
    values = ", ".join(f"${n + 1}" for n in range(len(fields)))
    insert = (
        f"INSERT INTO reads.{projection.name} ({', '.join(fields)}) VALUES ({values})"
        " ON CONFLICT (key) DO NOTHING"
    )
    mark = (
        "INSERT INTO mesh.watermarks (projection, generation, topic, partition, next_offset)"
        " VALUES ($1, 1, $2, $3, $4) ON CONFLICT (projection, generation, topic, partition)"
        " DO UPDATE SET next_offset = excluded.next_offset"
    )
    async with room.pool.acquire() as connection, connection.transaction():
        for record in await room.records(topic):
            if not upto(record):
                continue
            recorded = decode_event(record, room.rules.events)
            row = projection.fold(None, recorded)
            if row is not None:
                await connection.execute(
                    insert,
                    projection.key(recorded),
                    *(getattr(row, name) for name in projection.row.__slots__),
                )
            await connection.execute(
                mark, projection.name, topic, record.partition, record.offset + 1
            )


@asynccontextmanager
async def room(
    servers: Settings,
    make_rules: Callable[[str], Rulebook] = rulebook,
    partitions: int = PARTITIONS,
) -> AsyncIterator[Room]:
    """Fresh topics, a fresh database, both removed at the end."""
    name = f"t{uuid4().hex[:12]}"
    rules = make_rules(name)
    parts = urlsplit(servers.database_url.get_secret_value())
    url = SecretStr(urlunsplit(parts._replace(path=f"/{name}")))
    settings = servers.model_copy(
        update={
            "database_url": url,
            "session_timeout_ms": 3_000,
            "topic_partitions": partitions,
        }
    )
    await _statement(servers, f'CREATE DATABASE "{name}"')
    try:
        await ensure_topics(settings, rules.context.topics)
        names = [topic.name for topic in rules.context.topics]
        await eventually(lambda: _served(settings, names), 20, "a broker that serves new topics")
        async with await open_pool(settings, size_max=4) as pool:
            await create_system_schema(pool)
            await ensure_generations(settings, [journal, outcomes])
            producer = aio_producer(settings, "test-commands")
            await producer.start()
            try:
                yield Room(settings, rules, f"writer-{name}", pool, producer)
            finally:
                await producer.stop()
        _delete_topics(settings, names)
    finally:
        await _statement(servers, f'DROP DATABASE "{name}" WITH (FORCE)')


def _served(settings: Settings, names: list[str]) -> bool:
    """A leader that metadata name already may say for a moment more that it is none."""
    places = [Place(name, number) for name in names for number in range(settings.topic_partitions)]
    admin = AdminClient(client_config(settings, "test-topics"))
    asked = admin.list_offsets({place: OffsetSpec.latest() for place in places}, request_timeout=10)
    return all(each.exception(10) is None for each in asked.values())


async def _statement(servers: Settings, text: str) -> None:
    """On a connection of its own: in between the server may have been killed."""
    connection = await asyncpg.connect(servers.database_url.get_secret_value(), timeout=10)
    try:
        await connection.execute(text)
    finally:
        await connection.close()


def _delete_topics(settings: Settings, names: Sequence[str]) -> None:
    admin = AdminClient(client_config(settings, "test-topics"))
    for future in admin.delete_topics(list(names)).values():
        future.result(timeout=20)
