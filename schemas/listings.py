"""Listings: something a seller offers at a price."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, Market
from schemas.media import KEY_FORM, ImageVariants
from schemas.registry import Upcasters
from schemas.values.numbers import Switch
from schemas.values.texts import Line, each_text
from schemas.values.vehicles import CurrencyCode, PriceMinor, VehicleFacts, VehicleFields


class ListingStatus(StrEnum):
    """Where a listing is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    HIDDEN = "hidden"  # on offer, but its seller is away
    EXPIRED = "expired"  # its time on offer is over
    SOLD = "sold"
    DELETED = "deleted"


def listing_stream(listing_id: UUID | str) -> str:
    """The stream of one listing."""
    return f"listing/{listing_id}"


IMAGES_MAX = 15
FRAMES_MIN, FRAMES_MAX = 12, 48  # of a view all around
ImagesMin = Annotated[int, Field(ge=0, le=IMAGES_MAX)]  # without so many it is not for everyone


class ListingImage(BaseModel):
    """An image of a listing; without variants until it is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    media_id: UUID
    variants: ImageVariants | None = None


class _ListingCommand(Command):
    listing_id: UUID

    @property
    def stream_id(self) -> str:
        return listing_stream(self.listing_id)


class CreateListing(_ListingCommand):
    """Put a new listing into the books, as a draft or at once for everyone to see."""

    kind: Literal["listing.create"] = "listing.create"
    market: Market = Market.EXOTICS
    fields: VehicleFields
    publish: Switch = False
    expires_at: AwareDatetime | None = None
    images_min: ImagesMin = 0


class UpdateListing(_ListingCommand):
    """Change the fields named in `fields`, empty the ones named in `clear`."""

    kind: Literal["listing.update"] = "listing.update"
    fields: VehicleFields
    clear: Annotated[tuple[Annotated[str, Line(100)], ...], Field(max_length=60)] = ()


class PublishListing(_ListingCommand):
    """Show the listing to everyone, until `expires_at` or for as long as its seller likes."""

    kind: Literal["listing.publish"] = "listing.publish"
    expires_at: AwareDatetime | None = None
    images_min: ImagesMin = 0


class RenewListing(_ListingCommand):
    """Show the listing until `expires_at`; one that has expired is shown again."""

    kind: Literal["listing.renew"] = "listing.renew"
    expires_at: AwareDatetime
    images_min: ImagesMin = 0


class UnpublishListing(_ListingCommand):
    """Take the listing back to a draft."""

    kind: Literal["listing.unpublish"] = "listing.unpublish"


class MarkSold(_ListingCommand):
    """The vehicle is sold; buyer and price may be told."""

    kind: Literal["listing.mark_sold"] = "listing.mark_sold"
    buyer_id: UUID | None = None
    price_minor: PriceMinor | None = None


class ExpireListing(_ListingCommand):
    """Its time on offer is over."""

    kind: Literal["listing.expire"] = "listing.expire"


class DeleteListing(_ListingCommand):
    """Take the listing away for good."""

    kind: Literal["listing.delete"] = "listing.delete"


class AddListingImages(_ListingCommand):
    """Show these uploads, which are for this listing, behind the images that it has."""

    kind: Literal["listing.add_images"] = "listing.add_images"
    media_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=IMAGES_MAX)]


class ReorderListingImages(_ListingCommand):
    """Show its images in this order, the first as the one that stands for the listing."""

    kind: Literal["listing.reorder_images"] = "listing.reorder_images"
    media_ids: Annotated[tuple[UUID, ...], Field(max_length=IMAGES_MAX)]


class SetListingImages(_ListingCommand):
    """Show these uploads, which are for this listing, in this order, and no others."""

    kind: Literal["listing.set_images"] = "listing.set_images"
    media_ids: Annotated[tuple[UUID, ...], Field(max_length=IMAGES_MAX)]


class RemoveListingImage(_ListingCommand):
    """Show this image no more."""

    kind: Literal["listing.remove_image"] = "listing.remove_image"
    media_id: UUID
    images_min: ImagesMin = 0


class DrawListingImage(_ListingCommand):
    """An upload for this listing is drawn."""

    kind: Literal["listing.draw_image"] = "listing.draw_image"
    media_id: UUID
    variants: Annotated[ImageVariants, each_text(KEY_FORM)]


class FailListingImage(_ListingCommand):
    """An upload for this listing can't be drawn."""

    kind: Literal["listing.fail_image"] = "listing.fail_image"
    media_id: UUID


