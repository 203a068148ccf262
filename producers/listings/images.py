"""The images of a listing: which it has, in which order, and what was drawn of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Rejected
from producers.listings.states import Deleted, Draft, Existing, Listing, Sold, Unlisted, changeable
from schemas.listings import (
    IMAGES_MAX,
    AddListingImages,
    CreateListing,
    DrawListingImage,
    FailListingImage,
    ListingEvent,
    ListingImage,
    ListingImageDrawn,
    ListingImageFailed,
    ListingImageRemoved,
    ListingImagesAdded,
    ListingImagesReordered,
    ListingSpinRemoved,
    ListingSpinSet,
    PublishListing,
    RemoveListingImage,
    RemoveListingSpin,
    RenewListing,
    ReorderListingImages,
    SetListingImages,
    SetListingSpin,
)
from schemas.log.messages import Fault, Role
from schemas.media import ImageVariants

EARLY_MAX = 60

ImageCommand: TypeAlias = (
    AddListingImages
    | ReorderListingImages
    | SetListingImages
    | RemoveListingImage
    | SetListingSpin
    | RemoveListingSpin
    | DrawListingImage
    | FailListingImage
)
ImageEvent: TypeAlias = (
    ListingImagesAdded
    | ListingImagesReordered
    | ListingImageRemoved
    | ListingImageDrawn
    | ListingImageFailed
    | ListingSpinSet
    | ListingSpinRemoved
)


def decide(command: ImageCommand, listing: Listing) -> Sequence[ListingEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case AddListingImages():
            return add(command, listing)
        case ReorderListingImages():
            return reorder(command, listing)
        case SetListingImages():
            return put(command, listing)
        case RemoveListingImage():
            return remove(command, listing)
        case SetListingSpin() | RemoveListingSpin():
            return turn(command, listing)
        case DrawListingImage() | FailListingImage():
            return note(command, listing)
        case _:
            assert_never(command)


def add(command: AddListingImages, listing: Listing) -> Sequence[ListingEvent]:
    """Those that it has not yet. What is known to have failed is not among them."""
    found = _on_hand(command, listing)
    if command.asked_by != found.seller_id:
        raise Rejected("not_owner", 403)  # what staff would add were theirs, and went with them
    known = {each.media_id for each in found.images}
    failed = {each for each, drawn in found.early.items() if drawn is None}
    wanted = [each for each in dict.fromkeys(command.media_ids) if each not in known | failed]
    if len(known) + len(wanted) > IMAGES_MAX:
        detail = f"a listing has at most {IMAGES_MAX} images, and this one has {len(known)}"
        raise Rejected("too_many_images", 422, [Fault(pointer="/images", detail=detail)])
    if not wanted:
        return []
    images = tuple(ListingImage(media_id=each, variants=found.early.get(each)) for each in wanted)
    return [
        ListingImagesAdded(listing_id=command.listing_id, images=images, added_at=command.asked_at)
    ]


def reorder(command: ReorderListingImages, listing: Listing) -> Sequence[ListingEvent]:
    """All of them, each once."""
    found = _on_hand(command, listing)
    known = [each.media_id for each in found.images]
    if Counter(command.media_ids) != Counter(known):
        detail = "must name each of the listing's images once, and nothing else"
        raise Rejected("not_its_images", 422, [Fault(pointer="/order", detail=detail)])
    if list(command.media_ids) == known:
        return []
    return [
        ListingImagesReordered(
            listing_id=command.listing_id,
            media_ids=command.media_ids,
            reordered_at=command.asked_at,
        )
    ]


def put(command: SetListingImages, listing: Listing) -> Sequence[ListingEvent]:
    """Those that are not wanted go, those that are missing come, and all stand as asked for. What is
    known to have failed is not missed.
    """
    found = _on_hand(command, listing)
    if command.asked_by != found.seller_id:
        raise Rejected("not_owner", 403)  # as with those that are added
    about = {"listing_id": command.listing_id}
    known = [each.media_id for each in found.images]
    wanted = [each for each in dict.fromkeys(command.media_ids) if not _is_lost(each, found)]
    gone = [each for each in known if each not in wanted]
    new = [each for each in wanted if each not in known]
    images = tuple(ListingImage(media_id=each, variants=found.early.get(each)) for each in new)
    at = command.asked_at
    events: list[ListingEvent] = [
        ListingImageRemoved(media_id=each, removed_at=at, **about) for each in gone
    ]
    if images:
        events.append(ListingImagesAdded(images=images, added_at=at, **about))
    if [*(each for each in known if each in wanted), *new] != wanted:
        events.append(ListingImagesReordered(media_ids=tuple(wanted), reordered_at=at, **about))
    return events


def remove(command: RemoveListingImage, listing: Listing) -> Sequence[ListingEvent]:
    """By whoever may change the listing, or because the picture itself is gone."""
    by_system = command.asked_role is Role.SYSTEM
    if by_system and isinstance(listing, Unlisted | Deleted):
        return []
    # What was sold keeps its pictures, unless there are none any more.
    found = changeable(command, listing) if by_system else _on_hand(command, listing)
    if command.media_id not in {each.media_id for each in found.images}:
        if not by_system:
            raise Rejected("image_unknown", 404)
        # It may have been meant for this listing, and shall not come into it any more.
        return [] if _is_lost(command.media_id, found) else [_failed(command)]
    faults = too_few(command, len(found.images) - 1)
    if faults and not by_system and not isinstance(found, Draft):
        raise Rejected("fields_missing", 422, faults)
    return [
        ListingImageRemoved(
            listing_id=command.listing_id, media_id=command.media_id, removed_at=command.asked_at
        )
    ]


def turn(command: SetListingSpin | RemoveListingSpin, listing: Listing) -> Sequence[ListingEvent]:
    """The view all around it: another one, or none. One of whose frames it is known that it can't be
    shown is none, and neither is one that shows a frame twice.
    """
    found = _on_hand(command, listing)
    if isinstance(command, RemoveListingSpin):
        if not found.spin:
            return []
        frames = tuple(each.media_id for each in found.spin)
        return [
            ListingSpinRemoved(
                listing_id=command.listing_id, frames=frames, removed_at=command.asked_at
            )
        ]
    if command.asked_by != found.seller_id:
        raise Rejected("not_owner", 403)  # as of images
    wanted, known = command.media_ids, _known(found)
    if any(_is_lost(each, found) for each in wanted):
        raise Rejected("frame_missing")
    if len(set(wanted)) < len(wanted) or {each.media_id for each in found.images} & {*wanted}:
        raise Rejected("frame_twice")
    return [
        ListingSpinSet(
            listing_id=command.listing_id,
            frames=tuple(ListingImage(media_id=each, variants=known.get(each)) for each in wanted),
            previous=tuple(each.media_id for each in found.spin if each.media_id not in wanted),
            set_at=command.asked_at,
        )
    ]


def note(command: DrawListingImage | FailListingImage, listing: Listing) -> Sequence[ListingEvent]:
    """What has become of an upload for this listing, where nothing is known of it yet. One that was
    drawn may be drawn otherwise; one that is lost stays so.
    """
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    if isinstance(listing, Unlisted | Deleted):
        return []
    media_id, at = command.media_id, command.asked_at
    known = _known(listing)
    if _is_lost(media_id, listing):
        return []
    if isinstance(command, DrawListingImage):
        if known.get(media_id) == command.variants:
            return []
        return [
            ListingImageDrawn(
                listing_id=command.listing_id,
                media_id=media_id,
                variants=command.variants,
                drawn_at=at,
            )
        ]
    return [] if known.get(media_id) is not None else [_failed(command)]


def _is_lost(media_id: UUID, listing: Existing) -> bool:
    return media_id in listing.early and listing.early[media_id] is None


def _failed(command: FailListingImage | RemoveListingImage) -> ListingImageFailed:
    return ListingImageFailed(
        listing_id=command.listing_id, media_id=command.media_id, failed_at=command.asked_at
    )


def too_few(
    command: CreateListing | PublishListing | RenewListing | RemoveListingImage, count: int
) -> list[Fault]:
    """What stands against showing a listing with so many images to everyone."""
    if count >= command.images_min:
        return []
    detail = f"a listing that everyone sees has at least {command.images_min}, this one has {count}"
    return [Fault(pointer="/images", detail=detail)]


def _on_hand(
    command: AddListingImages
    | ReorderListingImages
    | SetListingImages
    | RemoveListingImage
    | SetListingSpin
    | RemoveListingSpin,
    listing: Listing,
) -> Existing:
    """The listing, if it is not sold and whoever asks may change it."""
    found = changeable(command, listing)
    if isinstance(found, Sold):
        raise Rejected("listing_sold")
    return found


def _known(listing: Existing) -> dict[UUID, ImageVariants | None]:
    shown = (*listing.images, *listing.spin)
    return {**listing.early, **{each.media_id: each.variants for each in shown}}


def evolve(listing: Existing, event: ImageEvent) -> Existing:
    """The listing with its images after the event."""
    match event:
        case ListingImagesAdded(images=images):
            added = {each.media_id for each in images}
            early = {each: drawn for each, drawn in listing.early.items() if each not in added}
            return replace(listing, images=(*listing.images, *images), early=early)
        case ListingImagesReordered(media_ids=media_ids):
            by_id = {each.media_id: each for each in listing.images}
            return replace(
                listing, images=tuple(by_id[each] for each in media_ids if each in by_id)
            )
        case ListingImageRemoved(media_id=media_id):
            return replace(listing, images=_without(listing.images, media_id))
        case ListingImageDrawn(media_id=media_id, variants=variants):
            return _drawn(listing, ListingImage(media_id=media_id, variants=variants))
        case ListingImageFailed(media_id=media_id):
            left = _without(listing.images, media_id)
            return replace(listing, images=left, early=_early(listing, media_id, None))
        case ListingSpinSet(frames=frames):
            taken = {each.media_id for each in frames}
            early = {each: drawn for each, drawn in listing.early.items() if each not in taken}
            return replace(listing, spin=frames, early=early)
        case ListingSpinRemoved():
            return replace(listing, spin=())
        case _:
            assert_never(event)


def _drawn(listing: Existing, image: ListingImage) -> Existing:
    if _has(listing.images, image.media_id):
        return replace(listing, images=_with(listing.images, image))
    if _has(listing.spin, image.media_id):
        return replace(listing, spin=_with(listing.spin, image))
    return replace(listing, early=_early(listing, image.media_id, image.variants))


def _has(images: tuple[ListingImage, ...], media_id: UUID) -> bool:
    return any(each.media_id == media_id for each in images)


def _with(images: tuple[ListingImage, ...], drawn: ListingImage) -> tuple[ListingImage, ...]:
    return tuple(drawn if each.media_id == drawn.media_id else each for each in images)


def _early(
    listing: Existing, media_id: UUID, drawn: ImageVariants | None
) -> Mapping[UUID, ImageVariants | None]:
    """What is known of uploads that are none of its images, with this one: the last few of them, so
    that a listing never knows more than a few dozen.
    """
    early = {each: was for each, was in listing.early.items() if each != media_id}
    if len(early) >= EARLY_MAX:
        del early[next(iter(early))]
    return {**early, media_id: drawn}


def _without(images: tuple[ListingImage, ...], media_id: UUID) -> tuple[ListingImage, ...]:
    return tuple(each for each in images if each.media_id != media_id)
