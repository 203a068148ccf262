"""Figures about listings, and the views that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.backends.networks import origin_of
from api.backends.stores import clickhouse_answering
from api.entry.auth import Caller, MaybeCaller, SignedIn
from api.entry.commands import enveloped, keyed, new_command_id
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, SEARCHES, SIGNED_IN, VIEWS, Door
from api.entry.routing import new_router
from api.listings.sight import Row, hidden, listing_for, sees_all
from api.wire.emitted import json_of
from api.wire.problems import Problem, StoreUnavailableError, problem_responses
from api.wire.spans import First, Last, span_of
from api.wire.successes import ok, private_json
from infra.clients.redis import REDIS_DOWN
from infra.settings import Settings
from projections.analytics.listing_views_log import listing_views_log, views_per_day
from projections.listings.listing_page import listing_page
from schemas.listings import ListingStatus
from schemas.log.messages import Role
from schemas.log.positions import format_token
from schemas.log.recorded import CommandEnvelope
from schemas.tracking import ListingViewed, ViewListing

ONE_VIEW_S = 30 * 60  # a viewer who comes back within it has not come again
# Browsers at one address that one listing counts in that time: a household, not whoever makes up
# another browser at every look.
BROWSERS_MAX = 10
PAGES = CaughtUp(listing_page)
FIGURES = CaughtUp(listing_views_log)

router = new_router("analytics")


class ViewAnswer(BaseModel):
    """Whether the look was counted: once per viewer in 30 minutes, the owner's own never."""

    counted: bool


class DayOfViews(BaseModel):
    """One day, UTC."""

    day: date
    views: int
    uniques: int


class ListingFiguresAnswer(BaseModel):
    """The looks at a listing from the first to the last day, both included. `uniques` are
    viewers within a day, added up over days: nobody is followed from one day to the next.
    """

    listing_id: UUID
    first: date
    last: date
    views: int
    uniques: int
    days: list[DayOfViews]


_FIGURES = {
    "listing_id": "01980000-0000-7000-8000-000000000001",
    "first": "2026-03-01",
    "last": "2026-03-30",
    "views": 7,
    "uniques": 5,
    "days": [{"day": "2026-03-02", "views": 7, "uniques": 5}],
}


@router.post(
    "/api/listings/{listing_id:uuid}/view",
    operation_id="view_listing",
    status_code=202,
    response_model=ViewAnswer,
    responses={
        **ok("Taken note of", {"counted": True}, 202, headers=["Consistency-Token"]),
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, VIEWS)
async def view_listing(
    listing_id: UUID, request: Request, mesh: Mesh, caller: MaybeCaller
) -> Response:
    """Say that a listing is being looked at."""
    await PAGES.wait(request)
    row = await listing_for(request, listing_id)
    if row["status"] != ListingStatus.ACTIVE and caller.user_id != row["seller_id"]:
        raise hidden()
    if caller.user_id == row["seller_id"] or not await _is_new(mesh, request, caller, listing_id):
        return _noted({}, counted=False)
    envelope, event = _view(mesh.settings, request, caller, row)
    position = await mesh.tracking.append(envelope, event)
    return _noted({"Consistency-Token": format_token([position])}, counted=True)


def _noted(headers: dict[str, str], *, counted: bool) -> Response:
    return private_json({"counted": counted}, 202, headers=headers)


async def _is_new(mesh: Machines, request: Request, caller: Caller, listing_id: UUID) -> bool:
    """Whether this viewer has not been counted lately; from now on they have. A view whose
    append fails afterwards is lost: better one too few than one twice.
    """
    viewer = _keyed(mesh.settings, f"lately {_identity(request, caller)}")
    key = f"view:{listing_id}:{viewer}"
    try:
        if not await mesh.redis.set(key, "1", nx=True, ex=ONE_VIEW_S):
            return False
        return caller.signed_in or await _has_room(mesh, request, listing_id)
    except REDIS_DOWN as error:
        raise StoreUnavailableError("redis") from error


async def _has_room(mesh: Machines, request: Request, listing_id: UUID) -> bool:
    """Whether no more browsers than there may be at this address have looked."""
    address = mesh.rate_limits.addresses.of(request.scope)
    key = f"views:{listing_id}:{_keyed(mesh.settings, f'address {address}')}"
    pipeline = mesh.redis.pipeline()
    pipeline.incr(key)
    pipeline.expire(key, ONE_VIEW_S, nx=True)
    count, _ = await pipeline.execute()
    return int(count) <= BROWSERS_MAX


def _view(
    settings: Settings, request: Request, caller: Caller, row: Row
) -> tuple[CommandEnvelope, ListingViewed]:
    now, listing_id = datetime.now(UTC), UUID(row["key"])
    viewer = _keyed(settings, f"viewer {now.date()} {_identity(request, caller)}")
    command_id = new_command_id()
    command = ViewListing(
        listing_id=listing_id,
        asked_at=now,
        asked_by=viewer,
        asked_role=caller.role or Role.BUYER,
    )
    event = ListingViewed(
        listing_id=listing_id,
        seller_id=row["seller_id"],
        viewer=viewer,
        signed_in=caller.signed_in,
        network=origin_of(request),
        viewed_at=now,
    )
    return enveloped(command, command_id), event


def _identity(request: Request, caller: Caller) -> str:
    """Who looks: a person, or a browser at an address. Never stored, only hashed with a key."""
    if caller.signed_in:
        return f"user {caller.user_id}"
    address = machines_of(request).rate_limits.addresses.of(request.scope)
    return f"browser {address} {request.headers.get('user-agent', '')}"


def _keyed(settings: Settings, text: str) -> str:
    return keyed(settings, text).hex()[:32]


@router.get(
    "/api/analytics/listings/{listing_id:uuid}",
    operation_id="read_listing_figures",
    response_model=ListingFiguresAnswer,
    responses={**ok("The figures", _FIGURES), **problem_responses(400, 401, 403, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES, keys=True, within_s=5.0)
async def read_listing_figures(
    listing_id: UUID,
    request: Request,
    mesh: Mesh,
    caller: SignedIn,
    first: First = None,
    last: Last = None,
) -> Response:
    """How often a listing was looked at, day by day; for its seller and staff only."""
    await PAGES.wait(request)
    row = await listing_for(request, listing_id, deleted=True)
    if not sees_all(caller, row["seller_id"]):
        raise Problem(403, "not_owner", "Only the seller sees a listing's figures")
    first, last = span = span_of(first, last)
    days = await FIGURES.read(request, lambda: _days(mesh, listing_id, *span))
    body: dict[str, Any] = {
        "listing_id": listing_id,
        "first": first,
        "last": last,
        "views": sum(day.views for day in days),
        "uniques": sum(day.uniques for day in days),
        "days": days,
    }
    headers = {"Cache-Control": "private, no-cache"}
    return Response(json_of(body), headers=headers, media_type="application/json")


async def _days(mesh: Machines, listing_id: UUID, first: date, last: date) -> Sequence[Any]:
    with clickhouse_answering():
        return await views_per_day(mesh.clickhouse, str(listing_id), first, last)
