"""Notifications as they are kept for reading: one row each, with what every channel does."""

from __future__ import annotations

from uuid import UUID

from projections.notifications.notifications import Notification, notifications
from schemas.notifications import (
    About,
    Delivery,
    NotificationChannel,
    NotificationRequested,
    NotificationType,
    Withheld,
    notifications_stream,
)
from tests.projections.history import BEGINNING, history, rows_of

ID, BATCH = UUID(int=1), UUID(int=9)


def requested(number: int, **about: object) -> NotificationRequested:
    return NotificationRequested(
        user_id=ID,
        notification_id=UUID(int=100 + number),
        number=number,
        type=NotificationType.MESSAGES,
        cause_kind="message.sent",
        cause_id=UUID(int=200 + number),
        about=About.model_validate(about),
        deliveries=(
            Delivery(channel=NotificationChannel.EMAIL, batch_id=BATCH, due_at=BEGINNING),
            Delivery(channel=NotificationChannel.SMS, reason=Withheld.OFF),
        ),
        requested_at=BEGINNING,
    )


def test_NO_11_each_has_a_row_that_says_what_every_channel_does() -> None:
    events = [requested(1, conversation_id=UUID(int=5), sender_number=3), requested(2)]
    rows = rows_of(notifications, history(notifications_stream(ID), *events))
    assert set(rows) == {str(UUID(int=101)), str(UUID(int=102))}
    first: Notification = rows[str(UUID(int=101))]
    assert (first.user_id, first.number, first.cause_id) == (str(ID), 1, str(UUID(int=201)))
    assert (first.conversation_id, first.sender_number, first.listing_id) == (
        str(UUID(int=5)),
        3,
        None,
    )
    assert first.channels == ("email", "sms")
    assert first.batch_ids == (str(BATCH), "")
    assert first.reasons == ("", "off")
