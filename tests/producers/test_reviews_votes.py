"""What may happen to a vote on a review, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.decider import Rejected
from producers.reviews.votes import Cast, votes
from schemas.log.messages import Role
from schemas.reviews import (
    ReviewVoted,
    ReviewVoteWithdrawn,
    Vote,
    VoteOnReview,
    WithdrawVote,
    vote_id_of,
)
from tests.producers.spec import Spec
from tests.producers.test_reviews import ID, NOW, OTHER, REVIEWER, SELLER, asked

VOTE_ID = vote_id_of(ID, OTHER)
HELPFUL, UNHELPFUL = Vote.HELPFUL, Vote.UNHELPFUL

spec = Spec(votes)


def vote(
    what: Vote = HELPFUL, *, by: UUID = OTHER, role: Role = Role.BUYER, **more: Any
) -> VoteOnReview:
    ids = {"vote_id": vote_id_of(ID, by), "review_id": ID}
    about = {"reviewer_id": REVIEWER, "seller_id": SELLER, "user_id_sealed": "1x"}
    return VoteOnReview(**{**ids, **about, "vote": what, **asked(by, role), **more})


def withdraw(by: UUID = OTHER, **more: Any) -> WithdrawVote:
    ids = {"vote_id": vote_id_of(ID, by), "review_id": ID}
    return WithdrawVote(**{**ids, **asked(by), **more})


def voted(what: Vote = HELPFUL, previous: Vote | None = None) -> ReviewVoted:
    ids = {"vote_id": VOTE_ID, "review_id": ID, "user_id_sealed": "1x"}
    return ReviewVoted(**ids, vote=what, previous=previous, voted_at=NOW)


def withdrawn(what: Vote = HELPFUL) -> ReviewVoteWithdrawn:
    return ReviewVoteWithdrawn(vote_id=VOTE_ID, review_id=ID, vote=what, withdrawn_at=NOW)


@pytest.mark.parametrize("what", Vote)
def test_RV_09_a_reader_says_whether_a_review_helped(what: Vote) -> None:
    spec.given().when(vote(what)).then(voted(what))


def test_RV_09_the_same_vote_again_changes_nothing() -> None:
    spec.given(voted()).when(vote()).then()


def test_RV_09_the_other_vote_takes_the_place_of_the_first() -> None:
    spec.given(voted()).when(vote(UNHELPFUL)).then(voted(UNHELPFUL, HELPFUL))
    both = spec.given(voted(), voted(UNHELPFUL, HELPFUL))
    both.when(vote(HELPFUL)).then(voted(HELPFUL, UNHELPFUL))


def test_RV_09_a_vote_is_withdrawn_and_cast_anew() -> None:
    spec.given(voted(UNHELPFUL)).when(withdraw()).then(withdrawn(UNHELPFUL))
    spec.given(voted(), withdrawn()).when(vote()).then(voted())


def test_RV_09_what_was_not_cast_is_withdrawn_already() -> None:
    spec.given().when(withdraw()).then()
    spec.given(voted(), withdrawn()).when(withdraw()).then()


def test_RV_09_nobody_votes_on_their_own_review() -> None:
    spec.given().when(vote(by=REVIEWER)).refused("own_review", 403)


def test_RV_09_nor_on_what_is_said_of_them() -> None:
    spec.given().when(vote(by=SELLER, role=Role.SELLER)).refused("about_oneself", 403)


@pytest.mark.parametrize("command", [vote(), withdraw()], ids=lambda each: each.kind)
def test_RV_09_nobody_votes_in_the_place_of_another(command: Any) -> None:
    for who in (UUID(int=9), REVIEWER):
        foreign = command.model_copy(update=asked(who))
        spec.given(voted()).when(foreign).refused("vote_unknown", 404)
    system = command.model_copy(update={"asked_role": Role.SYSTEM})
    spec.given(voted()).when(system).refused("role_not_allowed", 403)


COMMANDS = st.one_of(st.sampled_from(Vote).map(vote), st.just(withdraw()))


@given(st.lists(COMMANDS | st.just(vote(by=REVIEWER)), max_size=30))
def test_RV_09_the_differences_of_any_course_add_up_to_the_vote_that_stands(
    commands: Sequence[Any],
) -> None:
    state, counts = votes.initial, dict.fromkeys(Vote, 0)
    for command in commands:
        try:
            events = votes.decide(command, state)
        except Rejected:
            assert command.asked_by == str(REVIEWER)
            continue
        for event in events:
            state = votes.evolve(state, event)
            if isinstance(event, ReviewVoted):
                counts[event.vote] += 1
                if event.previous is not None:
                    counts[event.previous] -= 1
            else:
                counts[event.vote] -= 1
        standing = state.vote if isinstance(state, Cast) else None
        assert standing == (command.vote if isinstance(command, VoteOnReview) else None)
        assert counts == {each: int(each is standing) for each in Vote}
        assert votes.decide(command, state) == []
