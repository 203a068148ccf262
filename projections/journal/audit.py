"""Who asked for what, when, from where, and what came of it: every command, refused ones too.
Postgres, one row per command, told by the writer's answers.

Where from is a network (IPv4 /24, IPv6 /48): enough to see a pattern, too little to name
somebody, so it may stand in a log that is never rewritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.log.recorded import Recorded, Reply


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. `asked` is its kind, empty where it could not be read; `cause` the command
    or event that led to it, itself for what a client asked.
    """

    at: datetime
    actor: str
    asked: str
    stream_id: str
    origin: str
    outcome: str
    reason: str
    status: int
    version: int
    events: int
    correlation_id: str
    cause: str


def key(recorded: Recorded[Reply]) -> str:
    """The command's id."""
    return recorded.event.command_id


def fold(row: Entry | None, recorded: Recorded[Reply]) -> Entry | None:
    """The entry; none for what was said before."""
    answer = recorded.event
    if row is not None or answer.repeated:
        return row
    return Entry(
        at=recorded.recorded_at,
        actor=recorded.actor,
        asked=answer.asked,
        stream_id=answer.stream_id,
        origin=answer.origin,
        outcome=answer.outcome,
        reason=answer.reason,
        status=answer.status,
        version=answer.version,
        events=answer.event_count,
        correlation_id=recorded.correlation_id,
        cause=recorded.causation_id,
    )


table = Table("audit", MetaData(), *columns_of(Entry))
Index("by_time", table.c.at, table.c.key)
Index("by_actor", table.c.actor, table.c.at, table.c.key)
Index("by_stream", table.c.stream_id, table.c.at, table.c.key)

audit: Projection[Entry] = Projection(
    name="audit",
    version=1,
    hears=(Reply,),
    key=key,
    fold=fold,
    row=Entry,
    target=PostgresTable(table),
    insert_only=True,
)

# Last first. A filter that is null holds for all; each of the first two has an index.
_ENTRIES = """
    SELECT key AS command_id, at, actor, asked, stream_id, origin, outcome, reason, status,
           version, events, correlation_id, cause
    FROM reads.audit
    WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR stream_id = $2)
      AND ($3::text IS NULL OR asked = $3) AND ($4::text IS NULL OR outcome = $4)
      AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
      {after}
    ORDER BY at DESC, key DESC {limit}
"""


@dataclass(frozen=True)
class Wanted:
    """Which entries: None is no condition; `until` is not included."""

    actor: str | None = None
    stream_id: str | None = None
    asked: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def entries(reads: Reads, wanted: Wanted, part: Slice) -> Sequence[Mapping[str, Any]]:
    """Entries, the last first."""
    return await fetch_slice(
        reads,
        _ENTRIES,
        "at, key",
        part,
        wanted.actor,
        wanted.stream_id,
        wanted.asked,
        wanted.outcome,
        wanted.since,
        wanted.until,
    )
