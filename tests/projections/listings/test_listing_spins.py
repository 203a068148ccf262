"""The view all around a listing, frame by frame."""

from __future__ import annotations

from uuid import UUID

from projections.image_columns import NOT_DRAWN
from projections.listings.listing_spins import ListingSpin, listing_spins
from schemas.listings import (
    ListingImage,
    ListingImageDrawn,
    ListingImageFailed,
    ListingSpinRemoved,
    ListingSpinSet,
)
from schemas.log.messages import Event
from schemas.media import ImageVariants
from tests.projections.cars import ID, STREAM, created, day, deleted
from tests.projections.history import history, rows_of

FRAMES = tuple(UUID(int=number) for number in range(1, 25))
DRAWN = ImageVariants(thumbnail="media/s", medium="media/m", large="media/l")
SPUN = ListingSpinSet(
    listing_id=ID,
    frames=(
        ListingImage(media_id=FRAMES[0], variants=DRAWN),
        *(ListingImage(media_id=each) for each in FRAMES[1:]),
    ),
    set_at=day(1),
)
REMOVED = ListingSpinRemoved(listing_id=ID, frames=FRAMES, removed_at=day(3))


def row(*events: Event) -> ListingSpin | None:
    return rows_of(listing_spins, history(STREAM, created(), *events)).get(str(ID))


def drawn(media_id: UUID) -> ListingImageDrawn:
    return ListingImageDrawn(listing_id=ID, media_id=media_id, variants=DRAWN, drawn_at=day(2))


def failed(media_id: UUID) -> ListingImageFailed:
    return ListingImageFailed(listing_id=ID, media_id=media_id, failed_at=day(2))


def test_ME_09_frames_stand_in_their_order_with_what_was_drawn() -> None:
    found = row(SPUN, drawn(FRAMES[2]), drawn(UUID(int=99)))
    assert found is not None
    assert found.image_ids == tuple(map(str, FRAMES))
    assert found.large_keys[:4] == ("media/l", NOT_DRAWN, "media/l", NOT_DRAWN)
    assert (found.thumbnail_keys[0], found.medium_keys[0]) == ("media/s", "media/m")


def test_ME_09_what_is_missing_is_known() -> None:
    found = row(SPUN, failed(FRAMES[7]), failed(UUID(int=99)))
    assert found is not None
    assert found.lost == (str(FRAMES[7]),)
    assert len(found.image_ids) == 24


def test_ME_09_another_view_has_nothing_of_the_one_before() -> None:
    found = row(SPUN, failed(FRAMES[7]), SPUN)
    assert found is not None
    assert found.lost == ()


def test_ME_09_what_is_removed_or_of_a_deleted_listing_has_no_row() -> None:
    assert row(SPUN) is not None
    assert row(SPUN, REMOVED) is None
    assert row(SPUN, deleted()) is None
    assert row(drawn(FRAMES[0]), failed(FRAMES[1])) is None
