"""What a seller may say to a review, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.decider import Rejected
from producers.reviews.reviews import Answered, Silenced, Unanswered, Written, reviews
from schemas.log.messages import Role
from schemas.reviews import (
    RespondToReview,
    ReviewCreated,
    ReviewDeleted,
    ReviewResponded,
    ReviewResponseWithdrawn,
    ReviewUpdated,
    WithdrawResponse,
)
from tests.producers.spec import Spec
from tests.producers.test_reviews import (
    CREATED,
    DELETED,
    ID,
    NOW,
    OTHER,
    REVIEWER,
    SELLER,
    asked,
    create,
    delete,
    text,
    update,
    updated,
)

spec = Spec(reviews)


def respond(words: str = "thanks", by: UUID = SELLER, role: Role = Role.SELLER) -> RespondToReview:
    return RespondToReview(review_id=ID, content=text(words), **asked(by, role))


def withdraw(by: UUID = SELLER, role: Role = Role.SELLER) -> WithdrawResponse:
    return WithdrawResponse(review_id=ID, **asked(by, role))


def responded(words: str = "thanks") -> ReviewResponded:
    return ReviewResponded(review_id=ID, seller_id=SELLER, content=text(words), responded_at=NOW)


def withdrawn(*, by_staff: bool = False) -> ReviewResponseWithdrawn:
    return ReviewResponseWithdrawn(
        review_id=ID, seller_id=SELLER, by_staff=by_staff, withdrawn_at=NOW
    )


def test_RV_07_the_reviewed_seller_responds() -> None:
    spec.given(CREATED).when(respond()).then(responded())


@pytest.mark.parametrize("role", [Role.BUYER, Role.SELLER, Role.MODERATOR, Role.ADMIN])
def test_RV_07_nobody_else_does(role: Role) -> None:
    for other in (OTHER, REVIEWER):
        spec.given(CREATED).when(respond(by=other, role=role)).refused("not_reviewed", 403)


def test_RV_07_said_again_it_takes_the_place_of_the_first() -> None:
    spec.given(CREATED, responded()).when(respond("sorry")).then(responded("sorry"))


def test_RV_07_the_same_words_are_no_change() -> None:
    again = respond().model_copy(update={"content": text("sealed otherwise", mark="thanks")})
    spec.given(CREATED, responded()).when(again).then()


def test_RV_07_it_outlasts_what_the_reviewer_changes() -> None:
    spec.given(CREATED, responded(), updated(2, 4)).when(respond()).then()


def test_RV_07_it_is_taken_back_and_said_anew() -> None:
    spec.given(CREATED, responded()).when(withdraw()).then(withdrawn())
    spec.given(CREATED, responded(), withdrawn()).when(respond()).then(responded())


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
def test_RV_07_the_staff_take_it_away_for_good(role: Role) -> None:
    spec.given(CREATED, responded()).when(withdraw(OTHER, role)).then(withdrawn(by_staff=True))
    gone = spec.given(CREATED, responded(), withdrawn(by_staff=True))
    gone.when(respond("sorry")).refused("removed_by_staff", 403)
    gone.when(withdraw()).refused("response_unknown", 404)


def test_RV_07_staff_take_back_what_they_said_themselves() -> None:
    spec.given(CREATED, responded()).when(withdraw(role=Role.ADMIN)).then(withdrawn())


def test_RV_07_others_take_nothing_away() -> None:
    for other in (OTHER, REVIEWER):
        refused = withdraw(other, Role.BUYER)
        spec.given(CREATED, responded()).when(refused).refused("not_reviewed", 403)


def test_RV_07_what_is_not_there_is_not_withdrawn() -> None:
    spec.given(CREATED).when(withdraw()).refused("response_unknown", 404)


@pytest.mark.parametrize("command", [respond(), withdraw()], ids=lambda each: each.kind)
def test_RV_07_without_a_review_there_is_nothing_to_respond_to(command: Any) -> None:
    spec.given().when(command).refused("review_unknown", 404)
    spec.given(CREATED, DELETED).when(command).refused("review_deleted", 410)


def test_RV_07_with_the_review_it_is_gone_and_what_is_written_anew_has_none() -> None:
    anew = spec.given(CREATED, responded(), DELETED, CREATED)
    anew.when(withdraw()).refused("response_unknown", 404)
    anew.when(respond()).then(responded())


WHO = [(REVIEWER, Role.BUYER), (SELLER, Role.SELLER), (OTHER, Role.BUYER), (OTHER, Role.MODERATOR)]
COMMANDS = st.sampled_from(WHO).flatmap(
    lambda who: st.one_of(
        st.integers(1, 5).map(lambda stars: create(rating=stars, **asked(*who))),
        st.integers(1, 5).map(lambda stars: update(rating=stars, **asked(*who))),
        st.just(delete(by=who[0], role=who[1])),
        st.sampled_from(["thanks", "sorry"]).map(lambda words: respond(words, *who)),
        st.just(withdraw(*who)),
    )
)


@given(st.lists(COMMANDS, max_size=30))
def test_RV_06_RV_07_the_facts_of_any_course_add_up_to_what_stands(commands: Sequence[Any]) -> None:
    """Whoever reads only the facts knows how many stars there are, and what was responded."""
    state, stars, count, said = reviews.initial, 0, 0, None
    for command in commands:
        try:
            events = reviews.decide(command, state)
        except Rejected:
            continue
        assert len(events) <= 1
        for event in events:
            state = reviews.evolve(state, event)
            assert event.seller_id == SELLER
            match event:
                case ReviewCreated(rating=rating):
                    assert command.asked_by == str(REVIEWER)
                    stars, count, said = stars + rating, count + 1, None
                case ReviewUpdated(rating=rating, previous_rating=previous):
                    stars += rating - previous
                case ReviewDeleted(rating=rating):
                    stars, count, said = stars - rating, count - 1, None
                case ReviewResponded(content=content):
                    assert command.asked_by == str(SELLER)
                    said = content
                case ReviewResponseWithdrawn():
                    assert said is not None
                    said = None
        standing = isinstance(state, Written)
        assert (stars, count) == ((state.rating, 1) if standing else (0, 0))
        if isinstance(state, Written):
            expected = (Unanswered(), Silenced()) if said is None else (Answered(said),)
            assert state.response in expected