class SetListingSpin(_ListingCommand):
    """Show these uploads, which are for this listing, as a view all around it, in this order."""

    kind: Literal["listing.set_spin"] = "listing.set_spin"
    media_ids: Annotated[tuple[UUID, ...], Field(min_length=FRAMES_MIN, max_length=FRAMES_MAX)]


class RemoveListingSpin(_ListingCommand):
    """Show no view all around it any more."""

    kind: Literal["listing.remove_spin"] = "listing.remove_spin"


class HideListing(_ListingCommand):
    """Show the listing to nobody while its seller is away."""

    kind: Literal["listing.hide"] = "listing.hide"


class ShowListing(_ListingCommand):
    """The seller is back: show what was hidden because of that."""

    kind: Literal["listing.show"] = "listing.show"


ListingCommand: TypeAlias = (
    CreateListing
    | UpdateListing
    | PublishListing
    | RenewListing
    | UnpublishListing
    | ExpireListing
    | MarkSold
    | DeleteListing
    | AddListingImages
    | ReorderListingImages
    | SetListingImages
    | RemoveListingImage
    | SetListingSpin
    | RemoveListingSpin
    | DrawListingImage
    | FailListingImage
    | HideListing
    | ShowListing
)


SELLERS = UUID("c1f0a7b2-3d54-5e8b-8b1e-5a0f6d2c9e47")  # the namespace of accounts of sources


def seller_account(seller_id: str) -> UUID:
    """The account of whoever offers a listing. A person's is their id. What a tool imports is
    offered by its source, `import:my-dealer`: that has one account too, whether or not anybody
    has registered it yet, so that it can be written to and spoken of.
    """
    try:
        return UUID(seller_id)
    except ValueError:
        return uuid5(SELLERS, seller_id)


def source_name(seller_id: str) -> str:
    """By what name a source goes that nobody has registered: `my-dealer`."""
    return seller_id.rpartition(":")[2]


class _ListingEvent(Event):
    listing_id: UUID


class ListingCreated(_ListingEvent):
    """A draft exists."""

    SCHEMA: ClassVar[int] = 2
    kind: Literal["listing.created"] = "listing.created"
    seller_id: str
    market: Market
    fields: VehicleFacts
    created_at: AwareDatetime


class ListingUpdated(_ListingEvent):
    """The seller changed what is stated; `fields` holds new values, `cleared` emptied names."""

    kind: Literal["listing.updated"] = "listing.updated"
    fields: VehicleFacts
    cleared: tuple[str, ...] = ()
    updated_at: AwareDatetime


class ListingPriceChanged(_ListingEvent):
    """The asking price moved."""

    kind: Literal["listing.price_changed"] = "listing.price_changed"
    price_minor: PriceMinor
    currency: CurrencyCode
    previous_minor: int | None = None
    previous_currency: str | None = None
    changed_at: AwareDatetime


class ListingPublished(_ListingEvent):
    """Everyone can see it, until `expires_at` where that is stated."""

    kind: Literal["listing.published"] = "listing.published"
    published_at: AwareDatetime
    expires_at: AwareDatetime | None = None


class ListingRenewed(_ListingEvent):
    """It stays on offer until `expires_at`."""

    kind: Literal["listing.renewed"] = "listing.renewed"
    expires_at: AwareDatetime
    renewed_at: AwareDatetime


class ListingExpired(_ListingEvent):
    """Nobody but its seller sees it any more, for its time is over."""

    kind: Literal["listing.expired"] = "listing.expired"
    expired_at: AwareDatetime


class ListingUnpublished(_ListingEvent):
    """It is a draft again."""

    kind: Literal["listing.unpublished"] = "listing.unpublished"
    unpublished_at: AwareDatetime


class ListingSold(_ListingEvent):
    """It found a buyer."""

    kind: Literal["listing.sold"] = "listing.sold"
    buyer_id: UUID | None = None
    price_minor: int | None = None
    sold_at: AwareDatetime


