"""Items: something that somebody on a campus offers to others of the same campus.

Which campus an item belongs to is its owner's, named by the domain of their e-mail; nobody
states it. Its images are media of their own streams: an item knows their ids and, once they
are drawn, where the variants lie.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.identity import EmailDomain
from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.media import KEY_FORM, ImageVariants
from schemas.values.numbers import DECIMAL
from schemas.values.texts import Line, Lines, each_text
from schemas.values.vehicles import Currency, CurrencyCode

IMAGES_MAX = 10
CURRENCY = "LKR"  # of a price that names none
PRICE_MAX = 10**12
PRICE_MINOR_MAX = 10**16  # PRICE_MAX in the currency with the smallest unit


class ItemCategory(StrEnum):
    """What kind of thing it is."""

    BOOKS = "books"
    ELECTRONICS = "electronics"
    FURNITURE = "furniture"
    KITCHEN = "kitchen"
    CLOTHING = "clothing"
    SPORTS = "sports"
    BICYCLES = "bicycles"
    STATIONERY = "stationery"
    OTHER = "other"


class ItemCondition(StrEnum):
    """How used it is."""

    NEW = "new"
    LIKE_NEW = "like_new"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class ItemStatus(StrEnum):
    """Where an item is in its life."""

    PROCESSING = "processing"  # its images are being drawn: only its owner sees it
    ACTIVE = "active"
    RESERVED = "reserved"  # kept for whoever booked it
    SOLD = "sold"
    DELETED = "deleted"


# Who is on the campus finds these, though only what is active is on the lists.
SEEN = frozenset({ItemStatus.ACTIVE, ItemStatus.RESERVED, ItemStatus.SOLD})
Booked = Literal[ItemStatus.ACTIVE, ItemStatus.RESERVED, ItemStatus.SOLD]


class ImageProcessing(StrEnum):
    """What has become of an item's images, all together."""

    PENDING = "pending"
    COMPLETED = "completed"  # every one is drawn
    FAILED = "failed"  # some are not, or it took too long


Title = Annotated[str, Line(160, 3)]
Description = Annotated[str, Lines(5_000)]
# As people write it: 1250.50. What the currency has no small unit for is refused by the rules.
Price = Annotated[
    Decimal, Field(ge=0, le=PRICE_MAX, decimal_places=4, allow_inf_nan=False), DECIMAL
]
PriceMinor = Annotated[int, Field(ge=0, le=PRICE_MINOR_MAX)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemTerms(_Value):
    """What somebody states of an item that they offer."""

    title: Title
    description: Description | None = None
    price: Price
    currency: Currency = CURRENCY
    category: ItemCategory
    condition: ItemCondition


class ItemChanges(_Value):
    """What shall be stated otherwise; None: as before."""

    title: Title | None = None
    description: Description | None = None
    price: Price | None = None
    currency: Currency | None = None
    category: ItemCategory | None = None
    condition: ItemCondition | None = None


class ItemFields(_Value):
    """What the log says of an item, by the rules of its day."""

    title: str
    description: str | None = None
    price_minor: PriceMinor
    currency: CurrencyCode
    category: ItemCategory
    condition: ItemCondition


class ItemImage(_Value):
    """One image of an item. Without variants it is not drawn, or, when `failed`, never was."""

    media_id: UUID
    variants: ImageVariants | None = None
    failed: bool = False


def item_stream(item_id: UUID | str) -> str:
    """The stream of one item."""
    return f"item/{item_id}"


class _ItemCommand(Command):
    item_id: UUID

    @property
    def stream_id(self) -> str:
        return item_stream(self.item_id)


class CreateItem(_ItemCommand):
    """Offer something to the campus `email_domain`, the asker's own; its images are uploaded."""

    kind: Literal["item.create"] = "item.create"
    email_domain: EmailDomain
    terms: ItemTerms
    images: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=IMAGES_MAX)]
    images_until: AwareDatetime | None = None  # how long others wait for them to be drawn


class UpdateItem(_ItemCommand):
    """State `changes`, empty what is named in `clear`. `email_domain` is the asker's campus."""

    kind: Literal["item.update"] = "item.update"
    email_domain: EmailDomain
    changes: ItemChanges
    clear: Annotated[tuple[Literal["description"], ...], Field(max_length=1)] = ()


class DeleteItem(_ItemCommand):
    """Take it away for good. `email_domain` is the asker's campus; the mesh itself has none."""

    kind: Literal["item.delete"] = "item.delete"
    email_domain: EmailDomain | None = None


class AddItemImages(_ItemCommand):
    """Put these uploads behind its images; nothing need be known of them yet. `email_domain` is the
    asker's campus.
    """

    kind: Literal["item.add_images"] = "item.add_images"
    email_domain: EmailDomain
    media_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=IMAGES_MAX)]


