"""An item follows its images, and its images follow it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from processors.reacting.reactions import Reaction, asked
from schemas.items import (
    AddItemImage,
    FailItemImage,
    ImageVariants,
    ItemDeleted,
    RemoveItemImage,
)
from schemas.media import DeleteMedia, MediaDeleted, MediaFailed, MediaProcessed, VariantName
from schemas.messages import Command, category_of
from schemas.recorded import Recorded


def show_item_image(
    recorded: Recorded[MediaProcessed | MediaFailed | MediaDeleted],
) -> Sequence[Command]:
    """An item learns what has become of its images; other pictures are none of its business."""
    event = recorded.event
    item_id = _item_of(event.subject)
    if item_id is None:
        return []
    about = {
        "item_id": item_id,
        "media_id": event.media_id,
        **asked("show_item_image", recorded),
    }
    match event:
        case MediaProcessed(variants=variants):
            keys = {each.name: each.key for each in variants}
            shown = ImageVariants(
                thumbnail=keys[VariantName.THUMBNAIL],
                medium=keys[VariantName.MEDIUM],
                large=keys[VariantName.LARGE],
            )
            return [AddItemImage(variants=shown, **about)]
        case MediaFailed():
            return [FailItemImage(**about)]
        case MediaDeleted():
            return [RemoveItemImage(**about)]


def _item_of(subject: str | None) -> UUID | None:
    """The item that a picture is for; None where it is for something else, or for no id."""
    if subject is None or category_of(subject) != "item":
        return None
    try:
        return UUID(subject.partition("/")[2])
    except ValueError:
        return None


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
