"""A failing event holds up its stream and nothing else, until it is retried or given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from processors.feeding.parking import STREAMS_MIN, Failed, Parking, TooManyParkedError, list_parked
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.stores.port import Generation, Store
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from schemas.values.vehicles import PRICE_MINOR_MAX
from tests.processors.records import record, stream, titled
from tests.processors.tally import POISON, Fold, Tally, tally
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
_numbers = count(1)


class Rig:
    """One generation of the tally with a runner, which can be started anew."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.fold = Fold()
        self.store = store
        self.parking = Parking(mesh.pool)
        self.generation = Generation(tally(store.name, self.fold), next(_numbers))
        self.mesh = mesh
        self.guard = Guard()

    async def start(self) -> None:
        self.runner = Runner(self.generation, self.store, self.parking)
        await self.runner.start([PLACE])

    async def apply(self, *records: Record) -> None:
        await self.runner.apply(read_batch(records, {PLACE: self.guard}))

    async def again(self, *records: Record) -> None:
        """The same records, delivered once more."""
        await self.start()
        await self.runner.apply(read_batch(records, {PLACE: Guard(start=1)}))

    async def rows(self) -> dict[str, Any]:
        await self.store.settle(self.generation)
        async with aclosing(self.store.scan(self.generation)) as found:
            return {key: row async for key, row in found}

    async def parked(self) -> list[tuple[str, int, str]]:
        """(stream, offset, reason) in order."""
        async with self.parking.transaction() as connection:
            return [
                (each.stream_id, each.record.offset, each.reason)
                for name in sorted(await self.parking.streams(self.generation))
                for each in await self.parking.events(connection, self.generation, name)
            ]


@pytest_asyncio.fixture
async def rig(mesh: World, store: Store) -> AsyncIterator[Rig]:
    made = Rig(mesh, store)
    await store.create(made.generation)
    await made.start()
    yield made
    await mesh.pool.execute("DELETE FROM mesh.parked")
    await store.drop(made.generation)


def tallied(*titles: str) -> Tally:
    return Tally(titles, len(titles))


LOG = (
    record(0, "a", 1, "one"),
    record(1, "b", 1, "one"),
    record(2, "a", 2, POISON),
    record(3, "b", 2, "two"),
    record(4, "a", 3, "three"),
)


async def test_a_failing_event_holds_up_its_own_stream_only(rig: Rig) -> None:
    await rig.apply(*LOG)
    assert await rig.rows() == {stream("a"): tallied("one"), stream("b"): tallied("one", "two")}
    assert (await rig.store.watermarks(rig.generation))[PLACE].next_offset == 5


async def test_what_follows_waits_in_order_with_the_reason_of_the_first(rig: Rig) -> None:
    await rig.apply(*LOG)
    first, second = await rig.parked()
    assert first[:2] == (stream("a"), 2)
    assert first[2].startswith("ZeroDivisionError at tally.py:")
    assert second == (stream("a"), 4, "follows a parked event of its stream")


async def test_a_stream_stays_parked_for_the_next_worker(rig: Rig) -> None:
    await rig.apply(*LOG)
    await rig.start()
    await rig.apply(record(5, "a", 4, "four"), record(6, "b", 3, "three"))
    assert [each[1] for each in await rig.parked()] == [2, 4, 5]
    assert (await rig.rows())[stream("b")] == tallied("one", "two", "three")


async def test_parking_again_what_is_parked_changes_nothing(rig: Rig) -> None:
    await rig.apply(*LOG)
    once = await rig.parked()
    await rig.again(*LOG)
    assert await rig.parked() == once
    assert (await rig.rows())[stream("b")] == tallied("one", "two")


async def test_a_retry_after_the_mend_folds_all_in_order(rig: Rig) -> None:
    await rig.apply(*LOG)
    with rig.fold.mended():
        assert await rig.runner.retry(stream("a")) == 2
    assert (await rig.rows())[stream("a")] == tallied("one", POISON, "three")
    assert await rig.parked() == []


async def test_a_retry_before_the_mend_changes_nothing(rig: Rig) -> None:
    await rig.apply(*LOG)
    before = await rig.parked()
    assert await rig.runner.retry(stream("a")) == 0
    assert await rig.parked() == before
    assert (await rig.rows())[stream("a")] == tallied("one")


async def test_a_retry_goes_as_far_as_it_can(rig: Rig) -> None:
    log = (*LOG, record(5, "a", 4, POISON), record(6, "a", 5, "five"))
    await rig.apply(*log)
    async with rig.parking.transaction() as connection:
        first, *_ = await rig.parking.events(connection, rig.generation, stream("a"))
        await rig.parking.forget(connection, rig.generation, [first])
    assert await rig.runner.retry(stream("a")) == 1
    assert (await rig.rows())[stream("a")] == tallied("one", "three")
    assert [each[1] for each in await rig.parked()] == [5, 6]


