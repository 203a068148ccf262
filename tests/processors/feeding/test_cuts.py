"""What a generation comes to does not depend on where the log was cut into batches, whatever
fails in it: a fold, or a store that refuses a row which the next event would have mended.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import pytest
import pytest_asyncio

import processors.stores.postgres_session
from processors.feeding.parking import Failed, Parking
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.stores.certain import certainty_of
from processors.stores.port import Generation, Store
from projections import PROJECTIONS
from projections.projection import Projection
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from schemas.values.vehicles import PRICE_MINOR_MAX
from tests.processors.histories import interleaved, streams
from tests.processors.pure import pure_fold
from tests.processors.records import record, stream, titled
from tests.processors.tally import POISON, Tally, tally
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
_numbers = count(1)


def last_told(row: Tally | None, recorded: Any) -> Tally:
    """Every title so far, and a number that no store's column holds after a price too high. Any
    other price mends it.
    """
    title = recorded.event.fields.title or ""
    if title == POISON:
        raise ZeroDivisionError
    told = row or Tally((), 0)
    far = (recorded.event.fields.price_minor or 0) == PRICE_MINOR_MAX
    return replace(told, titles=(*told.titles, title), count=2**63 if far else len(told.titles))


def refused(offset: int, name: str, version: int) -> Record:
    """An event that makes a row which the store never takes."""
    return record(
        offset, name, version, titled(name, version, "refused", price_minor=PRICE_MINOR_MAX)
    )


# In each of them something fails in stream a, and b goes on; where is that a stands still?
HISTORIES = {
    "a fold fails": (
        [
            record(0, "a", 1, "car 1"),
            record(1, "b", 1, "car 1"),
            record(2, "a", 2, POISON),
            record(3, "a", 3, "car 3"),
            record(4, "b", 2, "car 2"),
            record(5, "a", 4, "car 4"),
        ],
        2,
    ),
    "a row is refused": (
        [
            record(0, "a", 1, "car 1"),
            record(1, "a", 2, "car 2"),
            record(2, "b", 1, "car 1"),
            refused(3, "a", 3),
            refused(4, "a", 4),
            record(5, "b", 2, "car 2"),
        ],
        3,
    ),
    "a row is refused and the next event would mend it": (
        [
            record(0, "a", 1, "car 1"),
            record(1, "b", 1, "car 1"),
            refused(2, "a", 2),
            record(3, "a", 3, "car 3"),
            record(4, "b", 2, "car 2"),
            record(5, "a", 4, "car 4"),
        ],
        2,
    ),
    "an event can't be read": (
        [
            record(0, "a", 1, "car 1"),
            record(1, "b", 1, "car 1"),
            record(2, "a", 2, "car 2"),
            record(3, "a", 3, "car 3", value=b"{"),
            record(4, "b", 2, "car 2"),
            record(5, "a", 4, "car 4"),
        ],
        3,
    ),
    "a fold fails before an event that can't be read": (
        [
            record(0, "a", 1, "car 1"),
            record(1, "b", 1, "car 1"),
            record(2, "a", 2, POISON),
            record(3, "a", 3, "car 3", value=b"{"),
            record(4, "b", 2, "car 2"),
            record(5, "a", 4, "car 4"),
        ],
        2,
    ),
    "the first row of a stream is refused": (
        [
            refused(0, "a", 1),
            record(1, "a", 2, "car 2"),
            record(2, "b", 1, "car 1"),
            record(3, "a", 3, "car 3"),
            record(4, "b", 2, "car 2"),
            record(5, "b", 3, "car 3"),
        ],
        0,
    ),
}


def cuts(length: int) -> list[tuple[int, ...]]:
    """Whole, at every single place, everywhere, and some ways in between."""
    chance = random.Random(1)
    places = range(1, length)
    some = [tuple(sorted(chance.sample(places, 2))) for _ in range(4)]
    return [(), *((each,) for each in places), *some, tuple(places)]


class Rig:
    """Generations of one store, each fed with the same history in batches of its own."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.store = store
        self.parking = Parking(mesh.pool)
        self.projection = replace(tally(store.name, last_told), name="cuts")  # type: ignore[arg-type]

    async def fed(
        self, log: Sequence[Record], at: Sequence[int], already: Sequence[Failed] = ()
    ) -> tuple[Any, Any]:
        """Rows, and (stream, offset) of what is parked, after these records cut at `at`."""
        generation = Generation(self.projection, next(_numbers))
        await self.store.create(generation)
        await self.parking.park(generation, already, None)
        runner, guard = Runner(generation, self.store, self.parking), Guard()
        await runner.start([PLACE])
        for begin, end in pairwise((0, *at, len(log))):
            await runner.apply(read_batch(log[begin:end], {PLACE: guard}))
        assert (await self.store.watermarks(generation))[PLACE].next_offset == len(log)
        return await self._rows(generation), await self._parked(generation)

    async def _rows(self, generation: Generation) -> dict[str, Any]:
        await self.store.settle(generation)
        async with aclosing(self.store.scan(generation)) as found:
            return {key: row async for key, row in found}

    async def _parked(self, generation: Generation) -> list[tuple[str, int]]:
        async with self.parking.transaction() as connection:
            return [
                (name, each.record.offset)
                for name in sorted(await self.parking.streams(generation))
                for each in await self.parking.events(connection, generation, name)
            ]


