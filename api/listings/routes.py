"""Listings: something a seller offers at a price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Body, Query, Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.backends.rate_limits import spend
from api.entry.auth import MaybeCaller, SignedIn
from api.entry.commands import CommandSender, Sending
from api.entry.consistency import HEADER_PARAMETER, OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SEARCHES, SELLERS, SIGNED_IN, UNLIMITED, Door
from api.entry.paging import Page, Paging
from api.entry.routing import new_router
from api.listings.bodies import (
    CHANGED,
    LISTING,
    STATED,
    ListingAnswer,
    ListingChangedAnswer,
    ListingChanges,
    ListingsAnswer,
    ListingStatedAnswer,
    NewListing,
    Sale,
    shown,
    vehicle_fields,
)
from api.listings.favored import FAVORITES, favored, is_told
from api.listings.past import PAST_PARAMETERS, as_it_was, past_wanted
from api.listings.sight import NOT_DELETED, PUBLIC, Row, listing_for
from api.listings.vin_check import warnings_about
from api.wire.changes import answer, changed
from api.wire.emitted import json_of
from api.wire.etags import UNCHANGED, json_response, whole_response
from api.wire.forms import cleared
from api.wire.problems import Problem, problem_responses
from api.wire.successes import CREATED, ok
from projections.listings import listing_page
from projections.listings.listing_views import listing_views
from schemas.listings import (
    CreateListing,
    DeleteListing,
    ListingStatus,
    MarkSold,
    PublishListing,
    RenewListing,
    UnpublishListing,
    UpdateListing,
)
from schemas.log.messages import Fault, Market
from schemas.values.vehicles import VehicleFields

# The id is matched by its form, so that no other path under /api/listings can be taken for one.
ONE = "/api/listings/{listing_id:uuid}"
PAGES = CaughtUp(listing_page.listing_page, listing_views)
PRIVATE = "private, no-cache"
# What is shown to somebody says whether it is a favourite, which raises no version: a copy that is
# asked about again would be taken for what it is no more.
THEIRS = "private, no-store"

_CHANGED = ok("Done; `version` is the listing's version now", CHANGED)
_STATED = ok("Done; `version` is the listing's version now", STATED)
_REFUSALS = problem_responses(400, 401, 403, 404, 409, 410, 412)
_LISTED = {**LISTING, "description": None}

router = new_router("listings")


@router.get(
    ONE,
    operation_id="read_listing",
    response_model=ListingAnswer,
    responses={
        **ok("The listing", LISTING, headers=["ETag"]),
        **UNCHANGED,
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra={"parameters": [HEADER_PARAMETER, *PAST_PARAMETERS]},
)
# Its past spends "search": that is more than a row.
@Door(ANYONE, UNLIMITED, keys=True)
async def read_listing(listing_id: UUID, request: Request) -> Response:
    """One listing, as it is or as it was. Its ETag is its version, which views and favourites do not
    raise.
    """
    past = past_wanted(request)
    if past is not None:
        await spend(machines_of(request).rate_limits, request, "search", 1)
    await PAGES.wait(request)
    told = await is_told(request)
    if not told:
        # How many keep it in mind, everybody is told.
        await FAVORITES.wait(request, whole=False)
    row = await listing_for(request, listing_id, deleted=past is not None, counted=past is None)
    if past is not None:
        row = await as_it_was(request, row, past)
        cache = {} if row["status"] in PUBLIC else {"cache_control": PRIVATE}
        return json_response(request, json_of(shown(row)), row["version"], **cache)
    mark = row["is_favorite"] if told else None
    body = json_of(shown(row, {row["key"]: mark}))
    if not request.scope["caller"].signed_in:
        return json_response(request, body, row["version"])
    return whole_response(body, row["version"], cache_control=THEIRS)


@router.post(
    "/api/listings",
    operation_id="create_listing",
    status_code=201,
    response_model=ListingStatedAnswer,
    responses={
        **ok("Created", {**STATED, "version": 1}, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 409, 415),
    },
)
@Door(SELLERS, CHANGES, keys=True)
async def create_listing(
    body: NewListing, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Create a draft, or with `publish` a listing that everyone sees."""
    listing_id = sending.new_id("listing")
    command = CreateListing(
        listing_id=listing_id,
        fields=body.fields,
        publish=body.publish,
        expires_at=_end(mesh, sending) if body.publish else None,
        images_min=mesh.settings.listing_images_min,
        **sending.asked,
    )
    reply = await sending.send(command)
    told = _warnings(body, sending)
    return changed(reply, listing_id, 201, location=f"/api/listings/{listing_id}", warnings=told)


def _warnings(body: VehicleFields, sending: CommandSender) -> list[dict[str, str]]:
    """What looks wrong in what is stated here; of what was stated before, `read_listing_vin` tells."""
    return warnings_about(body.stated(), sending.asked_at.year + 1)


