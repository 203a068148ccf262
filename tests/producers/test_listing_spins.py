"""The view all around a listing, rule by rule."""

from __future__ import annotations

from uuid import UUID

import pytest
from pydantic import ValidationError

from schemas.listings import (
    FRAMES_MAX,
    FRAMES_MIN,
    DeleteListing,
    ListingDeleted,
    ListingImage,
    ListingSpinRemoved,
    ListingSpinSet,
    RemoveListingSpin,
    SetListingSpin,
)
from schemas.log.messages import Role
from tests.producers.test_listing_images import (
    FIRST,
    added,
    draft,
    draw,
    drawn,
    fail,
    failed,
    remove,
)
from tests.producers.test_listings import ID, NOW, SYSTEM, asked, sold

FRAMES = tuple(UUID(int=number) for number in range(1, 25))
OTHERS = tuple(UUID(int=number) for number in range(101, 125))


def turn(*media_ids: UUID, **who) -> SetListingSpin:
    return SetListingSpin(**asked(**who), media_ids=media_ids)


def turned(*frames: UUID | ListingImage, previous: tuple[UUID, ...] = ()) -> ListingSpinSet:
    given = [
        each if isinstance(each, ListingImage) else ListingImage(media_id=each) for each in frames
    ]
    return ListingSpinSet(listing_id=ID, frames=tuple(given), previous=previous, set_at=NOW)


def stopped(*frames: UUID) -> ListingSpinRemoved:
    return ListingSpinRemoved(listing_id=ID, frames=frames, removed_at=NOW)


def test_ME_09_frames_stand_in_the_order_of_the_seller() -> None:
    draft.when(turn(*FRAMES)).then(turned(*FRAMES))
    backwards = FRAMES[::-1]
    draft.when(turn(*backwards)).then(turned(*backwards))


def test_ME_09_one_that_was_drawn_before_it_was_shown_is_not_lost() -> None:
    first = ListingImage(media_id=FRAMES[0], variants=FIRST)
    draft.given(drawn(FRAMES[0])).when(turn(*FRAMES)).then(turned(first, *FRAMES[1:]))


def test_ME_09_what_is_drawn_later_is_told_once() -> None:
    shown = draft.given(turned(*FRAMES))
    shown.when(draw(FRAMES[3])).then(drawn(FRAMES[3]))
    shown.given(drawn(FRAMES[3])).when(draw(FRAMES[3])).then()


@pytest.mark.parametrize("count", [FRAMES_MIN - 1, FRAMES_MAX + 1])
def test_ME_09_there_are_twelve_to_forty_eight(count: int) -> None:
    with pytest.raises(ValidationError):
        turn(*(UUID(int=number) for number in range(count)))
    for fitting in (FRAMES_MIN, FRAMES_MAX):
        many = [UUID(int=number) for number in range(fitting)]
        draft.when(turn(*many)).then(turned(*many))


def test_ME_09_a_frame_that_is_missing_is_no_frame() -> None:
    draft.given(failed(FRAMES[5])).when(turn(*FRAMES)).refused("frame_missing")


def test_ME_09_one_that_fails_or_goes_later_is_told() -> None:
    shown = draft.given(turned(*FRAMES))
    shown.when(fail(FRAMES[5])).then(failed(FRAMES[5]))
    shown.given(drawn(FRAMES[5])).when(remove(FRAMES[5], **SYSTEM)).then(failed(FRAMES[5]))


def test_ME_09_each_frame_is_there_once_and_is_none_of_the_images() -> None:
    draft.when(turn(*FRAMES[:-1], FRAMES[0])).refused("frame_twice")
    draft.given(added(FRAMES[7])).when(turn(*FRAMES)).refused("frame_twice")


def test_ME_09_another_view_takes_the_place_of_the_one_before() -> None:
    shown = draft.given(turned(*FRAMES))
    shown.when(turn(*OTHERS)).then(turned(*OTHERS, previous=FRAMES))
    kept = (*FRAMES[:3], *OTHERS)
    shown.when(turn(*kept)).then(turned(*kept, previous=FRAMES[3:]))


def test_ME_09_it_is_taken_away_once() -> None:
    draft.given(turned(*FRAMES)).when(RemoveListingSpin(**asked())).then(stopped(*FRAMES))
    draft.when(RemoveListingSpin(**asked())).then()
    draft.given(turned(*FRAMES), stopped(*FRAMES)).when(RemoveListingSpin(**asked())).then()


def test_ME_09_it_is_its_sellers_to_show() -> None:
    staff = {"by": "somebody", "role": Role.ADMIN}
    draft.when(turn(*FRAMES, **staff)).refused("not_owner", 403)
    stranger = {"by": "somebody", "role": Role.SELLER}
    draft.when(turn(*FRAMES, **stranger)).refused("listing_unknown", 404)


def test_ME_09_what_is_sold_is_shown_as_it_was() -> None:
    draft.given(sold).when(turn(*FRAMES)).refused("listing_sold")


def test_ME_09_with_its_listing_every_frame_goes() -> None:
    shown = draft.given(added(OTHERS[0]), turned(*FRAMES), drawn(OTHERS[1]))
    gone = ListingDeleted(listing_id=ID, images=(OTHERS[0], *FRAMES, OTHERS[1]), deleted_at=NOW)
    shown.when(DeleteListing(**asked())).then(gone)
