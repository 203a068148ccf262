"""A stream's events in their order, read from the journal: what as-of reads and histories fold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from projections.reads import Reads
from schemas.positions import Position
from schemas.recorded import Recorded
from schemas.topics import EVENT_TYPES

BATCH = 500

_EVENTS = """
    SELECT key, stream_id, version, kind, schema_version, data, command_id, event_index,
           event_count, fingerprint, actor, correlation_id, causation_id, recorded_at, topic,
           partition, position_offset, writer_epoch
    FROM reads.journal WHERE stream_id = $1 AND version > $2 ORDER BY version LIMIT $3
"""


_REACHES = "SELECT version FROM reads.journal WHERE stream_id = $1 AND version = $2"


async def reaches(reads: Reads, stream_id: str, version: int) -> Mapping[str, Any] | None:
    """Something once the journal has this version of the stream."""
    return await reads.fetchrow(_REACHES, stream_id, version)


async def events_of(reads: Reads, stream_id: str) -> AsyncIterator[Recorded[Any]]:
    """Every event of a stream from the first on, in batches inside; stop when you have enough."""
    last = 0
    while rows := await reads.fetch(_EVENTS, stream_id, last, BATCH):
        for row in rows:
            yield _recorded(row)
        last = rows[-1]["version"]
        if len(rows) < BATCH:
            return


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
