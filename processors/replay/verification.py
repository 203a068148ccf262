"""Is a read model what the log says? An independent fold, compared row by row.

The fold here is a path of its own: records that count (the one rule all readers share) are
decoded and given straight to the projection's pure functions, with no store and no runner in
between. It goes as far as the generation's
watermarks, then the store is scanned and every row compared by its canonical hash.

It is correct while the shop is open. The scan takes time and workers go on writing, so a
scanned row may be newer than the fold. A row that differs and that no later event touched is
wrong. A row that differs and was touched is open: the fold goes on over the later events, and
if one of the states on the way is the one that was scanned, the row was right at its moment.
Rows of several partitions can be seen in a mixture that the fold never passes; those are read
again once the store has reached the fold's new position, as often as needed (ROUNDS_MAX).
What has not settled then is told and counts as a failure.

Memory: one row of each key while a pass lasts (a hash, where every event has its own row).
Where the log is long, keys are split by hash into as many passes as keep one at about
`EVENTS_PER_PASS` events. Each pass reads the whole log; in return that works for keys that
gather several streams, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.reading import Log, Stretch, kind_of_record, open_log
from processors.feeding.recorded_stream import COUNTS, Guard
from processors.replay.comparison import Comparison, Verdict, ends_of
from processors.replay.limits import Limits
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation
from schemas.log.recorded import RawRecord, UndecodableError, decode_event
from schemas.topics import EVENT_TYPES

EVENTS_PER_PASS = 3_000_000

Report = Callable[[str, int, int], None]  # what is done now, steps done, steps in all


def silent(_what: str, _done: int, _of: int) -> None:
    """A report to nobody."""


async def verify(
    settings: Settings,
    targets: Sequence[tuple[Generation, Limits]],
    report: Report = silent,
    passes: int = 0,
) -> list[Verdict]:
    """Compare these generations with the log. `passes` 0: as many as the log's length asks for.

    Raises StoreUnavailableError and LogUnavailableError.
    """
    projections = [generation.projection for generation, _ in targets]
    async with (
        await open_pool(settings, size_max=1) as pool,
        opened_stores(settings, projections) as stores,
        open_log(settings) as log,
    ):
        comparisons = [
            Comparison(generation, limits, stores[store_name(generation.projection)])
            for generation, limits in targets
        ]
        for each in comparisons:
            await each.begin(pool)
        of = passes or 1 + sum(ends_of(comparisons).values()) // EVENTS_PER_PASS
        for number in range(of):
            for each in comparisons:
                await each.begin(pool, number, of)
            title = "folding" if of == 1 else f"folding, pass {number + 1} of {of}"
            await _one_pass(log, comparisons, title, report)
    return [each.verdict for each in comparisons]


async def _one_pass(
    log: Log, comparisons: Sequence[Comparison], title: str, report: Report
) -> None:
    ends = ends_of(comparisons)
    length, done = sum(ends.values()), 0
    stretches = {place: Stretch(0, end) for place, end in ends.items()}
    guards = {place: Guard() for place in ends}
    async with aclosing(log.read(stretches)) as batches:
        async for batch in batches:
            guard = guards[batch.place]
            for record in batch.records:
                if guard.judge(dict(record.headers)) == COUNTS:
                    _let_count(record, comparisons)
            done += len(batch.records)
            report(title, done, length)
            await asyncio.sleep(0)
    for each in comparisons:
        await each.compare(partial(report, f"comparing {each.generation.name}"))
        await each.settle(log)


def _let_count(record: RawRecord, comparisons: Sequence[Comparison]) -> None:
    """Give one record to whoever hears it; decoded once."""
    kind = kind_of_record(record)
    hearing = [each for each in comparisons if each.wants(kind, record)]
    if not hearing:
        return
    try:
        recorded = decode_event(record, EVENT_TYPES)
    except UndecodableError as error:
        for each in hearing:
            each.unreadable(record, str(error))
        return
    for each in hearing:
        each.fold(recorded)
