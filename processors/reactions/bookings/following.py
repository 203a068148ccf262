"""What follows from bookings: the item shows what has come of them, their two people read it in their
conversation, and half of what a contact has cost comes back when nothing came of asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args
from uuid import UUID

from processors.reacting.effects import effect_id_of
from processors.reacting.reactions import Reaction, asked
from schemas.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
    BookingEvent,
    BookingExpired,
    BookingReason,
    BookingRejected,
    BookingRequested,
    BookingStatus,
    CloseBookings,
)
from schemas.items import Booked, ItemDeleted, ItemStatus, SettleItemBooking
from schemas.log.messages import Command
from schemas.log.recorded import Recorded
from schemas.messaging import Notice, NoticeKind, PostNotice, conversation_id_of
from schemas.wallet import BACK_TOKENS, RefundReason, RefundTokens, contact_of

# Who is said to have been at work. Of what ended by itself: the one of whom it is no fault of the other.
BY_BUYER = frozenset({BookingReason.BY_BUYER, BookingReason.BUYER_LEFT})


def settle_item(
    recorded: Recorded[BookingAccepted | BookingCancelled | BookingCompleted],
) -> Sequence[Command]:
    """Kept, free again, or sold. The item goes by the order of its bookings' own stream."""
    event = recorded.event
    outcome: Booked
    match event:
        case BookingAccepted():
            outcome = ItemStatus.RESERVED
        case BookingCancelled(was=BookingStatus.PENDING):
            return []
        case BookingCancelled():
            outcome = ItemStatus.ACTIVE
        case BookingCompleted():
            outcome = ItemStatus.SOLD
        case _:
            assert_never(event)
    return [
        SettleItemBooking(
            item_id=event.item_id,
            booking_id=event.booking_id,
            turn=recorded.version,
            outcome=outcome,
            **asked("settle_item", recorded),
        )
    ]


def tell_of_booking(recorded: Recorded[BookingEvent]) -> Sequence[Command]:
    """A message of whoever did it; the first one opens the conversation."""
    event = recorded.event
    kind, by_id, reason = _told(event)
    ids = {"buyer_id": event.buyer_id, "seller_id": event.seller_id}
    return [
        PostNotice(
            conversation_id=conversation_id_of(event.item_id, **ids),
            message_id=effect_id_of(recorded, "notice"),
            listing_id=event.item_id,
            by_id=by_id,
            notice=Notice(kind=kind, booking_id=event.booking_id, reason=reason),
            **ids,
            **asked("tell_of_booking", recorded),
        )
    ]


def _told(event: BookingEvent) -> tuple[NoticeKind, UUID, BookingReason | None]:
    match event:
        case BookingRequested():
            return NoticeKind.BOOKING_REQUESTED, event.buyer_id, None
        case BookingAccepted():
            return NoticeKind.BOOKING_ACCEPTED, event.seller_id, None
        case BookingRejected(reason=reason):
            return NoticeKind.BOOKING_REJECTED, event.seller_id, reason
        case BookingCancelled(reason=reason):
            by_id = event.buyer_id if reason in BY_BUYER else event.seller_id
            return NoticeKind.BOOKING_CANCELLED, by_id, reason
        case BookingCompleted():
            return NoticeKind.BOOKING_COMPLETED, event.seller_id, None
        case BookingExpired():
            return NoticeKind.BOOKING_EXPIRED, event.seller_id, None
        case _:
            assert_never(event)


def return_half_token(
    recorded: Recorded[BookingRejected | BookingCancelled],
) -> Sequence[Command]:
    """Of what the buyer has paid for the contact, if they have, and once for an item."""
    event = recorded.event
    if isinstance(event, BookingCancelled) and event.was is not BookingStatus.PENDING:
        return []
    return [
        RefundTokens(
            user_id=event.buyer_id,
            amount=BACK_TOKENS,
            reason=RefundReason.BOOKING_ENDED,
            reference=contact_of(event.item_id),
            **asked("return_half_token", recorded),
        )
    ]


def close_bookings(recorded: Recorded[ItemDeleted]) -> Sequence[Command]:
    """Nobody gets what is gone."""
    item_id = recorded.event.item_id
    return [CloseBookings(item_id=item_id, **asked("close_bookings", recorded))]


REACTIONS: tuple[Reaction, ...] = (
    Reaction("settle_item", (BookingAccepted, BookingCancelled, BookingCompleted), settle_item),
    Reaction("tell_of_booking", get_args(BookingEvent), tell_of_booking),
    Reaction("return_half_token", (BookingRejected, BookingCancelled), return_half_token),
    Reaction("close_bookings", (ItemDeleted,), close_bookings),
)
