"""Several generations and one stream: where it begins, who reads the log besides, who joins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from infra.clients.kafka import ensure_topics
from processors.feeding import feeder as module
from processors.feeding.feeder import Feeder
from processors.feeding.generations import GenerationStatus, move_generations, register_building
from processors.feeding.reading import Stretch, open_log
from processors.stores.port import Generation, Store, Watermark
from projections.projection import Projection
from schemas.log.positions import TopicPartition
from schemas.log.recorded import RawRecord
from tests.partitions import PARTITIONS
from tests.processors.pure import pure_fold
from tests.processors.records import titled
from tests.processors.tally import Fold, tally
from tests.waiting import eventually
from tests.worlds import World, append_events

PLACES = [TopicPartition("events.listings", each) for each in range(PARTITIONS)]
READY, DROPPED = GenerationStatus.READY, GenerationStatus.DROPPED
_numbers = count(1)


class Stream:
    """The log from where this test began, as a worker's stream would give it."""

    def __init__(self, mesh: World, starts: Mapping[TopicPartition, int]) -> None:
        self.mesh = mesh
        self.starts = dict(starts)
        self.records: list[RawRecord] = []

    async def more(self) -> list[RawRecord]:
        """What has come since the last call."""
        fresh: list[RawRecord] = []
        async with open_log(self.mesh.settings) as log:
            bounds = await log.bounds(["events.listings"])
            ahead = {place: Stretch(at, bounds[place].end) for place, at in self.starts.items()}
            async with aclosing(log.read(ahead)) as batches:
                async for batch in batches:
                    fresh += batch.records
                    self.starts[batch.place] = batch.next_offset
        self.records += fresh
        return fresh


class Rig:
    """A projection with generation 1 live at the end of the log."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.mesh, self.store = mesh, store
        self.projection = tally("postgres", Fold(), f"fed{next(_numbers)}")
        self.stream: Stream

    async def prepare(self) -> None:
        async with open_log(self.mesh.settings) as log:
            bounds = await log.bounds(["events.listings"])
        self.stream = Stream(self.mesh, {place: bounds[place].end for place in PLACES})
        await self.generation(1, self.stream.starts)

    async def generation(self, number: int, at: Mapping[TopicPartition, int]) -> Generation:
        """One more generation that has read so far; the first is live, others are ready."""
        async with self.mesh.pool.acquire() as connection, connection.transaction():
            made = await register_building(connection, self.projection, {})
            assert made.number == number
            await self.store.create(made)
            async with self.store.session(made) as session:
                await session.write([], {place: Watermark(each) for place, each in at.items()})
            name = self.projection.name
            await move_generations(connection, {(name, number): READY})
            if number == 1:
                await move_generations(connection, {(name, number): GenerationStatus.LIVE})
        return made

    def feeder(self, projection: Projection[Any] | None = None) -> Feeder:
        chosen = projection or self.projection
        return Feeder(self.mesh.settings, [chosen], self.mesh.pool, {"postgres": self.store})

    async def rows(self, number: int) -> dict[str, Any]:
        made = Generation(self.projection, number)
        async with aclosing(self.store.scan(made)) as found:
            return {key: row async for key, row in found}

    async def append(self, streams: int, events: int = 1) -> None:
        names = [str(uuid4()) for _ in range(streams)]
        await append_events(
            self.mesh.settings,
            [
                (f"listing/{name}", [titled(name, 1 + each, "title") for each in range(events)])
                for name in names
            ],
        )


@pytest_asyncio.fixture
async def rig(mesh: World, all_stores: Mapping[str, Store]) -> Rig:
    await ensure_topics(mesh.settings)
    made = Rig(mesh, all_stores["postgres"])
    await made.prepare()
    return made


@asynccontextmanager
async def begun(rig: Rig) -> AsyncIterator[Feeder]:
    feeder = rig.feeder()
    await feeder.refresh()
    await feeder.begin(PLACES)
    try:
        yield feeder
        if feeder.failed.done():
            feeder.failed.result()
    finally:
        feeder.lose()
        feeder.failed.cancel()


async def test_the_stream_begins_at_the_watermarks(rig: Rig) -> None:
    feeder = rig.feeder()
    await feeder.refresh()
    assert await feeder.begin(PLACES) == rig.stream.starts


async def test_the_stream_begins_where_the_last_of_those_near_stands(rig: Rig) -> None:
    behind = {place: max(0, at - 3) for place, at in rig.stream.starts.items()}
    await rig.generation(2, behind)
    feeder = rig.feeder()
    await feeder.refresh()
    assert await feeder.begin(PLACES) == behind


async def test_a_generation_far_behind_does_not_take_the_stream_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR", 5)
    await rig.append(12, 8)
    starts = dict(rig.stream.starts)
    await rig.stream.more()
    far = {place: at for place, at in rig.stream.starts.items() if at - starts[place] > 5}
    assert far
    rig.stream.records.clear()
    await rig.generation(2, {**rig.stream.starts, **{place: starts[place] for place in far}})
    async with rig.store.session(Generation(rig.projection, 1)) as session:
        marks = {place: Watermark(at) for place, at in rig.stream.starts.items()}
        await session.write([], marks)
    feeder = rig.feeder()
    await feeder.refresh()
    assert await feeder.begin(PLACES) == rig.stream.starts
    feeder.lose()


async def test_a_batch_reaches_every_fed_generation(rig: Rig) -> None:
    await rig.generation(2, rig.stream.starts)
    async with begun(rig) as feeder:
        await rig.append(3, 2)
        await feeder.apply(await rig.stream.more())
    wanted = pure_fold(rig.projection, rig.stream.records)
    assert [await rig.rows(1), await rig.rows(2)] == [wanted, wanted]


async def test_a_new_generation_catches_up_while_the_stream_flows(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind by more than is read at once; batches go on, and in the end nobody lacks an event
    and nobody has one twice."""
    monkeypatch.setattr(module, "NEAR", 5)
    beginning = dict(rig.stream.starts)
    async with begun(rig) as feeder:
        await rig.append(40, 3)
        await feeder.apply(await rig.stream.more())
        await rig.generation(2, beginning)
        await feeder.refresh()
        for _ in range(6):
            await rig.append(6)
            for batch in pieces(await rig.stream.more(), 4):
                await feeder.apply(batch)
        await eventually(lambda: not feeder.catching_up(), 20)
        await rig.append(3)
        await feeder.apply(await rig.stream.more())
    wanted = pure_fold(rig.projection, rig.stream.records)
    assert await rig.rows(1) == wanted
    assert await rig.rows(2) == wanted


