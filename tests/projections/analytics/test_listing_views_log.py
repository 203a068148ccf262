"""One row per look at a listing, and nobody's address in it."""

from __future__ import annotations

from projections.analytics.listing_views_log import ListingView, listing_views_log
from tests.projections.cars import ID, SELLER, STREAM, day, viewed
from tests.projections.history import recorded, rows_of


def test_LI_19_every_view_is_a_row_of_its_own() -> None:
    views = [recorded(STREAM, 0, viewed(1, "a"), offset=n) for n in range(2)]
    assert (
        list(rows_of(listing_views_log, views).values())
        == [ListingView(str(ID), SELLER, "a", signed_in=False, network="", viewed_at=day(1))] * 2
    )
