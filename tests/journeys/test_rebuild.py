"""Everything is rebuilt while the shop is open: nobody notices."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.load import Outcome, run_load
from tests.journeys.shop import Shop, open_shop

READS_PER_S = 100
COMMANDS_PER_S = 50
FIELDS = {
    "title": "Porsche 911 Carrera",
    "make": "Porsche",
    "model": "911",
    "year": 2019,
    "price_minor": 9_900_000,
    "currency": "EUR",
    "mileage": {"value": 42_000, "unit": "KMT"},
    "fuel_type": "petrol",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(Path(tmp_path_factory.mktemp("rebuild")) / "state") as opened:
        yield opened


class Traffic:
    """A seller who lists cars and a crowd that opens the first of them, over and over."""

    def __init__(self, client: httpx.AsyncClient, seller: dict[str, str]) -> None:
        self.client = client
        self.seller = seller
        self.numbers = itertools.count()
        self.created: list[str] = []

    async def write(self) -> httpx.Response:
        year = 1990 + next(self.numbers) % 30
        body = {**FIELDS, "year": year, "publish": True}
        answer = await self.client.post("/api/listings", json=body, headers=self.seller)
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


async def replay_under_load(shop: Shop) -> tuple[Outcome, Outcome, list[str]]:
    """Read and write at a fixed rate while everything is rebuilt, switched and rolled back."""
    seller = shop.account("seller")
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


async def test_a_rebuild_of_everything_fails_no_read_and_loses_no_write(shop: Shop) -> None:
    reads, writes, created = await replay_under_load(shop)
    assert reads.failed == []
    assert writes.failed == []
    shop.wait_until_read()
    async with httpx.AsyncClient(base_url=shop.url, timeout=10) as client:
        answers = [await client.get(link) for link in created]
    assert {answer.status_code for answer in answers} == {200}


def test_after_a_rebuild_every_read_model_equals_an_independent_fold(shop: Shop) -> None:
    shop.wait_until_read()
    verdict = json.loads(shop.mesh("replay", "verify", "--all", "--json"))
    assert verdict
