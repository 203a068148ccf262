"""What may happen to a vote: each person has one on a review, for or against, and may change it.

Neither whoever wrote the review nor whoever it speaks of votes on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.reviews import (
    ReviewVoted,
    ReviewVoteWithdrawn,
    Vote,
    VoteCommand,
    VoteEvent,
    VoteOnReview,
    WithdrawVote,
    vote_id_of,
)


@dataclass(frozen=True)
class Uncast:
    """They say nothing."""


@dataclass(frozen=True)
class Cast:
    """It counts."""

    vote: Vote


Ballot: TypeAlias = Uncast | Cast


def decide(command: VoteCommand, ballot: Ballot) -> Sequence[VoteEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    if command.asked_role is Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    if command.vote_id != vote_id_of(command.review_id, UUID(command.asked_by)):
        raise Rejected("vote_unknown", 404)
    match command:
        case VoteOnReview():
            return cast(command, ballot)
        case WithdrawVote():
            return withdraw(command, ballot)
        case _:
            assert_never(command)


def cast(command: VoteOnReview, ballot: Ballot) -> Sequence[VoteEvent]:
    """The same vote again is none; another one takes its place."""
    if command.asked_by == str(command.reviewer_id):
        raise Rejected("own_review", 403)
    if command.asked_by == str(command.seller_id):
        raise Rejected("about_oneself", 403)
    previous = ballot.vote if isinstance(ballot, Cast) else None
    if previous is command.vote:
        return []
    return [
        ReviewVoted(
            vote_id=command.vote_id,
            review_id=command.review_id,
            user_id_sealed=command.user_id_sealed,
            vote=command.vote,
            previous=previous,
            voted_at=command.asked_at,
        )
    ]


def withdraw(command: WithdrawVote, ballot: Ballot) -> Sequence[VoteEvent]:
    """It counts no more."""
    match ballot:
        case Uncast():
            return []
        case Cast(vote=vote):
            return [
                ReviewVoteWithdrawn(
                    vote_id=command.vote_id,
                    review_id=command.review_id,
                    vote=vote,
                    withdrawn_at=command.asked_at,
                )
            ]
        case _:
            assert_never(ballot)


def evolve(_ballot: Ballot, event: VoteEvent) -> Ballot:
    """The vote after the event. Never refuses: it has happened."""
    match event:
        case ReviewVoted(vote=vote):
            return Cast(vote)
        case ReviewVoteWithdrawn():
            return Uncast()
        case _:
            assert_never(event)


votes: Decider[VoteCommand, Ballot, VoteEvent] = Decider(
    initial=Uncast(), decide=decide, evolve=evolve
)
