"""The images of a listing, rule by rule."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.decider import Rejected
from producers.listings.images import EARLY_MAX
from producers.listings.listings import listings
from producers.listings.states import Deleted, Draft, Listing, Unlisted
from schemas.listings import (
    IMAGES_MAX,
    AddListingImages,
    DeleteListing,
    DrawListingImage,
    FailListingImage,
    ListingDeleted,
    ListingImage,
    ListingImageDrawn,
    ListingImageFailed,
    ListingImageRemoved,
    ListingImagesAdded,
    ListingImagesReordered,
    PublishListing,
    RemoveListingImage,
    ReorderListingImages,
    SetListingImages,
)
from schemas.log.messages import Role
from schemas.media import ImageVariants
from schemas.values.vehicles import VehicleFields
from tests.producers.spec import Spec
from tests.producers.test_listings import (
    ID,
    NOW,
    OWNER,
    SYSTEM,
    asked,
    create,
    created,
    created_with,
    published,
    sold,
)

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
FIRST, SECOND = (
    ImageVariants(thumbnail=f"media/{each}/s", medium=f"media/{each}/m", large=f"media/{each}/l")
    for each in "ab"
)
spec = Spec(listings)
draft = spec.given(created)


def put(*media_ids: UUID, **who) -> SetListingImages:
    return SetListingImages(**asked(**who), media_ids=media_ids)


def add(*media_ids: UUID, **who) -> AddListingImages:
    return AddListingImages(**asked(**who), media_ids=media_ids)


def reorder(*media_ids: UUID, **who) -> ReorderListingImages:
    return ReorderListingImages(**asked(**who), media_ids=media_ids)


def remove(media_id: UUID, **who) -> RemoveListingImage:
    return RemoveListingImage(**asked(**who), media_id=media_id)


def draw(media_id: UUID, variants: ImageVariants = FIRST, **who) -> DrawListingImage:
    return DrawListingImage(**asked(**{**SYSTEM, **who}), media_id=media_id, variants=variants)


def fail(media_id: UUID, **who) -> FailListingImage:
    return FailListingImage(**asked(**{**SYSTEM, **who}), media_id=media_id)


def added(*images: UUID | ListingImage) -> ListingImagesAdded:
    given = [
        each if isinstance(each, ListingImage) else ListingImage(media_id=each) for each in images
    ]
    return ListingImagesAdded(listing_id=ID, images=tuple(given), added_at=NOW)


def reordered(*media_ids: UUID) -> ListingImagesReordered:
    return ListingImagesReordered(listing_id=ID, media_ids=media_ids, reordered_at=NOW)


def removed(media_id: UUID) -> ListingImageRemoved:
    return ListingImageRemoved(listing_id=ID, media_id=media_id, removed_at=NOW)


def drawn(media_id: UUID, variants: ImageVariants = FIRST) -> ListingImageDrawn:
    return ListingImageDrawn(listing_id=ID, media_id=media_id, variants=variants, drawn_at=NOW)


def failed(media_id: UUID) -> ListingImageFailed:
    return ListingImageFailed(listing_id=ID, media_id=media_id, failed_at=NOW)


def test_LI_11_images_come_behind_the_others_and_each_once() -> None:
    draft.when(add(ONE, TWO)).then(added(ONE, TWO))
    draft.given(added(ONE)).when(add(ONE, TWO)).then(added(TWO))
    draft.given(added(ONE, TWO)).when(add(TWO, ONE)).then()


def test_LI_11_a_listing_has_fifteen_images_at_most() -> None:
    many = [UUID(int=number) for number in range(1, IMAGES_MAX + 1)]
    full = draft.given(added(*many))
    more = UUID(int=99)
    full.when(add(more)).refused("too_many_images", 422, ["/images"])
    full.when(add(many[3])).then()
    full.given(removed(ONE)).when(add(more)).then(added(more))


def test_LI_11_what_is_drawn_before_it_is_added_comes_with_its_variants() -> None:
    early = draft.given(drawn(ONE))
    early.when(add(ONE, TWO)).then(added(ListingImage(media_id=ONE, variants=FIRST), TWO))
    draft.given(failed(ONE)).when(add(ONE, TWO)).then(added(TWO))
    draft.given(failed(ONE)).when(add(ONE)).then()


def test_LI_11_what_becomes_of_an_image_is_told_once() -> None:
    draft.given(added(ONE)).when(draw(ONE)).then(drawn(ONE))
    draft.given(added(ONE), drawn(ONE)).when(draw(ONE)).then()
    draft.given(added(ONE), drawn(ONE)).when(draw(ONE, SECOND)).then(drawn(ONE, SECOND))
    draft.given(added(ONE)).when(fail(ONE)).then(failed(ONE))
    draft.given(added(ONE), failed(ONE)).when(fail(ONE)).then()
    draft.given(added(ONE), drawn(ONE)).when(fail(ONE)).then()
    draft.given(drawn(ONE)).when(fail(ONE)).then()
    draft.given(added(ONE), failed(ONE)).when(draw(ONE)).then()


def test_LI_11_an_image_that_failed_is_none_of_the_listings() -> None:
    draft.given(added(ONE, TWO), failed(ONE)).when(reorder(TWO)).then()


@pytest.mark.parametrize("history", [[], [created, ListingDeleted(listing_id=ID, deleted_at=NOW)]])
def test_LI_11_what_is_drawn_for_nothing_comes_to_nothing(history) -> None:
    for command in (draw(ONE), fail(ONE), remove(ONE, **SYSTEM)):
        spec.given(*history).when(command).then()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_LI_11_nobody_says_by_hand_what_was_drawn(role) -> None:
    draft.when(draw(ONE, role=role)).refused("role_not_allowed", 403)
    draft.when(fail(ONE, role=role)).refused("role_not_allowed", 403)


def test_LI_12_an_order_names_each_image_once() -> None:
    given = draft.given(added(ONE, TWO, THREE))
    given.when(reorder(THREE, ONE, TWO)).then(reordered(THREE, ONE, TWO))
    given.when(reorder(ONE, TWO, THREE)).then()
    for wrong in [(), (ONE, TWO), (ONE, TWO, TWO), (ONE, TWO, THREE, ONE), (ONE, TWO, UUID(int=9))]:
        given.when(reorder(*wrong)).refused("not_its_images", 422, ["/order"])
    draft.when(reorder()).then()


def test_LI_13_a_removed_image_is_gone_and_the_next_one_is_first() -> None:
    given = draft.given(added(ONE, TWO, THREE))
    given.when(remove(ONE)).then(removed(ONE))
    given.given(removed(ONE)).when(reorder(TWO, THREE)).then()
    given.given(removed(ONE)).when(remove(ONE)).refused("image_unknown", 404)
    given.given(removed(ONE)).when(remove(ONE, **SYSTEM)).then(failed(ONE))
    given.given(removed(ONE), failed(ONE)).when(remove(ONE, **SYSTEM)).then()
    given.when(remove(TWO, **SYSTEM)).then(removed(TWO))


@pytest.mark.parametrize("command", [add, reorder, remove])
def test_LI_11_images_are_their_sellers_business(command) -> None:
    given = spec.given(created, published, added(ONE))
    given.when(command(ONE, by="someone-else")).refused("not_owner", 403)
    spec.given(created, added(ONE)).when(command(ONE, by="other")).refused("listing_unknown", 404)
    moderator = command(ONE, by="somebody", role=Role.MODERATOR)
    if command is add:
        given.when(moderator).refused("not_owner", 403)
    given.given(sold).when(command(ONE)).refused("listing_sold")
    spec.when(command(ONE)).refused("listing_unknown", 404)


def test_LI_13_what_was_sold_loses_a_picture_that_is_gone() -> None:
    given = spec.given(created, published, added(ONE), sold)
    given.when(remove(ONE, **SYSTEM)).then(removed(ONE))


def test_LI_03_a_deleted_listing_says_which_images_go_with_it() -> None:
    gone = ListingDeleted(listing_id=ID, images=(TWO, ONE), deleted_at=NOW)
    given = draft.given(added(ONE, TWO), reordered(TWO, ONE))
    given.when(DeleteListing(**asked())).then(gone)
    early = given.given(drawn(THREE), failed(TWO))
    all_three = ListingDeleted(listing_id=ID, images=(ONE, THREE, TWO), deleted_at=NOW)
    early.when(DeleteListing(**asked())).then(all_three)


def test_LI_11_an_upload_that_was_deleted_before_it_was_added_never_comes_in() -> None:
    gone = draft.given(drawn(ONE), failed(ONE))
    draft.given(drawn(ONE)).when(remove(ONE, **SYSTEM)).then(failed(ONE))
    gone.when(add(ONE, TWO)).then(added(TWO))
    gone.when(draw(ONE)).then()


def test_LI_11_a_listing_knows_of_few_uploads_that_it_does_not_show() -> None:
    many = [UUID(int=number) for number in range(1, 4 * EARLY_MAX)]
    events = [each(media_id) for media_id in many for each in (drawn, failed)]
    listing = listings.fold([created, *events])
    assert isinstance(listing, Draft)
    assert list(listing.early) == many[-EARLY_MAX:]


def test_LI_12_images_are_put_as_a_whole_and_only_what_differs_is_a_fact() -> None:
    draft.when(put(ONE, TWO)).then(added(ONE, TWO))
    draft.when(put()).then()
    shown = draft.given(added(ONE, TWO))
    shown.when(put(ONE, TWO)).then()
    shown.when(put(TWO, ONE, TWO)).then(reordered(TWO, ONE))
    shown.when(put(TWO)).then(removed(ONE))
    shown.when(put(ONE, TWO, THREE)).then(added(THREE))
    shown.when(put(THREE, TWO)).then(removed(ONE), added(THREE), reordered(THREE, TWO))
    shown.when(put()).then(removed(ONE), removed(TWO))


def test_LI_12_what_was_drawn_before_it_was_put_is_shown_and_what_has_failed_is_not() -> None:
    early = draft.given(drawn(ONE), failed(TWO))
    early.when(put(TWO, ONE)).then(
        ListingImagesAdded(
            listing_id=ID, images=(ListingImage(media_id=ONE, variants=FIRST),), added_at=NOW
        )
    )
    draft.given(added(ONE, TWO), failed(TWO)).when(put(TWO, ONE)).then()


def test_LI_12_images_are_put_by_the_seller_alone_and_while_it_is_not_sold() -> None:
    draft.when(put(ONE, by="somebody")).refused("listing_unknown", 404)
    for role in (Role.MODERATOR, Role.ADMIN, Role.SYSTEM):
        draft.when(put(ONE, by="somebody", role=role)).refused("not_owner", 403)
    spec.given(created, published, sold).when(put(ONE)).refused("listing_sold")
    spec.when(put(ONE)).refused("listing_unknown", 404)


ids = st.sampled_from([UUID(int=number) for number in range(1, 6)])
commands = st.one_of(
    st.builds(lambda some: add(*some), st.lists(ids, min_size=1, max_size=4)),
    st.builds(lambda some: reorder(*some), st.lists(ids, max_size=4, unique=True)),
    st.builds(remove, ids),
    st.builds(draw, ids, st.sampled_from([FIRST, SECOND])),
    st.builds(fail, ids),
)


@settings(max_examples=200)
@given(st.lists(commands, max_size=20))
def test_LI_17_no_sequence_leaves_an_image_twice_or_a_failed_one_shown(given_commands) -> None:
    """Against a plain model: an ordered list, and what is known of each upload."""
    listing: Listing = listings.evolve(Unlisted(), created)
    shown: list[UUID] = []
    known: dict[UUID, ImageVariants | None] = {}
    for command in given_commands:
        try:
            events = listings.decide(command, listing)
        except Rejected:
            continue
        for event in events:
            listing = listings.evolve(listing, event)
        match command:
            case AddListingImages(media_ids=media_ids):
                failed_ones = {each for each, drawn in known.items() if drawn is None}
                shown += [
                    each
                    for each in dict.fromkeys(media_ids)
                    if each not in shown and each not in failed_ones
                ]
            case ReorderListingImages(media_ids=media_ids):
                shown = list(media_ids)
            case RemoveListingImage(media_id=media_id):
                shown.remove(media_id)
                known.pop(media_id, None)
            case DrawListingImage(media_id=media_id) if known.get(media_id, FIRST) is None:
                pass  # it is lost
            case DrawListingImage(media_id=media_id, variants=variants):
                known[media_id] = variants
            case FailListingImage(media_id=media_id) if media_id not in known:
                known[media_id] = None
                shown = [each for each in shown if each != media_id]
        assert isinstance(listing, Draft)
        assert not isinstance(listing, Deleted)
        assert [each.media_id for each in listing.images] == shown
        assert [each.variants for each in listing.images] == [known.get(each) for each in shown]
        assert listing.seller_id == OWNER


@settings(max_examples=200)
@given(st.lists(commands, max_size=12), st.lists(ids, max_size=5))
def test_LI_12_after_whatever_came_before_those_that_were_put_are_shown(before, wanted) -> None:
    listing: Listing = listings.evolve(Unlisted(), created)
    for command in [*before, put(*wanted)]:
        try:
            events = listings.decide(command, listing)
        except Rejected:
            continue
        for event in events:
            listing = listings.evolve(listing, event)
    assert isinstance(listing, Draft)
    lost = {each for each, what in listing.early.items() if what is None}
    assert [each.media_id for each in listing.images] == [
        each for each in dict.fromkeys(wanted) if each not in lost
    ]
    assert list(listings.decide(put(*wanted), listing)) == []


def test_LI_08_without_enough_images_a_listing_is_not_published() -> None:
    publish = PublishListing(**asked(), images_min=2)
    one, two = draft.given(added(ONE)), draft.given(added(ONE, TWO))
    draft.when(publish).refused("fields_missing", 422, ["/images"])
    one.when(publish).refused("fields_missing", 422, ["/images"])
    two.when(publish).then(published)
    bare = spec.given(created_with(VehicleFields(title="Golf")), added(ONE))
    missing = ["/price_minor", "/currency", "/make", "/year", "/mileage", "/images"]
    bare.when(publish).refused("fields_missing", 422, missing)
    both = create(publish=True).model_copy(update={"images_min": 1})
    spec.when(both).refused("fields_missing", 422, ["/images"])


def test_LI_08_what_everyone_sees_keeps_the_images_that_it_needs() -> None:
    command = RemoveListingImage(**asked(), media_id=ONE, images_min=1)
    shown = spec.given(created, published, added(ONE))
    shown.when(command).refused("fields_missing", 422, ["/images"])
    shown.given(added(TWO)).when(command).then(removed(ONE))
    draft.given(added(ONE)).when(command).then(removed(ONE))
    shown.when(remove(ONE, **SYSTEM)).then(removed(ONE))