async def test_a_retry_that_is_killed_before_it_forgets_changes_no_row_the_next_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.apply(*LOG)

    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with rig.fold.mended():
        monkeypatch.setattr(rig.parking, "forget", killed)
        with pytest.raises(KeyboardInterrupt):
            await rig.runner.retry(stream("a"))
        monkeypatch.undo()
        assert await rig.runner.retry(stream("a")) == 2
    assert (await rig.rows())[stream("a")] == tallied("one", POISON, "three")


async def test_events_that_come_after_a_retry_are_folded(rig: Rig) -> None:
    """The worker still believes that the stream is parked: another process has retried it."""
    await rig.apply(*LOG)
    with rig.fold.mended():
        await Runner(rig.generation, rig.store, rig.parking).retry(stream("a"))
    await rig.apply(record(5, "a", 4, "four"))
    assert (await rig.rows())[stream("a")] == tallied("one", POISON, "three", "four")
    assert await rig.parked() == []


# Postgres parks and moves the watermark in one transaction.
@pytest.mark.parametrize("store", ["opensearch", "clickhouse"], indirect=True)
async def test_events_that_the_watermark_has_not_passed_are_left_to_the_worker(rig: Rig) -> None:
    """Parked, and killed before the watermark moved: they are delivered again, so a retry now
    would count them twice."""
    await rig.apply(*LOG[:2])
    failed = read_batch(LOG[2:3], {PLACE: Guard(start=1)}).incoming
    await rig.parking.park(rig.generation, [Failed(failed[0], "killed")], None)
    with rig.fold.mended():
        assert await rig.runner.retry(stream("a")) == 0
    assert [each[1] for each in await rig.parked()] == [2]


async def test_a_skipped_event_is_given_up_and_what_follows_it_folded(rig: Rig) -> None:
    await rig.apply(*LOG)
    assert await rig.runner.give_up(stream("a"))
    assert await rig.runner.retry(stream("a")) == 1
    await rig.start()
    await rig.apply(record(5, "a", 4, "four"))
    assert (await rig.rows())[stream("a")] == tallied("one", "three", "four")
    assert await rig.parked() == []
    skipped = await rig.mesh.pool.fetch(
        "SELECT stream_id, position_offset FROM mesh.skipped WHERE generation = $1",
        rig.generation.number,
    )
    assert [tuple(each) for each in skipped] == [(stream("a"), 2)]


async def test_of_a_stream_that_is_not_parked_nothing_is_skipped(rig: Rig) -> None:
    await rig.apply(*LOG)
    assert not await rig.runner.give_up(stream("b"))


async def test_what_can_not_be_decoded_is_parked_byte_for_byte(rig: Rig) -> None:
    broken = record(0, "a", 1, "one", value=b"\x00\xff{")
    broken = broken._replace(headers=[*broken.headers, ("extra", b"\xfe\x00")])
    await rig.apply(broken, record(1, "b", 1, "one"))
    assert await rig.rows() == {stream("b"): tallied("one")}
    async with rig.parking.transaction() as connection:
        [parked] = await rig.parking.events(connection, rig.generation, stream("a"))
    assert parked.record == broken
    assert "unreadable record" in parked.reason


async def test_a_row_that_the_store_never_takes_parks_its_stream(rig: Rig) -> None:
    too_much = titled("a", 2, "two", price_minor=PRICE_MINOR_MAX)
    await rig.apply(
        record(0, "a", 1, "one"),
        record(1, "b", 1, "one"),
        record(2, "a", 2, too_much),
        record(3, "b", 2, "two"),
    )
    assert [each[:2] for each in await rig.parked()][-1] == (stream("a"), 2)
    assert (await rig.rows())[stream("b")] == tallied("one", "two")
    assert (await rig.store.watermarks(rig.generation))[PLACE].next_offset == 4


async def test_too_many_parked_streams_stop_the_projection(rig: Rig) -> None:
    def failing(places: Sequence[int]) -> list[Record]:
        return [record(place, f"s{place}", 1, POISON) for place in places]

    await rig.apply(*failing(range(STREAMS_MIN)))
    assert len(await rig.parked()) == STREAMS_MIN
    with pytest.raises(TooManyParkedError):
        await rig.apply(*failing(range(STREAMS_MIN, STREAMS_MIN + 1)))
    assert (await rig.store.watermarks(rig.generation))[PLACE].next_offset == STREAMS_MIN


async def test_parked_streams_are_listed_with_what_they_wait_for(rig: Rig) -> None:
    await rig.apply(*LOG)
    [listed] = await list_parked(rig.mesh.pool, ["tally"])
    assert (listed.stream_id, listed.events, listed.position_offset) == (stream("a"), 2, 2)
    assert listed.reason.startswith("ZeroDivisionError")
