"""The journal's work done at once, without a worker: for benches that measure something else."""

from __future__ import annotations

from typing import Any

import asyncpg

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.reading import Batch, Log, Stretch, open_log
from projections.journal.journal import journal
from projections.journal.outcomes import outcomes
from projections.projection import PostgresTable, Projection
from schemas.log.positions import TopicPartition
from schemas.log.recorded import decode_event
from schemas.topics import EVENT_TYPES

EVENTS, REPLIES = "events.listings", "replies.listings"
COPY_TIMEOUT_S = 600.0


async def note_in_journal(settings: Settings) -> None:
    """Copy what is new in the listings' log into the first generations of journal and
    outcomes, and move their watermarks to the log's end.
    """
    async with await open_pool(settings, size_max=1) as pool, open_log(settings) as log:
        for projection, topic in ((journal, EVENTS), (outcomes, REPLIES)):
            await _copy(pool, log, projection, topic)


async def _copy(pool: asyncpg.Pool, log: Log, projection: Projection[Any], topic: str) -> None:
    marks = {
        TopicPartition(topic, row["partition"]): row["next_offset"]
        for row in await pool.fetch(
            "SELECT partition, next_offset FROM mesh.watermarks"
            " WHERE projection = $1 AND topic = $2",
            projection.name,
            topic,
        )
    }
    stretches = {
        place: Stretch(marks.get(place, 0), bounds.end)
        for place, bounds in (await log.bounds([topic])).items()
    }
    async for batch in log.read(stretches):
        await _store(pool, projection, batch)


async def _store(pool: asyncpg.Pool, projection: Projection[Any], batch: Batch) -> None:
    target = projection.target
    assert isinstance(target, PostgresTable)
    names = [column.name for column in target.table.columns]
    rows = []
    for record in batch.records:
        recorded = decode_event(record, EVENT_TYPES)
        row = projection.fold(None, recorded)
        if row is not None:
            values = {"key": projection.key(recorded)}
            rows.append([values.get(name) or getattr(row, name) for name in names])
    async with pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table(
            f"{projection.name}__g1",
            schema_name="reads",
            columns=names,
            records=rows,
            timeout=COPY_TIMEOUT_S,
        )
        await connection.execute(
            "INSERT INTO mesh.watermarks (projection, generation, topic, partition, next_offset)"
            " VALUES ($1, 1, $2, $3, $4) ON CONFLICT (projection, generation, topic, partition)"
            " DO UPDATE SET next_offset = excluded.next_offset",
            projection.name,
            batch.place.topic,
            batch.place.partition,
            batch.next_offset,
        )
