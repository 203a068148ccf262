"""A real file of ads becomes a shop that can be searched."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import clickhouse_driver
import httpx
import pytest

from tests.cli.imports.ads import BIGGEST_ADS
from tests.journeys.shop import Shop
from tests.sizes import FULL_SIZE

ROWS = len(BIGGEST_ADS.rows()) if FULL_SIZE else 5_000
ROWS_AGAIN = 1_000
QUERY = {"q": "golf", "fuel": "diesel", "price_max": 5000}


@pytest.fixture(scope="module")
def before(shop: Shop) -> Counter[str]:
    """What other tests have left in the shop."""
    shop.wait_until_read()
    return asyncio.run(postgres_ids(shop))


@pytest.fixture(scope="module")
def summary(shop: Shop, before: Counter[str]) -> dict[str, Any]:
    """The biggest file at hand, or its beginning, imported and folded by every projection."""
    ads, limit = BIGGEST_ADS, ("--limit", str(ROWS))
    done = shop.mesh("import", str(ads.file), "--mapping", str(ads.mapping_file), "--json", *limit)
    shop.wait_until_read()
    found: dict[str, Any] = json.loads(done)
    return found


def test_every_row_ends_accepted_or_refused(summary: dict[str, Any]) -> None:
    assert summary["accepted"] + summary["refused"] == summary["read"] == ROWS
    assert summary["accepted"] > 0.8 * summary["read"]


def test_importing_it_again_adds_nothing(
    shop: Shop, summary: dict[str, Any], tmp_path: Path
) -> None:
    """Its first rows, from another place: what they are is in the rows, not in the file."""
    ads, part = BIGGEST_ADS, tmp_path / "part.csv"
    with ads.file.open("rb") as whole:
        part.write_bytes(b"".join(itertools.islice(whole, 1 + ROWS_AGAIN)))
    once = asyncio.run(postgres_ids(shop))
    again = json.loads(shop.mesh("import", str(part), "--mapping", str(ads.mapping_file), "--json"))
    shop.wait_until_read()
    assert outcomes(again) == outcomes(summary)[:ROWS_AGAIN]
    assert asyncio.run(postgres_ids(shop)) == once


def outcomes(summary: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What became of each row, in the file's order."""
    rows = [json.loads(line) for line in Path(summary["report"]).read_text("utf-8").splitlines()]
    rows.sort(key=lambda row: row["row"])
    return [(row["outcome"], row.get("listing_id")) for row in rows]


async def postgres_ids(shop: Shop) -> Counter[str]:
    connection = await asyncpg.connect(shop.settings.database_url.get_secret_value())
    try:
        return Counter(
            row["key"] for row in await connection.fetch("SELECT key FROM reads.listing_page")
        )
    finally:
        await connection.close()


def clickhouse_ids(shop: Shop) -> Counter[str]:
    url = shop.settings.clickhouse_url.get_secret_value()
    with clickhouse_driver.Client.from_url(url) as client:
        return Counter(key for (key,) in client.execute("SELECT key FROM listing_facts"))


def opensearch_ids(shop: Shop) -> Counter[str]:
    index = f"{shop.settings.opensearch_url}/mesh-listing_search"
    httpx.post(f"{index}/_refresh").raise_for_status()
    body: dict[str, Any] = {"size": 5_000, "sort": [{"listing_id": "asc"}], "_source": False}
    found: Counter[str] = Counter()
    while True:
        hits = httpx.post(f"{index}/_search", json=body, timeout=30).json()["hits"]["hits"]
        if not hits:
            return found
        found.update(hit["_id"] for hit in hits)
        body["search_after"] = hits[-1]["sort"]


def test_each_store_holds_every_accepted_ad_exactly_once(
    shop: Shop, summary: dict[str, Any], before: Counter[str]
) -> None:
    rows = [json.loads(line) for line in Path(summary["report"]).read_text("utf-8").splitlines()]
    accepted = Counter(row["listing_id"] for row in rows if row["outcome"] == "accepted")
    assert accepted.total() == summary["accepted"]
    assert asyncio.run(postgres_ids(shop)) == before + accepted
    assert clickhouse_ids(shop) - before == accepted
    assert opensearch_ids(shop) - before == accepted


def everything_found(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """Every hit of a query, by walking its pages."""
    hits: list[dict[str, Any]] = []
    params = {**query, "limit": 100, "sort": "newest"}
    while True:
        page = client.get("/api/search", params=params).raise_for_status().json()
        hits += page["hits"]
        if not page.get("next"):
            return hits
        params = {**params, "cursor": page["next"]}


def test_SE_02_hits_and_facet_counts_of_the_imported_ads_equal_a_count_by_hand(
    shop: Shop, summary: dict[str, Any]
) -> None:
    with httpx.Client(base_url=shop.url, timeout=30) as client:
        answer = client.get("/api/search", params=QUERY).raise_for_status().json()
        golfs = everything_found(client, q=QUERY["q"])
        cheap = [each for each in golfs if each["price_minor"] <= QUERY["price_max"] * 100]
        wanted = {each["id"] for each in cheap if each.get("fuel_type") == QUERY["fuel"]}
        found = {each["id"] for each in everything_found(client, **QUERY)}
    assert wanted == found
    assert answer["total"] == len(wanted) > 0
    # A facet leaves its own filter out, so that the other fuels can still be chosen.
    by_fuel = Counter(each["fuel_type"] for each in cheap if each.get("fuel_type"))
    assert {bucket["value"]: bucket["count"] for bucket in answer["facets"]["fuel"]} == by_fuel
