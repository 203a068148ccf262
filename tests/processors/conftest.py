from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from infra.settings import Settings
from processors.stores.opening import open_store
from processors.stores.port import Store
from tests.worlds import World, world

STORES = ("postgres", "opensearch", "clickhouse")


@pytest_asyncio.fixture(scope="module")
async def mesh(stack: Settings) -> AsyncIterator[World]:
    """Stores of this module's own."""
    async with world(stack) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def all_stores(mesh: World) -> AsyncIterator[Mapping[str, Store]]:
    opened = {name: await open_store(mesh.settings, name) for name in STORES}
    yield opened
    for each in opened.values():
        await each.close()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, all_stores: Mapping[str, Store]) -> Store:
    """Each kind of store in turn."""
    return all_stores[request.param]
