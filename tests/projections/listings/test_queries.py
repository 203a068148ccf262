"""The lists of listings on the real Postgres: right rows, right order, and never a scan."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from infra.settings import Settings
from processors.stores.port import Change, Generation, Held
from processors.stores.postgres import open_postgres_store
from projections.favorites.favorites import Favorites, favorites
from projections.listings import listing_page as pages
from projections.listings.listing_page import ListingPage, listing_page
from projections.listings.listing_views import ListingViews, listing_views
from projections.listings.price_history import by_listing, price_history
from projections.projection import Projection
from projections.reads import Slice
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from tests.projections.cars import SELLER, STREAM, created, day, published, repriced
from tests.projections.history import history, rows_of
from tests.worlds import world

ROWS = 10_000
SELLERS = 50  # the more rows a seller has, the more a scan would tempt the planner
OTHERS = [f"seller-{number}" for number in range(SELLERS)]


def _row(number: int) -> ListingPage:
    status = list(ListingStatus)[number % 4]
    return ListingPage(
        seller_id=OTHERS[number % SELLERS],
        market=list(Market)[number % 7 == 0],
        status=status,
        version=1,
        created_at=day(number % 100),
        updated_at=day(number % 100),
        published_at=None if status is ListingStatus.DRAFT else day(number % 90),
        title=f"Car {number}",
        vin=f"VIN{number % (ROWS // 2):014}",
        features=("Sunroof",) if number % 5 == 0 else None,
    )


PRICED = rows_of(price_history, history(STREAM, created(), published(1), repriced(9, on=2)))
MANY = {str(UUID(int=number)): _row(number) for number in range(1, ROWS + 1)}


async def _fill(settings: Settings, projection: Projection[Any], rows: dict[str, Any]) -> None:
    store = await open_postgres_store(settings)
    try:
        generation = Generation(projection, 1)
        await store.create(generation)
        async with store.session(generation) as session:
            changes = [Change(key, Held(row, 1)) for key, row in rows.items()]
            await session.write(changes, {})
        await store.publish([generation])
    finally:
        await store.close()


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    async with world(stack) as mesh:
        await _fill(mesh.settings, listing_page, MANY)
        await _fill(mesh.settings, listing_views, {str(UUID(int=1)): ListingViews(7, day(1))})
        await _fill(mesh.settings, price_history, PRICED)
        kept = Favorites((str(UUID(int=1)),), (day(1),), 1)
        await _fill(mesh.settings, favorites, {"a": kept, "b": kept})
        await mesh.pool.execute("ANALYZE")
        yield mesh.pool


def newest_first(market: Market) -> list[str]:
    shown = [
        (row.published_at, key)
        for key, row in MANY.items()
        if row.status is ListingStatus.ACTIVE and row.market is market
    ]
    return [key for _, key in sorted(shown, reverse=True)]


async def test_LI_05_pages_show_every_active_listing_once_and_the_newest_first(reads) -> None:
    found: list[str] = []
    part = Slice(limit=100)
    while rows := await pages.newest(reads, Market.EXOTICS, part):
        found += [row["key"] for row in rows]
        part = Slice(limit=100, after=(rows[-1]["published_at"], rows[-1]["key"]))
    assert found == newest_first(Market.EXOTICS)


async def test_LI_05_a_page_number_leads_to_the_same_rows(reads) -> None:
    rows = await pages.newest(reads, Market.EXOTICS, Slice(limit=50, offset=150))
    assert [row["key"] for row in rows] == newest_first(Market.EXOTICS)[150:200]


async def test_LI_07_mine_are_mine_in_the_states_asked_for(reads) -> None:
    wanted = [ListingStatus.DRAFT, ListingStatus.SOLD]
    found: list[str] = []
    part = Slice(limit=30)
    while rows := await pages.mine(reads, OTHERS[3], wanted, part):
        found += [row["key"] for row in rows]
        part = Slice(limit=30, after=(rows[-1]["created_at"], rows[-1]["key"]))
    expected = [
        (row.created_at, key)
        for key, row in MANY.items()
        if row.seller_id == OTHERS[3] and row.status in wanted
    ]
    assert found == [key for _, key in sorted(expected, reverse=True)]


async def test_LI_04_a_page_tells_its_views(reads) -> None:
    one = await pages.by_id(reads, str(UUID(int=1)))
    two = await pages.by_id(reads, str(UUID(int=2)))
    assert one is not None
    assert two is not None
    assert (one["views"], one["title"], two["views"]) == (7, "Car 1", 0)
    assert await pages.by_id(reads, "nothing") is None


async def test_FA_01_a_page_tells_how_many_keep_it_in_mind(reads) -> None:
    found = [await pages.counted_by_id(reads, str(UUID(int=number)), "") for number in (1, 2)]
    assert [row and row["favorites"] for row in found] == [2, 0]


async def test_the_prices_of_a_listing_come_back_as_they_were_folded(reads) -> None:
    listing_id = STREAM.removeprefix("listing/")
    assert await by_listing(reads, listing_id) == PRICED[listing_id]
    assert await by_listing(reads, SELLER) is None


NAMED = [
    "id",
    "user_id",
    "title",
    "description",
    "price",
    "year",
    "make",
    "model",
    "mileage",
    "fuel_type",
    "transmission",
    "location",
    "condition",
    "status",
    "views",
    "created_at",
    "currency",
    "lat",
    "lon",
    "version",
]


async def test_LI_16_every_named_column_is_there(reads) -> None:
    row = await reads.fetchrow("SELECT * FROM reads.listings WHERE id = $1", str(UUID(int=1)))
    assert set(NAMED) <= set(row.keys())
    assert (row["user_id"], row["views"]) == (OTHERS[1], 7)
    assert await reads.fetchval("SELECT count(*) FROM reads.listings") == ROWS


async def test_LI_18_a_feature_is_a_row(reads) -> None:
    rows = await reads.fetch("SELECT * FROM reads.listing_features")
    assert len(rows) == ROWS // 5
    assert set(rows[0].keys()) == {"id", "listing_id", "feature_name"}
    assert rows[0]["feature_name"] == "Sunroof"


class Noted:
    """Stands for a pool: notes what is asked, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def fetch(self, *query_and_values: Any) -> list[Any]:
        self.asked.append(query_and_values)
        return []

    async def fetchrow(self, *query_and_values: Any) -> None:
        self.asked.append(query_and_values)


