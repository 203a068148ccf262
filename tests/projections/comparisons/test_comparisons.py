"""Comparisons as they are kept for reading."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given

from infra.settings import Settings
from processors.stores.opening import opened_stores
from processors.stores.port import Change, Generation, Held
from producers.comparisons import comparisons as decider
from projections.comparisons import comparisons as queries
from projections.comparisons.comparisons import Comparison, comparisons
from projections.comparisons.shared_comparisons import (
    SharedComparisons,
    shared_comparisons,
    shown,
)
from projections.listings.listing_page import ListingPage, listing_page
from projections.projection import Projection
from schemas.comparisons import ComparisonShared, ComparisonUnshared, comparison_stream
from schemas.identity import UserDeleted
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from tests.producers.comparing import (
    ID,
    NOW,
    accepted,
    added,
    car,
    cleared,
    commands,
    removed,
)
from tests.projections.history import history, rows_of
from tests.worlds import World, world

KEY = str(ID)
DELETED = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=NOW)
MINUTE = timedelta(minutes=1)


def row_after(*events: Any) -> Comparison:
    return rows_of(comparisons, history(comparison_stream(ID), *events))[KEY]


def test_CO_09_a_person_has_one_row_in_the_order_of_adding() -> None:
    row = row_after(added(2), added(1, at=NOW + MINUTE), removed(3))
    assert row.listing_ids == (str(car(2)), str(car(1)))
    assert row.added_at == (NOW, NOW + MINUTE)
    assert row.version == 3


def test_CO_09_even_a_listing_that_is_added_twice_is_there_once() -> None:
    row = row_after(added(1), added(2), added(1, at=NOW + MINUTE))
    assert row.listing_ids == (str(car(2)), str(car(1)))
    assert row.added_at == (NOW, NOW + MINUTE)


def test_CO_02_what_is_taken_out_goes_with_its_moment() -> None:
    row = row_after(added(1), added(2, at=NOW + MINUTE), removed(1))
    assert (row.listing_ids, row.added_at) == ((str(car(2)),), (NOW + MINUTE,))


def test_CO_05_a_cleared_comparison_is_empty() -> None:
    assert row_after(added(1), added(2), cleared()) == Comparison(version=3)


def test_CO_09_of_a_deleted_person_nothing_is_left_whatever_comes() -> None:
    assert row_after(added(1), DELETED, added(2)) == Comparison(deleted=True)
    assert row_after(DELETED, added(2)) == Comparison(deleted=True)


@given(commands)
def test_CO_09_the_row_is_what_the_rules_say_at_any_point(asked) -> None:
    links = ComparisonShared | ComparisonUnshared
    happened = [each for each in accepted(asked) if not isinstance(each, links)]
    for end in range(1, len(happened) + 1):
        row = row_after(*happened[:end])
        wanted = tuple(str(each) for each in decider.fold(happened[:end]).listings)
        assert row.listing_ids == wanted
        assert len(row.added_at) == len(wanted)


FOUR = ("d", "b", "nothing", "a")


async def fill(mesh: World, projection: Projection[Any], rows: dict[str, Any]) -> None:
    async with opened_stores(mesh.settings, [projection]) as stores:
        store, generation = stores["postgres"], Generation(projection, 1)
        await store.create(generation)
        async with store.session(generation) as session:
            await session.write([Change(key, Held(row, 1)) for key, row in rows.items()], {})
        await store.publish([generation])


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    """Three listings, and somebody who compares them with one of which nobody knows."""
    listing = ListingPage(
        seller_id=KEY,
        market=Market.EXOTICS,
        status=ListingStatus.ACTIVE,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        year=2019,
        features=("ABS",),
    )
    links = SharedComparisons(
        share_ids=("x", "y"),
        token_hashes=("1" * 64, "2" * 64),
        shared_at=(NOW, NOW),
        expires_at=(NOW, NOW),
        revoked=(False, False),
        version=2,
        shown_by=("x", "x", "y", "y", "y", "y"),
        listing_ids=("a", "b", *FOUR),
    )
    async with world(stack) as mesh:
        await fill(mesh, listing_page, dict.fromkeys(("a", "b", "d"), listing))
        await fill(mesh, comparisons, {KEY: Comparison(FOUR, (NOW,) * 4, 4)})
        await fill(mesh, shared_comparisons, {KEY: links})
        yield mesh.pool


async def test_CO_03_the_list_comes_in_the_order_of_adding_with_what_the_pages_say(reads) -> None:
    rows = await queries.of_owner(reads, KEY)
    assert tuple(each["key"] for each in rows) == FOUR
    assert [each["year"] for each in rows] == [2019, 2019, None, 2019]
    assert {each["added_at"] for each in rows} == {NOW}
    assert await queries.of_owner(reads, "nobody") == []


async def test_CO_08_the_count_is_the_length_of_the_list(reads) -> None:
    assert await queries.count(reads, KEY) == len(FOUR)
    assert await queries.count(reads, "nobody") == 0


async def test_CO_10_each_link_shows_its_own_in_their_order(reads) -> None:
    assert [each["key"] for each in await shown(reads, KEY, "x")] == ["a", "b"]
    rows = await shown(reads, KEY, "y")
    assert tuple(each["key"] for each in rows) == FOUR
    assert [each["features"] for each in rows] == [["ABS"], ["ABS"], None, ["ABS"]]
    assert await shown(reads, KEY, "z") == []
