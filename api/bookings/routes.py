"""Bookings over HTTP: somebody asks for an item of their campus, its owner answers. To others than
these two there is no booking.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Body, Query, Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.bookings.bodies import (
    BOOKING,
    REQUESTED,
    BookingAnswer,
    BookingChangedAnswer,
    BookingsAnswer,
    NewBooking,
    Rejection,
    RequestedAnswer,
    changed_to,
)
from api.entry.auth import Caller, SignedIn
from api.entry.commands import CommandSender, Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.items.sight import item_offer, item_unknown
from api.listings.sight import Offer
from api.messaging.sight import against_dealing
from api.profiles.sight import People, key_of, people_of
from api.wire.changes import answer
from api.wire.problems import Problem, problem_responses
from api.wire.successes import CREATED, NO_STORE, ok, private_json
from projections.bookings import bookings
from projections.identity.users import users
from projections.items.items import items
from schemas.bookings import (
    AcceptBooking,
    BookingStatus,
    CancelBooking,
    CompleteBooking,
    RejectBooking,
    RequestBooking,
)
from schemas.items import ItemStatus

ONE = "/api/bookings/{booking_id:uuid}"
OFFER = CaughtUp(items, users)
BOOKINGS = CaughtUp(bookings.bookings)
PAGES = CaughtUp(bookings.bookings, items, users)
NOBODY: Final = UUID(int=0)

_CHANGES = problem_responses(400, 401, 403, 404, 409)

router = new_router("bookings")

Row = Mapping[str, Any]


@router.post(
    "/api/items/{item_id:uuid}/bookings",
    operation_id="request_booking",
    status_code=201,
    response_model=RequestedAnswer,
    responses={
        **ok("Asked for", REQUESTED, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 404, 409, 410, 415),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def request_booking(
    item_id: UUID,
    request: Request,
    sending: Sending,
    caller: SignedIn,
    body: Annotated[NewBooking | None, Body(examples=[{"note": BOOKING["note"]}])] = None,
) -> Response:
    """Ask for an item of your campus, once at a time. Its owner answers within some days, or it is
    off; both of you read in your conversation about it what happens.
    """
    offer, against = await judged(_requestable(request, caller, item_id))
    booking_id, mesh = sending.new_id("booking"), machines_of(request)
    command = RequestBooking(
        item_id=item_id,
        booking_id=booking_id,
        # Without an offer it is not judged: a repeat meets its first reply, and nothing else is sent.
        seller_id=NOBODY if offer is None else offer.seller_id,
        note_sealed=await _sealed(mesh, caller, body),
        expires_at=sending.asked_at + timedelta(days=mesh.settings.booking_days),
        **sending.asked,
    )
    reply = await sending.send(command, unless=against)
    told = {"id": str(booking_id), "item_id": str(item_id), "status": BookingStatus.PENDING}
    return answer(reply, 201, told, location=f"/api/bookings/{booking_id}")


async def _requestable(request: Request, caller: Caller, item_id: UUID) -> Offer:
    """The item, as far as the caller may ask for it; raises what the read models have against it."""
    await OFFER.wait(request)
    offer = await item_offer(machines_of(request), caller, item_id)
    if offer.gone:
        raise offer.gone
    if not offer.public and caller.user_id != str(offer.seller_id):
        raise item_unknown()
    apart = await against_dealing(machines_of(request), caller.user_id, str(offer.seller_id))
    if apart is not None:
        raise apart
    return offer


@router.get(
    "/api/bookings",
    operation_id="list_bookings",
    response_model=BookingsAnswer,
    responses={
        **ok("A page", {"items": [BOOKING], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_bookings(
    request: Request,
    mesh: Mesh,
    page: Paging,
    caller: SignedIn,
    role: Annotated[
        Literal["buyer", "seller"],
        Query(description="What you have asked for, or what others ask of you"),
    ],
) -> Response:
    """Your bookings on one side, the last request first."""
    await PAGES.wait(request)
    found = await bookings.of_side(mesh.postgres, role, caller.user_id, page.part)
    rows, last = page.shown(found, "requested_at", "key")
    people = await people_of(
        mesh, (row[side] for row in rows for side in ("buyer_id", "seller_id"))
    )
    shown = [_shown(row, people, caller) for row in rows]
    return page.response(shown, last, headers=NO_STORE)


@router.get(
    ONE,
    operation_id="read_booking",
    response_model=BookingAnswer,
    responses={**ok("The booking", BOOKING), **problem_responses(400, 401, 403, 404)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def read_booking(
    booking_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """One of your bookings."""
    await PAGES.wait(request)
    row = await _known(mesh, caller, booking_id)
    people = await people_of(mesh, (row["buyer_id"], row["seller_id"]))
    return private_json(_shown(row, people, caller))


@router.post(
    f"{ONE}/accept",
    operation_id="accept_booking",
    response_model=BookingChangedAnswer,
    responses={**ok("Accepted", changed_to("accepted")), **_CHANGES},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def accept_booking(
    booking_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Keep your item for whoever asked. All others who ask for it are told no."""
    item_id, against = await _about(request, caller, booking_id)
    command = AcceptBooking(item_id=item_id, booking_id=booking_id, **sending.asked)
    return await _changed(sending, command, BookingStatus.ACCEPTED, against)


