"""Workers are killed in the middle of their batches, again and again, while somebody writes and
reads with each write's Consistency-Token: no answer is older than its token, and the rows come
to what the log says. MESH_KILLING_S: for how long, in each store.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from api.entry.consistency import CaughtUp
from api.wire.problems import StoreUnavailableError
from infra.clients.clickhouse import ClickHouse
from infra.clients.opensearch import alias_of
from infra.settings import Settings
from projections import PROJECTIONS
from projections.analytics.listing_facts import listing_facts
from projections.projection import Projection
from projections.search.listing_search import listing_search
from schemas.listings import (
    ListingHidden,
    ListingPriceChanged,
    ListingShown,
    listing_stream,
)
from schemas.log.messages import Event
from schemas.log.positions import Position
from tests.api.running import Mesh, api
from tests.processors.feeding.test_worker import ends, equal_to_the_pure_fold, process
from tests.processors.records import NOW, titled
from tests.processors.replay.test_exchanged import asking
from tests.waiting import eventually, let_pass
from tests.worlds import World, append_events, begin_at_the_end, world

KILLING_S = float(os.environ.get("MESH_KILLING_S", "20"))
WRITERS, LISTINGS_EACH, READERS = 3, 3, 3
GROUPS: dict[str, Projection[Any]] = {"search": listing_search, "analytics": listing_facts}


@pytest_asyncio.fixture
async def mesh(stack: Settings) -> AsyncIterator[Mesh]:
    async with world(stack) as made:
        await begin_at_the_end(made, PROJECTIONS)
        async with api(made.settings.model_copy(update={"read_wait_s": 2.0})) as started:
            yield started


@dataclass
class Trade:
    """Listings whose price only ever rises, and what reads of them have found."""

    mesh: Mesh
    projection: Projection[Any]
    until: float
    written: dict[UUID, tuple[int, Position]] = field(default_factory=dict)
    answered: int = 0
    stale: list[str] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        return asyncio.get_running_loop().time() < self.until

    async def write(self) -> None:
        """Some listings of its own, dearer every time; what happens in between undoes itself."""
        listings = {uuid4(): 1 for _ in range(LISTINGS_EACH)}
        for each in listings:
            first = titled("", 1, "Car", price_minor=1, currency="USD")
            await self._append(each, 1, first.model_copy(update={"listing_id": each}), price=1)
        while self.goes_on:
            each = random.choice([*listings])
            version, price = listings[each], self.written[each][0] + 1
            changed = ListingPriceChanged(
                listing_id=each,
                price_minor=price,
                currency="USD",
                previous_minor=price - 1,
                previous_currency="USD",
                changed_at=NOW,
            )
            await self._append(each, version + 1, changed, price=price)
            hidden = ListingHidden(listing_id=each, hidden_at=NOW)
            await self._append(each, version + 2, hidden)
            await self._append(each, version + 3, ListingShown(listing_id=each, shown_at=NOW))
            listings[each] = version + 3

    async def _append(self, listing: UUID, version: int, event: Event, price: int = 0) -> None:
        (position,) = await append_events(
            self.mesh.settings,
            [(listing_stream(listing), [event])],
            version=version,
        )
        self.written[listing] = (price or self.written[listing][0], position)

    async def read(self) -> None:
        """With the token of the newest write of any listing; 503 is no answer."""
        used = CaughtUp(self.projection)
        while self.goes_on:
            if not self.written:
                await let_pass(0.01, because="nothing is written yet")
                continue
            listing = random.choice([*self.written])
            price, position = self.written[listing]
            try:
                query = partial(self._price, listing)
                found = await used.read(asking(self.mesh, position), query)
            except StoreUnavailableError:
                continue
            self.answered += 1
            if found is None or found < price:
                self.stale.append(f"{listing}: {found} where {price} was written at {position}")

    async def _price(self, listing: UUID) -> int | None:
        if self.projection is listing_facts:
            clickhouse: ClickHouse = self.mesh.machines.clickhouse
            query = "SELECT price_minor FROM listing_facts WHERE key = %(key)s"
            rows = await clickhouse.fetch(query, {"key": str(listing)})
            return rows[0][0] if rows else None
        index = alias_of(self.mesh.settings, self.projection.name)
        body = {"query": {"ids": {"values": [str(listing)]}}}
        found = await self.mesh.machines.opensearch.search(index=index, body=body)
        hits = found["hits"]["hits"]
        return hits[0]["_source"]["price_minor"] if hits else None


@pytest.mark.timeout(KILLING_S + 240)
@pytest.mark.parametrize("group", GROUPS)
async def test_no_read_is_older_than_its_token_while_workers_are_killed(
    mesh: Mesh, group: str, record_property: Any
) -> None:
    seed = random.randrange(10**9)
    record_property("seed", seed)
    chance, projection = random.Random(seed), GROUPS[group]
    as_world = World(mesh.settings, mesh.machines.postgres.pool)
    starts = await ends(as_world)
    trade = Trade(mesh, projection, asyncio.get_running_loop().time() + KILLING_S)
    kills = 0
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(trade.write())
        for _ in range(READERS):
            tasks.create_task(trade.read())
        while trade.goes_on:
            async with process(group, as_world, INSTANCE="kills") as worker:
                await worker.ready()
                answered = trade.answered
                await eventually(
                    lambda seen=answered: trade.answered > seen or not trade.goes_on, 60
                )
                await let_pass(chance.uniform(0, 1), because="a kill comes at any moment")
            kills += 1
    record_property("kills", kills)
    record_property("answered", trade.answered)
    assert trade.stale == []
    assert kills
    assert trade.answered > kills
    async with process(group, as_world, INSTANCE="kills") as worker:
        await worker.ready()
        await equal_to_the_pure_fold(as_world, projection, starts)
