"""What the runner does beside folding: waiting, retrying and passing over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

import processors.feeding.parking
from infra.metrics import EVENTS_IGNORED, STORE_WAITS
from processors.feeding.parking import Parking
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import CONFLICTS_MAX, Runner, StoreWentBackError
from processors.stores.port import (
    Change,
    ConflictError,
    Generation,
    RowsRefusedError,
    Store,
    StoreUnavailableError,
)
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from tests.processors.records import published, record, stream
from tests.processors.tally import POISON, Fold, Tally, tally
from tests.waiting import eventually
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
OTHER = TopicPartition("events.identity", 0)
_numbers = count(1)


class FailingStore:
    """A real store whose rounds fail as long as `fails` says so."""

    def __init__(self, store: Store, fails: Callable[[], Exception | None]) -> None:
        self._store = store
        self._fails = fails
        self.name = store.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def session(self, generation: Generation) -> AsyncIterator[Any]:
        async with self._store.session(generation) as session:
            yield session
            if (error := self._fails()) is not None:
                raise error


class Rig:
    def __init__(self, mesh: World, store: Store) -> None:
        self.fold = Fold()
        self.generation = Generation(tally("postgres", self.fold), next(_numbers))
        self.store = store
        self.parking = Parking(mesh.pool)
        self.guard = Guard()
        self.failures: list[Exception] = []
        self.runner = Runner(
            self.generation,
            FailingStore(store, lambda: self.failures.pop() if self.failures else None),
            self.parking,
        )

    async def apply(self, *records: Record) -> None:
        places = {TopicPartition(each.topic, each.partition) for each in records}
        await self.runner.apply(read_batch(records, dict.fromkeys(places, self.guard)))

    async def rows(self) -> dict[str, Any]:
        async with aclosing(self.store.scan(self.generation)) as found:
            return {key: row async for key, row in found}

    async def next_offset(self) -> int:
        return (await self.store.watermarks(self.generation))[PLACE].next_offset


@pytest_asyncio.fixture
async def rig(mesh: World, all_stores: Any) -> Rig:
    made = Rig(mesh, all_stores["postgres"])
    await made.store.create(made.generation)
    return made


def ignored(reason: str) -> float:
    return EVENTS_IGNORED.labels("tally", reason)._value.get()


async def test_a_store_that_is_away_is_waited_for_and_each_event_counts_once(rig: Rig) -> None:
    waits = STORE_WAITS.labels("postgres")._value.get()
    rig.failures += [StoreUnavailableError("gone")] * 3
    await rig.apply(record(0, "a", 1, "one"))
    assert await rig.rows() == {stream("a"): Tally(("one",), 1)}
    assert STORE_WAITS.labels("postgres")._value.get() == waits + 3


async def test_a_runner_says_that_it_waits(rig: Rig) -> None:
    down = [True]
    rig.runner = Runner(
        rig.generation,
        FailingStore(rig.store, lambda: StoreUnavailableError("gone") if down else None),
        rig.parking,
    )
    task = asyncio.create_task(rig.apply(record(0, "a", 1, "one")))
    await eventually(lambda: rig.runner.waiting_since is not None)
    down.clear()
    await task
    assert rig.runner.waiting_since is None


async def test_a_runner_whose_patience_ends_leaves_with_what_the_store_says(rig: Rig) -> None:
    gone = StoreUnavailableError("gone")
    store = FailingStore(rig.store, lambda: gone)
    rig.runner = Runner(rig.generation, store, rig.parking, patience_s=0.2)
    with pytest.raises(StoreUnavailableError, match="gone"):
        await rig.apply(record(0, "a", 1, "one"))
    assert await rig.rows() == {}


async def test_after_a_conflict_rows_are_loaded_and_folded_again(rig: Rig) -> None:
    rig.failures += [ConflictError()] * 2
    await rig.apply(record(0, "a", 1, "one"))
    assert rig.fold.calls == 3
    assert await rig.rows() == {stream("a"): Tally(("one",), 1)}


@pytest.mark.parametrize("conflict", [False, True], ids=["at the write", "at a look"])
async def test_a_store_that_went_back_is_an_error_and_nothing_is_passed_over(
    rig: Rig, mesh: World, conflict
) -> None:
    """As after a crash that has cost a store what it had said was committed."""
    first, second, third = (record(at, "a", at + 1, f"no {at}") for at in range(3))
    await rig.apply(first)
    await rig.apply(second)
    await put_back(rig, mesh, 1, Tally(("no 0",), 1))
    if conflict:
        rig.runner.forget([PLACE])
    with pytest.raises(StoreWentBackError, match="went back"):
        await rig.apply(third)
    assert (await rig.rows(), await rig.next_offset()) == ({stream("a"): Tally(("no 0",), 1)}, 1)
    rig.runner = Runner(rig.generation, rig.store, rig.parking)
    assert (await rig.runner.start([PLACE]))[PLACE].next_offset == 1
    rig.guard = Guard()
    await rig.apply(first, second, third)
    assert await rig.rows() == {stream("a"): Tally(("no 0", "no 1", "no 2"), 3)}


async def test_a_store_that_went_back_before_a_runner_begins_is_where_it_begins(
    rig: Rig, mesh: World
) -> None:
    first, second = (record(at, "a", at + 1, f"no {at}") for at in range(2))
    await rig.apply(first, second)
    await put_back(rig, mesh, 0, None)
    assert (await rig.runner.start([PLACE]))[PLACE].next_offset == 0
    rig.guard = Guard()
    await rig.apply(first, second)
    assert await rig.rows() == {stream("a"): Tally(("no 0", "no 1"), 2)}


async def put_back(rig: Rig, mesh: World, next_offset: int, row: Tally | None) -> None:
    """Let the generation be as it was when it had read so far."""
    await mesh.pool.execute(
        "UPDATE mesh.watermarks SET next_offset = $3 WHERE projection = $1 AND generation = $2",
        rig.generation.projection.name,
        rig.generation.number,
        next_offset,
    )
    async with rig.store.session(rig.generation) as session:
        loaded = (await session.load([stream("a")]))[stream("a")]
        change = Change(stream("a"), replace(loaded, row=row, version=loaded.version + 1))
        await session.write([change], {})


async def test_conflicts_without_end_are_an_error(rig: Rig) -> None:
    rig.failures += [ConflictError()] * CONFLICTS_MAX
    with pytest.raises(ConflictError):
        await rig.apply(record(0, "a", 1, "one"))


async def test_rows_refused_one_after_another_all_park_and_the_rest_is_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than a batch may have conflicts."""
    many = CONFLICTS_MAX + 5
    monkeypatch.setattr(processors.feeding.parking, "STREAMS_MIN", many)
    rig.failures += [RowsRefusedError({stream(f"s{each}"): "no"}) for each in range(many)]
    await rig.apply(*(record(each, f"s{each}", 1, "one") for each in range(many + 1)))
    assert await rig.rows() == {stream(f"s{many}"): Tally(("one",), 1)}
    assert len(await rig.parking.streams(rig.generation)) == many
    assert await rig.next_offset() == many + 1


