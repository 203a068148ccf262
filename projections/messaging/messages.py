"""Messages, each sealed with the key of its sender. Postgres, one row per message.

When one was read stands in `message_reads`: one event there marks many messages here.
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
from schemas.log.recorded import Recorded
from schemas.messaging import MessageSent


@dataclass(frozen=True, slots=True)
class Message:
    """What one of the two said, or did: then `notice_kind` says what, about the booking
    `notice_booking_id`, and nothing is said. `number` is its place in the conversation, from 1 and without
    a gap, `sender_number` its place among its sender's.
    """

    conversation_id: str
    number: int
    sender_id: str
    recipient_id: str
    sender_number: int
    content_sealed: str
    created_at: datetime
    notice_kind: str | None = None
    notice_booking_id: str | None = None
    notice_reason: str | None = None


def key(recorded: Recorded[MessageSent]) -> str:
    """The message's id."""
    return str(recorded.event.message_id)


def fold(_row: Message | None, recorded: Recorded[MessageSent]) -> Message:
    """The message as it was sent: nobody changes one."""
    event = recorded.event
    notice = event.notice
    return Message(
        conversation_id=str(event.conversation_id),
        number=event.number,
        sender_id=str(event.sender_id),
        recipient_id=str(event.recipient_id),
        sender_number=event.sender_number,
        content_sealed=event.content_sealed,
        created_at=event.sent_at,
        notice_kind=None if notice is None else notice.kind.value,
        notice_booking_id=None if notice is None else str(notice.booking_id),
        notice_reason=None if notice is None or notice.reason is None else notice.reason.value,
    )


table = Table("messages", MetaData(), *columns_of(Message))
Index("of_conversation", table.c.conversation_id, table.c.number.desc())

messages = Projection(
    name="messages",
    version=2,
    hears=(MessageSent,),
    key=key,
    fold=fold,
    row=Message,
    target=PostgresTable(table),
    insert_only=True,
)

# The first reading that went so far is the one in which this message was read.
_LATEST = """
    SELECT message.key, message.conversation_id, message.number, message.sender_id,
           message.recipient_id, message.content_sealed, message.created_at, message.notice_kind,
           message.notice_booking_id, message.notice_reason, reading.read_at
    FROM (
        SELECT * FROM reads.messages
        WHERE conversation_id = $1 {after}
        ORDER BY number DESC {limit}
    ) AS message
    LEFT JOIN LATERAL (
        SELECT read_at FROM reads.message_reads
        WHERE conversation_id = message.conversation_id AND reader_id = message.recipient_id
          AND up_to >= message.sender_number
        ORDER BY up_to LIMIT 1
    ) AS reading ON true
    ORDER BY message.number DESC
"""
_BY_IDS = """
    SELECT key, conversation_id, sender_id, content_sealed, created_at
    FROM reads.messages WHERE key = ANY($1::text[])
"""
_BY_ID = """
    SELECT key, conversation_id, number, sender_id, recipient_id, sender_number
    FROM reads.messages WHERE key = $1
"""


async def latest(reads: Reads, conversation_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """A conversation's messages, the last first."""
    return await fetch_slice(reads, _LATEST, "number", part, conversation_id)


async def by_ids(reads: Reads, message_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """These messages, sealed."""
    return await reads.fetch(_BY_IDS, message_ids)


async def by_id(reads: Reads, message_id: str) -> Mapping[str, Any] | None:
    """Where a message stands, without what it says."""
    return await reads.fetchrow(_BY_ID, message_id)
