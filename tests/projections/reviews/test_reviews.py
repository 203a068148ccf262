"""Reviews as they are kept for reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import chain, permutations
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from projections.reviews.reviews import Review, reviews
from schemas.listings import ListingSold, listing_stream
from schemas.log.recorded import Recorded
from schemas.reviews import (
    ReviewVoted,
    ReviewVoteWithdrawn,
    Vote,
    review_id_of,
    review_stream,
    vote_id_of,
    vote_stream,
)
from tests.producers.test_reviews import (
    CREATED,
    DELETED,
    ID,
    LISTING,
    NOW,
    OTHER,
    REVIEWER,
    SAID,
    text,
    updated,
)
from tests.producers.test_reviews_responses import responded, withdrawn
from tests.projections.history import history, rows_of

KEY = str(ID)
LATER = NOW + timedelta(days=1)


def row_after(*events):
    return rows_of(reviews, history(review_stream(ID), *events))[KEY]


def test_a_review_is_kept_sealed() -> None:
    row = row_after(CREATED)
    assert (row.rating, row.version, row.deleted) == (4, 1, False)
    assert (row.title_sealed, row.content_sealed) == ("title", "content")
    assert row.created_at == row.updated_at == CREATED.created_at


def test_a_change_replaces_all_that_is_said() -> None:
    other = SAID.model_copy(update={"title": None, "content": text("other")})
    row = row_after(CREATED, updated(2, 4, other))
    assert (row.rating, row.title_sealed, row.content_sealed) == (2, None, "other")
    assert row.version == 2


def test_of_a_deleted_review_no_text_is_kept() -> None:
    row = row_after(CREATED, DELETED)
    assert (row.deleted, row.title_sealed, row.content_sealed) == (True, None, None)


def test_what_is_written_anew_stands_again() -> None:
    row = row_after(CREATED, DELETED, CREATED)
    assert (row.deleted, row.version, row.content_sealed) == (False, 3, "content")


def test_RV_07_RV_13_a_response_is_kept_sealed_with_its_times() -> None:
    row = row_after(CREATED, responded())
    found = (row.response_sealed, row.responded_at, row.response_edited_at)
    assert found == ("thanks", NOW, None)
    assert (row.version, row.updated_at) == (2, CREATED.created_at)


def test_RV_07_another_response_keeps_the_time_of_the_first() -> None:
    again = responded("sorry").model_copy(update={"responded_at": LATER})
    row = row_after(CREATED, responded(), updated(2, 4), again)
    found = (row.response_sealed, row.responded_at, row.response_edited_at)
    assert found == ("sorry", NOW, LATER)


def test_RV_07_nothing_is_kept_of_a_response_that_was_withdrawn_or_went_with_its_review() -> None:
    twice = [CREATED, responded(), responded("sorry")]
    for events in ([*twice, withdrawn()], [*twice, DELETED], [*twice, DELETED, CREATED]):
        row = row_after(*events)
        found = (row.response_sealed, row.responded_at, row.response_edited_at)
        assert found == (None, None, None)


def test_RV_12_a_review_has_every_column_that_was_named() -> None:
    row = row_after(CREATED)
    assert (row.listing_id, row.reviewer_id) == (str(LISTING), str(REVIEWER))
    assert (row.seller_id, row.rating) == (str(CREATED.seller_id), 4)
    assert (row.title_sealed, row.content_sealed) == ("title", "content")
    assert (row.verified_buyer, row.created_at) == (False, NOW)


def sale(buyer_id: UUID | None, listing_id: UUID = LISTING) -> list[Recorded[Any]]:
    sold = ListingSold(listing_id=listing_id, buyer_id=buyer_id, sold_at=NOW)
    return history(listing_stream(listing_id), sold)


def written(*events: Any) -> list[Recorded[Any]]:
    return history(review_stream(ID), *(events or (CREATED,)))


def test_RV_10_the_badge_appears_whether_the_sale_comes_before_or_after_the_review() -> None:
    before = rows_of(reviews, [*sale(REVIEWER), *written()])
    after = rows_of(reviews, [*written(), *sale(REVIEWER)])
    assert before == after
    assert before[KEY].verified_buyer


def test_RV_10_the_badge_stays_whatever_becomes_of_the_review() -> None:
    for place in range(4):
        events = written(CREATED, DELETED, CREATED)
        row = rows_of(reviews, [*events[:place], *sale(REVIEWER), *events[place:]])[KEY]
        assert (row.verified_buyer, row.version) == (True, 3)


def test_RV_10_no_badge_without_a_buyer_nor_for_another_one_or_another_listing() -> None:
    assert rows_of(reviews, sale(None)) == {}
    elsewhere = UUID(int=77)
    for sold in (sale(None), sale(OTHER), sale(REVIEWER, elsewhere)):
        for events in ([*sold, *written()], [*written(), *sold]):
            assert not rows_of(reviews, events)[KEY].verified_buyer


def test_RV_10_a_sale_alone_is_no_review_and_tells_nothing() -> None:
    assert rows_of(reviews, sale(REVIEWER)) == {KEY: Review(verified_buyer=True)}
    assert str(review_id_of(LISTING, REVIEWER)) == KEY


Votes = Sequence[Vote | None]  # what one person says, one after another; None: nothing any more


def ballot(number: int, said: Votes) -> list[Recorded[Any]]:
    """The stream of one person's vote."""
    ids = {"vote_id": vote_id_of(ID, UUID(int=900 + number)), "review_id": ID}
    events: list[Any] = []
    standing: Vote | None = None
    for vote in said:
        if vote is not None and vote is not standing:
            change = {"vote": vote, "previous": standing, "voted_at": NOW}
            events.append(ReviewVoted(**ids, user_id_sealed="1x", **change))
        elif vote is None and standing is not None:
            events.append(ReviewVoteWithdrawn(**ids, vote=standing, withdrawn_at=NOW))
        standing = vote
    return history(vote_stream(ids["vote_id"]), *events)


