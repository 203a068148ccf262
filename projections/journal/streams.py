"""A stream's events in their order, read from the journal: what as-of reads and histories fold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from projections.reads import Reads
from schemas.log.positions import Position
from schemas.log.recorded import Recorded
from schemas.topics import EVENT_TYPES

BATCH = 500

_EVENTS = """
    SELECT key, stream_id, version, kind, schema_version, data, command_id, event_index,
           event_count, fingerprint, actor, correlation_id, causation_id, recorded_at, topic,
           partition, position_offset, writer_epoch
    FROM reads.journal WHERE stream_id = $1 AND version > $2 ORDER BY version LIMIT $3
"""


_VERSION_AT = """
    WITH RECURSIVE halved (low, high) AS (
        SELECT 0, $2::integer
        UNION ALL
        SELECT CASE WHEN event.recorded_at <= $3 THEN part.middle ELSE part.low END,
               CASE WHEN event.recorded_at <= $3 THEN part.high ELSE part.middle - 1 END
        FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM halved WHERE low < high) AS part
        JOIN reads.journal AS event ON event.stream_id = $1 AND event.version = part.middle
    )
    SELECT low AS version FROM halved WHERE low = high
"""
_PLACE = "SELECT stream_id, version, recorded_at FROM reads.journal WHERE key = $1"
_REACHES = "SELECT version FROM reads.journal WHERE stream_id = $1 AND version = $2"


async def reaches(reads: Reads, stream_id: str, version: int) -> Mapping[str, Any] | None:
    """Something once the journal has this version of the stream."""
    return await reads.fetchrow(_REACHES, stream_id, version)


async def place_of(reads: Reads, event_id: str) -> Mapping[str, Any] | None:
    """In which stream an event is, as which version, and since when; None: it is not known yet."""
    return await reads.fetchrow(_PLACE, event_id)


async def events_of(
    reads: Reads, stream_id: str, *, after: int = 0, count: int
) -> AsyncIterator[Recorded[Any]]:
    """The next `count` events of a stream after a version, in batches inside."""
    last = after
    while wanted := min(BATCH, after + count - last):
        rows = await reads.fetch(_EVENTS, stream_id, last, wanted)
        for row in rows:
            yield _recorded(row)
        if len(rows) < wanted:
            return
        last = rows[-1]["version"]


async def version_at(reads: Reads, stream_id: str, newest: int, at: datetime) -> int:
    """The last version up to `newest` that the log took until that moment; 0: there was none.
    The log's time never goes back within a stream, so halving finds it: a row a step.
    """
    row = await reads.fetchrow(_VERSION_AT, stream_id, newest, at)
    return 0 if row is None else int(row["version"])


async def event_at(reads: Reads, stream_id: str, version: int) -> Recorded[Any] | None:
    """The event of one version of a stream; None when the journal has not read of it."""
    rows = await reads.fetch(_EVENTS, stream_id, version - 1, 1)
    return _recorded(rows[0]) if rows else None


def _recorded(row: Mapping[str, Any]) -> Recorded[Any]:
    value = row["data"].encode()
    return Recorded(
        event=EVENT_TYPES.decode(row["kind"], row["schema_version"], value),
        event_id=row["key"],
        kind=row["kind"],
        stream_id=row["stream_id"],
        version=row["version"],
        recorded_at=row["recorded_at"],
        command_id=row["command_id"],
        index=row["event_index"],
        count=row["event_count"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        actor=row["actor"],
        fingerprint=row["fingerprint"],
        writer_epoch=row["writer_epoch"],
        position=Position(row["topic"], row["partition"], row["position_offset"]),
        schema_version=row["schema_version"],
        value=value,
    )
