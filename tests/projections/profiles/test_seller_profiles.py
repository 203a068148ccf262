from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from projections.profiles.seller_profiles import SellerProfile, seller_profiles
from schemas.identity import UserDeleted, user_stream
from schemas.log.messages import Event
from schemas.log.recorded import Recorded
from schemas.profiles import SealedText, SellerTexts, SellerUpdated, seller_stream
from schemas.reviews import ReviewCreated, ReviewDeleted, ReviewTexts, ReviewUpdated, review_stream
from tests.projections.history import BEGINNING, history, recorded, rows_of

USER = UUID(int=2)
KEY = str(USER)
NAMED = SellerUpdated(
    user_id=USER,
    sealed=SellerTexts(business_name=SealedText(text="1m", mark="0" * 64)),
    updated_at=BEGINNING,
)
UNNAMED = SellerUpdated(
    user_id=USER, sealed=SellerTexts(), cleared=("business_name",), updated_at=BEGINNING
)
END = recorded(
    user_stream(USER),
    5,
    UserDeleted(user_id=USER, email_hash="0" * 64, deleted_at=BEGINNING),
    offset=9,
)


def test_PR_12_a_business_has_its_name_and_no_rating_before_a_review() -> None:
    row = rows_of(seller_profiles, history(seller_stream(USER), NAMED))[KEY]
    assert (row.user_id, row.business_name_sealed, row.version) == (KEY, "1m", 1)
    assert (row.rating, row.review_count, row.verified) == (None, 0, False)


def test_PR_12_a_business_may_lose_its_name() -> None:
    row = rows_of(seller_profiles, history(seller_stream(USER), NAMED, UNNAMED))[KEY]
    assert (row.business_name_sealed, row.version) == (None, 2)


def test_PR_10_of_a_deleted_seller_nothing_is_left_in_whatever_order_it_is_heard() -> None:
    stream = history(seller_stream(USER), NAMED)
    for order in ([*stream, END], [END, *stream]):
        assert rows_of(seller_profiles, order) == {KEY: SellerProfile(user_id=KEY, deleted=True)}


Stars = Sequence[int | None]  # what one reviewer gave, one after another; None: taken back


def review(number: int, given: Stars) -> list[Recorded[Any]]:
    """The stream of one review of the seller."""
    ids = {"review_id": UUID(int=100 + number), "seller_id": USER}
    events: list[Event] = []
    texts = ReviewTexts()
    standing: int | None = None
    for rating in given:
        if rating is None and standing is not None:
            events.append(ReviewDeleted(**ids, rating=standing, deleted_at=BEGINNING))
        elif rating is not None and standing is None:
            new = {"listing_id": UUID(int=1), "reviewer_id": UUID(int=200 + number)}
            events.append(
                ReviewCreated(**ids, **new, rating=rating, sealed=texts, created_at=BEGINNING)
            )
        elif rating is not None and standing is not None:
            change = {"rating": rating, "previous_rating": standing}
            events.append(ReviewUpdated(**ids, **change, sealed=texts, updated_at=BEGINNING))
        standing = rating
    return history(review_stream(ids["review_id"]), *events)


def test_PR_12_EV_06_a_review_counts_is_changed_and_falls_back_exactly() -> None:
    first, second = review(1, [5, 4, None]), review(2, [2])
    found = []
    for events in ([*first[:1]], [*first[:1], *second], [*first[:2], *second], [*first, *second]):
        row = rows_of(seller_profiles, events)[KEY]
        found.append((row.rating, row.review_count))
    assert found == [(5.0, 1), (3.5, 2), (3.0, 2), (2.0, 1)]
    alone = rows_of(seller_profiles, first)[KEY]
    assert (alone.rating, alone.review_count, alone.rating_sum) == (None, 0, 0)


def test_PR_12_reviews_change_neither_name_nor_version() -> None:
    told = history(seller_stream(USER), NAMED)
    row = rows_of(seller_profiles, [*told, *review(1, [5, 3])])[KEY]
    assert (row.business_name_sealed, row.version, row.rating) == ("1m", 1, 3.0)


@given(
    st.lists(st.lists(st.none() | st.integers(1, 5), max_size=6), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_PR_12_rating_and_count_equal_recomputation_from_reviews(
    given: list[Stars], chance: Any
) -> None:
    streams = [review(number, each) for number, each in enumerate(given)]
    mixed = []
    while any(streams):  # any order of streams, each in its own
        mixed.append(chance.choice([each for each in streams if each]).pop(0))
    standing = [each[-1] for each in given if each and each[-1] is not None]
    row = rows_of(seller_profiles, mixed).get(KEY, SellerProfile(user_id=KEY))
    assert row.review_count == len(standing)
    assert row.rating == (sum(standing) / len(standing) if standing else None)
