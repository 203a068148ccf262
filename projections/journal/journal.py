"""Every event as it stands in the log, by stream and version. Postgres, one row per event.

The writer loads streams from it; history, as-of reads and audits come from it; its unique
(stream, version) is the alarm that no two writers ever appended the same version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from projections.projection import PostgresTable, Projection
from schemas.log.frozen import frozen
from schemas.log.recorded import Recorded
from schemas.topics import CONTEXTS

NAME = "journal"
VERSION = 1


@frozen
class Row:
    """One event. `data` is the value's text exactly as stored, in schema `schema_version`."""

    stream_id: str
    version: int
    kind: str
    schema_version: int
    data: str
    command_id: str
    event_index: int
    event_count: int
    fingerprint: str
    actor: str
    correlation_id: str
    causation_id: str
    recorded_at: datetime
    topic: str
    partition: int
    position_offset: int
    writer_epoch: int


TABLE = Table(
    NAME,
    MetaData(),
    Column("key", Text, primary_key=True),  # the event's id
    Column("stream_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    # Text, not jsonb: it must come back byte for byte.
    Column("data", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("event_index", Integer, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("causation_id", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("position_offset", BigInteger, nullable=False),
    Column("writer_epoch", BigInteger, nullable=False),
    UniqueConstraint("stream_id", "version", name="stream_version"),
)


def key(recorded: Recorded[Any]) -> str:
    """The event's own id: `event_id_of(command_id, index)`."""
    return recorded.event_id


def fold(_row: Row | None, recorded: Recorded[Any]) -> Row:
    """The event as a row."""
    return Row(
        stream_id=recorded.stream_id,
        version=recorded.version,
        kind=recorded.kind,
        schema_version=recorded.schema_version,
        data=recorded.value.decode(),
        command_id=recorded.command_id,
        event_index=recorded.index,
        event_count=recorded.count,
        fingerprint=recorded.fingerprint,
        actor=recorded.actor,
        correlation_id=recorded.correlation_id,
        causation_id=recorded.causation_id,
        recorded_at=recorded.recorded_at,
        topic=recorded.position.topic,
        partition=recorded.position.partition,
        position_offset=recorded.position.offset,
        writer_epoch=recorded.writer_epoch,
    )


journal: Projection[Row] = Projection(
    name=NAME,
    version=VERSION,
    # Contexts without commands (tracking) have facts in no order and streams of no version.
    hears=tuple(event for context in CONTEXTS if context.commands for event in context.events),
    key=key,
    fold=fold,
    row=Row,
    target=PostgresTable(TABLE),
    insert_only=True,
)
