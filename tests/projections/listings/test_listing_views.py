"""The view counter of a listing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from projections.listings.listing_views import ListingViews, listing_views
from tests.projections.cars import ID, STREAM, day, viewed
from tests.projections.history import recorded, rows_of


def views(*days: float) -> list:
    return [recorded(STREAM, 0, viewed(each), offset=n) for n, each in enumerate(days)]


def test_AN_03_every_view_counts_one() -> None:
    assert rows_of(listing_views, views(1, 2, 3)) == {str(ID): ListingViews(3, day(3))}


@given(st.permutations([0.5, 1, 2, 7]))
def test_AN_03_the_order_of_views_does_not_matter(days) -> None:
    assert rows_of(listing_views, views(*days)) == {str(ID): ListingViews(4, day(7))}
