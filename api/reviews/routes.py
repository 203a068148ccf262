"""Reviews: what somebody says of a seller, about one listing. All read them, and only whoever
wrote one changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Mesh, machines_of
from api.entry.auth import MaybeCaller, SignedIn
from api.entry.commands import Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.listings.sight import LISTING, Offer, listing_offer
from api.profiles.sight import key_of
from api.reviews.bodies import (
    CHANGED,
    REVIEW,
    NewReview,
    ReviewAnswer,
    ReviewChangedAnswer,
    ReviewChanges,
)
from api.reviews.shown import people_in, shown, standing
from api.wire.changes import answer, changed
from api.wire.etags import versioned
from api.wire.forms import cleared, stated
from api.wire.problems import problem_responses
from api.wire.successes import CREATED, ok
from infra.vault.vault import PersonKey
from projections.identity.users import users
from projections.reviews import reviews
from schemas.reviews import (
    CreateReview,
    DeleteReview,
    ReviewText,
    ReviewTexts,
    UpdateReview,
    review_id_of,
)

ONE = "/api/reviews/{review_id:uuid}"
REVIEWS = CaughtUp(reviews.reviews, users)

_CHANGED = ok("Done; `version` is the review's version now", CHANGED)
_WRITE_PROBLEMS = problem_responses(400, 401, 403, 404, 409, 410, 412)

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
    reviewer_id = UUID(caller.user_id)
    offer, against = await judged(_reviewed(request, body.listing_id))
    if offer is not None:
        against = offer.against(reviewer_id)
    key = await key_of(mesh, reviewer_id)
    said = body.model_dump(include={"title", "content"}, exclude_none=True)
    command = CreateReview(
        review_id=review_id_of(body.listing_id, reviewer_id),
        listing_id=body.listing_id,
        seller_id=reviewer_id if offer is None else offer.seller_id,  # not judged without one
        rating=body.rating,
        sealed=_sealed(key, said),
        **sending.asked,
    )
    reply = await sending.send(command, unless=against)
    review_id = command.review_id
    return changed(reply, review_id, 201, location=f"/api/reviews/{review_id}")


async def _reviewed(request: Request, listing_id: UUID) -> Offer:
    await LISTING.wait(request)
    return await listing_offer(machines_of(request), listing_id)


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
    row = await standing(mesh, review_id)
    return versioned(shown(row, await people_in(mesh, [row])), row["version"])


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


def _sealed(key: PersonKey, stated: Mapping[str, str]) -> ReviewTexts:
    return ReviewTexts(
        **{
            name: ReviewText(text=key.seal(name, text), mark=key.mark(name, text))
            for name, text in stated.items()
        }
    )
