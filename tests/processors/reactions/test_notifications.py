"""Which event tells whom of what."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from processors.reacting.handlers import Begins
from processors.reactions.notifications import REACTIONS, TELL_OF_RESPONSE, TELL_SOCKETS
from schemas.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
    BookingExpired,
    BookingReason,
    BookingRejected,
    BookingRequested,
    BookingStatus,
)
from schemas.identity import UserDeleted
from schemas.log.messages import Event
from schemas.messaging import (
    MessageSent,
    MessagesRead,
    Notice,
    NoticeKind,
    conversation_id_of,
)
from schemas.notifications import (
    About,
    CloseNotifications,
    ClosePush,
    DismissMessages,
    NotificationType,
    RequestNotification,
)
from schemas.reviews import ReviewCreated, ReviewTexts
from schemas.searches import AlertMatched, Frequency, MatchReason
from tests.projections.history import BEGINNING, recorded

ANNA, BILAL, CHAT, CAR = (UUID(int=each) for each in (1, 2, 3, 4))
SENT = MessageSent(
    conversation_id=CHAT,
    message_id=UUID(int=9),
    sender_id=ANNA,
    recipient_id=BILAL,
    number=5,
    sender_number=3,
    content_sealed="c",
    sent_at=BEGINNING,
)
REVIEWED = ReviewCreated(
    review_id=UUID(int=6),
    seller_id=BILAL,
    listing_id=CAR,
    reviewer_id=ANNA,
    rating=4,
    sealed=ReviewTexts(),
    created_at=BEGINNING,
)


def matched(frequency: Frequency) -> AlertMatched:
    return AlertMatched(
        match_id=UUID(int=7),
        alert_id=UUID(int=8),
        search_id=UUID(int=10),
        user_id=BILAL,
        listing_id=CAR,
        reason=MatchReason.NEW,
        frequency=frequency,
        price_minor=1,
        currency="LKR",
        caused_by="x",
        matched_at=BEGINNING,
    )


def led_to(event: Event) -> list[Any]:
    """What all reactions ask for after the event."""
    heard = recorded("stream/x", 1, event)
    return [
        envelope.command
        for each in REACTIONS
        if isinstance(event, each.hears)
        for envelope in each.envelopes(heard)
    ]


@pytest.mark.parametrize(
    ("event", "kind", "about"),
    [
        (
            SENT,
            NotificationType.MESSAGES,
            About(conversation_id=CHAT, sender_id=ANNA, sender_number=3),
        ),
        (
            REVIEWED,
            NotificationType.REVIEWS,
            About(review_id=UUID(int=6), listing_id=CAR, sender_id=ANNA),
        ),
        (
            matched(Frequency.INSTANT),
            NotificationType.SEARCH_ALERTS,
            About(listing_id=CAR, alert_id=UUID(int=8), search_id=UUID(int=10)),
        ),
    ],
)
def test_EV_04_NO_08_BY_12_a_notification_names_the_event_that_led_to_it(
    event: Event, kind: NotificationType, about: About
) -> None:
    (first,), (again,) = led_to(event), led_to(event)
    assert isinstance(first, RequestNotification)
    assert (first.user_id, first.type, first.about) == (BILAL, kind, about)
    assert (first.cause_kind, str(first.cause_id)) == (
        event.kind,
        recorded("stream/x", 1, event).event_id,
    )
    assert first.notification_id == again.notification_id


_BOOKING: dict[str, Any] = {
    "item_id": CAR,
    "booking_id": UUID(int=11),
    "buyer_id": ANNA,
    "seller_id": BILAL,
}


def cancelled(reason: BookingReason) -> BookingCancelled:
    return BookingCancelled(
        **_BOOKING, reason=reason, was=BookingStatus.PENDING, cancelled_at=BEGINNING
    )


@pytest.mark.parametrize(
    ("event", "told", "by"),
    [
        (BookingRequested(**_BOOKING, requested_at=BEGINNING, expires_at=BEGINNING), BILAL, ANNA),
        (BookingAccepted(**_BOOKING, accepted_at=BEGINNING), ANNA, BILAL),
        (
            BookingRejected(**_BOOKING, reason=BookingReason.BY_SELLER, rejected_at=BEGINNING),
            ANNA,
            BILAL,
        ),
        (cancelled(BookingReason.BY_BUYER), BILAL, ANNA),
        (cancelled(BookingReason.BUYER_LEFT), BILAL, ANNA),
        (cancelled(BookingReason.BY_SELLER), ANNA, BILAL),
        (cancelled(BookingReason.ITEM_DELETED), ANNA, BILAL),
        (BookingCompleted(**_BOOKING, completed_at=BEGINNING), ANNA, BILAL),
        (BookingExpired(**_BOOKING, expired_at=BEGINNING), ANNA, BILAL),
    ],
    ids=lambda each: each.kind if isinstance(each, Event) else "",
)
def test_BK_02_whichever_of_the_two_has_not_done_it_is_told(
    event: Event, told: UUID, by: UUID
) -> None:
    (command,) = led_to(event)
    assert (command.user_id, command.type) == (told, NotificationType.BOOKINGS)
    assert command.about == About(
        item_id=CAR,
        booking_id=UUID(int=11),
        conversation_id=conversation_id_of(CAR, ANNA, BILAL),
        sender_id=by,
    )


def test_BK_03_what_the_chat_tells_of_a_booking_is_not_told_twice() -> None:
    notice = Notice(kind=NoticeKind.BOOKING_ACCEPTED, booking_id=UUID(int=11))
    assert led_to(SENT.model_copy(update={"notice": notice})) == []


def test_NO_08_what_a_digest_will_tell_is_not_told_at_once() -> None:
    for frequency in (Frequency.DAILY, Frequency.WEEKLY, Frequency.OFF):
        assert led_to(matched(frequency)) == []


def test_NO_07_reading_a_chat_dismisses_what_tells_of_it() -> None:
    read = MessagesRead(conversation_id=CHAT, reader_id=BILAL, up_to=3, read_at=BEGINNING)
    (command,) = led_to(read)
    assert isinstance(command, DismissMessages)
    assert (command.user_id, command.conversation_id, command.up_to) == (BILAL, CHAT, 3)


def test_whoever_has_left_is_told_of_nothing() -> None:
    left = UserDeleted(user_id=BILAL, email_hash="0" * 64, deleted_at=BEGINNING)
    assert [type(each) for each in led_to(left)] == [CloseNotifications, ClosePush]


def test_NO_11_nobody_is_told_of_what_happened_before() -> None:
    for each in (*REACTIONS, TELL_OF_RESPONSE, TELL_SOCKETS):
        assert each.begins is Begins.FIRST_SEEN
