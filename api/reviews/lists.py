"""What is said of a seller or about a listing, in lists and in figures."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import Caller, MaybeCaller
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, SEARCHES, Door
from api.entry.paging import Page, Paging
from api.entry.routing import new_router
from api.listings.sight import listing_for
from api.profiles.sight import visible
from api.reviews.bodies import REVIEW, STATS, ReviewsAnswer, SellerStatsAnswer
from api.reviews.shown import people_in, shown
from api.wire.problems import problem_responses
from api.wire.successes import NO_STORE, ok, private_json
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.profiles import seller_profiles
from projections.reviews import reviews, seller_stats
from schemas.reviews import RATING_MAX

REVIEWS = CaughtUp(reviews.reviews, users)
OF_LISTING = CaughtUp(reviews.reviews, users, listing_page)

_PAGE = ok("A page", {"items": [REVIEW], "next_cursor": None})

Stars = Annotated[
    Annotated[int, Field(ge=1, le=RATING_MAX)] | None,
    Query(description="Only reviews with so many stars"),
]
First = Annotated[reviews.ReviewSort, Query(description="What comes first")]

router = new_router("reviews")


@router.get(
    "/api/reviews/seller/{user_id:uuid}",
    operation_id="list_seller_reviews",
    response_model=ReviewsAnswer,
    responses={**_PAGE, **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES)
async def list_seller_reviews(
    user_id: UUID,
    request: Request,
    mesh: Mesh,
    page: Paging,
    caller: MaybeCaller,
    sort: First = reviews.ReviewSort.RECENT,
    rating: Stars = None,
) -> Response:
    """What is said of a seller, the last written first, or what helped most people. Of as many
    helpful votes the last written comes first.
    """
    await REVIEWS.wait(request)
    await _seen(mesh, user_id, caller)
    wanted = reviews.Wanted(reviews.Subject.SELLER, str(user_id), rating, sort)
    return await _listed(mesh, page, wanted)


@router.get(
    "/api/reviews/seller/{user_id:uuid}/stats",
    operation_id="read_seller_stats",
    response_model=SellerStatsAnswer,
    responses={**ok("The figures", STATS), **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES)
async def read_seller_stats(
    user_id: UUID, request: Request, mesh: Mesh, caller: MaybeCaller
) -> Response:
    """What is said of a seller, in figures: of all time, and of the last 30 and 90 days."""
    await REVIEWS.wait(request)
    await _seen(mesh, user_id, caller)
    stats = await seller_stats.of_seller(mesh.postgres, str(user_id), datetime.now(UTC))
    return private_json(
        {
            "seller_id": user_id,
            **asdict(stats.whole),
            "distribution": {str(stars): count for stars, count in stats.distribution.items()},
            "verified_share": stats.verified_share,
            "last_30_days": asdict(stats.last_30_days),
            "last_90_days": asdict(stats.last_90_days),
        }
    )


@router.get(
    "/api/reviews/listing/{listing_id:uuid}",
    operation_id="list_listing_reviews",
    response_model=ReviewsAnswer,
    responses={**_PAGE, **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES)
async def list_listing_reviews(
    listing_id: UUID,
    request: Request,
    mesh: Mesh,
    page: Paging,
    _caller: MaybeCaller,
    rating: Stars = None,
) -> Response:
    """What is said about a listing, the last written first."""
    await OF_LISTING.wait(request)
    await listing_for(request, listing_id)
    wanted = reviews.Wanted(reviews.Subject.LISTING, str(listing_id), rating)
    return await _listed(mesh, page, wanted)


async def _seen(mesh: Machines, user_id: UUID, caller: Caller) -> None:
    """Raises 404 and 410 problems for a seller of whom this caller may not know."""
    row = await seller_profiles.by_id(mesh.postgres, str(user_id))
    # A source of imports may be spoken of before anybody has registered its account.
    if row is not None or not await seller_profiles.is_reviewed(mesh.postgres, str(user_id)):
        visible(row, user_id, caller)


async def _listed(mesh: Machines, page: Page, wanted: reviews.Wanted) -> Response:
    found = await reviews.listed(mesh.postgres, wanted, page.part)
    rows, last = page.shown(found, *reviews.ORDERS[wanted.sort])
    people = await people_in(mesh, rows)
    return page.response([shown(row, people) for row in rows], last, headers=NO_STORE)
