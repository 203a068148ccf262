"""What is parked is not shown, in every store, until it is mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import pytest
import pytest_asyncio

from processors.feeding.generations import ensure_generations, list_generations
from processors.feeding.parking import Parking
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.feeding.showing import renew_views, show
from processors.stores.port import Connection, Store
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from schemas.values.vehicles import PRICE_MINOR_MAX
from tests.processors.records import record, stream, titled
from tests.processors.stores.public import public_keys
from tests.processors.tally import POISON, Fold, tally
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
_numbers = count(1)
TOO_MUCH = titled("a", 2, "two", price_minor=PRICE_MINOR_MAX)


class Rig:
    """A projection with a live generation that readers see under its own name."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.fold, self.store, self.mesh = Fold(), store, mesh
        self.projection = tally(store.name, self.fold, f"shown{next(_numbers)}")
        self.parking, self.guard = Parking(mesh.pool), Guard()

    async def start(self) -> None:
        await ensure_generations(self.mesh.settings, [self.projection])
        (live,) = await list_generations(self.mesh.pool, projections=[self.projection.name])
        self.generation = live.of(self.projection)
        self.runner = Runner(self.generation, self.store, self.parking)
        await self.runner.start([PLACE])

    async def apply(self, *records: Record) -> None:
        await self.runner.apply(read_batch(records, {PLACE: self.guard}))

    async def seen(self) -> set[str]:
        """The streams of the rows that the public name shows."""
        await self.store.settle(self.generation)
        return await public_keys(self.mesh, self.store.name, self.projection.name)


@pytest_asyncio.fixture
async def rig(mesh: World, store: Store) -> AsyncIterator[Rig]:
    made = Rig(mesh, store)
    await made.start()
    await made.apply(record(0, "a", 1, "one"), record(1, "b", 1, "one"))
    yield made
    await mesh.pool.execute("DELETE FROM mesh.parked")
    await store.drop(made.generation)


A, B = stream("a"), stream("b")
FAILURES = {
    "a fold that fails": record(2, "a", 2, POISON),
    "a row that the store refuses": record(2, "a", 2, TOO_MUCH),
    "what can't be read": record(2, "a", 2, "two", value=b"\x00{"),
}


@pytest.mark.parametrize("what", FAILURES)
async def test_a_row_that_a_parked_event_may_hide_is_not_shown(rig: Rig, what: str) -> None:
    assert await rig.seen() == {A, B}
    await rig.apply(FAILURES[what])
    assert await rig.seen() == {B}


async def test_it_is_shown_again_once_the_events_are_folded(rig: Rig) -> None:
    await rig.apply(FAILURES["a fold that fails"], record(3, "a", 3, "three"))
    with rig.fold.mended():
        assert await rig.runner.retry(A) == 2
    assert await rig.seen() == {A, B}


class Watched(Parking):
    """Looks after each of its transactions whether the row of stream a is withheld, and shown."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.mesh.pool)
        self.rig = rig
        self.found: list[tuple[bool, bool]] = []

    @asynccontextmanager
    async def transaction(self, own: Connection | None = None) -> AsyncIterator[Connection]:
        async with super().transaction(own) as connection:
            yield connection
        if own is None:
            waits = A in await self.rig.parking.streams(self.rig.generation)
            self.found.append((waits, A in await self.rig.seen()))


@pytest.mark.parametrize("mend", [Runner.retry, Runner.give_up], ids=["retry", "skip"])
async def test_what_waits_no_more_is_shown_at_that_moment(
    rig: Rig, mend: Callable[[Runner, str], Awaitable[int | bool]]
) -> None:
    """Else a read with the event's token, which is answered then, would not find the row."""
    await rig.apply(FAILURES["a fold that fails"])
    watched = Watched(rig)
    with rig.fold.mended():
        assert await mend(Runner(rig.generation, rig.store, watched), A)
    assert (False, False) not in watched.found
    assert await rig.seen() == {A, B}


async def test_a_retry_that_comes_halfway_leaves_the_row_hidden(rig: Rig) -> None:
    await rig.apply(FAILURES["a fold that fails"], record(3, "a", 3, POISON))
    await rig.runner.give_up(A)
    assert await rig.runner.retry(A) == 0
    assert await rig.seen() == {B}


async def test_it_is_shown_again_once_what_failed_is_skipped(rig: Rig) -> None:
    await rig.apply(FAILURES["a row that the store refuses"])
    await rig.runner.give_up(A)
    assert await rig.seen() == {A, B}


async def test_what_another_worker_has_parked_stays_hidden_when_this_one_parks(rig: Rig) -> None:
    other = Runner(rig.generation, rig.store, rig.parking)
    await other.start([PLACE])
    await other.apply(read_batch([record(2, "a", 2, POISON)], {PLACE: Guard(start=1)}))
    await rig.runner.start([PLACE])
    await rig.apply(record(3, "b", 2, POISON))
    assert await rig.seen() == set()


async def test_parked_in_a_generation_that_is_not_live_hides_nothing(rig: Rig) -> None:
    await rig.mesh.pool.execute(
        "UPDATE mesh.generations SET status = 'ready' WHERE projection = $1", rig.projection.name
    )
    await rig.apply(record(2, "a", 2, POISON))
    if rig.store.name != "postgres":  # there the view is of one generation, whatever its status
        assert await rig.seen() == {A, B}


async def test_showing_again_repairs_what_was_left_half_done(rig: Rig) -> None:
    """Killed after the events were parked and before the store was told."""
    await rig.apply(record(2, "a", 2, POISON))
    await rig.store.publish([rig.generation])
    await show(rig.parking, rig.store, [rig.projection])
    assert await rig.seen() == {B}


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
async def test_views_of_an_older_installation_learn_to_leave_rows_out(rig: Rig) -> None:
    name = rig.projection.name
    await rig.mesh.pool.execute(
        f'CREATE OR REPLACE VIEW reads."{name}" AS SELECT key, titles, count'
        f' FROM reads."{rig.generation.name}"'
    )
    await rig.apply(record(2, "a", 2, POISON))
    assert await rig.seen() == {A, B}
    await renew_views(rig.mesh.settings, [rig.projection])
    assert await rig.seen() == {B}