class NeverInTransaction:
    """A session that never gets the transaction that parking needs."""

    transaction = None

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


async def test_a_batch_begun_anew_without_end_is_an_error_and_not_lost(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = rig.store.session

    @asynccontextmanager
    async def never_in_transaction(generation: Generation) -> AsyncIterator[Any]:
        async with session(generation) as opened:
            yield NeverInTransaction(opened)

    monkeypatch.setattr(rig.store, "session", never_in_transaction)
    with pytest.raises(ConflictError):
        await rig.apply(record(0, "a", 1, POISON), record(1, "b", 1, "one"))
    monkeypatch.undo()
    rig.guard = Guard(start=1)
    assert PLACE not in await rig.store.watermarks(rig.generation)
    await rig.apply(record(1, "b", 1, "one"))
    assert await rig.rows() == {stream("b"): Tally(("one",), 1)}


async def test_a_row_refused_twice_although_left_out_is_an_error(rig: Rig) -> None:
    rig.failures += [RowsRefusedError({"nobodys": "no"})] * 2
    with pytest.raises(RuntimeError, match="although it was left out"):
        await rig.apply(record(0, "a", 1, "one"))


async def test_a_batch_refused_as_a_whole_is_applied_in_smaller_ones(rig: Rig) -> None:
    rig.failures += [RowsRefusedError({})] * 2
    log = [record(place, "a", place + 1, "one") for place in range(5)]
    await rig.apply(*log)
    assert (await rig.rows())[stream("a")].count == 5
    assert await rig.next_offset() == 5


async def test_other_kinds_are_passed_over_without_being_decoded(rig: Rig) -> None:
    await rig.apply(record(0, "a", 1, published("a"), value=b"no JSON"))
    assert await rig.rows() == {}
    assert await rig.next_offset() == 1


async def test_other_topics_are_passed_over(rig: Rig) -> None:
    foreign = record(7, "a", 1, "one")._replace(topic=OTHER.topic)
    await rig.apply(foreign, record(0, "b", 1, "one"))
    assert set(await rig.rows()) == {stream("b")}
    assert set(await rig.store.watermarks(rig.generation)) == {PLACE}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (record(1, "a", 1, "two"), "repeated"),
        (record(1, "a", 3, "two"), "version_gap"),
        (record(1, "b", 1, "two", epoch=0), "stale_epoch"),
    ],
)
async def test_what_breaks_the_logs_rules_is_counted_and_changes_nothing(
    rig: Rig, second: Record, reason: str
) -> None:
    before = ignored(reason)
    await rig.apply(record(0, "a", 1, "one"), second)
    assert await rig.rows() == {stream("a"): Tally(("one",), 1)}
    assert ignored(reason) == before + 1
    assert await rig.next_offset() == 2


async def test_what_comes_again_is_not_counted_as_ignored(rig: Rig) -> None:
    before = ignored("repeated")
    for _ in range(2):
        await rig.apply(record(0, "a", 1, "one"))
    assert ignored("repeated") == before
