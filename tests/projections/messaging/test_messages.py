from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from projections.messaging.conversations import conversations
from projections.messaging.messages import Message, messages
from schemas.bookings import BookingReason
from schemas.messaging import Notice, NoticeKind, conversation_stream
from tests.projections.history import BEGINNING, history, rows_of
from tests.projections.messaging.talks import BUYER, ID, LISTING, OPENED, SELLER, read, said


def test_MS_13_every_message_has_a_row_sealed_as_it_was_sent() -> None:
    talk = history(
        conversation_stream(ID), OPENED, said(BUYER, 1, 1), said(SELLER, 2, 1), read(BUYER, 1)
    )
    rows = rows_of(messages, talk)
    assert rows.keys() == {str(UUID(int=101)), str(UUID(int=102))}
    assert rows[str(UUID(int=102))] == Message(
        conversation_id=str(ID),
        number=2,
        sender_id=str(SELLER),
        recipient_id=str(BUYER),
        sender_number=1,
        content_sealed="12",
        created_at=BEGINNING + timedelta(minutes=2),
    )


def test_MS_30_every_field_of_the_source_can_be_told() -> None:
    talk = history(conversation_stream(ID), OPENED, said(BUYER, 1, 1))
    ((message_id, message),) = rows_of(messages, talk).items()
    conversation = rows_of(conversations, talk)[message.conversation_id]
    told = {
        "_id": message_id,
        "chatId": message.conversation_id,
        "itemId": conversation.listing_id,
        "senderId": message.sender_id,
        "recipientId": message.recipient_id,
        "content": message.content_sealed,  # opened with the sender's key
        "timestamp": message.created_at,
        "createdAt": message.created_at,
    }
    sent = BEGINNING + timedelta(minutes=1)
    assert list(told.values()) == [
        *map(str, (UUID(int=101), ID, LISTING, BUYER, SELLER)), "11", sent, sent
    ]  # fmt: skip


def test_BK_03_a_notice_is_a_message_that_says_nothing_in_words() -> None:
    booking_id = UUID(int=77)
    notice = Notice(
        kind=NoticeKind.BOOKING_REJECTED,
        booking_id=booking_id,
        reason=BookingReason.ANOTHER_WAS_ACCEPTED,
    )
    told = said(SELLER, 1, 1).model_copy(update={"content_sealed": "", "notice": notice})
    talk = history(conversation_stream(ID), OPENED, told)
    (row,) = rows_of(messages, talk).values()
    assert (row.content_sealed, row.notice_kind) == ("", "booking_rejected")
    assert (row.notice_booking_id, row.notice_reason) == (str(booking_id), "another_was_accepted")
    assert rows_of(conversations, talk)[str(ID)].seller_sent == 1
