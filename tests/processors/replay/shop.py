"""A shop for tests of replays: a log with streams of its own, stores of its own, and a hand
that feeds generations as a worker would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from confluent_kafka import Producer

from infra.clients.kafka import ensure_topics
from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.generations import (
    GenerationStatus,
    Registered,
    ensure_generations,
    list_generations,
)
from processors.feeding.parking import Parking
from processors.feeding.reading import Stretch, open_log
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation, Store
from projections import PROJECTIONS
from projections.projection import Projection
from schemas.log.recorded import Record
from tests.processors.histories import streams
from tests.worlds import World, new_owner, world

BY_NAME = {each.name: each for each in PROJECTIONS}
ONE_OF_EACH_STORE = ("listing_page", "listing_search", "listing_facts")


@dataclass(frozen=True)
class Shop:
    """Servers, with every projection live and empty."""

    settings: Settings
    world: World

    async def generations(self, name: str) -> dict[int, Registered]:
        """What the registry has of a projection, by number."""
        found = await list_generations(self.world.pool, projections=[name])
        return {each.number: each for each in found}

    async def live(self, name: str) -> Generation:
        """The generation that readers see."""
        (found,) = await list_generations(
            self.world.pool, projections=[name], statuses=[GenerationStatus.LIVE]
        )
        return found.of(BY_NAME[name])

    async def rows(self, generation: Generation) -> dict[str, Any]:
        """Every row of a generation."""
        async with self.store(generation.projection) as store:
            await store.settle(generation)
            return {key: row async for key, row in store.scan(generation)}

    @asynccontextmanager
    async def store(self, projection: Projection[Any]) -> AsyncIterator[Store]:
        """The store that keeps a projection."""
        async with opened_stores(self.settings, [projection]) as stores:
            yield stores[store_name(projection)]

    async def feed(self, generation: Generation) -> None:
        """Bring a generation up to the end of the log, as its worker would."""
        async with (
            await open_pool(self.settings, size_max=2) as pool,
            self.store(generation.projection) as store,
            open_log(self.settings) as log,
        ):
            runner = Runner(generation, store, Parking(pool))
            bounds = await log.bounds(runner.topics)
            marks = await runner.start(bounds)
            ahead = {
                place: Stretch(marks[place].next_offset if place in marks else each.start, each.end)
                for place, each in bounds.items()
            }
            guards = {place: Guard(start=each.start) for place, each in ahead.items()}
            async for batch in log.read(ahead):
                await runner.apply(read_batch(batch.records, guards))
            await store.settle(generation)


@asynccontextmanager
async def shop(stack: Settings) -> AsyncIterator[Shop]:
    """A shop on these servers; its stores are removed at the end, its events stay."""
    await ensure_topics(stack)
    async with world(stack) as mesh:
        await ensure_generations(mesh.settings, PROJECTIONS)
        yield Shop(mesh.settings, mesh)


def listings(count: int, length_max: int = 6) -> list[Record]:
    """New listing streams, one event of each after the other's, as a log has them."""
    many = [
        each
        for each in streams(uuid4().int, count, length_max)
        if each[0].topic == "events.listings"
    ]
    return [
        record for step in range(length_max) for each in many for record in each[step : step + 1]
    ]


async def append(
    settings: Settings, records: Sequence[Record], *, per_transaction: int = 500
) -> None:
    """Append records as a writer does, in transactions of which each leaves its markers."""
    await asyncio.to_thread(_append, settings, records, per_transaction, False)


async def append_aborted(settings: Settings, records: Sequence[Record]) -> None:
    """Append records in a transaction that is aborted: no reader may ever see them."""
    await asyncio.to_thread(_append, settings, records, len(records), True)


def _append(
    settings: Settings, records: Sequence[Record], per_transaction: int, abort: bool
) -> None:
    with new_owner() as epoch:
        _append_as(epoch, settings, records, per_transaction, abort)


def _append_as(
    epoch: int, settings: Settings, records: Sequence[Record], per_transaction: int, abort: bool
) -> None:
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "transactional.id": f"test-{uuid4()}",
            "linger.ms": 5,
        }
    )
    producer.init_transactions(30)
    for start in range(0, len(records), per_transaction):
        producer.begin_transaction()
        for record in records[start : start + per_transaction]:
            producer.produce(
                record.topic,
                record.value,
                record.key,
                record.partition,
                headers=[*(dict(record.headers) | {"writer_epoch": str(epoch).encode()}).items()],
            )
        if abort:
            producer.flush(30)
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)


def keys_of(records: Iterable[Record]) -> set[str]:
    """The listings that these records are about."""
    return {record.key.decode().rpartition("/")[2] for record in records if record.key}
