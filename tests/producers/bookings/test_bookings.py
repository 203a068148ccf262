"""What may happen to an item's bookings, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.bookings import item_bookings
from producers.decider import Rejected
from schemas.bookings import (
    PENDING_MAX,
    AcceptBooking,
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
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
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ITEM, SELLER = UUID(int=1), UUID(int=2)
spec = Spec(item_bookings)


def buyer(number: int) -> UUID:
    return UUID(int=100 + number)


def booking(number: int) -> UUID:
    return UUID(int=1_000 + number)


def by(user_id: UUID, at: datetime = NOW) -> dict[str, Any]:
    return {"item_id": ITEM, "asked_at": at, "asked_by": str(user_id), "asked_role": Role.BUYER}


def by_system(at: datetime = NOW) -> dict[str, Any]:
    asked = {"asked_by": "reaction/test", "asked_role": Role.SYSTEM}
    return {"item_id": ITEM, "asked_at": at, **asked}


def request(number: int, *, booking_id: UUID | None = None, **more: Any) -> RequestBooking:
    asked = {**by(buyer(number)), "expires_at": NOW + number * DAY, **more}
    return RequestBooking(booking_id=booking_id or booking(number), seller_id=SELLER, **asked)


def accept(number: int, who: UUID = SELLER, at: datetime = NOW) -> AcceptBooking:
    return AcceptBooking(booking_id=booking(number), **by(who, at))


def reject(number: int, who: UUID = SELLER, **more: Any) -> RejectBooking:
    return RejectBooking(booking_id=booking(number), **by(who), **more)


def cancel(number: int, who: UUID | None = None) -> CancelBooking:
    return CancelBooking(booking_id=booking(number), **by(who or buyer(number)))


def complete(number: int, who: UUID = SELLER) -> CompleteBooking:
    return CompleteBooking(booking_id=booking(number), **by(who))


def about(number: int, first: int | None = None) -> dict[str, Any]:
    """What an event says, after which that of number `first` is the next to run out."""
    return {
        "item_id": ITEM,
        "booking_id": booking(number),
        "buyer_id": buyer(number),
        "seller_id": SELLER,
        "next_expires_at": None if first is None else NOW + first * DAY,
    }


def requested(number: int, first: int | None = None, **more: Any) -> BookingRequested:
    told = about(number, first or number)
    return BookingRequested(**told, requested_at=NOW, expires_at=NOW + number * DAY, **more)


def accepted(number: int) -> BookingAccepted:
    return BookingAccepted(**about(number), accepted_at=NOW)


def rejected(
    number: int,
    reason: Any = BookingReason.BY_SELLER,
    first: int | None = None,
    **more: Any,
) -> BookingRejected:
    return BookingRejected(**about(number, first), reason=reason, rejected_at=NOW, **more)


def cancelled(
    number: int, reason: Any, was: Any = BookingStatus.PENDING, first: int | None = None
) -> BookingCancelled:
    return BookingCancelled(**about(number, first), reason=reason, was=was, cancelled_at=NOW)


completed = BookingCompleted(**about(1), completed_at=NOW)
closed = BookingsClosed(item_id=ITEM, closed_at=NOW)
BY_BUYER, BY_SELLER = BookingReason.BY_BUYER, BookingReason.BY_SELLER
ANOTHER = BookingReason.ANOTHER_WAS_ACCEPTED
ACCEPTED = BookingStatus.ACCEPTED


def test_BK_01_somebody_asks_for_an_item() -> None:
    spec.given().when(request(1, note_sealed="1abc")).then(requested(1, note_sealed="1abc"))
    spec.given(requested(3)).when(request(1)).then(requested(1, first=1))
    spec.given(requested(1)).when(request(3)).then(requested(3, first=1))


def test_BK_01_nobody_books_their_own_item() -> None:
    own = request(1, asked_by=str(SELLER))
    spec.given().when(own).refused("own_item")


def test_BK_01_nothing_of_ours_asks_for_an_item() -> None:
    asked = request(1, asked_by="reaction/test", asked_role=Role.SYSTEM)
    spec.given().when(asked).refused("role_not_allowed", 403)


def test_BK_01_a_buyer_has_one_open_request_for_an_item() -> None:
    again = request(1, booking_id=booking(7))
    spec.given(requested(1)).when(again).refused("booking_exists")
    spec.given(requested(1), accepted(1)).when(again).refused("booking_exists")
    spec.given(requested(1), rejected(1)).when(again).then(
        requested(1).model_copy(update={"booking_id": booking(7)})
    )


def test_BK_01_what_is_kept_sold_or_gone_nobody_can_ask_for() -> None:
    kept = (requested(1), accepted(1))
    spec.given(*kept).when(request(2)).refused("item_reserved")
    spec.given(*kept, completed).when(request(2)).refused("item_sold")
    spec.given(*kept, completed).when(request(1)).refused("item_sold")
    spec.given(closed).when(request(2)).refused("item_deleted", 410)
    spec.given(*kept, completed, closed).when(request(2)).refused("item_deleted", 410)


def test_BK_01_no_more_than_fifty_wait_for_an_answer() -> None:
    waiting = [requested(number, first=1) for number in range(1, PENDING_MAX + 1)]
    spec.given(*waiting).when(request(PENDING_MAX + 1)).refused("bookings_full")
    spec.given(*waiting, rejected(3, first=1)).when(request(PENDING_MAX + 1)).then(
        requested(PENDING_MAX + 1, first=1)
    )


def test_BK_02_who_accepts_one_rejects_all_others() -> None:
    asked = (requested(1), requested(2, first=1), requested(3, first=1))
    spec.given(*asked).when(accept(2)).then(accepted(2), rejected(1, ANOTHER), rejected(3, ANOTHER))


def test_BK_02_of_two_accepts_one_wins() -> None:
    history = (requested(1), requested(2, first=1), accepted(1), rejected(2, ANOTHER))
    spec.given(*history).when(accept(2)).refused("booking_over")
    spec.given(*history).when(accept(1)).then()


def test_BK_02_only_the_seller_answers() -> None:
    for command in (accept(1, buyer(1)), reject(1, buyer(1))):
        spec.given(requested(1)).when(command).refused("not_yours", 403)
    for command in (accept(1, buyer(9)), reject(1, buyer(9)), cancel(1, buyer(9))):
        spec.given(requested(1)).when(command).refused("booking_unknown", 404)
    kept = (requested(1), accepted(1))
    spec.given(*kept).when(complete(1, buyer(1))).refused("not_yours", 403)


def test_BK_02_a_rejection_may_have_a_note() -> None:
    spec.given(requested(1), requested(2, first=1)).when(reject(1, note_sealed="1abc")).then(
        rejected(1, first=2, note_sealed="1abc")
    )
    spec.given(requested(1), accepted(1)).when(reject(1)).refused("booking_accepted")


def test_BK_02_a_request_is_taken_back_by_whoever_asked() -> None:
    spec.given(requested(1), requested(2, first=1)).when(cancel(1)).then(
        cancelled(1, BY_BUYER, first=2)
    )
    spec.given(requested(1)).when(cancel(1, SELLER)).refused("not_yours", 403)


@pytest.mark.parametrize(("who", "reason"), [(buyer(1), BY_BUYER), (SELLER, BY_SELLER)])
def test_BK_02_what_was_accepted_either_may_call_off(who: UUID, reason: BookingReason) -> None:
    kept = (requested(1), accepted(1))
    off = cancelled(1, reason, ACCEPTED)
    spec.given(*kept).when(cancel(1, who)).then(off)
    spec.given(*kept, off).when(request(2)).then(requested(2))


def test_BK_02_what_was_accepted_is_completed() -> None:
    spec.given(requested(1)).when(complete(1)).refused("booking_pending")
    spec.given(requested(1), accepted(1)).when(complete(1)).then(completed)


@pytest.mark.parametrize("command", [accept(1), reject(1), cancel(1), complete(1)])
@pytest.mark.parametrize(
    "end",
    [
        (rejected(1),),
        (cancelled(1, BY_BUYER),),
        (BookingExpired(**about(1), expired_at=NOW),),
        (accepted(1), completed),
        (accepted(1), cancelled(1, BY_SELLER, ACCEPTED)),
    ],
    ids=lambda end: end[-1].kind,
)
def test_BK_02_what_is_over_stays_so(
    command: BookingsCommand, end: tuple[BookingsEvent, ...]
) -> None:
    spec.given(requested(1), *end).when(command).refused("booking_over")


def test_BK_02_what_nobody_answers_expires() -> None:
    asked = (requested(1), requested(2, first=1), requested(3, first=1))
    at = NOW + 2 * DAY
    over = [BookingExpired(**about(number, 3), expired_at=at) for number in (1, 2)]
    spec.given(*asked).when(ExpireBookings(**by_system(at))).then(*over)
    spec.given(*asked).when(ExpireBookings(**by_system())).then()
    spec.given(requested(1), accepted(1)).when(ExpireBookings(**by_system(at))).then()
    late = accept(1, at=NOW + DAY)
    spec.given(*asked).when(late).refused("booking_over")


def test_BK_02_with_the_item_its_bookings_end() -> None:
    gone = BookingReason.ITEM_DELETED
    spec.given(requested(1), requested(2, first=1)).when(CloseBookings(**by_system())).then(
        cancelled(1, gone), cancelled(2, gone), closed
    )
    spec.given(requested(1), accepted(1)).when(CloseBookings(**by_system())).then(
        cancelled(1, gone, ACCEPTED), closed
    )
    spec.given().when(CloseBookings(**by_system())).then(closed)
    spec.given(closed).when(CloseBookings(**by_system())).then()


def test_BK_02_with_the_buyer_their_bookings_end() -> None:
    end = EndBookingsOf(buyer_id=buyer(1), **by_system())
    left = BookingReason.BUYER_LEFT
    spec.given(requested(1), requested(2, first=1)).when(end).then(cancelled(1, left, first=2))
    spec.given(requested(1), accepted(1)).when(end).then(cancelled(1, left, ACCEPTED))
    spec.given(requested(2)).when(end).then()
    spec.given(closed).when(end).then()


@pytest.mark.parametrize("kind", [ExpireBookings, CloseBookings, EndBookingsOf])
def test_BK_02_nobody_asks_by_hand_for_what_follows(kind: Any) -> None:
    more = {"buyer_id": buyer(1)} if kind is EndBookingsOf else {}
    spec.given(requested(1)).when(kind(**by(SELLER), **more)).refused("role_not_allowed", 403)


numbers = st.integers(1, 4)
commands: st.SearchStrategy[list[BookingsCommand]] = st.lists(
    st.one_of(
        st.builds(
            lambda who, which: request(who, booking_id=booking(which)),
            numbers,
            st.integers(1, 40),
        ),
        st.builds(accept, numbers),
        st.builds(reject, numbers),
        st.builds(cancel, numbers, st.sampled_from([SELLER, None])),
        st.builds(complete, numbers),
        st.builds(lambda days: ExpireBookings(**by_system(NOW + days * DAY)), numbers),
        st.builds(lambda who: EndBookingsOf(buyer_id=buyer(who), **by_system()), numbers),
    ),
    max_size=40,
)


def happened(asked: Iterable[BookingsCommand]) -> list[BookingsEvent]:
    history: list[BookingsEvent] = []
    for command in asked:
        try:
            history += item_bookings.decide(command, item_bookings.fold(history))
        except Rejected:
            continue
    return history


ENDS = (BookingRejected, BookingCancelled, BookingCompleted, BookingExpired)


@given(commands)
def test_BK_02_whatever_is_asked_one_at_most_is_kept_and_each_ends_once(
    asked: list[BookingsCommand],
) -> None:
    waiting: set[UUID] = set()
    kept: set[UUID] = set()
    for event in happened(asked):
        match event:
            case BookingRequested():
                assert not kept
                assert event.booking_id not in waiting
                waiting.add(event.booking_id)
            case BookingAccepted():
                assert not kept
                assert event.booking_id in waiting
                kept = {event.booking_id}
            case BookingRejected() | BookingCancelled() | BookingCompleted() | BookingExpired():
                assert event.booking_id in waiting
                waiting.remove(event.booking_id)
                kept.discard(event.booking_id)


@given(commands)
def test_BK_02_whatever_is_asked_the_last_event_says_who_runs_out_next(
    asked: list[BookingsCommand],
) -> None:
    history = happened(asked)
    pending: dict[UUID, datetime] = {}
    for event in history:
        if isinstance(event, BookingRequested):
            pending[event.booking_id] = event.expires_at
        elif isinstance(event, (*ENDS, BookingAccepted)):
            pending.pop(event.booking_id, None)
    if history:
        assert history[-1].next_expires_at == min(pending.values(), default=None)
