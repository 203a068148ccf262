"""Lists and figures of reviews on the real Postgres: right rows, right order, and never a scan."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from infra.settings import Settings
from processors.stores.port import Change, Generation, Held
from processors.stores.postgres import open_postgres_store
from projections.identity.users import users
from projections.projection import Projection
from projections.reads import Slice
from projections.reviews import review_votes, seller_stats
from projections.reviews import reviews as listed
from projections.reviews.reviews import Review, ReviewSort, Subject, Wanted, reviews
from tests.worlds import world

ROWS, SELLERS = 10_000, 50
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Three sale-only rows and votes on what nobody wrote are among them.
ALONE = (Review(verified_buyer=True), Review(helpful=3), Review(unhelpful=1, verified_buyer=True))
RECENT, HELPFUL = ReviewSort


def seller(number: int) -> str:
    return str(UUID(int=900_000 + number % SELLERS))


def _row(number: int) -> Review:
    turn = number // SELLERS  # so each seller has some of everything
    row = Review(
        version=1,
        listing_id=str(UUID(int=800_000 + number % 1_000)),
        seller_id=seller(number),
        reviewer_id=str(UUID(int=700_000 + number)),
        rating=1 + turn % 5,
        content_sealed="1m",
        created_at=NOW - timedelta(days=turn % 120, seconds=1),
        updated_at=NOW,
        verified_buyer=turn % 3 == 0,
        helpful=turn % 4,  # many have as many: what follows decides
    )
    if turn % 9 == 0:
        return replace(row, deleted=True, content_sealed=None)
    return replace(row, response_sealed="1r", responded_at=NOW) if turn % 7 == 0 else row


MANY: Mapping[str, Review] = {
    **{str(UUID(int=number)): _row(number) for number in range(1, ROWS + 1)},
    **{str(UUID(int=600_000 + number)): row for number, row in enumerate(ALONE)},
}


async def _fill(settings: Settings, projection: Projection[Any], rows: Mapping[str, Any]) -> None:
    store = await open_postgres_store(settings)
    try:
        generation = Generation(projection, 1)
        await store.create(generation)
        async with store.session(generation) as session:
            await session.write([Change(key, Held(row, 1)) for key, row in rows.items()], {})
        await store.publish([generation])
    finally:
        await store.close()


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    async with world(stack) as mesh:
        await _fill(mesh.settings, reviews, MANY)
        await _fill(mesh.settings, users, {})
        await _fill(mesh.settings, review_votes.review_votes, {})
        await mesh.pool.execute("ANALYZE")
        yield mesh.pool


def standing(seller_id: str, rating: int | None = None) -> dict[str, Review]:
    return {
        key: row
        for key, row in MANY.items()
        if row.seller_id == seller_id and not row.deleted and rating in (None, row.rating)
    }


def in_order(rows: Mapping[str, Review], sort: ReviewSort) -> list[str]:
    def place(key: str) -> tuple[Any, ...]:
        row = rows[key]
        return (row.helpful if sort is HELPFUL else 0, row.created_at, key)

    return sorted(rows, key=place, reverse=True)


async def walked(reads: asyncpg.Pool, wanted: Wanted, limit: int) -> list[str]:
    found: list[str] = []
    part = Slice(limit)
    while rows := await listed.listed(reads, wanted, part):
        found += [row["key"] for row in rows]
        part = Slice(limit, after=tuple(rows[-1][name] for name in listed.ORDERS[wanted.sort]))
    return found


@pytest.mark.parametrize("sort", ReviewSort)
@pytest.mark.parametrize("rating", [None, 5, 2])
async def test_RV_04_pages_show_every_review_once_in_either_order(
    reads, sort: ReviewSort, rating: int | None
) -> None:
    wanted = Wanted(Subject.SELLER, seller(3), rating, sort)
    expected = in_order(standing(seller(3), rating), sort)
    assert len(expected) > 30
    for limit in (7, 100):
        assert await walked(reads, wanted, limit) == expected


@pytest.mark.parametrize("sort", ReviewSort)
async def test_RV_04_a_page_number_leads_to_the_same_rows(reads, sort: ReviewSort) -> None:
    wanted = Wanted(Subject.SELLER, seller(4), None, sort)
    rows = await listed.listed(reads, wanted, Slice(20, offset=40))
    assert [row["key"] for row in rows] == in_order(standing(seller(4)), sort)[40:60]


async def test_RV_10_what_nobody_wrote_is_in_no_list_and_no_figure(reads) -> None:
    for number in range(len(ALONE)):
        assert await listed.by_id(reads, str(UUID(int=600_000 + number))) is None
    assert await listed.by_id(reads, str(UUID(int=1))) is not None
    every = {key for number in range(SELLERS) for key in standing(seller(number))}
    assert await reads.fetchval("SELECT count(*) FROM reads.reviews") == ROWS + len(ALONE)
    found = [await walked(reads, Wanted(Subject.SELLER, seller(n)), 500) for n in range(SELLERS)]
    assert {key for page in found for key in page} == every


def mean(rows: Sequence[Review]) -> dict[str, Any]:
    stars = [row.rating or 0 for row in rows]
    return {"mean": sum(stars) / len(stars) if stars else None, "count": len(stars)}


@pytest.mark.parametrize("number", [0, 7, 49])
async def test_RV_11_the_figures_equal_a_recount(reads, number: int) -> None:
    stats = await seller_stats.of_seller(reads, seller(number), NOW)
    rows = list(standing(seller(number)).values())
    ages = {days: NOW - timedelta(days=days) for days in (30, 90)}
    told = [row.created_at for row in rows if row.created_at is not None]
    assert len(told) == len(rows) > 100
    assert asdict(stats) == {
        "whole": mean(rows),
        "distribution": {stars: sum(r.rating == stars for r in rows) for stars in range(1, 6)},
        "verified_share": sum(row.verified_buyer for row in rows) / len(rows),
        "last_30_days": mean([r for r, at in zip(rows, told, strict=True) if at > ages[30]]),
        "last_90_days": mean([r for r, at in zip(rows, told, strict=True) if at > ages[90]]),
    }
    assert sum(stats.distribution.values()) == stats.whole.count
    assert 0 < stats.last_30_days.count < stats.last_90_days.count < stats.whole.count


async def test_RV_11_of_whom_nobody_has_spoken_there_are_zeros(reads) -> None:
    stats = await seller_stats.of_seller(reads, str(UUID(int=5)), NOW)
    none = {"mean": None, "count": 0}
    assert asdict(stats) == {
        "whole": none,
        "distribution": dict.fromkeys(range(1, 6), 0),
        "verified_share": None,
        "last_30_days": none,
        "last_90_days": none,
    }


NAMED = {
    "key",
    "listing_id",
    "seller_id",
    "reviewer_id",
    "rating",
    "title_sealed",
    "content_sealed",
    "verified_buyer",
    "created_at",
}


async def test_RV_12_every_named_column_of_a_review_is_there(reads) -> None:
    row = await reads.fetchrow("SELECT * FROM reads.reviews WHERE key = $1", str(UUID(int=51)))
    assert set(row.keys()) >= NAMED
    assert (row["rating"], row["verified_buyer"], row["content_sealed"]) == (2, False, "1m")


async def test_RV_13_a_response_is_a_row(reads) -> None:
    rows = await reads.fetch("SELECT * FROM reads.review_responses")
    expected = {key: row for key, row in MANY.items() if row.responded_at is not None}
    assert {row["review_id"] for row in rows} == set(expected)
    assert len(rows) == len(expected)
    names = {"id", "review_id", "seller_id", "content_sealed", "created_at"}
    assert set(rows[0].keys()) == names
    assert rows[0]["content_sealed"] == "1r"
    assert rows[0]["seller_id"] == expected[rows[0]["id"]].seller_id


async def test_RV_14_every_named_column_of_a_vote_is_there_and_one_key_has_one_row(reads) -> None:
    columns = await reads.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'reads' AND table_name = 'review_votes'"
    )
    named = {"key", "review_id", "user_id_sealed", "vote_type"}
    assert {row["column_name"] for row in columns} >= named
    assert await review_votes.by_id(reads, "nothing") is None


class Noted:
    """Stands for a pool: notes what is asked, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def fetch(self, *query_and_values: Any) -> list[Any]:
        self.asked.append(query_and_values)
        return []

    async def fetchrow(self, *query_and_values: Any) -> None:
        self.asked.append(query_and_values)


