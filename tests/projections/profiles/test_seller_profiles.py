from __future__ import annotations

from uuid import UUID

from projections.profiles.seller_profiles import SellerProfile, seller_profiles
from schemas.identity import UserDeleted, user_stream
from schemas.profiles import SealedText, SellerTexts, SellerUpdated, seller_stream
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
