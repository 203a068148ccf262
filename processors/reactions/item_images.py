"""An item follows its images, and its images follow it."""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.items import (
    AddItemImage,
    FailItemImage,
    ItemDeleted,
    RemoveItemImage,
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


def show_item_image(
    recorded: Recorded[MediaProcessed | MediaFailed | MediaDeleted],
) -> Sequence[Command]:
    """An item learns what has become of its images; other pictures are none of its business."""
    event = recorded.event
    item_id = subject_id(event.subject, "item")
    if item_id is None:
        return []
    about = {
        "item_id": item_id,
        "media_id": event.media_id,
        **asked("show_item_image", recorded),
    }
    match event:
        case MediaProcessed(variants=variants):
            return [AddItemImage(variants=ImageVariants.of(variants), **about)]
        case MediaFailed():
            return [FailItemImage(**about)]
        case MediaDeleted():
            return [RemoveItemImage(**about)]


def delete_item_images(recorded: Recorded[ItemDeleted]) -> Sequence[Command]:
    """With an item its pictures go."""
    return [
        DeleteMedia(media_id=media_id, **asked("delete_item_images", recorded))
        for media_id in recorded.event.images
    ]


REACTIONS: tuple[Reaction, ...] = (
    Reaction("show_item_image", (MediaProcessed, MediaFailed, MediaDeleted), show_item_image),
    Reaction("delete_item_images", (ItemDeleted,), delete_item_images),
)
