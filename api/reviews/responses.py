"""What the seller says to a review: one response, for all to read with it."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.doors import CHANGES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.profiles.sight import key_of
from api.reviews.bodies import CHANGED, NewResponse, ReviewChangedAnswer
from api.wire.changes import answer, changed
from api.wire.problems import problem_responses
from api.wire.successes import ok
from schemas.reviews import RespondToReview, ReviewText, WithdrawResponse

PATH = "/api/reviews/{review_id:uuid}/response"

_CHANGED = ok("It stands; `version` is the review's version now", CHANGED)
_PROBLEMS = problem_responses(400, 401, 403, 404, 409, 410, 412)

router = new_router("reviews")


@router.put(
    PATH,
    operation_id="replace_review_response",
    response_model=ReviewChangedAnswer,
    responses={**_CHANGED, **_PROBLEMS, **problem_responses(415)},
)
@router.post(
    PATH,
    operation_id="respond_to_review",
    response_model=ReviewChangedAnswer,
    responses={**_CHANGED, **_PROBLEMS, **problem_responses(415)},
)
@Door(SIGNED_IN, CHANGES)
async def respond_to_review(
    review_id: UUID, body: NewResponse, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Respond to what is said of you. There is one response: what is sent again takes the place
    of what was. PUT and POST do the same. What the staff took away is not said again.
    """
    key = await key_of(mesh, UUID(caller.user_id))
    content = ReviewText(
        text=key.seal("content", body.content), mark=key.mark("content", body.content)
    )
    command = RespondToReview(review_id=review_id, content=content, **sending.asked)
    return changed(await sending.send(command, if_match=True), review_id)


@router.delete(
    PATH,
    operation_id="withdraw_review_response",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Taken back"}, **_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def withdraw_review_response(
    review_id: UUID, sending: Sending, _caller: SignedIn
) -> Response:
    """Take your response back. The staff may take any away."""
    command = WithdrawResponse(review_id=review_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)
