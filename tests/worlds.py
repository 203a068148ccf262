"""Worlds: stores of their own for a test module, on servers that all tests share.

    async with world(stack) as mesh:      # mesh.settings: own database, own names elsewhere

Topics are one set for all: tests use fresh stream ids (`fresh()`) and start reading at the end
(`begin_at_the_end`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from confluent_kafka import Producer
from opensearchpy import AsyncOpenSearch
from pydantic import SecretStr

from infra.clients.clickhouse import ClickHouse
from infra.clients.kafka import ensure_topics, transactional_config
from infra.clients.opensearch import open_opensearch
from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.generations import (
    create_system_schema,
    ensure_generations,
    list_generations,
)
from processors.feeding.reading import open_log
from processors.reacting import positions, scheduler
from processors.reactions.mailing import told
from processors.stores.opening import opened_stores
from processors.stores.port import Watermark
from projections.projection import Projection
from schemas.log.messages import Command, Event, Role
from schemas.log.positions import Position
from schemas.log.recorded import CommandEnvelope, headers_of_event, value_of
from schemas.topics import topics_of
from tests.partitions import partition_of_stream

TIMEOUT_S = 20.0
UNORDERED = frozenset({"listing.viewed", "command.answered"})  # facts of no version


@dataclass(frozen=True)
class World:
    """Empty stores. `pool` is a small pool on its Postgres database."""

    settings: Settings
    pool: asyncpg.Pool


@asynccontextmanager
async def world(stack: Settings) -> AsyncIterator[World]:
    """Fresh databases in Postgres (with the system's tables) and ClickHouse, a folder for
    objects, and index names that no other world has; everything is removed at the end."""
    name = f"t{uuid4().hex[:16]}"
    async with AsyncExitStack() as undo:
        folder = undo.enter_context(TemporaryDirectory(prefix="mesh-objects-"))
        settings = stack.model_copy(
            update={
                "database_url": _named_database(stack.database_url, name),
                "clickhouse_url": _named_database(stack.clickhouse_url, name),
                "store_prefix": f"{name}_",
                "objects_url": Path(folder).as_uri(),
            }
        )
        await _make_databases(stack, name, undo)
        pool = await undo.enter_async_context(await open_pool(settings, size_max=4))
        await create_system_schema(pool)
        await positions.create_schema(pool)
        await scheduler.create_schema(pool)
        await told.create_schema(pool)
        yield World(settings, pool)


async def begin_at_the_end(mesh: World, projections: Sequence[Projection[Any]]) -> None:
    """Make the first generations, with watermarks at the ends of the log: what other tests have
    written is not theirs to read."""
    await ensure_topics(mesh.settings)
    await ensure_generations(mesh.settings, projections)
    topics = topics_of(*(heard for each in projections for heard in each.hears))
    async with open_log(mesh.settings) as log:
        ends = {place: each.end for place, each in (await log.bounds(topics)).items()}
    live = await list_generations(mesh.pool, projections=[each.name for each in projections])
    async with opened_stores(mesh.settings, projections) as stores:
        for projection, registered in ((p, r) for p in projections for r in live):
            if registered.projection != projection.name:
                continue
            own = {place: end for place, end in ends.items() if place.topic in projection.topics}
            marks = {place: Watermark(end) for place, end in own.items()}
            async with stores[registered.store].session(registered.of(projection)) as session:
                await session.write([], marks)


async def append_events(
    settings: Settings,
    streams: Iterable[tuple[str, Sequence[Event]]],
    *,
    version: int = 1,
    headers: Mapping[str, bytes] | None = None,
    value: bytes | None = None,
) -> list[Position]:
    """Append events as a writer would, in one transaction; returns where they are.

    Each stream's events are numbered from `version`. `headers` and `value` replace those of
    every record, for records that no writer would write.
    """
    return await asyncio.to_thread(
        _append, settings, list(streams), version, dict(headers or {}), value
    )


_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def new_owner() -> Iterator[int]:
    """A writer's epoch above those of all before, for as long as nobody has a later one: tests
    and writers share logs, and of an earlier owner no reader takes anything any more.
    """
    with _ONE_AT_A_TIME:
        yield time.time_ns() // 1_000_000


def _append(
    settings: Settings,
    streams: Sequence[tuple[str, Sequence[Event]]],
    version: int,
    replaced: Mapping[str, bytes],
    value: bytes | None,
) -> list[Position]:
    with new_owner() as epoch:
        return _append_as(epoch, settings, streams, version, replaced, value)


def _append_as(
    epoch: int,
    settings: Settings,
    streams: Sequence[tuple[str, Sequence[Event]]],
    version: int,
    replaced: Mapping[str, bytes],
    value: bytes | None,
) -> list[Position]:
    producer = Producer(transactional_config(settings, f"test-{uuid4()}"))
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    positions: list[Position] = []

    def delivered(error: object, message: Any) -> None:
        assert error is None, error
        positions.append(Position(message.topic(), message.partition(), message.offset()))

    for stream_id, events in streams:
        for index, event in enumerate(events):
            topic = topics_of(type(event))[0]
            ordered = event.kind not in UNORDERED
            known = dict(
                headers_of_event(
                    event,
                    index=0,
                    count=1,
                    version=version + index if ordered else 0,
                    envelope=_envelope(stream_id),
                    writer_epoch=epoch if ordered else 0,
                    recorded_at=datetime.now(UTC),
                )
            )
            producer.produce(
                topic,
                partition=partition_of_stream(stream_id),
                key=stream_id.encode(),
                value=value_of(event) if value is None else value,
                headers=list((known | dict(replaced)).items()),
                on_delivery=delivered,
            )
    producer.commit_transaction(TIMEOUT_S)
    return positions


class _AnyCommand(Command):
    """Stands for whatever command led to the events."""

    kind: str = "test.append"
    stream: str

    @property
    def stream_id(self) -> str:
        return self.stream


def _envelope(stream_id: str) -> CommandEnvelope:
    command_id = str(uuid4())
    command = _AnyCommand(
        asked_at=datetime.now(UTC), asked_by="somebody", asked_role=Role.SELLER, stream=stream_id
    )
    return CommandEnvelope(command, command_id, command_id, command_id, "0" * 64)


async def _make_databases(stack: Settings, name: str, undo: AsyncExitStack) -> None:
    postgres = await asyncpg.connect(stack.database_url.get_secret_value(), timeout=10)
    undo.push_async_callback(postgres.close)
    await postgres.execute(f'CREATE DATABASE "{name}"')
    undo.push_async_callback(postgres.execute, f'DROP DATABASE "{name}" WITH (FORCE)')

    clickhouse = ClickHouse(stack, clients_max=1)
    undo.push_async_callback(clickhouse.close)
    await clickhouse.execute(f"CREATE DATABASE {name}")
    undo.push_async_callback(clickhouse.execute, f"DROP DATABASE {name}")

    opensearch = open_opensearch(stack)
    undo.push_async_callback(opensearch.close)
    undo.push_async_callback(_delete_indexes, opensearch, f"mesh-{name}_*")


async def _delete_indexes(opensearch: AsyncOpenSearch, pattern: str) -> None:
    for index in await opensearch.indices.get(index=pattern):
        await opensearch.indices.delete(index=index)


def _named_database(url: SecretStr, name: str) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    return SecretStr(urlunsplit(parts._replace(path=f"/{name}")))