def counts(row: Review) -> tuple[int, int]:
    return row.helpful, row.unhelpful


def test_RV_09_a_vote_counts_is_changed_and_falls_back_exactly() -> None:
    first = ballot(1, [Vote.HELPFUL, Vote.UNHELPFUL, None, Vote.HELPFUL])
    second = ballot(2, [Vote.HELPFUL])
    found = [
        counts(rows_of(reviews, [*written(), *second, *first[:count]])[KEY]) for count in range(5)
    ]
    assert found == [(1, 0), (2, 0), (1, 1), (1, 0), (2, 0)]


def test_RV_09_votes_change_neither_the_reviews_version_nor_when_it_was_changed() -> None:
    (row,) = rows_of(reviews, [*written(), *ballot(1, [Vote.HELPFUL])]).values()
    assert (row.version, row.updated_at) == (1, CREATED.created_at)


def test_RV_09_votes_alone_are_no_review() -> None:
    rows = rows_of(reviews, [*ballot(1, [Vote.HELPFUL]), *written(updated(2, 4), DELETED)])
    assert rows == {KEY: Review(helpful=1)}


def test_RV_09_RV_10_review_vote_and_sale_give_the_same_row_in_every_order() -> None:
    streams = (written(), ballot(1, [Vote.HELPFUL]), ballot(2, [Vote.UNHELPFUL]), sale(REVIEWER))
    rows = [rows_of(reviews, chain(*order)) for order in permutations(streams)]
    assert rows == [rows[0]] * 24
    assert (counts(rows[0][KEY]), rows[0][KEY].verified_buyer) == ((1, 1), True)


@given(
    st.lists(st.lists(st.none() | st.sampled_from(Vote), max_size=6), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_RV_09_counts_equal_a_recount_of_what_stands_in_any_order_of_streams(
    said: list[Votes], chance: Any
) -> None:
    streams = [written(CREATED, updated(2, 4), DELETED, CREATED)]
    streams += [ballot(number, each) for number, each in enumerate(said)]
    mixed = []
    while any(streams):
        mixed.append(chance.choice([each for each in streams if each]).pop(0))
    standing = [each[-1] for each in said if each]
    row = rows_of(reviews, mixed)[KEY]
    assert counts(row) == (standing.count(Vote.HELPFUL), standing.count(Vote.UNHELPFUL))
    assert (row.version, row.rating, row.deleted) == (4, 4, False)
