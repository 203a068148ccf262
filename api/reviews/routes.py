"""Reviews: what somebody says of a seller, about one listing. All read them, and only whoever
wrote one changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import MaybeCaller, SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.paging import Page, Paging
from api.entry.routing import new_router
from api.listings.sight import hidden, listing_for, listing_offer
from api.profiles.sight import People, key_of, people_of, visible
from api.reviews.bodies import (
    CHANGED,
    REVIEW,
    NewReview,
    ReviewAnswer,
    ReviewChangedAnswer,
    ReviewChanges,
    ReviewsAnswer,
)
from api.wire.changes import answer, changed
from api.wire.etags import versioned
from api.wire.forms import cleared, stated
from api.wire.problems import Problem, problem_responses
from api.wire.successes import CREATED, NO_STORE, ok
from infra.vault import PersonKey
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.profiles import seller_profiles
from projections.reviews import reviews
from schemas.reviews import (
    RATING_MAX,
    CreateReview,
    DeleteReview,
    ReviewText,
    ReviewTexts,
    UpdateReview,
    review_id_of,
)

ONE = "/api/reviews/{review_id:uuid}"
LISTING = CaughtUp(listing_page)
REVIEWS = CaughtUp(reviews.reviews, users)
OF_LISTING = CaughtUp(reviews.reviews, users, listing_page)

_CHANGED = ok("Done; `version` is the review's version now", CHANGED)
_PAGE = ok("A page", {"items": [REVIEW], "next_cursor": None})
_WRITE_PROBLEMS = problem_responses(400, 401, 403, 404, 409, 410, 412)

Stars = Annotated[
    Annotated[int, Field(ge=1, le=RATING_MAX)] | None,
    Query(description="Only reviews with so many stars"),
]

router = new_router("reviews")


@router.post(
    "/api/reviews",
    operation_id="create_review",
    status_code=201,
    response_model=ReviewChangedAnswer,
    responses={
        **ok("It stands", {**CHANGED, "version": 1}, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 404, 409, 410, 415),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def create_review(
    body: NewReview, request: Request, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Say what you think of a listing's seller. There is one review of a listing by one reviewer,
    and none of one's own.
    """
    await LISTING.wait(request)
    offer = await listing_offer(mesh, body.listing_id)
    reviewer_id = UUID(caller.user_id)
    hides = not offer.public and reviewer_id != offer.seller_id
    key = await key_of(mesh, reviewer_id)
    said = body.model_dump(include={"title", "content"}, exclude_none=True)
    command = CreateReview(
        review_id=review_id_of(body.listing_id, reviewer_id),
        listing_id=body.listing_id,
        seller_id=offer.seller_id,
        rating=body.rating,
        sealed=_sealed(key, said),
        **sending.asked,
    )
    against = offer.gone or (hidden() if hides else None)
    reply = await sending.send(command, unless=against)
    review_id = command.review_id
    return changed(reply, review_id, 201, location=f"/api/reviews/{review_id}")


@router.get(
    ONE,
    operation_id="read_review",
    response_model=ReviewAnswer,
    responses={
        **ok("The review", REVIEW, headers=["ETag"]),
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def read_review(
    review_id: UUID, request: Request, mesh: Mesh, _caller: MaybeCaller
) -> Response:
    """One review; its ETag is what a change names."""
    await REVIEWS.wait(request)
    row = await reviews.by_id(mesh.postgres, str(review_id))
    if row is None:
        raise Problem(404, "review_unknown", "There is no such review")
    if row["deleted"]:
        raise Problem(410, "review_deleted", "This review was taken away")
    people = await people_of(mesh, [row["reviewer_id"]])
    return versioned(_shown(row, people), row["version"])


@router.put(
    ONE,
    operation_id="replace_review_fields",
    response_model=ReviewChangedAnswer,
    responses={**_CHANGED, **_WRITE_PROBLEMS, **problem_responses(415, 428)},
)
@router.patch(
    ONE,
    operation_id="update_review",
    response_model=ReviewChangedAnswer,
    responses={**_CHANGED, **_WRITE_PROBLEMS, **problem_responses(415, 428)},
)
@Door(SIGNED_IN, CHANGES)
async def update_review(
    review_id: UUID, body: ReviewChanges, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Change what is sent; null empties a text. PUT and PATCH do the same. Needs `If-Match`.
    What was said before stays in the log.
    """
    key = await key_of(mesh, UUID(caller.user_id))
    said = stated(body)
    command = UpdateReview(
        review_id=review_id,
        rating=said.pop("rating", None),
        sealed=_sealed(key, said),
        clear=cleared(body),
        **sending.asked,
    )
    reply = await sending.send(command, if_match_required=True)
    return changed(reply, review_id)


@router.delete(
    ONE,
    operation_id="delete_review",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted"}, **_WRITE_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def delete_review(review_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Take a review of yours away; it counts no more. The staff may do so with any."""
    command = DeleteReview(review_id=review_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)


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
    rating: Stars = None,
) -> Response:
    """What is said of a seller, the last written first."""
    await REVIEWS.wait(request)
    row = await seller_profiles.by_id(mesh.postgres, str(user_id))
    # A source of imports may be spoken of before anybody has registered its account.
    if row is not None or not await seller_profiles.is_reviewed(mesh.postgres, str(user_id)):
        visible(row, user_id, caller)
    return await _listed(mesh, page, reviews.Subject.SELLER, user_id, rating)


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
    return await _listed(mesh, page, reviews.Subject.LISTING, listing_id, rating)


async def _listed(
    mesh: Machines, page: Page, subject: reviews.Subject, subject_id: UUID, rating: int | None
) -> Response:
    wanted = reviews.Wanted(subject, str(subject_id), rating)
    found = await reviews.newest(mesh.postgres, wanted, page.part)
    rows, last = page.shown(found, "created_at", "key")
    people = await people_of(mesh, (row["reviewer_id"] for row in rows))
    return page.response([_shown(row, people) for row in rows], last, headers=NO_STORE)


def _shown(row: Mapping[str, Any], people: People) -> dict[str, Any]:
    """A row as everybody sees it."""
    reviewer_id = row["reviewer_id"]
    return {
        "id": row["key"],
        **{name: row[name] for name in ("listing_id", "seller_id", "reviewer_id")},
        "reviewer_name": people.names.get(reviewer_id) if row["reviewer_is_here"] else None,
        "rating": row["rating"],
        "title": people.said(reviewer_id, row["title_sealed"], "title"),
        "content": people.said(reviewer_id, row["content_sealed"]),
        **{name: row[name] for name in ("created_at", "updated_at", "version")},
    }


def _sealed(key: PersonKey, stated: Mapping[str, str]) -> ReviewTexts:
    return ReviewTexts(
        **{
            name: ReviewText(text=key.seal(name, text), mark=key.mark(name, text))
            for name, text in stated.items()
        }
    )
