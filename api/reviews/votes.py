"""Whether a review helped: everybody but those two whom it is about has one vote, and may change
it. Others read how many there are, and nobody whose.
"""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Mesh, machines_of
from api.entry.auth import SignedIn
from api.entry.commands import Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.profiles.sight import key_of
from api.reviews.bodies import VOTE, NewVote, VoteAnswer
from api.reviews.shown import Row, gone, known, standing
from api.wire.changes import answer
from api.wire.problems import problem_responses
from api.wire.successes import ok, private_json
from projections.reviews import review_votes, reviews
from schemas.reviews import VoteOnReview, WithdrawVote, vote_id_of

PATH = "/api/reviews/{review_id:uuid}/vote"
REVIEWS = CaughtUp(reviews.reviews)
VOTES = CaughtUp(reviews.reviews, review_votes.review_votes)

_PROBLEMS = problem_responses(400, 401, 403, 404, 409, 410)

router = new_router("reviews")


@router.get(
    PATH,
    operation_id="read_review_vote",
    response_model=VoteAnswer,
    responses={**ok("Your vote", VOTE), **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_review_vote(
    review_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """What you say of a review, yourself."""
    await VOTES.wait(request)
    await standing(mesh, review_id)
    vote_id = vote_id_of(review_id, UUID(caller.user_id))
    row = await review_votes.by_id(mesh.postgres, str(vote_id))
    return private_json({"vote": row and row["vote_type"]})


@router.post(
    PATH,
    operation_id="vote_on_review",
    response_model=VoteAnswer,
    responses={**ok("It counts", VOTE), **_PROBLEMS, **problem_responses(415)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def vote_on_review(
    review_id: UUID,
    body: NewVote,
    request: Request,
    sending: Sending,
    mesh: Mesh,
    caller: SignedIn,
) -> Response:
    """Say whether a review helped you. The same again changes nothing, the other vote takes the
    place of the first. Nobody votes on a review of their own or of themselves.
    """
    row, against = await judged(_voted_on(request, review_id))
    voter_id = UUID(caller.user_id)
    key = await key_of(mesh, voter_id)
    command = VoteOnReview(
        vote_id=vote_id_of(review_id, voter_id),
        review_id=review_id,
        # Without its row it is not judged: a repeat meets its first reply, and nothing else is sent.
        reviewer_id=voter_id if row is None else UUID(row["reviewer_id"]),
        seller_id=voter_id if row is None else UUID(row["seller_id"]),
        vote=body.vote,
        user_id_sealed=key.seal("user_id", caller.user_id),
        **sending.asked,
    )
    reply = await sending.send(command, unless=against or (row and gone(row)))
    return answer(reply, 200, {"vote": body.vote})


@router.delete(
    PATH,
    operation_id="withdraw_review_vote",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It counts no more"}, **_PROBLEMS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def withdraw_review_vote(
    review_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Take your vote back; without one this changes nothing."""
    row, against = await judged(_voted_on(request, review_id))
    vote_id = vote_id_of(review_id, UUID(caller.user_id))
    command = WithdrawVote(vote_id=vote_id, review_id=review_id, **sending.asked)
    reply = await sending.send(command, unless=against or (row and gone(row)))
    return answer(reply, 204)


async def _voted_on(request: Request, review_id: UUID) -> Row:
    await REVIEWS.wait(request)
    return await known(machines_of(request), review_id)