AFTER: Mapping[ReviewSort, tuple[Any, ...]] = {
    RECENT: (NOW - timedelta(days=40), str(UUID(int=500))),
    HELPFUL: (2, NOW - timedelta(days=40), str(UUID(int=500))),
}
ASKED: dict[str, Callable[[Noted], Awaitable[Any]]] = {
    "by_id": lambda db: listed.by_id(db, str(UUID(int=1))),
    "stats": lambda db: seller_stats.of_seller(db, seller(1), NOW),
    **{
        f"{sort}_{'after' if part.after else 'first'}": lambda db, sort=sort, part=part: (
            listed.listed(db, Wanted(Subject.SELLER, seller(1), None, sort), part)
        )
        for sort in ReviewSort
        for part in (Slice(20), Slice(20, after=AFTER[sort]))
    },
}


@pytest.mark.parametrize("name", ASKED)
async def test_NP_14_no_query_of_reviews_reads_a_whole_table(reads, name: str) -> None:
    noted = Noted()
    await ASKED[name](noted)
    ((query, *values),) = noted.asked
    plan = "\n".join(row[0] for row in await reads.fetch(f"EXPLAIN {query}", *values))
    assert re.findall(r"Seq Scan on reviews\w*", plan) == [], plan
    assert "Index" in plan, plan
