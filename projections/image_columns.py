"""The images of a thing as flat columns, the same in every read model: for each of `image_ids`, in
its place, where its variants lie, or NOT_DRAWN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from schemas.media import ImageVariants

NOT_DRAWN = ""
NAMES = ("image_ids", "thumbnail_keys", "medium_keys", "large_keys")


class WithImages(Protocol):
    """A row that has the columns."""

    @property
    def image_ids(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def thumbnail_keys(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def medium_keys(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def large_keys(self) -> tuple[str, ...]: ...  # noqa: D102


class Image(Protocol):
    """One image as events tell of it."""

    @property
    def media_id(self) -> UUID: ...  # noqa: D102
    @property
    def variants(self) -> ImageVariants | None: ...  # noqa: D102


def image_columns(images: Sequence[Image]) -> dict[str, Any]:
    """The columns of these images."""
    variants = [each.variants for each in images]
    return {
        "image_ids": tuple(str(each.media_id) for each in images),
        "thumbnail_keys": tuple(each.thumbnail if each else NOT_DRAWN for each in variants),
        "medium_keys": tuple(each.medium if each else NOT_DRAWN for each in variants),
        "large_keys": tuple(each.large if each else NOT_DRAWN for each in variants),
    }


def with_images(row: WithImages, images: Sequence[Image]) -> dict[str, Any]:
    """The columns with these images behind the others."""
    return {name: (*getattr(row, name), *more) for name, more in image_columns(images).items()}


def with_variants(row: WithImages, media_id: UUID, variants: ImageVariants) -> dict[str, Any]:
    """The columns once the image is drawn; none change where it is none of the row's."""
    if str(media_id) not in row.image_ids:
        return {}
    place = row.image_ids.index(str(media_id))
    return {
        "thumbnail_keys": _put(row.thumbnail_keys, place, variants.thumbnail),
        "medium_keys": _put(row.medium_keys, place, variants.medium),
        "large_keys": _put(row.large_keys, place, variants.large),
    }


def without_image(row: WithImages, media_id: UUID) -> dict[str, Any]:
    """The columns without the image."""
    return _chosen(
        row, [place for place, each in enumerate(row.image_ids) if each != str(media_id)]
    )


def in_order(row: WithImages, media_ids: Sequence[UUID]) -> dict[str, Any]:
    """The columns with the images in this order."""
    places = {each: place for place, each in enumerate(row.image_ids)}
    return _chosen(row, [places[str(each)] for each in media_ids if str(each) in places])


def _chosen(row: WithImages, places: Sequence[int]) -> dict[str, Any]:
    return {name: tuple(getattr(row, name)[place] for place in places) for name in NAMES}


def _put(keys: tuple[str, ...], place: int, object_key: str) -> tuple[str, ...]:
    return (*keys[:place], object_key, *keys[place + 1 :])