class AddItemImage(_ItemCommand):
    """One of its images is drawn."""

    kind: Literal["item.add_image"] = "item.add_image"
    media_id: UUID
    variants: Annotated[ImageVariants, each_text(KEY_FORM)]


class FailItemImage(_ItemCommand):
    """One of its images can't be drawn."""

    kind: Literal["item.fail_image"] = "item.fail_image"
    media_id: UUID


class RemoveItemImage(_ItemCommand):
    """One of its images is gone."""

    kind: Literal["item.remove_image"] = "item.remove_image"
    media_id: UUID


class StopWaitingForImages(_ItemCommand):
    """Show it without the images that are not drawn yet: they have taken too long."""

    kind: Literal["item.stop_waiting"] = "item.stop_waiting"


class SettleItemBooking(_ItemCommand):
    """Show what its bookings have come to. `turn` is the place of that among them: what is older than
    what is shown already has come late, and changes nothing.
    """

    kind: Literal["item.settle_booking"] = "item.settle_booking"
    booking_id: UUID
    turn: Annotated[int, Field(ge=1)]
    outcome: Booked


ItemCommand: TypeAlias = (
    CreateItem
    | UpdateItem
    | DeleteItem
    | AddItemImages
    | AddItemImage
    | FailItemImage
    | RemoveItemImage
    | StopWaitingForImages
    | SettleItemBooking
)


class _ItemEvent(Event):
    item_id: UUID


class ItemCreated(_ItemEvent):
    """Somebody offers something. What was known of its images by then stands in `images`."""

    kind: Literal["item.created"] = "item.created"
    owner_id: UUID
    email_domain: str
    fields: ItemFields
    images: Annotated[tuple[ItemImage, ...], Field(min_length=1)]
    created_at: AwareDatetime
    images_until: AwareDatetime | None = None  # None: a minute, as it was before


class ItemUpdated(_ItemEvent):
    """Its owner states something else; `fields` is all that is stated now."""

    kind: Literal["item.updated"] = "item.updated"
    fields: ItemFields
    updated_at: AwareDatetime


class ItemImagesAdded(_ItemEvent):
    """It has more images. What was known of them by then stands in `images`."""

    kind: Literal["item.images_added"] = "item.images_added"
    images: Annotated[tuple[ItemImage, ...], Field(min_length=1)]
    added_at: AwareDatetime


class ItemImageAdded(_ItemEvent):
    """An image that is meant for it is drawn. May come before the item has it, or is there itself:
    it then knows of it.
    """

    kind: Literal["item.image_added"] = "item.image_added"
    media_id: UUID
    variants: ImageVariants
    added_at: AwareDatetime


class ItemImageFailed(_ItemEvent):
    """One of its images could not be drawn."""

    kind: Literal["item.image_failed"] = "item.image_failed"
    media_id: UUID
    failed_at: AwareDatetime


class ItemImageRemoved(_ItemEvent):
    """One of its images is gone, and it may be the last one."""

    kind: Literal["item.image_removed"] = "item.image_removed"
    media_id: UUID
    removed_at: AwareDatetime


class ItemImagesSettled(_ItemEvent):
    """What has become of its images is known; a success may still follow a failure."""

    kind: Literal["item.images_settled"] = "item.images_settled"
    outcome: Literal[ImageProcessing.COMPLETED, ImageProcessing.FAILED]
    settled_at: AwareDatetime


class ItemActivated(_ItemEvent):
    """The whole campus sees it."""

    kind: Literal["item.activated"] = "item.activated"
    activated_at: AwareDatetime


class ItemReserved(_ItemEvent):
    """It is kept for whoever made this booking."""

    kind: Literal["item.reserved"] = "item.reserved"
    booking_id: UUID
    turn: int
    reserved_at: AwareDatetime


class ItemFreed(_ItemEvent):
    """It is to be had again: nothing came of the booking."""

    kind: Literal["item.freed"] = "item.freed"
    booking_id: UUID
    turn: int
    freed_at: AwareDatetime


class ItemSold(_ItemEvent):
    """Whoever made this booking has it."""

    kind: Literal["item.sold"] = "item.sold"
    booking_id: UUID
    turn: int
    sold_at: AwareDatetime


class ItemDeleted(_ItemEvent):
    """It is gone from every page, and so are `images`; its history stays."""

    kind: Literal["item.deleted"] = "item.deleted"
    images: tuple[UUID, ...]
    deleted_at: AwareDatetime


ItemEvent: TypeAlias = (
    ItemCreated
    | ItemUpdated
    | ItemImagesAdded
    | ItemImageAdded
    | ItemImageFailed
    | ItemImageRemoved
    | ItemImagesSettled
    | ItemActivated
    | ItemReserved
    | ItemFreed
    | ItemSold
    | ItemDeleted
)

CONTEXT = Context("items", get_args(ItemCommand), get_args(ItemEvent))
