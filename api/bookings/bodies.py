"""What clients send of bookings and what they get, with examples."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from api.wire.forms import Body
from schemas.bookings import NOTE_LENGTH_MAX, BookingReason, BookingStatus
from schemas.items import ItemStatus
from schemas.values.texts import Lines

Note = Annotated[str, Lines(NOTE_LENGTH_MAX)]

_ID = "01980000-0000-7000-8000-0000000000d1"
_ITEM_ID = "01980000-0000-7000-8000-000000000011"
BOOKING: dict[str, Any] = {
    "id": _ID,
    "side": "seller",
    "status": "pending",
    "reason": None,
    "item": {"id": _ITEM_ID, "title": "Casio fx-991 calculator", "status": "active"},
    "other": {"id": "01980000-0000-7000-8000-00000000000a", "name": "Nimal Perera"},
    "note": "I can fetch it on Friday",
    "answer": None,
    "requested_at": "2026-03-01T12:00:00Z",
    "changed_at": "2026-03-01T12:00:00Z",
    "expires_at": "2026-03-08T12:00:00Z",
}
REQUESTED = {"id": _ID, "item_id": _ITEM_ID, "status": "pending"}


def changed_to(status: str) -> dict[str, str]:
    """The example of a change."""
    return {"id": _ID, "status": status}


class NewBooking(Body):
    """What to say to the owner, if anything."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": BOOKING["note"]}]})

    note: Note | None = None


class Rejection(Body):
    """What to say to whoever asked, if anything."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "My brother takes it"}]})

    note: Note | None = None


class RequestedAnswer(BaseModel):
    """A new booking."""

    id: UUID
    item_id: UUID
    status: BookingStatus


class BookingChangedAnswer(BaseModel):
    """What has become of a booking."""

    id: UUID
    status: BookingStatus


class BookedItem(BaseModel):
    """What is asked for; of a deleted item the title is null."""

    id: UUID
    title: str | None
    status: ItemStatus | None


class BookedPerson(BaseModel):
    """The other one of the two."""

    id: UUID
    name: str


class BookingAnswer(BaseModel):
    """A booking as one of its two people sees it; `side` is theirs. `note` is what the buyer said,
    `answer` what the seller said to it, each null where they said nothing or have left. `reason`
    says why it came to nothing.
    """

    id: UUID
    side: Literal["buyer", "seller"]
    status: BookingStatus
    reason: BookingReason | None
    item: BookedItem
    other: BookedPerson
    note: str | None
    answer: str | None
    requested_at: AwareDatetime
    changed_at: AwareDatetime
    expires_at: AwareDatetime


class BookingsAnswer(BaseModel):
    """A page of bookings, the last request first."""

    items: list[BookingAnswer]
    next_cursor: str | None
