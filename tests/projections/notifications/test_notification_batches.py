"""What became of a batch, as it is kept for reading."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from projections.notifications.notification_batches import Batch, notification_batches
from schemas.log.messages import Event
from schemas.notifications import (
    About,
    Item,
    NotificationChannel,
    NotificationDue,
    NotificationFailed,
    NotificationPutOff,
    NotificationSent,
    NotificationType,
    NotificationWithheld,
    Withheld,
    notifications_stream,
)
from tests.projections.history import BEGINNING, history, rows_of

ID, BATCH = UUID(int=1), UUID(int=9)
LATER = BEGINNING + timedelta(hours=1)
NAMED = {"user_id": ID, "batch_id": BATCH}
DUE = NotificationDue(
    **NAMED,
    type=NotificationType.REVIEWS,
    channel=NotificationChannel.EMAIL,
    items=(
        Item(notification_id=UUID(int=3), number=1, cause_kind="review.created", about=About()),
    ),
    count=4,
    due_at=BEGINNING,
)
PUT_OFF = NotificationPutOff(**NAMED, due_at=LATER)
SENT = NotificationSent(**NAMED, channel=NotificationChannel.EMAIL, sent_at=LATER)
WITHHELD = NotificationWithheld(
    **NAMED, channel=NotificationChannel.EMAIL, reason=Withheld.ONLINE, withheld_at=LATER
)
FAILED = NotificationFailed(
    **NAMED, channel=NotificationChannel.EMAIL, reason=Withheld.REFUSED, failed_at=LATER
)


def row_after(*events: Event) -> Batch:
    rows = rows_of(notification_batches, history(notifications_stream(ID), *events))
    found: Batch = rows[str(BATCH)]
    return found


def test_NO_11_a_batch_that_is_put_off_waits() -> None:
    row = row_after(PUT_OFF)
    assert (row.status, row.due_at, row.settled_at) == ("waiting", LATER, None)


@pytest.mark.parametrize(
    ("event", "status", "reason"),
    [(SENT, "sent", None), (WITHHELD, "withheld", "online"), (FAILED, "failed", "refused")],
)
def test_NO_11_a_batch_ends_in_one_way(event: Event, status: str, reason: str | None) -> None:
    due = row_after(DUE)
    assert (due.status, due.count, due.due_at, due.settled_at) == ("due", 4, BEGINNING, None)
    row = row_after(DUE, event)
    assert (row.status, row.reason, row.settled_at, row.count) == (status, reason, LATER, 4)
