"""Bookings: somebody asks for an item of their campus, and its owner says yes or no.

All bookings of one item are one stream, judged in its order: of many who ask one is accepted, and
the answer to all others follows in the same breath. What is said is sealed with the key of whoever
says it, and goes with them; who asked for what stays.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.values.texts import SEALED

PENDING_MAX: Final = 50  # requests for one item that wait for an answer
NOTE_LENGTH_MAX: Final = 500  # characters

# 500 characters of any script: 2,000 bytes, and a third more in base64.
SealedNote = Annotated[str, StringConstraints(max_length=3_000)]


class BookingStatus(StrEnum):
    """Where a booking is in its life."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    EXPIRED = "expired"  # nobody answered in time


class BookingReason(StrEnum):
    """Why a booking came to nothing."""

    BY_SELLER = "by_seller"
    BY_BUYER = "by_buyer"
    ANOTHER_WAS_ACCEPTED = "another_was_accepted"
    ITEM_DELETED = "item_deleted"
    BUYER_LEFT = "buyer_left"  # their account is deleted


def bookings_stream(item_id: UUID | str) -> str:
    """The stream of one item's bookings."""
    return f"bookings/{item_id}"


class _BookingsCommand(Command):
    item_id: UUID

    @property
    def stream_id(self) -> str:
        return bookings_stream(self.item_id)


class RequestBooking(_BookingsCommand):
    """Ask for an item of `seller_id`; without an answer until `expires_at` it is off."""

    kind: Literal["booking.request"] = "booking.request"
    booking_id: UUID
    seller_id: UUID
    note_sealed: Annotated[SealedNote, SEALED] | None = None
    expires_at: AwareDatetime


class AcceptBooking(_BookingsCommand):
    """Say yes, and so no to all others who ask."""

    kind: Literal["booking.accept"] = "booking.accept"
    booking_id: UUID


class RejectBooking(_BookingsCommand):
    """Say no."""

    kind: Literal["booking.reject"] = "booking.reject"
    booking_id: UUID
    note_sealed: Annotated[SealedNote, SEALED] | None = None


class CancelBooking(_BookingsCommand):
    """Take one's request back, or one's word: what was accepted either of the two may call off."""

    kind: Literal["booking.cancel"] = "booking.cancel"
    booking_id: UUID


class CompleteBooking(_BookingsCommand):
    """The item has changed hands."""

    kind: Literal["booking.complete"] = "booking.complete"
    booking_id: UUID


class ExpireBookings(_BookingsCommand):
    """End what nobody has answered in time."""

    kind: Literal["bookings.expire"] = "bookings.expire"


class CloseBookings(_BookingsCommand):
    """End all of them for good: the item is gone."""

    kind: Literal["bookings.close"] = "bookings.close"


class EndBookingsOf(_BookingsCommand):
    """End what somebody who has left asked for."""

    kind: Literal["bookings.end_of"] = "bookings.end_of"
    buyer_id: UUID


BookingsCommand: TypeAlias = (
    RequestBooking
    | AcceptBooking
    | RejectBooking
    | CancelBooking
    | CompleteBooking
    | ExpireBookings
    | CloseBookings
    | EndBookingsOf
)


class _BookingEvent(Event):
    """Both people are in each, so that what follows needs no look at the request.

    `next_expires_at` is when the first of the requests that wait for an answer then runs out;
    None: nobody waits.
    """

    item_id: UUID
    booking_id: UUID
    buyer_id: UUID
    seller_id: UUID
    next_expires_at: AwareDatetime | None = None


class BookingRequested(_BookingEvent):
    """Somebody asks for the item."""

    kind: Literal["booking.requested"] = "booking.requested"
    note_sealed: str | None = None
    requested_at: AwareDatetime
    expires_at: AwareDatetime


class BookingAccepted(_BookingEvent):
    """The item is kept for them."""

    kind: Literal["booking.accepted"] = "booking.accepted"
    accepted_at: AwareDatetime


class BookingRejected(_BookingEvent):
    """They don't get it."""

    kind: Literal["booking.rejected"] = "booking.rejected"
    reason: Literal[BookingReason.BY_SELLER, BookingReason.ANOTHER_WAS_ACCEPTED]
    note_sealed: str | None = None
    rejected_at: AwareDatetime


class BookingCancelled(_BookingEvent):
    """It was called off, as it `was` before: the item is free again if it was kept for them."""

    kind: Literal["booking.cancelled"] = "booking.cancelled"
    reason: Literal[
        BookingReason.BY_BUYER,
        BookingReason.BY_SELLER,
        BookingReason.ITEM_DELETED,
        BookingReason.BUYER_LEFT,
    ]
    was: Literal[BookingStatus.PENDING, BookingStatus.ACCEPTED]
    cancelled_at: AwareDatetime


class BookingCompleted(_BookingEvent):
    """They have it, and nobody else can ask for it any more."""

    kind: Literal["booking.completed"] = "booking.completed"
    completed_at: AwareDatetime


class BookingExpired(_BookingEvent):
    """Nobody answered in time."""

    kind: Literal["booking.expired"] = "booking.expired"
    expired_at: AwareDatetime


class BookingsClosed(Event):
    """Nobody can ask for the item any more: it is gone."""

    kind: Literal["bookings.closed"] = "bookings.closed"
    item_id: UUID
    closed_at: AwareDatetime


BookingEvent: TypeAlias = (
    BookingRequested
    | BookingAccepted
    | BookingRejected
    | BookingCancelled
    | BookingCompleted
    | BookingExpired
)
BookingsEvent: TypeAlias = BookingEvent | BookingsClosed

CONTEXT = Context("bookings", get_args(BookingsCommand), get_args(BookingsEvent))
