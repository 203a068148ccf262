"""When somebody read how far. Postgres, one row per reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from schemas.log.recorded import Recorded
from schemas.messaging import MessagesRead


@dataclass(frozen=True, slots=True)
class MessageRead:
    """The first `up_to` messages of the other one had been read."""

    conversation_id: str
    reader_id: str
    up_to: int
    read_at: datetime


def key(recorded: Recorded[MessagesRead]) -> str:
    """The event's own id: every reading has a row."""
    return recorded.event_id


def fold(_row: MessageRead | None, recorded: Recorded[MessagesRead]) -> MessageRead:
    """The reading that an event states."""
    event = recorded.event
    return MessageRead(
        conversation_id=str(event.conversation_id),
        reader_id=str(event.reader_id),
        up_to=event.up_to,
        read_at=event.read_at,
    )


table = Table("message_reads", MetaData(), *columns_of(MessageRead))
Index("of_reader", table.c.conversation_id, table.c.reader_id, table.c.up_to)

message_reads = Projection(
    name="message_reads",
    version=1,
    hears=(MessagesRead,),
    key=key,
    fold=fold,
    row=MessageRead,
    target=PostgresTable(table),
    insert_only=True,
)
