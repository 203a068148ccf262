"""What became of what was gathered for a channel. Postgres, one row per batch that was due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.notifications.views import NOTIFICATIONS_VIEW
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from schemas.log.recorded import Recorded
from schemas.notifications import (
    NotificationChannel,
    NotificationDue,
    NotificationFailed,
    NotificationPutOff,
    NotificationSent,
    NotificationWithheld,
)

Heard: TypeAlias = (
    NotificationDue
    | NotificationPutOff
    | NotificationSent
    | NotificationWithheld
    | NotificationFailed
)
WAITING, DUE, SENT, WITHHELD, FAILED = "waiting", "due", "sent", "withheld", "failed"


@dataclass(frozen=True, slots=True)
class Batch:
    """`status`: it waits, is under way, or what became of it, and for which reason. `count`: of how
    many notifications it told.
    """

    user_id: str
    status: str
    channel: NotificationChannel | None = None
    count: int = 0
    reason: str | None = None
    due_at: datetime | None = None
    settled_at: datetime | None = None


def key(recorded: Recorded[Heard]) -> str:
    """The batch's id."""
    return str(recorded.event.batch_id)


def fold(row: Batch | None, recorded: Recorded[Heard]) -> Batch:
    """The batch after the event."""
    event = recorded.event
    row = row or Batch(user_id=str(event.user_id), status=WAITING)
    match event:
        case NotificationDue(channel=channel, count=count, due_at=at):
            return replace(row, status=DUE, channel=channel, count=count, due_at=at)
        case NotificationPutOff(due_at=at):
            return replace(row, due_at=at)
        case NotificationSent(channel=channel, sent_at=at):
            return replace(row, status=SENT, channel=channel, settled_at=at)
        case NotificationWithheld(channel=channel, reason=reason, withheld_at=at):
            return replace(row, status=WITHHELD, channel=channel, reason=reason, settled_at=at)
        case NotificationFailed(channel=channel, reason=reason, failed_at=at):
            return replace(row, status=FAILED, channel=channel, reason=reason, settled_at=at)
        case _:
            assert_never(event)


notification_batches = Projection(
    name="notification_batches",
    version=1,
    hears=(
        NotificationDue,
        NotificationPutOff,
        NotificationSent,
        NotificationWithheld,
        NotificationFailed,
    ),
    key=key,
    fold=fold,
    row=Batch,
    target=PostgresTable(
        Table("notification_batches", MetaData(), *columns_of(Batch)), extras=(NOTIFICATIONS_VIEW,)
    ),
    rows_of=lambda _stream_id: (),
)
