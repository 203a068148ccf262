"""Whom somebody has blocked, as it is kept for reading and asked on the real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from infra.settings import Settings
from processors.stores.opening import opened_stores
from processors.stores.port import Change, Held
from projections.messaging import blocks as queries
from projections.messaging.blocks import Blocks, blocks
from projections.reads import Slice
from schemas.identity import UserDeleted
from schemas.messaging.blocks import UserBlocked, UserUnblocked, blocks_stream
from tests.processors.test_every_projection import Live
from tests.projections.history import BEGINNING, history, rows_of
from tests.worlds import world

ONE, TWO, THREE = (UUID(int=number) for number in range(1, 4))
MINUTE = timedelta(minutes=1)
DELETED = UserDeleted(user_id=ONE, email_hash="0" * 64, deleted_at=BEGINNING)


def blocked(who: UUID, minutes: int = 0) -> UserBlocked:
    return UserBlocked(blocker_id=ONE, blocked_id=who, blocked_at=BEGINNING + minutes * MINUTE)


def unblocked(who: UUID) -> UserUnblocked:
    return UserUnblocked(blocker_id=ONE, blocked_id=who, unblocked_at=BEGINNING)


def after(*events: Any) -> Blocks:
    found: Blocks = rows_of(blocks, history(blocks_stream(ONE), *events))[str(ONE)]
    return found


def test_MS_14_a_person_has_one_row_with_each_of_the_blocked_once() -> None:
    row = after(blocked(TWO), blocked(THREE, 1), blocked(TWO, 2))
    assert row.blocked_ids == (str(THREE), str(TWO))
    assert row.blocked_at == (BEGINNING + MINUTE, BEGINNING + 2 * MINUTE)


def test_MS_14_whoever_is_unblocked_goes_with_their_moment() -> None:
    row = after(blocked(TWO), blocked(THREE, 1), unblocked(TWO))
    assert (row.blocked_ids, row.blocked_at) == ((str(THREE),), (BEGINNING + MINUTE,))
    assert after(unblocked(TWO)) == Blocks(version=1)


def test_PR_10_of_a_deleted_person_nothing_is_left_whatever_comes() -> None:
    assert after(blocked(TWO), DELETED, blocked(THREE)) == Blocks(deleted=True)
    assert after(DELETED, blocked(THREE)) == Blocks(deleted=True)


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    """The first has blocked the two others, the second the first."""
    rows = {
        str(ONE): after(blocked(TWO), blocked(THREE, 1)),
        str(TWO): Blocks((str(ONE),), (BEGINNING,), 1),
        str(THREE): Blocks((), (), 2),
    }
    async with world(stack) as mesh, opened_stores(mesh.settings, [blocks]) as stores:
        live = Live(mesh, stores["postgres"], blocks)
        await live.store.create(live.generation)
        async with live.store.session(live.generation) as session:
            await session.write([Change(key, Held(row, 1)) for key, row in rows.items()], {})
        await live.store.publish([live.generation])
        yield mesh.pool


async def test_MS_14_the_table_of_the_source_has_a_row_a_block(reads: asyncpg.Pool) -> None:
    found = await reads.fetch("SELECT * FROM reads.blocked_users")
    pairs = {(row["user_id"], row["blocked_user_id"]) for row in found}
    assert pairs == {(str(ONE), str(TWO)), (str(ONE), str(THREE)), (str(TWO), str(ONE))}
    assert len({row["id"] for row in found}) == 3
    again = await reads.fetch("SELECT id FROM reads.blocked_users")
    assert {row["id"] for row in again} == {row["id"] for row in found}


async def test_MS_08_a_block_has_one_direction(reads: asyncpg.Pool) -> None:
    assert await queries.has_blocked(reads, str(ONE), str(THREE))
    assert not await queries.has_blocked(reads, str(THREE), str(ONE))
    assert not await queries.has_blocked(reads, str(UUID(int=9)), str(ONE))


async def test_MS_08_either_direction_keeps_two_apart(reads: asyncpg.Pool) -> None:
    everybody = [str(UUID(int=number)) for number in range(1, 10)]
    assert await queries.apart(reads, str(ONE), everybody) == {str(TWO), str(THREE)}
    assert await queries.apart(reads, str(THREE), everybody) == {str(ONE)}
    assert await queries.apart(reads, str(THREE), [str(TWO)]) == frozenset()


async def test_MS_08_the_blocked_are_listed_the_last_first(reads: asyncpg.Pool) -> None:
    first, second = [
        [row["user_id"] for row in await queries.of_owner(reads, str(ONE), part)]
        for part in (Slice(1), Slice(5, after=(BEGINNING + MINUTE, str(THREE))))
    ]
    assert (first, second) == ([str(THREE)], [str(TWO)])
