"""What people are told of. Postgres, one row per notification, made by one event: which of them
somebody has seen their inbox tells, and what became of them their batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, MetaData, Table

from projections.notifications.views import NOTIFICATIONS_VIEW, STATUS
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.log.recorded import Recorded
from schemas.notifications import NotificationRequested, NotificationType


@dataclass(frozen=True, slots=True)
class Notification:
    """One of them. `channels`, `batch_ids` and `reasons` go together: what each channel does about
    it, "" where there is none.
    """

    user_id: str
    number: int
    type: NotificationType
    cause_kind: str
    cause_id: str
    rules: int
    listing_id: str | None
    item_id: str | None
    booking_id: str | None
    conversation_id: str | None
    review_id: str | None
    alert_id: str | None
    search_id: str | None
    sender_id: str | None
    sender_number: int | None
    channels: tuple[str, ...]
    batch_ids: tuple[str, ...]
    reasons: tuple[str, ...]
    requested_at: datetime


def key(recorded: Recorded[NotificationRequested]) -> str:
    """The notification's id."""
    return str(recorded.event.notification_id)


def fold(_row: Notification | None, recorded: Recorded[NotificationRequested]) -> Notification:
    """The row that the event makes."""
    event = recorded.event
    about = event.about
    return Notification(
        user_id=str(event.user_id),
        number=event.number,
        type=event.type,
        cause_kind=event.cause_kind,
        cause_id=str(event.cause_id),
        rules=event.rules,
        listing_id=_text(about.listing_id),
        item_id=_text(about.item_id),
        booking_id=_text(about.booking_id),
        conversation_id=_text(about.conversation_id),
        review_id=_text(about.review_id),
        alert_id=_text(about.alert_id),
        search_id=_text(about.search_id),
        sender_id=_text(about.sender_id),
        sender_number=about.sender_number,
        channels=tuple(each.channel.value for each in event.deliveries),
        batch_ids=tuple(str(each.batch_id or "") for each in event.deliveries),
        reasons=tuple(each.reason or "" for each in event.deliveries),
        requested_at=event.requested_at,
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


table = Table("notifications", MetaData(), *columns_of(Notification))
Index("of_person", table.c.user_id, table.c.number.desc())

notifications = Projection(
    name="notifications",
    version=1,
    hears=(NotificationRequested,),
    key=key,
    fold=fold,
    row=Notification,
    target=PostgresTable(table, extras=(NOTIFICATIONS_VIEW,)),
    insert_only=True,
)

_READ = "(own.number <= inbox.read_to OR own.number = ANY(inbox.read_apart))"
_SHOWN = f"""
    SELECT own.*, coalesce({_READ}, false) AS is_read, told.*
    FROM reads.notifications AS own
    LEFT JOIN reads.inboxes AS inbox ON inbox.key = own.user_id
    CROSS JOIN LATERAL (
        SELECT array_agg({STATUS} ORDER BY each.place) AS statuses,
               array_agg(coalesce(batch.reason, each.reason) ORDER BY each.place) AS told_reasons,
               array_agg(batch.settled_at ORDER BY each.place) AS settled_at
        FROM unnest(own.batch_ids, own.reasons) WITH ORDINALITY
            AS each (batch_id, reason, place)
        LEFT JOIN reads.notification_batches AS batch ON batch.key = each.batch_id
    ) AS told
"""  # noqa: S608 - our own names
_OF_PERSON = f"""
    {_SHOWN} WHERE own.user_id = $1 AND own.number > $2
      AND ($3::bool IS NULL OR coalesce({_READ}, false) <> $3)
      AND ($4::text IS NULL OR own.type = $4) {{after}}
    ORDER BY own.number DESC {{limit}}
"""
_BY_ID = f"{_SHOWN} WHERE own.key = $1 AND own.user_id = $2"


@dataclass(frozen=True)
class Wanted:
    """Whose notifications, and which: those after a number; only what is unread, or read."""

    user_id: str
    after: int = 0
    unread: bool | None = None
    type: NotificationType | None = None


async def of_person(reads: Reads, wanted: Wanted, part: Slice) -> Sequence[Mapping[str, Any]]:
    """Somebody's, the last first, each with what became of it."""
    values = (wanted.user_id, wanted.after, wanted.unread, wanted.type)
    return await fetch_slice(reads, _OF_PERSON, "own.number", part, *values)


async def by_id(reads: Reads, notification_id: str, user_id: str) -> Mapping[str, Any] | None:
    """One of somebody's own."""
    return await reads.fetchrow(_BY_ID, notification_id, user_id)
