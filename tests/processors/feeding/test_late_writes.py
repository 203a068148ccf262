"""A worker is killed with a write on its way, and another takes over before that write arrives. In
OpenSearch and ClickHouse, where nothing ends with a connection, it arrives all the same: it must
find that it is too late, wherever the killed worker's batch ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from itertools import combinations, count
from typing import Any

import pytest

from processors.feeding.parking import Parking
from processors.feeding.recorded_stream import Guard, read_batch
from processors.feeding.runner import Runner
from processors.stores.port import ConflictError, Generation, Session, Store
from projections.projection import Projection
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record
from tests.processors.pure import pure_fold
from tests.processors.records import record
from tests.processors.tally import Tally, tally
from tests.worlds import World

PLACE = TopicPartition("events.listings", 0)
GONE = "gone"
_numbers = count(1)


class KilledError(Exception):
    pass


def last_title(row: Tally | None, recorded: Any) -> Tally | None:
    """The title alone: events that undo one another leave the row as it was."""
    title = recorded.event.fields.title
    return None if title == GONE else Tally((title,), 1)


# Titles of one stream, one event after the other.
HISTORIES = {
    "one undoes the other": ("one", "two", "one"),
    "what is taken away comes back": ("one", GONE, "one"),
    "made and taken away": ("one", GONE),
    "made, changed and taken away": ("one", "two", GONE),
    "every one changes it": ("one", "two", "three"),
}


class LateStore:
    """A real store on which a worker dies while it writes; `arrive` lets the write come in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = store.name
        self.arrive: Callable[[], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def session(self, generation: Generation) -> AsyncIterator[Session]:
        async with self._store.session(generation) as session:
            write = session.write

            async def killed(changes: Any, *_: Any) -> None:
                self.arrive = lambda: write(changes, {})
                raise KilledError

            session.write = killed  # type: ignore[method-assign]
            yield session


class Rig:
    """A generation of its own and workers that feed it."""

    def __init__(self, mesh: World, store: Store) -> None:
        self.store, self.parking = store, Parking(mesh.pool)
        projection: Projection[Any] = tally(store.name, last_title)  # type: ignore[arg-type]
        self.generation = Generation(replace(projection, name="late"), next(_numbers))

    async def work(self, store: Store, log: Sequence[Record], until: int) -> None:
        """A new worker goes on from the watermark and has a batch up to there."""
        runner = Runner(self.generation, store, self.parking)
        marks = await runner.start([PLACE])
        begin = marks[PLACE].next_offset if PLACE in marks else 0
        await runner.apply(read_batch(log[begin:until], {PLACE: Guard(start=begin)}))

    async def rows(self) -> dict[str, Any]:
        await self.store.settle(self.generation)
        async with aclosing(self.store.scan(self.generation)) as found:
            return {key: row async for key, row in found}


@pytest.mark.parametrize("store", ["opensearch", "clickhouse"], indirect=True)
@pytest.mark.parametrize("name", HISTORIES)
async def test_a_killed_workers_last_write_that_arrives_late_changes_nothing(
    mesh: World, store: Store, name: str
) -> None:
    log = [record(at, "a", at + 1, title) for at, title in enumerate(HISTORIES[name])]
    for done, died in combinations(range(len(log)), 2):
        for took_over in range(died, len(log) + 1):
            rig, late = Rig(mesh, store), LateStore(store)
            await store.create(rig.generation)
            await rig.work(store, log, done)
            with pytest.raises(KilledError):
                await rig.work(late, log, died)
            await rig.work(store, log, took_over)
            assert late.arrive is not None
            with suppress(ConflictError):  # how OpenSearch tells the dead that they are late
                await late.arrive()
            wanted = pure_fold(rig.generation.projection, log[:took_over])
            assert await rig.rows() == wanted, (done, died, took_over)
            # Nor does it take anything from whoever comes next.
            await rig.work(store, log, len(log))
            assert await rig.rows() == pure_fold(rig.generation.projection, log)
