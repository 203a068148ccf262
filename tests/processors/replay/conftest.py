from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from infra.settings import Settings
from tests.processors.replay.shop import Shop, append, append_aborted, listings, shop


@pytest_asyncio.fixture(scope="module")
async def mesh(stack: Settings) -> AsyncIterator[Shop]:
    """A shop with some listings in its log, and some that were never committed."""
    async with shop(stack) as made:
        await append(made.settings, listings(60))
        await append_aborted(made.settings, listings(3))
        yield made
