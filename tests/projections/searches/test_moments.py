"""The moments at which a listing is worth telling of."""

from __future__ import annotations

from typing import Any

import pytest

from projections.searches.moments import Offered, after
from schemas.listings import (
    ListingDeleted,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingSold,
    ListingUnpublished,
    ListingUpdated,
)
from schemas.log.messages import Event
from schemas.searches import MatchReason
from schemas.values.vehicles import VehicleFields
from tests.projections.cars import ID, STREAM, created, day
from tests.projections.history import history

NEW, DROP, BACK = MatchReason.NEW, MatchReason.PRICE_DROP, MatchReason.BACK_ON_MARKET
PUBLISHED = ListingPublished(listing_id=ID, published_at=day(1))
HIDDEN = ListingHidden(listing_id=ID, hidden_at=day(2))
SHOWN = ListingShown(listing_id=ID, shown_at=day(3))
UNPUBLISHED = ListingUnpublished(listing_id=ID, unpublished_at=day(2))


def priced(price_minor: int, currency: str = "USD") -> ListingPriceChanged:
    return ListingPriceChanged(
        listing_id=ID, price_minor=price_minor, currency=currency, changed_at=day(4)
    )


def edited(**fields: Any) -> ListingUpdated:
    return ListingUpdated(listing_id=ID, fields=VehicleFields(**fields), updated_at=day(4))


def reasons(*events: Event) -> list[MatchReason | None]:
    """Of each event after the first, which creates a car for 85,000.00 USD."""
    offered, found = Offered(), []
    for each in history(STREAM, created(on=0), *events):
        offered, reason = after(offered, each)
        found.append(reason)
    return found[1:]


def test_SE_11_a_listing_is_new_once() -> None:
    assert reasons(PUBLISHED) == [NEW]
    assert reasons(UNPUBLISHED, PUBLISHED) == [None, NEW]


@pytest.mark.parametrize(("gone", "back"), [(HIDDEN, SHOWN), (UNPUBLISHED, PUBLISHED)])
def test_SE_11_what_is_on_offer_again_is_back_on_the_market(gone, back) -> None:
    assert reasons(PUBLISHED, gone, back, gone, back) == [NEW, None, BACK, None, BACK]


@pytest.mark.parametrize(
    ("price", "reason"), [(8_245_000, DROP), (8_245_001, None), (8_500_000, None), (9_000_000, None)]
)  # fmt: skip
def test_SE_11_a_drop_is_one_from_three_percent_on(price, reason) -> None:
    assert reasons(PUBLISHED, priced(price)) == [NEW, reason]


def test_SE_11_small_steps_count_together_and_up_and_down_is_told_once() -> None:
    steps = [priced(each) for each in (8_400_000, 8_300_000, 8_200_000, 8_500_000, 8_200_000)]
    assert reasons(PUBLISHED, *steps) == [NEW, None, None, DROP, None, None]


def test_SE_11_another_currency_is_no_drop_and_what_follows_is_compared_with_it() -> None:
    steps = [priced(100, "LKR"), priced(98, "LKR"), priced(97, "LKR")]
    assert reasons(PUBLISHED, *steps) == [NEW, None, None, DROP]


def test_SE_11_a_price_that_moved_while_nobody_saw_it_is_no_drop() -> None:
    assert reasons(priced(10), PUBLISHED) == [None, NEW]
    assert reasons(PUBLISHED, HIDDEN, priced(10), SHOWN) == [NEW, None, None, BACK]


def test_SE_11_what_is_put_right_is_no_moment() -> None:
    changes = [edited(title="Another title"), edited(description="More"), edited(year=2020)]
    assert reasons(PUBLISHED, *changes) == [NEW, None, None, None]


def test_SE_11_what_is_sold_or_deleted_is_no_moment() -> None:
    sold = ListingSold(listing_id=ID, sold_at=day(5))
    gone = ListingDeleted(listing_id=ID, deleted_at=day(6))
    assert reasons(PUBLISHED, sold, priced(10), gone, PUBLISHED) == [NEW, None, None, None, None]
