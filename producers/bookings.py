"""What may happen to an item's bookings: many ask, one gets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.bookings import (
    PENDING_MAX,
    AcceptBooking,
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
    BookingEvent,
    BookingExpired,
    BookingReason,
    BookingRejected,
    BookingRequested,
    BookingsClosed,
    BookingsCommand,
    BookingsEvent,
    BookingStatus,
    CancelBooking,
    CloseBookings,
    CompleteBooking,
    EndBookingsOf,
    ExpireBookings,
    RejectBooking,
    RequestBooking,
)
from schemas.log.messages import Role


@dataclass(frozen=True)
class Request:
    """Somebody waits for an answer."""

    buyer_id: UUID
    seller_id: UUID
    expires_at: datetime


Pending: TypeAlias = Mapping[UUID, Request]


@dataclass(frozen=True)
class Free:
    """The item is to be had; `pending` are those who ask for it, by booking."""

    pending: Pending = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """It is kept for somebody, and nobody waits."""

    booking_id: UUID
    buyer_id: UUID
    seller_id: UUID


@dataclass(frozen=True)
class Closed:
    """It is nobody's to ask for any more."""

    why: Literal["item_sold", "item_deleted"]


Bookings: TypeAlias = Free | Kept | Closed


def decide(command: BookingsCommand, bookings: Bookings) -> Sequence[BookingsEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case RequestBooking():
            return request(command, bookings)
        case AcceptBooking():
            return accept(command, bookings)
        case RejectBooking():
            return reject(command, bookings)
        case CancelBooking():
            return cancel(command, bookings)
        case CompleteBooking():
            return complete(command, bookings)
        case ExpireBookings():
            return expire(command, bookings)
        case CloseBookings():
            return close(command, bookings)
        case EndBookingsOf():
            return end_of(command, bookings)
        case _:
            assert_never(command)


def request(command: RequestBooking, bookings: Bookings) -> Sequence[BookingsEvent]:
    """One open request of a buyer for an item, and none for one's own."""
    if command.asked_role is Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    buyer_id = UUID(command.asked_by)
    if buyer_id == command.seller_id:
        raise Rejected("own_item")
    asked = Request(buyer_id, command.seller_id, command.expires_at)
    waiting = _requestable(bookings, buyer_id)
    if command.booking_id in waiting:
        raise Rejected("booking_exists")
    pending = {**waiting, command.booking_id: asked}
    return [
        BookingRequested(
            **_about(command.item_id, command.booking_id, asked, pending),
            note_sealed=command.note_sealed,
            requested_at=command.asked_at,
            expires_at=command.expires_at,
        )
    ]


def _requestable(bookings: Bookings, buyer_id: UUID) -> Pending:
    """Those who ask already; raises Rejected where this one can't."""
    match bookings:
        case Closed(why="item_deleted"):
            raise Rejected("item_deleted", 410)
        case Closed():
            raise Rejected("item_sold")
        case Kept() if bookings.buyer_id == buyer_id:
            raise Rejected("booking_exists")
        case Kept():
            raise Rejected("item_reserved")
        case Free(pending):
            if any(each.buyer_id == buyer_id for each in pending.values()):
                raise Rejected("booking_exists")
            if len(pending) >= PENDING_MAX:
                raise Rejected("bookings_full")
            return pending
        case _:
            assert_never(bookings)


def accept(command: AcceptBooking, bookings: Bookings) -> Sequence[BookingsEvent]:
    """One for all: whoever else asks is told no in the same breath."""
    found = _found(command, bookings)
    _require(command, found.seller_id)
    if isinstance(found, Kept):
        return []
    if command.asked_at >= found.expires_at:
        raise Rejected("booking_over")
    others = _without(bookings, command.booking_id)
    accepted = BookingAccepted(
        **_about(command.item_id, command.booking_id, found, {}), accepted_at=command.asked_at
    )
    return [
        accepted,
        *(
            BookingRejected(
                **_about(command.item_id, booking_id, each, {}),
                reason=BookingReason.ANOTHER_WAS_ACCEPTED,
                rejected_at=command.asked_at,
            )
            for booking_id, each in others.items()
        ),
    ]


def reject(command: RejectBooking, bookings: Bookings) -> Sequence[BookingsEvent]:
    """By the seller, before they said yes."""
    found = _found(command, bookings)
    _require(command, found.seller_id)
    if isinstance(found, Kept):
        raise Rejected("booking_accepted")
    rest = _without(bookings, command.booking_id)
    return [
        BookingRejected(
            **_about(command.item_id, command.booking_id, found, rest),
            reason=BookingReason.BY_SELLER,
            note_sealed=command.note_sealed,
            rejected_at=command.asked_at,
        )
    ]


def cancel(command: CancelBooking, bookings: Bookings) -> Sequence[BookingsEvent]:
    """A request by whoever asked, what was accepted by either of the two."""
    found = _found(command, bookings)
    if isinstance(found, Request):
        _require(command, found.buyer_id)
    by_buyer = command.asked_by == str(found.buyer_id)
    reason = BookingReason.BY_BUYER if by_buyer else BookingReason.BY_SELLER
    return [*_cancelled(command, bookings, {command.booking_id: found}, reason)]


def complete(command: CompleteBooking, bookings: Bookings) -> Sequence[BookingsEvent]:
    """By the seller, of what was accepted."""
    found = _found(command, bookings)
    _require(command, found.seller_id)
    if isinstance(found, Request):
        raise Rejected("booking_pending")
    return [
        BookingCompleted(
            **_about(command.item_id, command.booking_id, found, {}), completed_at=command.asked_at
        )
    ]


def expire(command: ExpireBookings, bookings: Bookings) -> Sequence[BookingsEvent]:
    """All whose time is over."""
    _require_system(command)
    over = {
        booking_id: each
        for booking_id, each in _without(bookings).items()
        if each.expires_at <= command.asked_at
    }
    rest = _without(bookings, *over)
    return [
        BookingExpired(
            **_about(command.item_id, booking_id, each, rest), expired_at=command.asked_at
        )
        for booking_id, each in over.items()
    ]


def close(command: CloseBookings, bookings: Bookings) -> Sequence[BookingsEvent]:
    """Once; what is open ends by it. Of a sold item it is known already that it is gone."""
    _require_system(command)
    if isinstance(bookings, Closed) and bookings.why == "item_deleted":
        return []
    ended = _cancelled(command, bookings, _open(bookings), BookingReason.ITEM_DELETED)
    return [*ended, BookingsClosed(item_id=command.item_id, closed_at=command.asked_at)]


def end_of(command: EndBookingsOf, bookings: Bookings) -> Sequence[BookingsEvent]:
    """Whatever this buyer has open."""
    _require_system(command)
    own = {
        booking_id: each
        for booking_id, each in _open(bookings).items()
        if each.buyer_id == command.buyer_id
    }
    return [*_cancelled(command, bookings, own, BookingReason.BUYER_LEFT)]


def _cancelled(
    command: BookingsCommand,
    bookings: Bookings,
    ended: Mapping[UUID, Request | Kept],
    reason: Any,
) -> Iterator[BookingCancelled]:
    rest = _without(bookings, *ended)
    for booking_id, each in ended.items():
        yield BookingCancelled(
            **_about(command.item_id, booking_id, each, rest),
            reason=reason,
            was=BookingStatus.ACCEPTED if isinstance(each, Kept) else BookingStatus.PENDING,
            cancelled_at=command.asked_at,
        )


def _open(bookings: Bookings) -> Mapping[UUID, Request | Kept]:
    match bookings:
        case Free(pending):
            return pending
        case Kept(booking_id):
            return {booking_id: bookings}
        case Closed():
            return {}
        case _:
            assert_never(bookings)


def _found(
    command: AcceptBooking | RejectBooking | CancelBooking | CompleteBooking, bookings: Bookings
) -> Request | Kept:
    """The open booking, if it is of whoever asks; raises Rejected."""
    found = _open(bookings).get(command.booking_id)
    if found is None:
        raise Rejected("booking_over")
    if command.asked_by not in (str(found.buyer_id), str(found.seller_id)):
        raise Rejected("booking_unknown", 404)
    return found


def _require(command: BookingsCommand, user_id: UUID) -> None:
    if command.asked_by != str(user_id):
        raise Rejected("not_yours", 403)


def _require_system(command: BookingsCommand) -> None:
    """Follows from time, or from what became of the item or of a person."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)


def _about(
    item_id: UUID, booking_id: UUID, each: Request | Kept, pending: Pending
) -> dict[str, Any]:
    """What every event says; `pending` are those who wait for an answer after it."""
    return {
        "item_id": item_id,
        "booking_id": booking_id,
        "buyer_id": each.buyer_id,
        "seller_id": each.seller_id,
        "next_expires_at": min((one.expires_at for one in pending.values()), default=None),
    }


def _without(bookings: Bookings, *booking_ids: UUID) -> Pending:
    """Those who wait for an answer, but for these."""
    pending = bookings.pending if isinstance(bookings, Free) else {}
    return {each: found for each, found in pending.items() if each not in booking_ids}


def evolve(bookings: Bookings, event: BookingsEvent) -> Bookings:
    """The bookings after the event."""
    match event:
        case BookingsClosed():
            return Closed("item_deleted")
        case BookingCompleted():
            return Closed("item_sold")
        case BookingAccepted():
            return Kept(event.booking_id, event.buyer_id, event.seller_id)
        case BookingRequested():
            asked = Request(event.buyer_id, event.seller_id, event.expires_at)
            return Free({**_without(bookings), event.booking_id: asked})
        case BookingRejected() | BookingCancelled() | BookingExpired():
            return _ended(bookings, event)
        case _:
            assert_never(event)


def _ended(bookings: Bookings, event: BookingEvent) -> Bookings:
    match bookings:
        case Free():
            return Free(_without(bookings, event.booking_id))
        case Kept(booking_id):
            # Those who were told no by another's yes wait no more already.
            return Free() if booking_id == event.booking_id else bookings
        case Closed():
            return bookings
        case _:
            assert_never(bookings)


item_bookings: Decider[BookingsCommand, Bookings, BookingsEvent] = Decider(
    initial=Free(), decide=decide, evolve=evolve
)
