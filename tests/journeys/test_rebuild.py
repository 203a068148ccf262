"""Everything is rebuilt while the shop is open: nobody notices."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.journeys.load import Outcome, run_load
from tests.journeys.shop import Shop
from tests.sizes import FULL_SIZE
from tests.waiting import let_pass

READS_PER_S, COMMANDS_PER_S = (100, 50) if FULL_SIZE else (30, 10)
TRIES = 10
FIELDS: dict[str, Any] = {
    "title": "Porsche 911 Carrera",
    "make": "Porsche",
    "model": "911",
    "year": 2019,
    "price_minor": 9_900_000,
    "currency": "EUR",
    "mileage": {"value": 42_000, "unit": "KMT"},
    "fuel_type": "petrol",
}


class Traffic:
    """A seller who lists cars and a crowd that opens the first of them, over and over."""

    def __init__(self, client: httpx.AsyncClient, seller: dict[str, str]) -> None:
        self.client = client
        self.seller = seller
        self.numbers = itertools.count()
        self.created: list[str] = []
        self.asked_again = 0

    async def write(self) -> httpx.Response:
        """List a car. A machine that has more to do than it can may answer 503: whoever is told
        so asks again with the same key, as the answer says, and must get the one car.
        """
        body = {**FIELDS, "year": 1990 + next(self.numbers) % 30, "publish": True}
        headers = {**self.seller, "Idempotency-Key": str(uuid4())}
        for _ in range(TRIES):
            answer = await self.client.post("/api/listings", json=body, headers=headers)
            if answer.status_code != 503:
                break
            self.asked_again += 1
            await let_pass(float(answer.headers["Retry-After"]), because="the answer asks for it")
        if answer.status_code == 201:
            self.created.append(answer.headers["Location"])
        return answer

    async def read(self) -> httpx.Response:
        return await self.client.get(self.created[next(self.numbers) % 10])

    async def open_links(self) -> None:
        """The links that `read` opens, readable before the crowd comes."""
        for _ in range(10):
            token = (await self.write()).headers["Consistency-Token"]
            link = self.created[-1]
            (await self.client.get(link, headers={"Consistency-Token": token})).raise_for_status()


async def replay_under_load(
    shop: Shop, seller: dict[str, str]
) -> tuple[Outcome, Outcome, list[str]]:
    """Read and write at a fixed rate while everything is rebuilt, switched and rolled back."""
    stop = asyncio.Event()
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=shop.url, timeout=10, limits=limits) as client:
        traffic = Traffic(client, seller)
        await traffic.open_links()
        loads = [
            asyncio.create_task(run_load(traffic.read, rate=READS_PER_S, stop=stop)),
            asyncio.create_task(run_load(traffic.write, rate=COMMANDS_PER_S, stop=stop)),
        ]
        try:
            for step in ("start", "switch", "rollback"):
                await asyncio.to_thread(shop.mesh, "replay", step, "--all")
        finally:
            stop.set()
        reads, writes = await asyncio.gather(*loads)
    return reads, writes, traffic.created


async def listed(client: httpx.AsyncClient, seller: dict[str, str]) -> list[str]:
    """The links of all of a seller's cars, page by page."""
    links: list[str] = []
    page: dict[str, str] | None = {"limit": "100"}
    while page is not None:
        found = (await client.get("/api/listings/mine", params=page, headers=seller)).json()
        links += [f"/api/listings/{each['id']}" for each in found["items"]]
        cursor = found.get("next_cursor")
        page = {"limit": "100", "cursor": cursor} if cursor else None
    return links


async def test_a_rebuild_of_everything_fails_no_read_and_loses_no_write(
    shop: Shop, record_property: pytest.RecordProperty
) -> None:
    seller = shop.account("seller")
    reads, writes, created = await replay_under_load(shop, seller)
    assert reads.failed == []
    assert writes.failed == []
    await asyncio.to_thread(shop.wait_until_read)
    async with httpx.AsyncClient(base_url=shop.url, timeout=10) as client:
        assert Counter(await listed(client, seller)) == Counter(created)


def test_after_a_rebuild_every_read_model_equals_an_independent_fold(shop: Shop) -> None:
    shop.wait_until_read()
    verdict = json.loads(shop.mesh("replay", "verify", "--all", "--live", "--json"))
    assert verdict
