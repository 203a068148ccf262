"""Bookings as they are remembered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from projections.bookings.bookings import Booking, bookings
from projections.items.items import items
from projections.timers.timers import BY_NAME, timers
from schemas.bookings import (
    BookingExpired,
    BookingReason,
    BookingsEvent,
    BookingStatus,
    ExpireBookings,
    bookings_stream,
)
from schemas.items import item_stream
from schemas.log.messages import Role
from tests.producers.bookings.test_bookings import (
    ACCEPTED,
    ANOTHER,
    DAY,
    ITEM,
    NOW,
    SELLER,
    about,
    accepted,
    booking,
    buyer,
    cancelled,
    closed,
    completed,
    rejected,
    requested,
)
from tests.producers.bookings.test_item_bookings import FREED, RESERVED, SHOWN, SOLD
from tests.projections.history import history, rows_of

STREAM = bookings_stream(ITEM)


def rows_after(*events: BookingsEvent) -> dict[str, Any]:
    return rows_of(bookings, history(STREAM, *events))


def test_BK_01_a_request_has_a_row_with_both_people_and_its_sealed_note() -> None:
    rows = rows_after(requested(1, note_sealed="1abc"))
    assert rows == {
        str(booking(1)): Booking(
            item_id=str(ITEM),
            buyer_id=str(buyer(1)),
            seller_id=str(SELLER),
            status=BookingStatus.PENDING,
            requested_at=NOW,
            changed_at=NOW,
            expires_at=NOW + DAY,
            version=1,
            note_sealed="1abc",
        )
    }


@pytest.mark.parametrize(
    ("events", "status", "reason"),
    [
        ((accepted(1),), "accepted", None),
        ((rejected(1),), "rejected", "by_seller"),
        ((rejected(1, ANOTHER),), "rejected", "another_was_accepted"),
        ((cancelled(1, BookingReason.BY_BUYER),), "cancelled", "by_buyer"),
        ((accepted(1), completed), "completed", None),
        (
            (accepted(1), cancelled(1, BookingReason.BUYER_LEFT, ACCEPTED)),
            "cancelled",
            "buyer_left",
        ),
        ((BookingExpired(**about(1), expired_at=NOW),), "expired", None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_BK_02_a_row_says_what_has_come_of_it_and_why(
    events: tuple[BookingsEvent, ...], status: str, reason: str | None
) -> None:
    (row,) = rows_after(requested(1), *events).values()
    assert (row.status, row.reason, row.version) == (status, reason, 1 + len(events))


def test_BK_02_what_the_seller_says_is_kept_beside_what_the_buyer_said() -> None:
    rows = rows_after(requested(1, note_sealed="1a"), rejected(1, note_sealed="1b"))
    (row,) = rows.values()
    assert (row.note_sealed, row.answer_sealed) == ("1a", "1b")


@pytest.mark.parametrize(
    ("events", "status"),
    [((RESERVED,), "reserved"), ((RESERVED, FREED), "active"), ((RESERVED, SOLD), "sold")],
    ids=["kept", "freed", "sold"],
)
def test_BK_02_an_item_shows_what_its_bookings_have_come_to(
    events: tuple[Any, ...], status: str
) -> None:
    (row,) = rows_of(items, history(item_stream(ITEM), *SHOWN, *events)).values()
    assert row.status == status


def due_after(*events: BookingsEvent) -> Any:
    row = rows_of(timers, history(STREAM, *events)).get(STREAM)
    return None if row is None else (row.names, row.due_at)


def test_BK_02_the_first_request_to_run_out_sets_the_timer() -> None:
    due = NOW + timedelta(days=1)
    assert due_after(requested(1)) == (("expire_bookings",), due)
    assert due_after(requested(2), requested(1)) == (("expire_bookings",), due)
    later = due_after(requested(2), requested(1, first=1), rejected(1, first=2))
    assert later == (("expire_bookings",), NOW + 2 * DAY)
    for end in (accepted(1), rejected(1), closed):
        assert due_after(requested(1), end) is None


def test_BK_02_the_timer_asks_the_items_own_bookings_to_expire() -> None:
    asked = {"asked_at": NOW, "asked_by": "timer/test", "asked_role": Role.SYSTEM}
    command = BY_NAME["expire_bookings"].command(STREAM, asked)
    assert command == ExpireBookings(item_id=ITEM, **asked)