@router.put(
    ONE,
    operation_id="replace_listing_fields",
    response_model=ListingStatedAnswer,
    responses={**_STATED, **_REFUSALS, **problem_responses(415, 428)},
)
@router.patch(
    ONE,
    operation_id="update_listing",
    response_model=ListingStatedAnswer,
    responses={**_STATED, **_REFUSALS, **problem_responses(415, 428)},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def update_listing(
    listing_id: UUID, body: ListingChanges, sending: Sending, _caller: SignedIn
) -> Response:
    """Change the fields that are sent; null empties one. PUT and PATCH do the same. Another
    currency needs a price with it. Needs `If-Match`.
    """
    reply = await sending.send(
        UpdateListing(
            listing_id=listing_id,
            fields=vehicle_fields(body),
            clear=cleared(body),
            **sending.asked,
        ),
        if_match_required=True,
    )
    return changed(reply, listing_id, warnings=_warnings(body, sending))


@router.delete(
    ONE,
    operation_id="delete_listing",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted"}, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def delete_listing(listing_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Take the listing away for good. Its history stays."""
    command = DeleteListing(listing_id=listing_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)


@router.post(
    f"{ONE}/publish",
    operation_id="publish_listing",
    response_model=ListingChangedAnswer,
    responses={**_CHANGED, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def publish_listing(
    listing_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Show the listing to everyone, for as long as `expires_at` then says. Publishing what is
    published changes nothing.
    """
    command = PublishListing(
        listing_id=listing_id,
        expires_at=_end(mesh, sending),
        images_min=mesh.settings.listing_images_min,
        **sending.asked,
    )
    reply = await sending.send(command, if_match=True)
    return changed(reply, listing_id)


@router.post(
    f"{ONE}/renew",
    operation_id="renew_listing",
    response_model=ListingChangedAnswer,
    responses={**_CHANGED, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def renew_listing(
    listing_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Leave the listing on offer for its whole time from now; one that has expired is shown again.
    Within a day of the last renewal nothing changes.
    """
    command = RenewListing(
        listing_id=listing_id,
        expires_at=_end(mesh, sending),
        images_min=mesh.settings.listing_images_min,
        **sending.asked,
    )
    reply = await sending.send(command, if_match=True)
    return changed(reply, listing_id)


def _end(mesh: Machines, sending: CommandSender) -> datetime:
    """When the time on offer of what is published now will be over."""
    return sending.asked_at + timedelta(days=mesh.settings.listing_days)


@router.post(
    f"{ONE}/unpublish",
    operation_id="unpublish_listing",
    response_model=ListingChangedAnswer,
    responses={**_CHANGED, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def unpublish_listing(listing_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Make the listing a draft again."""
    command = UnpublishListing(listing_id=listing_id, **sending.asked)
    reply = await sending.send(command, if_match=True)
    return changed(reply, listing_id)


@router.post(
    f"{ONE}/sold",
    operation_id="mark_listing_sold",
    response_model=ListingChangedAnswer,
    responses={**_CHANGED, **_REFUSALS, **problem_responses(415)},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def mark_listing_sold(
    listing_id: UUID,
    mesh: Mesh,
    sending: Sending,
    _caller: SignedIn,
    body: Annotated[Sale | None, Body(examples=[{"price_minor": 8_200_000}])] = None,
) -> Response:
    """Say that an active listing found its buyer."""
    sale = body or Sale()
    command = MarkSold(
        listing_id=listing_id,
        buyer_id=sale.buyer_id,
        price_minor=sale.price_minor,
        **sending.asked,
    )
    reply = await sending.send(command, if_match=True, unless=await _nobody(mesh, sale.buyer_id))
    return changed(reply, listing_id)


async def _nobody(mesh: Machines, buyer_id: UUID | None) -> Problem | None:
    """What there is against a sale to somebody who is not there."""
    if buyer_id is None or await mesh.vault.person(buyer_id) is not None:
        return None
    fault = Fault(pointer="/buyer_id", detail="nobody has this id: leave it out, or send another")
    return Problem(422, "invalid", "Nobody has the buyer's id", faults=[fault])


@router.get(
    "/api/listings",
    operation_id="list_listings",
    response_model=ListingsAnswer,
    responses={
        **ok("A page", {"items": [_LISTED], "next_cursor": None}),
        **problem_responses(400, 401),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def list_listings(
    request: Request, mesh: Mesh, page: Paging, _caller: MaybeCaller
) -> Response:
    """Every active listing, the last published first."""
    await PAGES.wait(request)
    rows = await listing_page.newest(mesh.postgres, Market.EXOTICS, page.part)
    return await _list(page, rows, "published_at", {})


@router.get(
    "/api/listings/mine",
    operation_id="list_my_listings",
    response_model=ListingsAnswer,
    responses={
        **ok("A page", {"items": [_LISTED], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES, keys=True)
async def list_my_listings(
    request: Request,
    mesh: Mesh,
    page: Paging,
    caller: SignedIn,
    status: Annotated[list[ListingStatus], Query(max_length=len(ListingStatus))] = [],  # noqa: B006
) -> Response:
    """The caller's listings in the named states, by default all but deleted, the last created
    first.
    """
    await PAGES.wait(request)
    statuses = status or NOT_DELETED
    rows = await listing_page.mine(mesh.postgres, caller.user_id, statuses, page.part)
    return await _list(page, rows, "created_at", {"Cache-Control": PRIVATE})


async def _list(page: Page, found: Sequence[Row], order: str, headers: dict[str, str]) -> Response:
    rows, last = page.shown(found, order, "key")
    marks = await favored(page.request, [row["key"] for row in rows])
    return page.response([shown(row, marks) for row in rows], last, headers=headers)
