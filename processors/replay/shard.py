"""One shard of a replay: some partitions of the log, read once and fed to every build.

A shard has the partitions of certain numbers, the same numbers in every topic. A stream lies
in one number, so the row of a stream is only ever touched by one shard. Rows that gather
several streams may be touched by two; the stores' sessions keep that right, as they do for
live workers: Postgres locks a row from load to commit, the others refuse a write over a newer
version (ConflictError), and the round is done again.

Reading and decoding run ahead of the stores by one batch a build; each build has its own
task, so a slow store holds up the fast ones only when it is a whole batch behind.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.parking import Parking
from processors.feeding.reading import Log, Stretch, open_log
from processors.feeding.recorded_stream import Batch, Guard, Incoming, incoming_of
from processors.replay.builds import Build
from processors.replay.feed import Feed
from processors.replay.limits import stretches
from processors.replay.locks import LockLostError, one_shard
from processors.stores.opening import opened_stores
from schemas.log.positions import TopicPartition
from schemas.log.recorded import RawRecord, UndecodableError

BATCH_RECORDS = 8_000
BATCH_BYTES = 16_000_000
CAUGHT_UP = 2_000  # records left for the workers: they read them in less than a second
COLLECT_EVERY = 200  # batches
_UNHEARD = ""  # no kind of event
_BREATH = 250  # records between two turns of the stores' tasks

Report = Callable[[Mapping[str, Mapping[TopicPartition, int]]], None]
Ends = Mapping[str, Mapping[TopicPartition, Stretch]]


@dataclass(frozen=True)
class Task:
    """What a shard does: which builds, and what each still has to read, by build name."""

    settings: Settings
    builds: tuple[Build, ...]
    stretches: Ends
    epochs: Mapping[TopicPartition, int]  # the highest writer epoch before the stretches
    batch_records: int = BATCH_RECORDS


async def run_shard(task: Task, report: Report) -> None:
    """Read and fold until nothing of the stretches, nor much of what came since, is left.

    `report` is told the offsets that each build has reached. Raises what the log or a store
    raises when it stays away; every build can then be resumed from its watermarks.
    """
    names = [build.projection.name for build in task.builds]
    async with (
        one_shard(task.settings, names) as lost,
        await open_pool(task.settings, size_max=2) as pool,
        opened_stores(task.settings, [build.projection for build in task.builds]) as stores,
        open_log(task.settings) as log,
    ):
        parking = Parking(pool)
        feeds = [Feed(build, stores, parking, task.stretches[build.name]) for build in task.builds]

        def tell() -> None:
            report({feed.name: feed.reached for feed in feeds})

        async with asyncio.TaskGroup() as group:
            for feed in feeds:
                group.create_task(feed.run(tell))
            guard = group.create_task(_guard(lost))
            await _read(log, task, feeds)
            guard.cancel()
        tell()


async def _guard(lost: asyncio.Event) -> None:
    await lost.wait()
    message = "the connection to Postgres broke, and with it the lock against a second replay"
    raise LockLostError(message)


async def _read(log: Log, task: Task, feeds: Sequence[Feed]) -> None:
    """Give every feed its batches, then the sign that there are no more."""
    ahead = _union(task.stretches)
    guards = {
        place: Guard(start=each.start, epoch=task.epochs.get(place, 0))
        for place, each in ahead.items()
    }
    while ahead:
        await _Reader(feeds, guards, task.batch_records).read(log, ahead)
        ahead = await _more(log, task, ahead)
    for feed in feeds:
        await feed.put(None)


def _union(wanted: Ends) -> dict[TopicPartition, Stretch]:
    """One pass over the log that covers what every build has to read."""
    ahead: dict[TopicPartition, Stretch] = {}
    for own in wanted.values():
        for place, each in own.items():
            known = ahead.get(place, each)
            ahead[place] = Stretch(min(known.start, each.start), max(known.end, each.end))
    return ahead


async def _more(
    log: Log, task: Task, done: Mapping[TopicPartition, Stretch]
) -> dict[TopicPartition, Stretch]:
    """What has come since, unless workers can take over or the builds have an end."""
    limits = task.builds[0].limits
    if not limits.whole:
        return {}
    bounds = await stretches(log, {place.topic for place in done}, limits)
    ahead = {place: Stretch(each.end, bounds[place].end) for place, each in done.items()}
    return ahead if sum(each.end - each.start for each in ahead.values()) > CAUGHT_UP else {}


class _Reader:
    """Judges every record, decodes what any build hears, and fills batches with it."""

    def __init__(
        self, feeds: Sequence[Feed], guards: Mapping[TopicPartition, Guard], batch_records: int
    ) -> None:
        self._feeds = feeds
        self._guards = guards
        self._batch_records = batch_records
        self._kinds = frozenset(kind for feed in feeds for kind in feed.kinds)
        self._limits = feeds[0].build.limits
        self._handed_on = 0
        self._incoming: list[Incoming] = []
        self._bytes = 0

    async def read(self, log: Log, ahead: Mapping[TopicPartition, Stretch]) -> None:
        """Read these stretches to their ends."""
        async with aclosing(log.read(ahead)) as batches:
            async for batch in batches:
                guard = self._guards[batch.place]
                for start in range(0, len(batch.records), _BREATH):
                    self._take(batch.records[start : start + _BREATH], guard)
                    # The stores' tasks move on meanwhile.
                    await asyncio.sleep(0)
                    if len(self._incoming) >= self._batch_records or self._bytes >= BATCH_BYTES:
                        await self._hand_on()
        await self._hand_on()

    def _take(self, records: Sequence[RawRecord], guard: Guard) -> None:
        kinds, whole, admits = self._kinds, self._limits.whole, self._limits.admits
        for record in records:
            each = incoming_of(record, guard)
            if not whole and not admits(record):
                each.kind = _UNHEARD
            elif each.kind in kinds:
                self._bytes += len(record.value or b"")
                with suppress(UndecodableError):  # the runner meets it again and parks it
                    each.recorded()
            self._incoming.append(each)

    async def _hand_on(self) -> None:
        if not self._incoming:
            return
        batch = Batch.of(self._incoming)
        self._incoming, self._bytes = [], 0
        for feed in self._feeds:
            await feed.put(batch)
        self._handed_on += 1
        if self._handed_on % COLLECT_EVERY == 0:
            gc.collect()
