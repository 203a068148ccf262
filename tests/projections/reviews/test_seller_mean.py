"""A seller's mean after a long random course, as the deciders allow it: exact at every step."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest

from producers.decider import Rejected
from producers.reviews.reviews import Written
from producers.reviews.reviews import reviews as rules
from producers.reviews.votes import votes
from producers.writer.deciders import DECIDERS
from projections.profiles.seller_profiles import seller_profiles
from projections.projection import Projection
from projections.reviews.reviews import reviews
from schemas.log.messages import Command, Role, category_of
from schemas.reviews import (
    CreateReview,
    DeleteReview,
    RespondToReview,
    ReviewText,
    ReviewTexts,
    UpdateReview,
    Vote,
    VoteOnReview,
    WithdrawResponse,
    WithdrawVote,
    review_id_of,
    vote_id_of,
)
from tests.producers.test_reviews import NOW, SELLER
from tests.projections.history import recorded

STEPS = 1_000
WRITERS = [(UUID(int=100 + number), UUID(int=200 + number)) for number in range(12)]
READERS = [UUID(int=300 + number) for number in range(4)]
WORDS = ReviewText(text="1x", mark="0" * 64)

Make = Callable[[random.Random, UUID, UUID, UUID], Command]


def by(who: UUID, role: Role = Role.BUYER) -> dict[str, Any]:
    return {"asked_at": NOW, "asked_by": str(who), "asked_role": role}


def create(chance: random.Random, review_id: UUID, listing_id: UUID, writer: UUID) -> Command:
    ids = {"review_id": review_id, "listing_id": listing_id, "seller_id": SELLER}
    stars = chance.randint(1, 5)
    return CreateReview(**ids, rating=stars, sealed=ReviewTexts(), **by(writer))


def update(chance: random.Random, review_id: UUID, _listing_id: UUID, writer: UUID) -> Command:
    stars = chance.randint(1, 5)
    return UpdateReview(review_id=review_id, rating=stars, sealed=ReviewTexts(), **by(writer))


def delete(_chance: random.Random, review_id: UUID, _listing_id: UUID, writer: UUID) -> Command:
    return DeleteReview(review_id=review_id, **by(writer))


def respond(chance: random.Random, review_id: UUID, _listing_id: UUID, _writer: UUID) -> Command:
    if chance.random() < 0.3:
        return WithdrawResponse(review_id=review_id, **by(SELLER))
    return RespondToReview(review_id=review_id, content=WORDS, **by(SELLER))


def vote(chance: random.Random, review_id: UUID, _listing_id: UUID, writer: UUID) -> Command:
    reader = chance.choice(READERS)
    ids = {"vote_id": vote_id_of(review_id, reader), "review_id": review_id}
    if chance.random() < 0.3:
        return WithdrawVote(**ids, **by(reader))
    about = {"reviewer_id": writer, "seller_id": SELLER, "user_id_sealed": "1x"}
    return VoteOnReview(**ids, **about, vote=chance.choice(list(Vote)), **by(reader))


MAKES: tuple[Make, ...] = (create, create, update, update, delete, respond, vote)


class Course:
    """The log of a shop with one seller, judged by the rules and folded at once."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Any]] = defaultdict(list)
        self.rows: Mapping[str, dict[str, Any]] = {"seller_profiles": {}, "reviews": {}}
        self.offset = 0

    def ask(self, command: Command) -> int:
        """How many facts come of it; those that the rules forbid lead to none."""
        decider = DECIDERS[category_of(command.stream_id)]
        stream = self.streams[command.stream_id]
        try:
            events = decider.decide(command, decider.fold(stream))
        except Rejected:
            return 0
        for event in events:
            stream.append(event)
            told = recorded(command.stream_id, len(stream), event, offset=self.offset)
            self.offset += 1
            self.fold(seller_profiles, told)
            self.fold(reviews, told)
        return len(events)

    def fold(self, projection: Projection[Any], told: Any) -> None:
        if isinstance(told.event, projection.hears):
            rows, key = self.rows[projection.name], projection.key(told)
            rows[key] = projection.fold(rows.get(key), told)

    def recount(self) -> list[int]:
        """The stars of the reviews that stand, by the rules alone."""
        states = [rules.fold(self.streams[f"review/{review_id_of(*each)}"]) for each in WRITERS]
        return [state.rating for state in states if isinstance(state, Written)]

    def recount_votes(self) -> dict[str, tuple[int, int]]:
        """Votes for and against each review, by the rules alone."""
        found = {}
        for each in WRITERS:
            review_id = review_id_of(*each)
            streams = [self.streams[f"review_vote/{vote_id_of(review_id, who)}"] for who in READERS]
            standing = [getattr(votes.fold(stream), "vote", None) for stream in streams]
            count = (standing.count(Vote.HELPFUL), standing.count(Vote.UNHELPFUL))
            found[str(review_id)] = count
        return found


@pytest.mark.parametrize("seed", range(3))
def test_RV_06_the_mean_is_exact_at_each_of_a_thousand_random_steps(seed: int) -> None:
    chance, course, facts = random.Random(seed), Course(), 0
    for _ in range(STEPS):
        listing_id, writer = chance.choice(WRITERS)
        make = chance.choice(MAKES)
        review_id = review_id_of(listing_id, writer)
        facts += course.ask(make(chance, review_id, listing_id, writer))
        stars = course.recount()
        profile = course.rows["seller_profiles"].get(str(SELLER))
        kept = [each.rating for each in course.rows["reviews"].values() if stands(each)]
        assert sorted(kept) == sorted(stars)
        if profile is not None:
            assert (profile.rating_sum, profile.review_count) == (sum(stars), len(stars))
            assert profile.rating == (sum(stars) / len(stars) if stars else None)
    assert facts > STEPS / 3
    rows = course.rows["reviews"]
    assert len(rows) == len(WRITERS)
    counted = {key: (each.helpful, each.unhelpful) for key, each in rows.items()}
    assert counted == course.recount_votes()


def stands(row: Any) -> bool:
    return row.version > 0 and not row.deleted
