"""One build's share of a shard's work: batches of the log, folded by the runner that live
workers use, so that a replayed row can't differ from a live one by the way it was made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from processors.feeding.parking import Parking
from processors.feeding.reading import Stretch
from processors.feeding.recorded_stream import Batch
from processors.feeding.runner import Runner
from processors.replay.builds import Build
from processors.stores.opening import store_name
from processors.stores.port import Store
from schemas.log.positions import TopicPartition
from schemas.registry import kind_of

# A store's restart takes up to 20 s. One that is away for longer is its operator's to bring
# back: the replay ends, says so and can be resumed.
STORE_PATIENCE_S = 60.0


class Feed:
    """Takes batches, one waiting while one is worked on."""

    def __init__(
        self,
        build: Build,
        stores: Mapping[str, Store],
        parking: Parking,
        stretches: Mapping[TopicPartition, Stretch],
    ) -> None:
        self.build = build
        self.name = build.name
        self.kinds = frozenset(kind_of(each) for each in build.projection.hears)
        self.reached = {place: each.start for place, each in stretches.items()}
        store = stores[store_name(build.projection)]
        self._runner = Runner(build.generation, store, parking, STORE_PATIENCE_S)
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)

    async def put(self, batch: Batch | None) -> None:
        """Wait for room and hand a batch on; None: there are no more."""
        await self._batches.put(batch)

    async def run(self, tell: Callable[[], None]) -> None:
        """Fold every batch; `tell` is called after each."""
        await self._runner.start(self.reached)
        while (batch := await self._batches.get()) is not None:
            await self._runner.apply(batch)
            for place, mark in batch.marks.items():
                if place in self.reached:
                    self.reached[place] = max(self.reached[place], mark.next_offset)
            tell()