@pytest_asyncio.fixture
async def rig(mesh: World, store: Store) -> AsyncIterator[Rig]:
    yield Rig(mesh, store)
    await mesh.pool.execute("DELETE FROM mesh.parked")


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_stream_stops_before_what_fails_wherever_the_log_is_cut(
    rig: Rig, name: str
) -> None:
    log, stops_at = HISTORIES[name]
    folded = [each for each in log if each.key == stream("b").encode() or each.offset < stops_at]
    waiting = [(stream("a"), each.offset) for each in log if each not in folded]
    for at in cuts(len(log)):
        assert await rig.fed(log, at) == (pure_fold(rig.projection, folded), waiting), at


# In Postgres events are parked and rows written in one transaction.
@pytest.mark.parametrize("store", ["opensearch", "clickhouse"], indirect=True)
async def test_what_comes_before_a_parked_event_is_folded_after_a_crash(rig: Rig) -> None:
    """Parked, and killed before anything was written: all of it is delivered again."""
    log, _ = HISTORIES["a fold fails"]
    parked = [Failed(each, "killed") for each in read_batch(log, {PLACE: Guard()}).incoming[2:3]]
    assert await rig.fed(log, (), already=parked) == await rig.fed(log, ())


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", HISTORIES)
async def test_the_same_holds_where_rows_are_copied_in_bulk(
    rig: Rig, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors.stores.postgres_session, "COPY_ROWS_MIN", 1)
    log, _ = HISTORIES[name]
    whole = await rig.fed(log, ())
    monkeypatch.undo()
    assert whole == await rig.fed(log, range(1, len(log)))


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda each: each.name)
def test_ordinary_rows_are_certain_so_batches_are_not_cut(projection: Projection[Any]) -> None:
    certain = certainty_of(projection)
    rows = pure_fold(projection, interleaved(streams(seed=5, count=20), seed=6))
    assert [row for row in rows.values() if not certain(row)] == []


@pytest.mark.parametrize(
    "row",
    [
        Tally(("nul\0",), 1),
        Tally(("half a pair \ud800",), 1),
        Tally(("long " * 200,), 1),
        Tally((), 2**63),
        Tally((), None),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("kind", ["postgres", "opensearch"])
def test_what_a_store_may_refuse_is_not_certain(kind: str, row: Tally) -> None:
    certain = certainty_of(tally(kind, last_told))  # type: ignore[arg-type]
    assert certain(Tally(("plain",), 1))
    assert certain(row) is (kind == "opensearch" and row.count is None)
