"""What follows for listings from what becomes of their images, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from processors.reactions.reactor import REACTIONS
from schemas.listings import (
    DrawListingImage,
    FailListingImage,
    ListingDeleted,
    ListingImage,
    ListingImageRemoved,
    ListingSpinRemoved,
    ListingSpinSet,
    RemoveListingImage,
    listing_stream,
)
from schemas.log.messages import Command, Event, Role
from schemas.media import DeleteMedia, ImageVariants, MediaDeleted, VariantName, media_stream
from tests.processors.reactions.test_items import MEDIA, NOW, OTHER, OWNER, failed, key, processed
from tests.projections.history import recorded

LISTING = UUID(int=77)
SUBJECT = listing_stream(LISTING)
SHOW, DELETE = (
    next(each for each in REACTIONS if each.name == name)
    for name in ("show_listing_image", "delete_listing_images")
)
DELETED = MediaDeleted(media_id=MEDIA, owner_id=OWNER, subject=SUBJECT, deleted_at=NOW)


def asked(event: Event, stream: str = media_stream(MEDIA)) -> Sequence[Command]:
    (reaction,) = (each for each in (SHOW, DELETE) if isinstance(event, each.hears))
    return reaction.react(recorded(stream, 2, event))


def test_LI_11_a_listing_learns_what_was_drawn_for_it() -> None:
    (command,) = asked(processed(SUBJECT))
    assert isinstance(command, DrawListingImage)
    assert (command.listing_id, command.media_id) == (LISTING, MEDIA)
    assert command.variants == ImageVariants(**{name.value: key(name) for name in VariantName})
    assert command.asked_role is Role.SYSTEM


@pytest.mark.parametrize(
    ("event", "kind"), [(failed(SUBJECT), FailListingImage), (DELETED, RemoveListingImage)]
)
def test_LI_13_a_listing_learns_what_is_not_there(event: Event, kind: type[Any]) -> None:
    (command,) = asked(event)
    assert type(command) is kind
    assert (command.listing_id, command.media_id) == (LISTING, MEDIA)


@pytest.mark.parametrize("subject", [None, f"item/{LISTING}", "listing/no-id", "listing"])
def test_LI_11_other_pictures_are_none_of_a_listings_business(subject: str | None) -> None:
    event = processed(None).model_copy(update={"subject": subject})
    assert asked(event) == []


def test_LI_13_with_its_place_in_a_listing_a_picture_goes() -> None:
    removed = ListingImageRemoved(listing_id=LISTING, media_id=MEDIA, removed_at=NOW)
    (command,) = asked(removed, SUBJECT)
    assert isinstance(command, DeleteMedia)
    assert (command.media_id, command.asked_role) == (MEDIA, Role.SYSTEM)


def test_LI_03_with_a_listing_all_its_pictures_go() -> None:
    event = ListingDeleted(listing_id=LISTING, images=(MEDIA, OTHER), deleted_at=NOW)
    assert [each.media_id for each in asked(event, SUBJECT)] == [MEDIA, OTHER]  # type: ignore[attr-defined]
    assert asked(ListingDeleted(listing_id=LISTING, deleted_at=NOW), SUBJECT) == []


def test_ME_09_with_a_view_its_frames_go() -> None:
    event = ListingSpinRemoved(listing_id=LISTING, frames=(MEDIA, OTHER), removed_at=NOW)
    assert [each.media_id for each in asked(event, SUBJECT)] == [MEDIA, OTHER]  # type: ignore[attr-defined]


def test_ME_09_frames_that_another_view_has_replaced_go() -> None:
    frames = (ListingImage(media_id=MEDIA),)
    event = ListingSpinSet(listing_id=LISTING, frames=frames, previous=(OTHER,), set_at=NOW)
    assert [each.media_id for each in asked(event, SUBJECT)] == [OTHER]  # type: ignore[attr-defined]
