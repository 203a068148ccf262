"""A read with a Consistency-Token while another generation comes to be shown: in OpenSearch and
ClickHouse the name changes by itself, and what it shows then need not be as far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
import pytest_asyncio
from starlette.requests import Request

from api.entry.consistency import CaughtUp
from infra.clients.opensearch import alias_of, open_opensearch
from infra.settings import Settings
from processors.replay import builds, engine
from processors.stores.port import Generation
from schemas.log.positions import Position, format_token
from tests.api.running import Mesh, api
from tests.processors.records import listing_id, stream, titled
from tests.processors.replay.shop import BY_NAME, Shop, shop
from tests.processors.stores.public import public_keys
from tests.waiting import let_pass
from tests.worlds import append_events


@pytest_asyncio.fixture(scope="module")
async def made(stack: Settings) -> AsyncIterator[Shop]:
    async with shop(stack) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def mesh(made: Shop) -> AsyncIterator[Mesh]:
    async with api(made.settings.model_copy(update={"read_wait_s": 20.0})) as started:
        yield started


@dataclass(frozen=True)
class Exchange:
    """A live generation, one that may take its place, and a new row that neither has read of."""

    made: Shop
    live: Generation
    candidate: Generation
    position: Position
    key: str

    async def show(self, generation: Generation) -> None:
        async with self.made.store(generation.projection) as store:
            await store.publish([generation])

    async def is_found(self) -> bool:
        """What a query gives: whether the new row is among those shown."""
        name = self.live.projection.name
        if name == "listing_facts":
            return self.key in await public_keys(self.made.world, "clickhouse", name)
        async with open_opensearch(self.made.settings) as client:
            body = {"query": {"ids": {"values": [self.key]}}}
            found = await client.count(index=alias_of(self.made.settings, name), body=body)
            return bool(found["count"])


@pytest_asyncio.fixture(params=["listing_search", "listing_facts"])
async def exchange(request: pytest.FixtureRequest, made: Shop) -> AsyncIterator[Exchange]:
    projection = BY_NAME[request.param]
    live = await made.live(projection.name)
    await made.feed(live)
    (candidate,) = await engine.start(made.settings, [projection])
    new = uuid4().hex
    (position,) = await append_events(made.settings, [(stream(new), [titled(new, 1, "New car")])])
    ready = Exchange(made, live, candidate, position, listing_id(new))
    yield ready
    await ready.show(live)
    await builds.drop(made.settings, [projection], candidate.number)


def asking(mesh: Mesh, position: Position) -> Request:
    token = format_token([position]).encode()
    scope = {
        "type": "http",
        "headers": [(b"consistency-token", token)],
        "query_string": b"",
        "path_params": {},
        "app": mesh.app,
    }
    return Request(scope)


async def test_a_query_that_met_the_next_generation_is_asked_again(
    mesh: Mesh, exchange: Exchange
) -> None:
    await exchange.made.feed(exchange.live)
    asked = 0

    async def query() -> bool:
        nonlocal asked
        asked += 1
        if asked > 1:
            return await exchange.is_found()
        await exchange.show(exchange.candidate)
        found = await exchange.is_found()
        await exchange.made.feed(exchange.candidate)
        return found

    used = CaughtUp(exchange.live.projection)
    assert await used.read(asking(mesh, exchange.position), query)
    assert asked == 2


async def test_who_waits_while_the_name_moves_waits_for_what_is_shown_then(
    mesh: Mesh, exchange: Exchange
) -> None:
    used = CaughtUp(exchange.live.projection)
    reading = asyncio.create_task(used.read(asking(mesh, exchange.position), exchange.is_found))
    await let_pass(0.2, because="the read looks at the live generation first")
    await exchange.show(exchange.candidate)
    await exchange.made.feed(exchange.live)
    await let_pass(0.5, because="the old generation has the row, and is not shown any more")
    assert not reading.done()
    await exchange.made.feed(exchange.candidate)
    assert await reading


async def test_a_query_without_a_token_waits_for_nothing(mesh: Mesh, exchange: Exchange) -> None:
    request = asking(mesh, exchange.position)
    request.scope["headers"] = []
    assert not await CaughtUp(exchange.live.projection).read(request, exchange.is_found)
