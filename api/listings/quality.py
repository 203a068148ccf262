"""How good a listing is as an advertisement, for its seller: a score and what would raise it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.quality_rules import SCORE_MAX, Rule, quality_of
from api.listings.sight import listing_for, sees_all
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok, private_json
from projections.listings.listing_page import listing_page

PAGES = CaughtUp(listing_page)

router = new_router("listings")


class QualityPart(BaseModel):
    """Something that gives points: `advice` is what to do about `field`, `reason` why it counts."""

    id: str
    field: str
    points: int
    advice: str
    reason: str


class QualityAnswer(BaseModel):
    """The score of this `version`, what it was given for, and what would raise it, each by its
    points; the most first. A picture counts once it is drawn.
    """

    id: UUID
    version: int
    score: int
    score_max: Literal[100]
    to_do: list[QualityPart]
    done: list[QualityPart]


_PART = {
    "id": "first_image",
    "field": "images",
    "points": 15,
    "advice": "Add a picture",
    "reason": "Buyers pass over what they can't see",
}
_DONE = {
    "id": "model",
    "field": "model",
    "points": 5,
    "advice": "State the model",
    "reason": "Buyers filter by it: what is not stated is not found",
}
_QUALITY = {
    "id": LISTING_ID,
    "version": 2,
    "score": 5,
    "score_max": SCORE_MAX,
    "to_do": [_PART],
    "done": [_DONE],
}


@router.get(
    "/api/listings/{listing_id:uuid}/quality",
    operation_id="read_listing_quality",
    response_model=QualityAnswer,
    responses={**ok("The score", _QUALITY), **problem_responses(400, 401, 403, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED, keys=True)
async def read_listing_quality(listing_id: UUID, request: Request, caller: SignedIn) -> Response:
    """How good the listing is as an advertisement, and what would make it better; for its seller and
    moderators only.
    """
    await PAGES.wait(request)
    row = await listing_for(request, listing_id)
    if not sees_all(caller, row["seller_id"]):
        raise Problem(403, "not_owner", "Only the seller sees how good a listing is")
    found = quality_of(row)
    return private_json(
        {
            "id": str(listing_id),
            "version": row["version"],
            "score": found.score,
            "score_max": SCORE_MAX,
            "to_do": [_part(rule) for rule in found.to_do],
            "done": [_part(rule) for rule in found.done],
        }
    )


def _part(rule: Rule) -> dict[str, str | int]:
    return {name: getattr(rule, name) for name in QualityPart.model_fields}
