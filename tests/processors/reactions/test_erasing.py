"""What is deleted is taken away at once, though something before it waits to be mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import pytest
import pytest_asyncio

from processors.feeding.parking import Parking
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.stores.port import Generation, Store
from projections import PROJECTIONS
from projections.projection import Projection
from schemas.listings import ListingCreated, ListingDeleted, ListingUpdated
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record, decode_event
from schemas.registry import kind_of
from schemas.topics import EVENT_TYPES
from schemas.values.vehicles import PRICE_MINOR_MAX
from tests.processors.histories import interleaved, streams
from tests.processors.pure import pure_fold
from tests.processors.records import NOW, listing_id, record, stream, titled
from tests.processors.tally import POISON, Fold, Tally, tally
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
_numbers = count(1)
TOO_MUCH = titled("a", 2, "two", price_minor=PRICE_MINOR_MAX)
DELETED = ListingDeleted(listing_id=listing_id("a"), deleted_at=NOW)
FAILURES: dict[str, Record] = {
    "a fold that fails": record(1, "a", 2, POISON),
    "a row that the store refuses": record(1, "a", 2, TOO_MUCH),
    "what can't be read": record(1, "a", 2, "two", value=b"{"),
}


class EmptyingFold(Fold):
    """Of what is deleted an empty row stays, as of most things."""

    def __call__(self, row: Tally | None, recorded: Any) -> Tally:
        if isinstance(recorded.event, ListingDeleted):
            return Tally((), 0)
        return super().__call__(row, recorded)


class Rig:
    """Generations of one store, fed in batches of the test's choice."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.store, self.fold, self.parking = store, EmptyingFold(), Parking(mesh.pool)
        self.projection: Projection[Any] = replace(
            tally(store.name, self.fold),
            name="erased",
            hears=(ListingCreated, ListingUpdated, ListingDeleted),
            erased_by=(ListingDeleted,),
        )

    async def fed(self, log: Sequence[Record], at: Sequence[int]) -> Runner:
        generation = Generation(self.projection, next(_numbers))
        await self.store.create(generation)
        runner, guard = Runner(generation, self.store, self.parking), Guard()
        await runner.start([PLACE])
        for begin, end in pairwise((0, *at, len(log))):
            await runner.apply(read_batch(log[begin:end], {PLACE: guard}))
        return runner

    async def rows(self, runner: Runner) -> dict[str, Any]:
        await self.store.settle(runner.generation)
        async with aclosing(self.store.scan(runner.generation)) as found:
            return {key: row async for key, row in found}


@pytest_asyncio.fixture
async def rig(mesh: World, store: Store) -> AsyncIterator[Rig]:
    yield Rig(mesh, store)
    await mesh.pool.execute("DELETE FROM mesh.parked")


@pytest.mark.parametrize("what", FAILURES)
@pytest.mark.parametrize("at", [(), (1,), (2,), (1, 2), (1, 2, 3)])
async def test_a_row_is_emptied_by_the_deletion_that_waits_wherever_the_log_is_cut(
    rig: Rig, what: str, at: Sequence[int]
) -> None:
    log = [
        record(0, "a", 1, "one"),
        FAILURES[what],
        record(2, "a", 3, "three"),
        record(3, "a", 4, DELETED),
    ]
    runner = await rig.fed(log, at)
    assert await rig.rows(runner) == {stream("a"): Tally((), 0)}
    assert stream("a") in await rig.parking.streams(runner.generation)


@pytest.mark.parametrize("at", [(), (1, 2, 3)])
async def test_it_comes_to_what_the_log_says_when_it_is_mended(rig: Rig, at: Sequence[int]) -> None:
    log = [
        record(0, "a", 1, "one"),
        FAILURES["a fold that fails"],
        record(2, "a", 3, DELETED),
        record(3, "a", 4, "four"),
    ]
    runner = await rig.fed(log, at)
    with rig.fold.mended():
        assert await runner.retry(stream("a")) == 3
        assert await rig.rows(runner) == pure_fold(rig.projection, log)


async def test_a_deletion_that_fails_itself_waits_like_anything_else(rig: Rig) -> None:
    log = [record(0, "a", 1, "one"), record(1, "a", 2, DELETED, value=b"{")]
    runner = await rig.fed(log, ())
    assert await rig.rows(runner) == {stream("a"): Tally(("one",), 1)}
    assert stream("a") in await rig.parking.streams(runner.generation)


DELETIONS = frozenset(kind for kind in EVENT_TYPES if kind.endswith("deleted"))
# Figures of what is gone, which tell nothing of anybody; how many keep a set of filters.
KEPT = frozenset({"price_history", "asking_days", "filter_sets"})


def test_every_read_model_that_hears_of_deletions_is_emptied_by_them() -> None:
    """Or is known to say nothing that would have to go."""
    heard = {
        each.name
        for each in PROJECTIONS
        if not each.insert_only and DELETIONS & {kind_of(heard) for heard in each.hears}
    }
    assert heard == {each.name for each in PROJECTIONS if each.erased_by} | KEPT


@pytest.mark.parametrize(
    "projection", [each for each in PROJECTIONS if each.erased_by], ids=lambda each: each.name
)
def test_to_be_deleted_early_and_again_in_turn_comes_to_the_same(
    projection: Projection[Any],
) -> None:
    """So a row that was emptied while its events waited is what the log says, once they are folded."""
    kinds, tried = {kind_of(each) for each in projection.hears}, 0
    for seed in range(30):
        for records in streams(seed, 2, length_max=24):
            heard = [
                each
                for each in interleaved([records], seed)
                if dict(each.headers)["ce_type"].decode() in kinds
            ]
            events = [decode_event(each, EVENT_TYPES) for each in heard]
            for waits in range(1, len(events)):
                row = folded(projection, events[:waits])
                early = [each for each in events[waits:] if row and each.kind in projection.erasing]
                tried += len(early)
                emptied = folded(projection, early, row)
                assert folded(projection, events[waits:], emptied) == folded(projection, events)
    assert tried


def folded(projection: Projection[Any], events: Sequence[Any], row: Any = None) -> Any:
    for each in events:
        row = projection.fold(row, each)
    return row
