"""The contract of processors.stores.port, held by every store on its real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from infra.settings import Settings
from processors.stores.opening import open_store
from processors.stores.port import (
    RETRIED,
    Change,
    ConflictError,
    Generation,
    Held,
    RowsRefusedError,
    Store,
    StoreUnavailableError,
    Watermark,
    Watermarks,
)
from processors.stores.rows import row_hash
from schemas.log.positions import TopicPartition
from tests.processors.stores.public import public_keys
from tests.processors.stores.subjects import Row, generation, row
from tests.worlds import World, world

STORES = ("postgres", "opensearch", "clickhouse")
P0, P1 = TopicPartition("events.listings", 0), TopicPartition("events.listings", 1)
BOTH = {P0: 5, TopicPartition(f"{RETRIED}listing/x|y", 0): 9}
_numbers = count(1)


@pytest_asyncio.fixture(scope="module")
async def mesh(stack: Settings) -> AsyncIterator[World]:
    async with world(stack) as made:
        yield made


@pytest_asyncio.fixture(scope="module", params=STORES)
async def store(request: pytest.FixtureRequest, mesh: World) -> AsyncIterator[Store]:
    opened = await open_store(mesh.settings, request.param)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def made(store: Store) -> Generation:
    """An empty generation of its own."""
    fresh = generation(store.name, next(_numbers))
    await store.create(fresh)
    return fresh


async def write(
    store: Store, made: Generation, rows: Mapping[str, Row | None], next_offset: int
) -> None:
    """One round as the runner makes it: lock, load, write."""
    async with store.session(made) as session:
        await session.watermarks([P0])
        held = await session.load(list(rows))
        changes = [
            Change(
                key,
                Held(
                    value,
                    held[key].version + 1 if key in held else 1,
                    {P0: next_offset - 1},
                ),
            )
            for key, value in rows.items()
        ]
        await session.write(changes, {P0: Watermark(next_offset, 7.5, 3)})


async def load(store: Store, made: Generation, *keys: str) -> Mapping[str, Any]:
    async with store.session(made) as session:
        held = await session.load(keys)
    return {key: each.row for key, each in held.items() if each.row is not None}


async def scanned(store: Store, made: Generation) -> dict[str, Any]:
    await store.settle(made)
    async with aclosing(store.scan(made)) as rows:
        return {key: value async for key, value in rows}


async def test_a_row_comes_back_as_it_was_written(store: Store, made: Generation) -> None:
    await write(store, made, {"a": row()}, 10)
    assert await load(store, made, "a", "b") == {"a": row()}


async def test_a_row_of_empty_values_comes_back_as_it_was_written(
    store: Store, made: Generation
) -> None:
    bare = row("", 0, share=None, tags=(), detail={}, seen_at=None)
    await write(store, made, {"a": bare}, 10)
    assert await load(store, made, "a") == {"a": bare}


async def test_equal_rows_have_equal_hashes_after_storing(store: Store, made: Generation) -> None:
    written = row(total=2**53 + 1, share=5.0, detail={"a": [1.0, {"z": 1, "b": 2}]})
    await write(store, made, {"a": written}, 10)
    [(key, read)] = (await scanned(store, made)).items()
    assert row_hash(key, read) == row_hash("a", written)


async def test_creating_what_is_there_keeps_its_rows(store: Store, made: Generation) -> None:
    await write(store, made, {"a": row()}, 10)
    await store.create(made)
    assert await scanned(store, made) == {"a": row()}


async def test_an_existing_row_is_replaced(store: Store, made: Generation) -> None:
    await write(store, made, {"a": row(), "b": row()}, 10)
    await write(store, made, {"a": row("Fiat")}, 11)
    assert await scanned(store, made) == {"a": row("Fiat"), "b": row()}


async def test_a_row_taken_away_is_gone_and_can_come_back(store: Store, made: Generation) -> None:
    await write(store, made, {"a": row(), "b": row()}, 10)
    await write(store, made, {"a": None}, 11)
    assert await scanned(store, made) == {"b": row()}
    await write(store, made, {"a": row("Fiat")}, 12)
    assert await scanned(store, made) == {"a": row("Fiat"), "b": row()}


async def test_a_watermark_is_what_was_written(store: Store, made: Generation) -> None:
    await write(store, made, {}, 10)
    assert dict(await store.watermarks(made)) == {P0: Watermark(10, 7.5, 3)}


async def test_a_watermark_never_goes_back(store: Store, made: Generation) -> None:
    await write(store, made, {}, 10)
    await write(store, made, {}, 9)
    assert (await store.watermarks(made))[P0].next_offset == 10


async def test_partitions_have_watermarks_of_their_own(store: Store, made: Generation) -> None:
    async with store.session(made) as session:
        await session.write([], {P0: Watermark(3), P1: Watermark(5)})
    async with store.session(made) as session:
        marks = await session.watermarks([P1])
    assert {place: mark.next_offset for place, mark in marks.items()} == {P1: 5}


async def test_a_partition_never_read_has_watermark_zero_or_none(
    store: Store, made: Generation
) -> None:
    async with store.session(made) as session:
        marks = await session.watermarks([P0])
    assert marks.get(P0, Watermark(0)) == Watermark(0)


async def test_generations_have_rows_and_watermarks_of_their_own(
    store: Store, made: Generation
) -> None:
    other = generation(store.name, next(_numbers))
    await store.create(other)
    await write(store, made, {"a": row()}, 10)
    assert await scanned(store, other) == {}
    assert not {mark for mark in (await store.watermarks(other)).values() if mark.next_offset}


async def test_many_rows_in_one_batch_all_arrive(store: Store, made: Generation) -> None:
    first = {f"k{each:05}": row(f"car {each}", each) for each in range(6_000)}
    await write(store, made, first, 6_000)
    second = {
        key: None if each.total % 3 == 0 else replace(each, title="again")
        for key, each in first.items()
    } | {f"new{each}": row() for each in range(10)}
    await write(store, made, second, 12_000)
    assert await scanned(store, made) == {key: each for key, each in second.items() if each}


async def test_a_batch_that_was_written_but_not_marked_gives_the_same_rows_when_redelivered(
    store: Store, made: Generation
) -> None:
    await write(store, made, {"a": row("Alfa", 1)}, 10)
    with pytest.raises(KilledError):
        await crash_between_rows_and_watermark(store, made, {"a": row("Alfa", 2), "b": row()}, 12)
    async with store.session(made) as session:
        held = await session.load(["a", "b"])
        fresh = [
            Change(key, Held(value, held[key].version + 1 if key in held else 1, {P0: 11}))
            for key, value in {"a": row("Alfa", 2), "b": row()}.items()
            if key not in held or held[key].applied.get(P0, -1) < 11
        ]
        await session.write(fresh, {P0: Watermark(12)})
    assert await scanned(store, made) == {"a": row("Alfa", 2), "b": row()}
    assert (await store.watermarks(made))[P0].next_offset == 12


class KilledError(Exception):
    pass


async def crash_between_rows_and_watermark(
    store: Store, made: Generation, rows: Mapping[str, Row], next_offset: int
) -> None:
    """Where both are one transaction, neither is there after a crash; elsewhere rows are."""
    async with store.session(made) as session:
        held = await session.load(list(rows))
        await session.write(
            [
                Change(key, Held(value, held[key].version + 1 if key in held else 1, {P0: 11}))
                for key, value in rows.items()
            ],
            {} if store.name != "postgres" else {P0: Watermark(next_offset)},
        )
        raise KilledError


async def test_what_a_row_has_seen_is_kept_where_the_watermark_follows_later(
    store: Store, made: Generation
) -> None:
    async with store.session(made) as session:
        await session.write([Change("a", Held(row(), 1, {P0: 4}))], {})
        await session.write([Change("b", Held(row(), 1, BOTH))], {})
    async with store.session(made) as session:
        held = await session.load(["a", "b"])
    if store.name == "postgres":
        assert [each.applied for each in held.values()] == [{}, {}]
    else:
        assert held["a"].applied == {P0: 4}
        assert held["b"].applied == BOTH


async def test_a_row_taken_away_still_knows_what_it_has_seen(
    store: Store, made: Generation
) -> None:
    await write(store, made, {"a": row()}, 5)
    await write(store, made, {"a": None}, 6)
    async with store.session(made) as session:
        held = await session.load(["a"])
    if store.name == "postgres":
        assert held == {}
    else:
        assert (held["a"].row, held["a"].applied) == (None, {P0: 5})


# ClickHouse has rows of one partition only, so there a round can only meet its own double.
ROWS_SHARED = pytest.mark.parametrize("store", ["postgres", "opensearch"], indirect=True)


@ROWS_SHARED
async def test_two_rounds_that_add_the_same_row_conflict(store: Store, made: Generation) -> None:
    both_loaded = asyncio.Barrier(2)

    async def add(place: TopicPartition, title: str) -> str:
        try:
            async with store.session(made) as session:
                await session.watermarks([place])
                await session.load(["a"])
                await both_loaded.wait()
                change = Change("a", Held(row(title), 1, {place: 0}))
                await session.write([change], {place: Watermark(1)})
        except ConflictError:
            return "conflict"
        return title

    results = await asyncio.gather(add(P0, "Alfa"), add(P1, "Fiat"))
    [winner] = set(results) - {"conflict"}
    assert await load(store, made, "a") == {"a": row(winner)}
    assert sorted(mark.next_offset for mark in (await store.watermarks(made)).values()) in (
        [0, 1],
        [1],
    )


@ROWS_SHARED
async def test_two_rounds_that_change_the_same_row_lose_neither_change(
    store: Store, made: Generation
) -> None:
    await write(store, made, {"a": row(total=0)}, 1)

    async def add_one(place: TopicPartition) -> None:
        while True:
            try:
                async with store.session(made) as session:
                    await session.watermarks([place])
                    held = (await session.load(["a"]))["a"]
                    changed = replace(held.row, total=held.row.total + 1)
                    await session.write([Change("a", Held(changed, held.version + 1))], {})
            except ConflictError:
                continue
            return

    await asyncio.gather(*(add_one(place) for place in (P0, P1) * 4))
    assert (await load(store, made, "a"))["a"].total == 8


@ROWS_SHARED
async def test_rounds_that_lock_nothing_lose_no_change_either(
    store: Store, made: Generation
) -> None:
    await write(store, made, {"a": row(total=0), "b": row(total=0)}, 1)
    conflicts = 0

    async def add_one(*keys: str) -> None:
        nonlocal conflicts
        while True:
            try:
                async with store.session(made) as session:
                    held = await session.load(keys)
                    changes = [
                        Change(
                            key, Held(replace(each.row, total=each.row.total + 1), each.version + 1)
                        )
                        for key, each in held.items()
                    ]
                    await session.write(changes, {})
            except ConflictError:
                conflicts += 1
                continue
            return

    # Elsewhere than in Postgres half of a round may have been written when the rest conflicts;
    # rows remember what they have seen for that, which this test leaves out.
    keys = ("a", "b") if store.name == "postgres" else ("a",)
    await asyncio.gather(*(add_one(*keys) for _ in range(6)))
    rows = await load(store, made, *keys)
    assert {each.total for each in rows.values()} == {6}
    assert conflicts


@ROWS_SHARED
async def test_a_row_that_was_taken_away_meanwhile_is_a_conflict(
    store: Store, made: Generation
) -> None:
    await write(store, made, {"a": row()}, 1)

    async def change(changed: Row | None) -> None:
        async with store.session(made) as session:
            held = (await session.load(["a"]))["a"]
            await write(store, made, {"a": None}, 2)
            await session.write([Change("a", Held(changed, held.version + 1))], {})

    for changed in (row("Fiat"), None):
        with pytest.raises(ConflictError):
            await change(changed)
        assert await load(store, made, "a") == {}
        await write(store, made, {"a": row()}, 3)


# In the other stores rows remember what they have seen: a conflict is not needed.
@pytest.mark.parametrize("store", ["postgres"], indirect=True)
@pytest.mark.parametrize("rows", [1, 5_500])
async def test_a_round_that_believes_in_an_old_watermark_is_a_conflict_and_changes_nothing(
    store: Store, made: Generation, rows: int
) -> None:
    await write(store, made, {"a": row()}, 5)
    late = [Change(f"late{each}", Held(row(), 1)) for each in range(rows)]
    for belief in (Watermark(4), Watermark(6)):
        with pytest.raises(ConflictError):
            await one_write(store, made, late, {P0: Watermark(7)}, {P0: belief})
    assert await scanned(store, made) == {"a": row()}
    assert (await store.watermarks(made))[P0].next_offset == 5
    await one_write(store, made, late, {P0: Watermark(7)}, {P0: Watermark(5)})
    assert len(await scanned(store, made)) == 1 + rows


async def one_write(
    store: Store,
    made: Generation,
    changes: list[Change],
    marks: Watermarks,
    since: Watermarks,
) -> None:
    async with store.session(made) as session:
        await session.write(changes, marks, since)


async def test_a_row_the_store_will_never_take_is_named(store: Store, made: Generation) -> None:
    rows = {"a": row(), "bad": row(total=2**63), "c": row()}
    with pytest.raises(RowsRefusedError) as refused:
        await write(store, made, rows, 10)
    if not refused.value.reasons:  # then a smaller batch must say it
        with pytest.raises(RowsRefusedError) as refused:
            await write(store, made, {"bad": rows["bad"]}, 10)
    assert set(refused.value.reasons) == {"bad"}
    assert not {mark for mark in (await store.watermarks(made)).values() if mark.next_offset}


async def test_a_repeated_event_of_an_insert_only_projection_is_ignored(store: Store) -> None:
    made = generation(store.name, next(_numbers), name="added", insert_only=True)
    await store.create(made)
    for offset in (1, 2):
        async with store.session(made) as session:
            await session.write([Change("a", Held(row(), 1, {P0: 0}))], {P0: Watermark(offset)})
    assert await scanned(store, made) == {"a": row()}
    assert (await store.watermarks(made))[P0].next_offset == 2


async def test_readers_see_the_published_generation(
    store: Store, made: Generation, mesh: World
) -> None:
    other = generation(store.name, next(_numbers))
    await store.create(other)
    await write(store, made, {"old": row(), "gone": row()}, 1)
    await write(store, made, {"gone": None}, 2)
    await write(store, other, {"new": row()}, 1)
    for shown, keys in ((made, {"old"}), (other, {"new"}), (made, {"old"})):
        await store.settle(shown)
        await store.publish([shown])
        assert await public_keys(mesh, store.name, "subject") == keys


async def test_publishing_several_names_shows_them_all(store: Store, mesh: World) -> None:
    names = ("one", "two")
    made = [generation(store.name, next(_numbers), name=name) for name in names]
    for each in made:
        await store.create(each)
        await write(store, each, {each.projection.name: row()}, 1)
        await store.settle(each)
    await store.publish(made)
    assert [await public_keys(mesh, store.name, name) for name in names] == [{"one"}, {"two"}]


async def test_dropping_takes_rows_and_watermarks_away(store: Store, made: Generation) -> None:
    await write(store, made, {"a": row()}, 10)
    await store.drop(made)
    assert await store.watermarks(made) == {}
    await store.create(made)
    assert await scanned(store, made) == {}


async def test_dropping_what_is_gone_is_harmless(store: Store, made: Generation) -> None:
    await store.drop(made)
    await store.drop(made)
    assert await store.watermarks(made) == {}


async def test_settling_makes_every_written_row_visible(
    store: Store, made: Generation, mesh: World
) -> None:
    await store.publish([made])
    await write(store, made, {"a": row()}, 10)
    await store.settle(made)
    assert await public_keys(mesh, store.name, "subject") == {"a"}


async def test_a_store_that_is_down_says_so(store: Store, made: Generation, mesh: World) -> None:
    gone = mesh.settings.model_copy(
        update={
            "database_url": type(mesh.settings.database_url)("postgresql://x:x@127.0.0.1:9/x"),
            "opensearch_url": "http://127.0.0.1:9",
            "clickhouse_url": type(mesh.settings.database_url)("clickhouse://x:x@127.0.0.1:9/x"),
        }
    )

    async def watermarks_of_the_gone() -> Watermarks:
        opened = await open_store(gone, store.name)
        try:
            return await opened.watermarks(made)
        finally:
            await opened.close()

    with pytest.raises(StoreUnavailableError):
        await watermarks_of_the_gone()
