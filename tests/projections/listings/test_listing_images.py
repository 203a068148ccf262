"""The images of a listing in every read model that shows them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from projections.image_columns import NOT_DRAWN
from projections.listings.listing_page import listing_page
from projections.projection import Projection
from projections.search.listing_search import listing_search
from schemas.listings import (
    ListingImage,
    ListingImageDrawn,
    ListingImageFailed,
    ListingImageRemoved,
    ListingImagesAdded,
    ListingImagesReordered,
)
from schemas.log.messages import Event
from schemas.media import ImageVariants
from tests.projections.cars import ID, STREAM, created, day, deleted, published
from tests.projections.history import history, rows_of

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
DRAWN = ImageVariants(thumbnail="media/s", medium="media/m", large="media/l")
BOTH = pytest.mark.parametrize("projection", [listing_page, listing_search])


def added(*images: ListingImage | UUID) -> ListingImagesAdded:
    given = [
        each if isinstance(each, ListingImage) else ListingImage(media_id=each) for each in images
    ]
    return ListingImagesAdded(listing_id=ID, images=tuple(given), added_at=day(1))


def drawn(media_id: UUID) -> ListingImageDrawn:
    return ListingImageDrawn(listing_id=ID, media_id=media_id, variants=DRAWN, drawn_at=day(2))


def row(projection: Projection[Any], *events: Event) -> Any:
    return rows_of(projection, history(STREAM, created(), published(), *events))[str(ID)]


def images(found: Any) -> list[tuple[str, ...]]:
    """Each image's id and keys."""
    columns = (found.image_ids, found.thumbnail_keys, found.medium_keys, found.large_keys)
    return list(zip(*columns, strict=True))


BLANK = (NOT_DRAWN, NOT_DRAWN, NOT_DRAWN)
KEYS = ("media/s", "media/m", "media/l")


@BOTH
def test_LI_17_images_stand_in_their_order_with_what_was_drawn(projection) -> None:
    assert images(row(projection)) == []
    found = row(projection, added(ONE, ListingImage(media_id=TWO, variants=DRAWN)), added(THREE))
    assert images(found) == [(str(ONE), *BLANK), (str(TWO), *KEYS), (str(THREE), *BLANK)]
    found = row(projection, added(ONE, TWO), drawn(TWO), drawn(THREE))
    assert images(found) == [(str(ONE), *BLANK), (str(TWO), *KEYS)]


@BOTH
def test_LI_12_images_stand_in_another_order(projection) -> None:
    order = ListingImagesReordered(listing_id=ID, media_ids=(TWO, ONE), reordered_at=day(3))
    found = row(projection, added(ONE, TWO), drawn(TWO), order)
    assert images(found) == [(str(TWO), *KEYS), (str(ONE), *BLANK)]


@BOTH
@pytest.mark.parametrize(
    "event",
    [
        ListingImageRemoved(listing_id=ID, media_id=ONE, removed_at=day(3)),
        ListingImageFailed(listing_id=ID, media_id=ONE, failed_at=day(3)),
    ],
    ids=lambda each: each.kind,
)
def test_LI_13_what_is_gone_or_failed_is_not_shown(projection, event: Event) -> None:
    assert images(row(projection, added(ONE, TWO), event)) == [(str(TWO), *BLANK)]
    assert images(row(projection, event)) == []


def test_LI_03_the_page_of_a_deleted_listing_has_no_images() -> None:
    assert images(row(listing_page, added(ONE), drawn(ONE), deleted(3))) == []


@BOTH
def test_LI_17_images_change_nothing_else(projection) -> None:
    before, after = row(projection), row(projection, added(ONE))
    names = ("status", "title", "published_at", "make")
    assert [getattr(before, each) for each in names] == [getattr(after, each) for each in names]
