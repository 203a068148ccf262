"""Votes as they are kept: one row of a review and a voter, which tells nobody who that is."""

from __future__ import annotations

from dataclasses import fields

from projections.reviews.review_votes import ReviewVote, review_votes
from schemas.reviews import Vote, vote_id_of, vote_stream
from tests.producers.test_reviews import ID, NOW, OTHER, REVIEWER
from tests.producers.test_reviews_votes import VOTE_ID, voted, withdrawn
from tests.projections.history import history, rows_of


def rows_after(*events):
    return rows_of(review_votes, history(vote_stream(VOTE_ID), *events))


def test_RV_14_a_vote_is_kept_under_the_id_that_follows_from_review_and_voter() -> None:
    kept = ReviewVote(str(ID), "1x", Vote.HELPFUL, NOW)
    assert rows_after(voted()) == {str(vote_id_of(ID, OTHER)): kept}


def test_RV_14_there_is_one_of_a_review_and_a_voter() -> None:
    (row,) = rows_after(voted(), voted(Vote.UNHELPFUL, Vote.HELPFUL)).values()
    assert row.vote_type is Vote.UNHELPFUL
    ids = {vote_id_of(review, voter) for review in (ID, OTHER) for voter in (OTHER, REVIEWER)}
    assert len(ids) == 4


def test_RV_14_nothing_is_kept_of_a_vote_that_was_withdrawn() -> None:
    assert rows_after(voted(), withdrawn()) == {}
    assert len(rows_after(voted(), withdrawn(), voted())) == 1


def test_RV_14_no_column_names_the_voter() -> None:
    """Only what their own key opens does, and that is destroyed when they are erased."""
    (row,) = rows_after(voted()).values()
    assert {each.name for each in fields(row)} >= {"review_id", "user_id_sealed", "vote_type"}
    assert str(OTHER) not in str(row)
