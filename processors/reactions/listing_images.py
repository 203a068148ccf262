"""A listing follows its images, and its images follow it."""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.listings import (
    DrawListingImage,
    FailListingImage,
    ListingDeleted,
    ListingImageRemoved,
    ListingSpinRemoved,
    ListingSpinSet,
    RemoveListingImage,
)
from schemas.log.messages import Command
from schemas.log.recorded import Recorded
from schemas.media import (
    DeleteMedia,
    ImageVariants,
    MediaDeleted,
    MediaFailed,
    MediaProcessed,
    subject_id,
)


def show_listing_image(
    recorded: Recorded[MediaProcessed | MediaFailed | MediaDeleted],
) -> Sequence[Command]:
    """A listing learns what has become of the uploads for it."""
    event = recorded.event
    listing_id = subject_id(event.subject, "listing")
    if listing_id is None:
        return []
    about = {
        "listing_id": listing_id,
        "media_id": event.media_id,
        **asked("show_listing_image", recorded),
    }
    match event:
        case MediaProcessed(variants=variants):
            return [DrawListingImage(variants=ImageVariants.of(variants), **about)]
        case MediaFailed():
            return [FailListingImage(**about)]
        case MediaDeleted():
            return [RemoveListingImage(**about)]


def delete_listing_images(
    recorded: Recorded[ListingDeleted | ListingImageRemoved | ListingSpinSet | ListingSpinRemoved],
) -> Sequence[Command]:
    """With a listing its pictures go, a picture with its place in it, and frames with their view."""
    match recorded.event:
        case ListingDeleted(images=gone) | ListingSpinSet(previous=gone):
            pass
        case ListingSpinRemoved(frames=gone):
            pass
        case ListingImageRemoved(media_id=media_id):
            gone = (media_id,)
    told = asked("delete_listing_images", recorded)
    return [DeleteMedia(media_id=media_id, **told) for media_id in gone]


REACTIONS: tuple[Reaction, ...] = (
    Reaction("show_listing_image", (MediaProcessed, MediaFailed, MediaDeleted), show_listing_image),
    Reaction(
        "delete_listing_images",
        (ListingDeleted, ListingImageRemoved, ListingSpinSet, ListingSpinRemoved),
        delete_listing_images,
    ),
)