class ListingDeleted(_ListingEvent):
    """It is gone from every page; its history stays. With it go `images`, all uploads for it."""

    kind: Literal["listing.deleted"] = "listing.deleted"
    images: tuple[UUID, ...] = ()
    deleted_at: AwareDatetime


class ListingImagesAdded(_ListingEvent):
    """It has these images more, behind the others."""

    kind: Literal["listing.images_added"] = "listing.images_added"
    images: Annotated[tuple[ListingImage, ...], Field(min_length=1)]
    added_at: AwareDatetime


class ListingImagesReordered(_ListingEvent):
    """Its images, all of them, in their order from now on."""

    kind: Literal["listing.images_reordered"] = "listing.images_reordered"
    media_ids: tuple[UUID, ...]
    reordered_at: AwareDatetime


class ListingImageRemoved(_ListingEvent):
    """It has this image no more."""

    kind: Literal["listing.image_removed"] = "listing.image_removed"
    media_id: UUID
    removed_at: AwareDatetime


class ListingImageDrawn(_ListingEvent):
    """An upload for it is drawn, and may be so before it is one of the listing's images."""

    kind: Literal["listing.image_drawn"] = "listing.image_drawn"
    media_id: UUID
    variants: ImageVariants
    drawn_at: AwareDatetime


class ListingImageFailed(_ListingEvent):
    """An upload for it can't be drawn, so it is none of the listing's images."""

    kind: Literal["listing.image_failed"] = "listing.image_failed"
    media_id: UUID
    failed_at: AwareDatetime


class ListingSpinSet(_ListingEvent):
    """It has this view all around, in this order. With what it had before go `previous`, its uploads."""

    kind: Literal["listing.spin_set"] = "listing.spin_set"
    frames: Annotated[tuple[ListingImage, ...], Field(min_length=1)]
    previous: tuple[UUID, ...] = ()
    set_at: AwareDatetime


class ListingSpinRemoved(_ListingEvent):
    """It has no view all around any more. With it go `frames`, its uploads."""

    kind: Literal["listing.spin_removed"] = "listing.spin_removed"
    frames: tuple[UUID, ...]
    removed_at: AwareDatetime


class ListingHidden(_ListingEvent):
    """Nobody sees it, for its seller is away."""

    kind: Literal["listing.hidden"] = "listing.hidden"
    hidden_at: AwareDatetime


class ListingShown(_ListingEvent):
    """Everyone sees it again, for its seller is back."""

    kind: Literal["listing.shown"] = "listing.shown"
    shown_at: AwareDatetime


ListingEvent: TypeAlias = (
    ListingCreated
    | ListingUpdated
    | ListingPriceChanged
    | ListingPublished
    | ListingRenewed
    | ListingUnpublished
    | ListingExpired
    | ListingSold
    | ListingDeleted
    | ListingHidden
    | ListingShown
    | ListingImagesAdded
    | ListingImagesReordered
    | ListingImageRemoved
    | ListingImageDrawn
    | ListingImageFailed
    | ListingSpinSet
    | ListingSpinRemoved
)


STATUS_AFTER: Mapping[type[ListingEvent], ListingStatus] = {
    ListingCreated: ListingStatus.DRAFT,
    ListingPublished: ListingStatus.ACTIVE,
    ListingUnpublished: ListingStatus.DRAFT,
    ListingHidden: ListingStatus.HIDDEN,
    ListingShown: ListingStatus.ACTIVE,
    ListingExpired: ListingStatus.EXPIRED,
    ListingSold: ListingStatus.SOLD,
    ListingDeleted: ListingStatus.DELETED,
}


def status_after(event: ListingEvent, before: ListingStatus) -> ListingStatus:
    """Where a listing is in its life after the event; most facts leave it where it was."""
    return STATUS_AFTER.get(type(event), before)


def _mileage_gets_a_unit(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 stated `mileage_km`, a number; version 2 states value and unit."""
    fields = dict(data["fields"])
    kilometres = fields.pop("mileage_km", None)
    if kilometres is not None:
        fields["mileage"] = {"value": kilometres, "unit": "KMT"}
    return {**data, "fields": fields}


UPCASTERS: Upcasters = {("listing.created", 1): _mileage_gets_a_unit}

CONTEXT = Context("listings", get_args(ListingCommand), get_args(ListingEvent), UPCASTERS)