async def plan_of(connection: Any, ask: Callable[[Noted], Awaitable[Any]]) -> str:
    noted = Noted()
    await ask(noted)
    ((query, *values),) = noted.asked
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}", *values))


CURSOR = (day(40), str(UUID(int=500)))
ASKED: dict[str, Callable[[Noted], Awaitable[Any]]] = {
    "by_id": lambda db: pages.by_id(db, str(UUID(int=1))),
    "newest": lambda db: pages.newest(db, Market.EXOTICS, Slice(20)),
    "newest_after": lambda db: pages.newest(db, Market.EXOTICS, Slice(20, after=CURSOR)),
    "changed": lambda db: pages.changed_since(db, Market.EXOTICS, CURSOR, 20),
    "mine": lambda db: pages.mine(db, OTHERS[1], list(ListingStatus), Slice(20)),
    "mine_after": lambda db: pages.mine(
        db, OTHERS[1], list(ListingStatus), Slice(20, after=CURSOR)
    ),
}


@pytest.mark.parametrize("name", ASKED)
async def test_NP_14_no_query_of_the_page_reads_or_sorts_a_whole_table(reads, name) -> None:
    plan = await plan_of(reads, ASKED[name])
    assert re.findall(r"Seq Scan on listing_page\w*", plan) == [], plan
    assert "Index" in plan, plan
    assert "Sort" not in plan, plan


async def test_what_is_sold_is_not_counted_to_find_vins_on_offer_twice(reads) -> None:
    plan = await plan_of(reads, lambda db: pages.shared_vins(db, Slice(20)))
    assert re.findall(r"Index Only Scan \w+ using \w+vins_on_offer on listing_page", plan), plan
    assert "Filter: (status" not in plan, plan
