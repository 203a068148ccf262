"""Bookings as their two people list them. Postgres, one row per booking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
    BookingEvent,
    BookingExpired,
    BookingRejected,
    BookingRequested,
    BookingStatus,
)
from schemas.log.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Booking:
    """Who asks whom for which item, and what has come of it. `note_sealed` is what the buyer said,
    `answer_sealed` what the seller said to it, each with their own key. `version` is that of the
    item's bookings at the last change.
    """

    item_id: str
    buyer_id: str
    seller_id: str
    status: BookingStatus
    requested_at: datetime
    changed_at: datetime
    expires_at: datetime
    version: int
    reason: str | None = None
    note_sealed: str | None = None
    answer_sealed: str | None = None


def key(recorded: Recorded[BookingEvent]) -> str:
    """The booking's id."""
    return str(recorded.event.booking_id)


def fold(row: Booking | None, recorded: Recorded[BookingEvent]) -> Booking | None:
    """The booking after the event."""
    event = recorded.event
    if isinstance(event, BookingRequested):
        return Booking(
            item_id=str(event.item_id),
            buyer_id=str(event.buyer_id),
            seller_id=str(event.seller_id),
            status=BookingStatus.PENDING,
            requested_at=event.requested_at,
            changed_at=event.requested_at,
            expires_at=event.expires_at,
            version=recorded.version,
            note_sealed=event.note_sealed,
        )
    return row and replace(row, version=recorded.version, **_changes(event))


Change: TypeAlias = (
    BookingAccepted | BookingRejected | BookingCancelled | BookingCompleted | BookingExpired
)


def _changes(event: Change) -> dict[str, Any]:
    match event:
        case BookingAccepted(accepted_at=at):
            return {"status": BookingStatus.ACCEPTED, "changed_at": at}
        case BookingRejected(reason=reason, note_sealed=note, rejected_at=at):
            told = {"reason": reason.value, "answer_sealed": note}
            return {"status": BookingStatus.REJECTED, "changed_at": at, **told}
        case BookingCancelled(reason=reason, cancelled_at=at):
            told = {"reason": reason.value}
            return {"status": BookingStatus.CANCELLED, "changed_at": at, **told}
        case BookingCompleted(completed_at=at):
            return {"status": BookingStatus.COMPLETED, "changed_at": at}
        case BookingExpired(expired_at=at):
            return {"status": BookingStatus.EXPIRED, "changed_at": at}
        case _:
            assert_never(event)


table = Table("bookings", MetaData(), *columns_of(Booking))
Index("of_buyer", table.c.buyer_id, table.c.requested_at.desc(), table.c.key.desc())
Index("of_seller", table.c.seller_id, table.c.requested_at.desc(), table.c.key.desc())

bookings = Projection(
    name="bookings",
    version=1,
    hears=get_args(BookingEvent),
    key=key,
    fold=fold,
    row=Booking,
    target=PostgresTable(table),
    # Of an event that can't be read nobody knows which of the item's bookings it is about.
    rows_of=lambda _stream_id: (),
)

Side: TypeAlias = Literal["buyer", "seller"]

_SHOWN = """
    SELECT booking.*, item.title AS item_title, item.status AS item_status
    FROM reads.bookings AS booking LEFT JOIN reads.items AS item ON item.key = booking.item_id
"""
_BY_ID = f"{_SHOWN} WHERE booking.key = $1"
_OF_SIDE = f"""
    {_SHOWN} WHERE booking.{{side}}_id = $1 {{after}}
    ORDER BY booking.requested_at DESC, booking.key DESC {{limit}}
"""
_LISTS: Mapping[str, str] = {side: _OF_SIDE.replace("{side}", side) for side in ("buyer", "seller")}
_OPEN = """
    SELECT DISTINCT item_id FROM reads.bookings
    WHERE buyer_id = $1 AND status IN ('pending', 'accepted') AND item_id > $2
    ORDER BY item_id LIMIT $3
"""


async def by_id(reads: Reads, booking_id: str) -> Mapping[str, Any] | None:
    """One booking, with what its item is called."""
    return await reads.fetchrow(_BY_ID, booking_id)


async def of_side(
    reads: Reads, side: Side, user_id: str, part: Slice
) -> Sequence[Mapping[str, Any]]:
    """What somebody has asked for, or is asked for, the last request first."""
    order = "booking.requested_at, booking.key"
    return await fetch_slice(reads, _LISTS[side], order, part, user_id)


async def open_of_buyer(reads: Reads, buyer_id: str, after: str, limit: int) -> Sequence[str]:
    """The ids, past `after`, of the items for which somebody has an open booking."""
    return [row["item_id"] for row in await reads.fetch(_OPEN, buyer_id, after, limit)]
