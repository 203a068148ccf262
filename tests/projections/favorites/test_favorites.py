"""Favourites as they are kept for reading, and counted on the real Postgres."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given

from infra.settings import Settings
from processors.stores.opening import opened_stores
from processors.stores.port import Change, Held
from producers.favorites import favorites as decider
from projections.favorites import favorites as queries
from projections.favorites.favorites import COUNT, Favorites, favorites
from schemas.favorites import CONTEXT, FavoritesEvent, favorites_stream
from schemas.identity import UserDeleted
from schemas.log.recorded import CommandEnvelope, Record, headers_of_event, value_of
from tests.partitions import partition_of_stream
from tests.processors.test_every_projection import Live
from tests.producers.keeping import (
    ID,
    NOW,
    accepted,
    add,
    added,
    car,
    clear,
    cleared,
    commands,
    remove,
    removed,
)
from tests.projections.history import history, rows_of
from tests.worlds import world

KEY = str(ID)
DELETED = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=NOW)
MINUTE = timedelta(minutes=1)


def row_after(*events: Any) -> Favorites:
    return rows_of(favorites, history(favorites_stream(ID), *events))[KEY]


def test_FA_09_a_person_has_one_row_with_each_listing_once() -> None:
    row = row_after(added(1), added(2, at=NOW + MINUTE), removed(3))
    assert row.listing_ids == (str(car(1)), str(car(2)))
    assert row.added_at == (NOW, NOW + MINUTE)
    assert row.version == 3


def test_FA_09_even_a_listing_that_is_added_twice_is_there_once() -> None:
    row = row_after(added(1), added(2), added(1, at=NOW + MINUTE))
    assert row.listing_ids == (str(car(2)), str(car(1)))
    assert row.added_at == (NOW, NOW + MINUTE)


def test_FA_02_what_is_taken_out_goes_with_its_moment() -> None:
    row = row_after(added(1), added(2, at=NOW + MINUTE), removed(1))
    assert (row.listing_ids, row.added_at) == ((str(car(2)),), (NOW + MINUTE,))


def test_FA_05_a_cleared_list_is_empty() -> None:
    assert row_after(added(1), added(2), cleared(1, 2)) == Favorites(version=3)


def test_of_a_deleted_person_nothing_is_left_whatever_comes() -> None:
    assert row_after(added(1), DELETED, added(2)) == Favorites(deleted=True)
    assert row_after(DELETED, added(2)) == Favorites(deleted=True)


@given(commands)
def test_FA_09_the_row_is_what_the_rules_say_at_any_point(asked) -> None:
    happened = accepted(asked)
    for end in range(1, len(happened) + 1):
        row = row_after(*happened[:end])
        wanted = {str(each) for each in decider.fold(happened[:end]).listings}
        assert set(row.listing_ids) == wanted
        assert len(row.listing_ids) == len(row.added_at) == len(wanted)


PEOPLE = [UUID(int=number) for number in range(1, 13)]
CARS = range(1, 7)


def lives(seed: int) -> dict[UUID, list[FavoritesEvent]]:
    """What happens to many people's favourites, at random."""
    chance = random.Random(seed)
    found = {}
    for user_id in PEOPLE:
        asked = [
            chance.choice([add, add, add, remove])(chance.choice(CARS), user_id=user_id)
            if chance.random() < 0.9
            else clear(user_id=user_id)
            for _ in range(30)
        ]
        found[user_id] = accepted(asked)
    return found


def records_of(happened: Mapping[UUID, Sequence[FavoritesEvent]]) -> list[Record]:
    """All of it as topics hold it: each stream in its order, streams mixed."""
    left = {user_id: list(enumerate(events, 1)) for user_id, events in happened.items()}
    chance, log, offsets = random.Random(7), [], Counter[int]()
    while left := {user_id: events for user_id, events in left.items() if events}:
        user_id = chance.choice(list(left))
        version, event = left[user_id].pop(0)
        partition = partition_of_stream(favorites_stream(user_id))
        log.append(_record(user_id, version, event, partition, offsets[partition]))
        offsets[partition] += 1
    return log


def _record(
    user_id: UUID, version: int, event: FavoritesEvent, partition: int, offset: int
) -> Record:
    command_id = f"{user_id}/{version}"
    headers = headers_of_event(
        event,
        index=0,
        count=1,
        version=version,
        envelope=CommandEnvelope(clear(user_id=user_id), command_id, "", "", ""),
        writer_epoch=1,
        recorded_at=NOW,
    )
    stream_id = favorites_stream(user_id)
    return Record(
        CONTEXT.events_topic, partition, offset, stream_id.encode(), value_of(event), headers
    )


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    """A log of which parts are delivered again and again, among many people who keep one car."""
    async with world(stack) as mesh, opened_stores(mesh.settings, [favorites]) as stores:
        live = Live(mesh, stores["postgres"], favorites)
        await live.store.create(live.generation)
        others = [
            Change(f"somebody-{number}", Held(Favorites((f"car-{number % 500}",), (NOW,), 1), 1))
            for number in range(10_000)
        ]
        async with live.store.session(live.generation) as session:
            await session.write(others, {})
        log, chance = records_of(lives(seed=5)), random.Random(6)
        for start in range(0, len(log), 9):
            await live.read(log[max(0, start - chance.randrange(40)) : start + 9])
        await live.read(log)
        await live.store.publish([live.generation])
        await mesh.pool.execute("ANALYZE")
        yield mesh.pool


async def count_of(reads: asyncpg.Pool, listing_id: str) -> int:
    found: int = await reads.fetchval(f"SELECT {COUNT.format(listing='$1')}", listing_id)
    return found


async def test_FA_01_FA_05_counts_equal_a_recount_of_what_was_asked(reads: asyncpg.Pool) -> None:
    kept = {user_id: decider.fold(events).listings for user_id, events in lives(5).items()}
    recount = [sum(car(each) in own for own in kept.values()) for each in CARS]
    assert [await count_of(reads, str(car(each))) for each in CARS] == recount
    assert sum(recount) > 0


async def plan_of(reads: asyncpg.Pool, query: str, *values: Any) -> str:
    rows = await reads.fetch(f"EXPLAIN {query}", *values)
    return "\n".join(row[0] for row in rows)


async def test_FA_01_a_count_scans_no_table(reads: asyncpg.Pool) -> None:
    plan = await plan_of(reads, f"SELECT {COUNT.format(listing='$1')}", "car-7")
    assert "of_listing" in plan, plan
    assert "Seq Scan on favorites" not in plan, plan


async def test_FA_04_of_fifty_listings_those_are_told_that_are_kept(reads: asyncpg.Pool) -> None:
    wanted = [str(car(number)) for number in range(1, 51)]
    for user_id, events in lives(5).items():
        kept = {str(each) for each in decider.fold(events).listings}
        assert await queries.among(reads, str(user_id), wanted) == kept
    assert await queries.among(reads, "nobody", wanted) == frozenset()


async def test_FA_04_since_when_a_listing_is_kept_is_told(reads: asyncpg.Pool) -> None:
    assert await queries.added_at(reads, "somebody-7", "car-7") == NOW
    assert await queries.added_at(reads, "somebody-7", "car-8") is None
    assert await queries.added_at(reads, "nobody", "car-7") is None