def pieces(records: Sequence[RawRecord], size: int) -> list[Sequence[RawRecord]]:
    return [records[start : start + size] for start in range(0, len(records), size)]


async def test_a_generation_that_is_dropped_meanwhile_is_no_fault(rig: Rig) -> None:
    made = await rig.generation(2, rig.stream.starts)
    async with begun(rig) as feeder:
        async with rig.mesh.pool.acquire() as connection, connection.transaction():
            await move_generations(connection, {(rig.projection.name, 2): DROPPED})
        await rig.store.drop(made)
        await rig.append(2)
        await feeder.apply(await rig.stream.more())
    assert await rig.rows(1) == pure_fold(rig.projection, rig.stream.records)


async def test_a_table_that_is_gone_though_it_should_be_there_is_a_fault(rig: Rig) -> None:
    async with begun(rig) as feeder:
        await rig.mesh.pool.execute(f'DROP TABLE reads."{rig.projection.name}__g1"')
        await rig.append(2)
        with pytest.raises(Exception, match="does not exist"):
            await feeder.apply(await rig.stream.more())


async def test_rows_made_by_another_version_of_the_fold_are_left_alone(rig: Rig) -> None:
    feeder = rig.feeder(replace(rig.projection, version=2))
    await feeder.refresh()
    await feeder.begin(PLACES)
    await rig.append(2)
    await feeder.apply(await rig.stream.more())
    assert await rig.rows(1) == {}


async def test_records_of_partitions_that_were_taken_away_are_passed_over(rig: Rig) -> None:
    async with begun(rig) as feeder:
        await rig.append(20)
        records = await rig.stream.more()
        await feeder.begin(PLACES[:2])
        await feeder.apply(records)
    kept = [each for each in records if each.partition in (0, 1)]
    assert await rig.rows(1) == pure_fold(rig.projection, kept)


async def test_without_postgres_the_generations_known_go_on(rig: Rig) -> None:
    async with begun(rig) as feeder:
        pool, feeder._pool = feeder._pool, AwayPool()
        assert not await feeder.refresh()
        feeder._pool = pool
        await rig.append(2)
        await feeder.apply(await rig.stream.more())
    assert await rig.rows(1) == pure_fold(rig.projection, rig.stream.records)


class AwayPool:
    async def fetch(self, *_: Any) -> Any:
        raise ConnectionRefusedError


async def test_an_error_in_the_background_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR", 0)

    def broken(_settings: Any) -> Any:
        raise ZeroDivisionError

    beginning = dict(rig.stream.starts)
    feeder = rig.feeder()
    await feeder.refresh()
    await feeder.begin(PLACES)
    await rig.append(3)
    await feeder.apply(await rig.stream.more())
    monkeypatch.setattr(module, "open_log", broken)
    await rig.generation(2, beginning)
    await feeder.refresh()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(feeder.failed, 5)
