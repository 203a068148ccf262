"""The search's index follows the log on the real OpenSearch: what is older never comes after what is newer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from processors.feeding.parking import Parking
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.stores.port import Generation, Store
from projections.search.listing_search import ListingDocument, listing_search
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from tests.processors.records import listing_id, record
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
_numbers = count(1)
OLD = (record(0, "a", 1, "one"), record(1, "a", 2, "two"))
NEW = (record(2, "a", 3, "three"), record(3, "a", 4, "four"))


class Index:
    """One generation of the index, and workers that feed it."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.generation = Generation(listing_search, next(_numbers))
        self.store = store
        self._parking = Parking(mesh.pool)

    async def fed(self, records: Sequence[Record], store: Any = None) -> None:
        """By a worker that believes it is the first to read them."""
        runner = Runner(self.generation, store or self.store, self._parking)
        await runner.apply(read_batch(records, {PLACE: Guard()}))

    async def title(self) -> str | None:
        await self.store.settle(self.generation)
        async with aclosing(self.store.scan(self.generation)) as found:
            rows: dict[str, ListingDocument] = {key: row async for key, row in found}
        return rows[listing_id("a")].title


@pytest_asyncio.fixture
async def index(mesh: World, all_stores: Mapping[str, Store]) -> AsyncIterator[Index]:
    made = Index(mesh, all_stores["opensearch"])
    await made.store.create(made.generation)
    yield made
    await made.store.drop(made.generation)


@pytest.mark.parametrize("late", [OLD, OLD[:1], (*OLD, *NEW[:1])], ids=len)
async def test_EV_02_a_late_older_event_never_overwrites_a_newer(
    index: Index, late: Sequence[Record]
) -> None:
    await index.fed((*OLD, *NEW))
    await index.fed(late)
    assert await index.title() == "four"


async def test_EV_02_whoever_has_read_the_row_before_a_newer_event_came_does_not_overwrite_it(
    index: Index,
) -> None:
    await index.fed(OLD[:1])
    overtaken = Overtaken(index.store, lambda: index.fed((*OLD, *NEW)))
    await index.fed(OLD, overtaken)
    assert overtaken.times == 1
    assert await index.title() == "four"


class Overtaken:
    """A store in whose first round somebody else writes, after the rows were read."""

    def __init__(self, store: Store, overtake: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._overtake = overtake
        self.name = store.name
        self.times = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def session(self, generation: Generation) -> AsyncIterator[Any]:
        async with self._store.session(generation) as session:
            load = session.load

            async def loaded(keys: Sequence[str]) -> Any:
                found = await load(keys)
                if self.times == 0:
                    self.times += 1
                    await self._overtake()
                return found

            session.load = loaded
            yield session