@router.post(
    f"{ONE}/reject",
    operation_id="reject_booking",
    response_model=BookingChangedAnswer,
    responses={**ok("Rejected", changed_to("rejected")), **_CHANGES, **problem_responses(415)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def reject_booking(
    booking_id: UUID,
    request: Request,
    sending: Sending,
    caller: SignedIn,
    body: Annotated[Rejection | None, Body(examples=[{"note": "My brother takes it"}])] = None,
) -> Response:
    """Say no to whoever asked, with a word to it if you like."""
    item_id, against = await _about(request, caller, booking_id)
    note = await _sealed(machines_of(request), caller, body)
    command = RejectBooking(
        item_id=item_id, booking_id=booking_id, note_sealed=note, **sending.asked
    )
    return await _changed(sending, command, BookingStatus.REJECTED, against)


@router.post(
    f"{ONE}/cancel",
    operation_id="cancel_booking",
    response_model=BookingChangedAnswer,
    responses={**ok("Cancelled", changed_to("cancelled")), **_CHANGES},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def cancel_booking(
    booking_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Take your request back; what was accepted either of you may call off, and the item is free
    again.
    """
    item_id, against = await _about(request, caller, booking_id)
    command = CancelBooking(item_id=item_id, booking_id=booking_id, **sending.asked)
    return await _changed(sending, command, BookingStatus.CANCELLED, against)


@router.post(
    f"{ONE}/complete",
    operation_id="complete_booking",
    response_model=BookingChangedAnswer,
    responses={**ok("Completed", changed_to("completed")), **_CHANGES},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def complete_booking(
    booking_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Say that whoever asked has your item now: it is sold."""
    item_id, against = await _about(request, caller, booking_id)
    command = CompleteBooking(item_id=item_id, booking_id=booking_id, **sending.asked)
    return await _changed(sending, command, BookingStatus.COMPLETED, against)


async def _about(request: Request, caller: Caller, booking_id: UUID) -> tuple[UUID, Problem | None]:
    """The item whose bookings this one is among, or what stands against telling."""

    async def read() -> Row:
        await BOOKINGS.wait(request)
        return await _known(machines_of(request), caller, booking_id)

    row, against = await judged(read())
    return (NOBODY if row is None else UUID(row["item_id"])), against


async def _changed(
    sending: CommandSender,
    command: AcceptBooking | RejectBooking | CancelBooking | CompleteBooking,
    status: BookingStatus,
    against: Problem | None,
) -> Response:
    reply = await sending.send(command, unless=against)
    return answer(reply, 200, {"id": str(command.booking_id), "status": status})


async def _known(mesh: Machines, caller: Caller, booking_id: UUID) -> Row:
    """The booking's row, for one of its two people; raises a 404 problem for others."""
    row = await bookings.by_id(mesh.postgres, str(booking_id))
    if row is None or caller.user_id not in (row["buyer_id"], row["seller_id"]):
        raise Problem(404, "booking_unknown", "There is no such booking")
    return row


async def _sealed(
    mesh: Machines, caller: Caller, body: NewBooking | Rejection | None
) -> str | None:
    if body is None or body.note is None:
        return None
    return (await key_of(mesh, UUID(caller.user_id))).seal("note", body.note)


def _shown(row: Row, people: People, caller: Caller) -> dict[str, Any]:
    side = "buyer" if row["buyer_id"] == caller.user_id else "seller"
    other = row["seller_id"] if side == "buyer" else row["buyer_id"]
    status = row["item_status"]
    told = ("status", "reason", "requested_at", "changed_at", "expires_at")
    return {
        "id": row["key"],
        "side": side,
        **{name: row[name] for name in told},
        "item": {
            "id": row["item_id"],
            "title": None if status == ItemStatus.DELETED else row["item_title"],
            "status": status,
        },
        "other": {"id": other, "name": people.name(other)},
        "note": people.said(row["buyer_id"], row["note_sealed"], "note"),
        "answer": people.said(row["seller_id"], row["answer_sealed"], "note"),
    }
