"""VINs of listings: what one tells, what else is on offer with it, and which are on offer twice. For
sellers of theirs, for moderators of all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import MODERATORS, SEARCHES, SIGNED_IN, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.sight import listing_for, sees_all
from api.listings.vin_check import Hint, warnings_about
from api.wire.problems import Problem, problem_responses
from api.wire.successes import NO_STORE, ok, private_json
from projections.listings import listing_page
from schemas.listings import ListingStatus
from schemas.values.vehicles import Vin
from schemas.values.vins import check_digit_fits, is_north_american, maker_of, model_years_of

PAGES = CaughtUp(listing_page.listing_page)

router = new_router("listings")


class SameVin(BaseModel):
    """Another listing on offer with the same VIN."""

    listing_id: UUID
    seller_id: str
    title: str | None
    published_at: AwareDatetime | None


class VinAnswer(BaseModel):
    """What a listing's VIN tells; all is null where none is stated, or where it is not known.
    `model_years` are those that it may mean. `also_on` are other listings on offer with it, 20 at
    most: one vehicle is offered once.
    """

    listing_id: UUID
    vin: str | None
    check_digit_fits: bool | None
    north_american: bool | None
    maker: str | None
    model_years: list[int]
    warnings: list[Hint]
    also_on: list[SameVin]


class VinListing(BaseModel):
    """A listing with the VIN that was asked for."""

    listing_id: UUID
    seller_id: str
    status: ListingStatus
    title: str | None
    published_at: AwareDatetime | None


class VinListingsAnswer(BaseModel):
    """Listings with one VIN, the last created first, 20 at most."""

    items: list[VinListing]


class SharedVin(BaseModel):
    """A VIN and the listings on offer with it: how many, and the first 20."""

    vin: str
    count: int
    listing_ids: list[UUID]


class SharedVinsAnswer(BaseModel):
    """A page of VINs that more than one listing on offer has."""

    items: list[SharedVin]
    next_cursor: str | None = Field(description="Of the page that follows")


_VIN = "WP0ZZZ99ZTS392124"
_AT = "2026-03-01T12:00:00Z"
_OTHER = {
    "listing_id": "01980000-0000-7000-8000-000000000002",
    "seller_id": "01980000-0000-7000-8000-00000000000b",
    "title": "Porsche 911 Carrera",
    "published_at": _AT,
}
_TOLD = {
    "listing_id": LISTING_ID,
    "vin": _VIN,
    "check_digit_fits": False,
    "north_american": False,
    "maker": "Porsche",
    "model_years": [1996],
    "warnings": [{"pointer": "/vin", "detail": "its 9th place is no check digit that fits"}],
    "also_on": [_OTHER],
}
_SHARED = {"vin": _VIN, "count": 2, "listing_ids": [LISTING_ID, _OTHER["listing_id"]]}


@router.get(
    "/api/listings/{listing_id:uuid}/vin",
    operation_id="read_listing_vin",
    response_model=VinAnswer,
    responses={**ok("What it tells", _TOLD), **problem_responses(400, 401, 403, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES, keys=True)
async def read_listing_vin(
    listing_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """What the listing's VIN tells, what looks wrong about it, and what else is on offer with it; for
    the seller and moderators only.
    """
    await PAGES.wait(request)
    row = await listing_for(request, listing_id)
    if not sees_all(caller, row["seller_id"]):
        raise Problem(403, "not_owner", "Only the seller sees what a VIN tells")
    vin, latest = row["vin"], datetime.now(UTC).year + 1
    others = [] if vin is None else await listing_page.also_with_vin(mesh.postgres, vin, row["key"])
    return private_json(
        {
            "listing_id": row["key"],
            "vin": vin,
            **_decoded(vin, latest),
            "warnings": warnings_about(row, latest),
            "also_on": [dict(each) for each in others],
        }
    )


def _decoded(vin: str | None, latest: int) -> dict[str, Any]:
    return {
        "check_digit_fits": None if vin is None else check_digit_fits(vin),
        "north_american": None if vin is None else is_north_american(vin),
        "maker": None if vin is None else maker_of(vin),
        "model_years": [] if vin is None else model_years_of(vin, latest),
    }


@router.get(
    "/api/vins",
    operation_id="list_vin_listings",
    response_model=VinListingsAnswer,
    responses={
        **ok("Listings", {"items": [{**_OTHER, "status": "active"}]}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES, keys=True)
async def list_vin_listings(
    request: Request,
    mesh: Mesh,
    caller: SignedIn,
    vin: Annotated[Vin, Query(examples=[_VIN], description="The whole VIN, in capitals")],
) -> Response:
    """The caller's listings with this VIN, in whatever state; everyone's for moderators."""
    await PAGES.wait(request)
    found = await listing_page.with_vin(
        mesh.postgres, vin, caller.user_id, everyones=caller.role in MODERATORS
    )
    return private_json({"items": [dict(each) for each in found]})


@router.get(
    "/api/vins/shared",
    operation_id="list_shared_vins",
    response_model=SharedVinsAnswer,
    responses={
        **ok("A page", {"items": [_SHARED], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(MODERATORS, SEARCHES)
async def list_shared_vins(
    request: Request, mesh: Mesh, page: Paging, _caller: SignedIn
) -> Response:
    """The VINs with which more than one listing is on offer: one vehicle can't be sold twice."""
    await PAGES.wait(request)
    rows, last = page.shown(await listing_page.shared_vins(mesh.postgres, page.part), "vin")
    return page.response([dict(each) for each in rows], last, headers=NO_STORE)
