"""What may happen to an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.items import (
    IMAGES_MAX,
    AddItemImage,
    AddItemImages,
    CreateItem,
    DeleteItem,
    FailItemImage,
    ImageProcessing,
    ItemActivated,
    ItemChanges,
    ItemCommand,
    ItemCreated,
    ItemDeleted,
    ItemEvent,
    ItemFields,
    ItemFreed,
    ItemImage,
    ItemImageAdded,
    ItemImageFailed,
    ItemImageRemoved,
    ItemImagesAdded,
    ItemImagesSettled,
    ItemReserved,
    ItemSold,
    ItemStatus,
    ItemUpdated,
    RemoveItemImage,
    SettleItemBooking,
    StopWaitingForImages,
    UpdateItem,
)
from schemas.log.messages import Fault, Role
from schemas.media import ImageVariants
from schemas.values.money import minor_units

EARLY_MAX = 2 * IMAGES_MAX
STAFF = frozenset({Role.MODERATOR, Role.ADMIN, Role.SYSTEM})

# What is known of each image: its variants, that it can't be drawn (False), or nothing yet (None).
Drawn: TypeAlias = ImageVariants | bool | None
Images: TypeAlias = Mapping[UUID, Drawn]


@dataclass(frozen=True)
class Unoffered:
    """There is no such item yet. Of images that are drawn already it knows: they are uploaded
    before the item is, and whoever draws them is not slower for that.
    """

    images: Images = field(default_factory=dict)


@dataclass(frozen=True)
class Processing:
    """Only its owner sees it: of some image nobody knows yet what becomes of it."""

    owner_id: UUID
    email_domain: str
    fields: ItemFields
    images: Images
    early: Images = field(default_factory=dict)


@dataclass(frozen=True)
class Active:
    """The campus sees it. `complete`: all of its images are drawn. `early` are uploads that are meant
    for it and not its images yet, or no more (False). `turn` is how far its bookings are known.
    """

    owner_id: UUID
    email_domain: str
    fields: ItemFields
    images: Images
    complete: bool
    early: Images = field(default_factory=dict)
    turn: int = 0


@dataclass(frozen=True)
class Deleted:
    """The end. Other campuses do not even learn that it was, nor, unless it was `seen`, do others
    of its own.
    """

    owner_id: UUID
    email_domain: str
    seen: bool


Existing: TypeAlias = Processing | Active
Item: TypeAlias = Unoffered | Existing | Deleted


def decide(command: ItemCommand, item: Item) -> Sequence[ItemEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case CreateItem():
            return create(command, item)
        case UpdateItem():
            return update(command, item)
        case DeleteItem():
            return delete(command, item)
        case AddItemImages():
            return add_images(command, item)
        case AddItemImage():
            return add_image(command, item)
        case FailItemImage():
            return fail_image(command, item)
        case RemoveItemImage():
            return remove_image(command, item)
        case StopWaitingForImages():
            return stop_waiting(command, item)
        case SettleItemBooking():
            return settle_booking(command, item)
        case _:
            assert_never(command)


def create(command: CreateItem, item: Item) -> Sequence[ItemEvent]:
    """An item of the asker's, on the asker's campus."""
    if not isinstance(item, Unoffered):
        raise Rejected("item_exists")
    if command.asked_role is Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    terms = command.terms
    images = {media_id: item.images.get(media_id) for media_id in command.images}
    created = ItemCreated(
        item_id=command.item_id,
        owner_id=UUID(command.asked_by),
        email_domain=command.email_domain,
        fields=ItemFields(
            price_minor=_minor(terms.price, terms.currency),
            **terms.model_dump(exclude={"price"}),
        ),
        images=tuple(_image(media_id, drawn) for media_id, drawn in images.items()),
        created_at=command.asked_at,
        images_until=command.images_until,
    )
    return [created, *_settling(command, images, ImageProcessing.PENDING)]


def update(command: UpdateItem, item: Item) -> Sequence[ItemEvent]:
    """Only what differs is a fact."""
    found = _changeable(command, item)
    stated = command.changes.model_dump(exclude_none=True, exclude={"price"})
    faults = [
        Fault(pointer=f"/{name}", detail="can't be both stated and emptied")
        for name in command.clear
        if name in stated
    ]
    if faults:
        raise Rejected("invalid_field", 422, faults)
    emptied: dict[str, None] = dict.fromkeys(command.clear)
    price_minor = _repriced(command.changes, found.fields)
    after = ItemFields(
        **{**found.fields.model_dump(), **stated, **emptied, "price_minor": price_minor}
    )
    if after == found.fields:
        return []
    return [ItemUpdated(item_id=command.item_id, fields=after, updated_at=command.asked_at)]


def delete(command: DeleteItem, item: Item) -> Sequence[ItemEvent]:
    """From any state that still exists."""
    if isinstance(item, Unoffered | Deleted) and command.asked_role is Role.SYSTEM:
        return []
    found = _changeable(command, item)
    early = [each for each, drawn in found.early.items() if drawn is not False]
    images = (*found.images, *early)
    return [ItemDeleted(item_id=command.item_id, images=images, deleted_at=command.asked_at)]


def add_images(command: AddItemImages, item: Item) -> Sequence[ItemEvent]:
    """Those that it has not yet, by its owner alone: what staff would add were theirs. What is known
    to have failed is not among them.
    """
    found = _changeable(command, item)
    if command.asked_by != str(found.owner_id):
        raise Rejected("not_owner", 403)
    lost = {each for each, drawn in found.early.items() if drawn is False}
    known = found.images.keys() | lost
    wanted = [each for each in dict.fromkeys(command.media_ids) if each not in known]
    if len(found.images) + len(wanted) > IMAGES_MAX:
        detail = f"an item has at most {IMAGES_MAX} images, and this one has {len(found.images)}"
        raise Rejected("too_many_images", 422, [Fault(pointer="/images", detail=detail)])
    if not wanted:
        return []
    more = {each: found.early.get(each) for each in wanted}
    added = ItemImagesAdded(
        item_id=command.item_id,
        images=tuple(_image(media_id, drawn) for media_id, drawn in more.items()),
        added_at=command.asked_at,
    )
    return [added, *_settling(command, {**found.images, **more}, _told(found))]


def add_image(command: AddItemImage, item: Item) -> Sequence[ItemEvent]:
    """A success counts whenever it comes, after a failure too."""
    _require_system(command)
    if not _wants(item, command.media_id) or command.variants == _drawn(item, command.media_id):
        return []
    added = ItemImageAdded(
        item_id=command.item_id,
        media_id=command.media_id,
        variants=command.variants,
        added_at=command.asked_at,
    )
    return [added, *_following(command, item, command.media_id, command.variants)]


def fail_image(command: FailItemImage, item: Item) -> Sequence[ItemEvent]:
    """Only what nobody knows yet can turn out a failure."""
    _require_system(command)
    if not _wants(item, command.media_id) or _drawn(item, command.media_id) is not None:
        return []
    failed = ItemImageFailed(
        item_id=command.item_id, media_id=command.media_id, failed_at=command.asked_at
    )
    return [failed, *_following(command, item, command.media_id, False)]


def remove_image(command: RemoveItemImage, item: Item) -> Sequence[ItemEvent]:
    """Its owner has deleted the picture. The item stays, and waits for it no more."""
    _require_system(command)
    if not isinstance(item, Processing | Active):
        return []
    early = item.early.get(command.media_id)
    if command.media_id not in item.images and not early:
        return []
    removed = ItemImageRemoved(
        item_id=command.item_id, media_id=command.media_id, removed_at=command.asked_at
    )
    rest = _without(item.images, command.media_id)
    return [removed, *_settling(command, rest, _told(item))]


def stop_waiting(command: StopWaitingForImages, item: Item) -> Sequence[ItemEvent]:
    """What is active waits no more."""
    _require_system(command)
    if not isinstance(item, Processing):
        return []
    return [
        ItemImagesSettled(
            item_id=command.item_id, outcome=ImageProcessing.FAILED, settled_at=command.asked_at
        ),
        ItemActivated(item_id=command.item_id, activated_at=command.asked_at),
    ]


def settle_booking(command: SettleItemBooking, item: Item) -> Sequence[ItemEvent]:
    """What is shown follows the bookings' order, however the news of them come."""
    _require_system(command)
    if not isinstance(item, Active) or command.turn <= item.turn:
        return []
    about = {
        "item_id": command.item_id,
        "booking_id": command.booking_id,
        "turn": command.turn,
    }
    match command.outcome:
        case ItemStatus.RESERVED:
            return [ItemReserved(**about, reserved_at=command.asked_at)]
        case ItemStatus.ACTIVE:
            return [ItemFreed(**about, freed_at=command.asked_at)]
        case ItemStatus.SOLD:
            return [ItemSold(**about, sold_at=command.asked_at)]


def _require_system(command: ItemCommand) -> None:
    """Follows from what became of the images, so nobody asks for it by hand."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)


def _changeable(command: UpdateItem | DeleteItem | AddItemImages, item: Item) -> Existing:
    """The item, if it is of the asker's campus and theirs to change."""
    if isinstance(item, Unoffered):
        raise Rejected("item_unknown", 404)
    if command.email_domain != item.email_domain and command.asked_role is not Role.SYSTEM:
        raise Rejected("item_unknown", 404)
    own = command.asked_by == str(item.owner_id) or command.asked_role in STAFF
    if not own and not _seen(item):
        raise Rejected("item_unknown", 404)
    if isinstance(item, Deleted):
        raise Rejected("item_deleted", 410)
    if not own:
        raise Rejected("not_owner", 403)
    return item


def _seen(item: Existing | Deleted) -> bool:
    """Whether others of its campus have seen it."""
    return item.seen if isinstance(item, Deleted) else isinstance(item, Active)


def _repriced(changes: ItemChanges, before: ItemFields) -> int:
    if changes.price is not None:
        return _minor(changes.price, changes.currency or before.currency)
    if changes.currency not in (None, before.currency):
        # The same number in another currency is another price: somebody must name it.
        fault = Fault(pointer="/price", detail="must be stated together with another currency")
        raise Rejected("invalid_field", 422, [fault])
    return before.price_minor


def _minor(price: Decimal, currency: str) -> int:
    try:
        return minor_units(price, currency)
    except ValueError as error:
        raise Rejected("invalid_field", 422, [Fault(pointer="/price", detail=str(error))]) from None


def _wants(item: Item, media_id: UUID) -> bool:
    """Whether the image is, or may yet be, one of the item's. One that is lost stays so."""
    match item:
        case Unoffered():
            return True
        case Processing() | Active():
            return media_id in item.images or item.early.get(media_id) is not False
        case Deleted():
            return False
        case _:
            assert_never(item)


def _drawn(item: Item, media_id: UUID) -> Drawn:
    if isinstance(item, Deleted):
        return None
    early = {} if isinstance(item, Unoffered) else item.early
    return {**early, **item.images}.get(media_id)


def _image(media_id: UUID, drawn: Drawn) -> ItemImage:
    if isinstance(drawn, ImageVariants):
        return ItemImage(media_id=media_id, variants=drawn)
    return ItemImage(media_id=media_id, failed=drawn is False)


def _following(
    command: ItemCommand, item: Item, media_id: UUID, drawn: Drawn
) -> Iterator[ItemEvent]:
    """What comes of one more image whose fate is known."""
    if isinstance(item, Processing | Active) and media_id in item.images:
        yield from _settling(command, {**item.images, media_id: drawn}, _told(item))


def _told(item: Existing) -> ImageProcessing:
    """What has been said of its images so far."""
    if isinstance(item, Processing):
        return ImageProcessing.PENDING
    return ImageProcessing.COMPLETED if item.complete else ImageProcessing.FAILED


def _without(images: Images, media_id: UUID) -> Images:
    return {each: drawn for each, drawn in images.items() if each != media_id}


def _settling(command: ItemCommand, images: Images, told: ImageProcessing) -> Iterator[ItemEvent]:
    """`told` is what has been said of the images so far. Whoever waited for them waits until
    the fate of the last one is known; a failure that was told is taken back by success alone.
    """
    outcome = _outcome(images)
    if outcome is ImageProcessing.PENDING or outcome is told:
        return
    yield ItemImagesSettled(item_id=command.item_id, outcome=outcome, settled_at=command.asked_at)
    if told is ImageProcessing.PENDING:
        yield ItemActivated(item_id=command.item_id, activated_at=command.asked_at)


def _outcome(images: Images) -> ImageProcessing:
    if None in images.values():
        return ImageProcessing.PENDING
    return ImageProcessing.FAILED if False in images.values() else ImageProcessing.COMPLETED


def evolve(item: Item, event: ItemEvent) -> Item:
    """The item after the event. Never refuses: it has happened."""
    if isinstance(event, ItemCreated):
        images = {each.media_id: _known(each) for each in event.images}
        return Processing(event.owner_id, event.email_domain, event.fields, images)
    match item:
        case Unoffered():
            return _heard_of(item, event)
        case Processing() | Active():
            return _evolved(item, event)
        case Deleted():
            return item
        case _:
            assert_never(item)


def _known(image: ItemImage) -> Drawn:
    if image.variants is not None:
        return image.variants
    return False if image.failed else None


def _heard_of(item: Unoffered, event: ItemEvent) -> Unoffered:
    match event:
        case ItemImageAdded(media_id=media_id, variants=variants):
            return Unoffered({**item.images, media_id: variants})
        case ItemImageFailed(media_id=media_id):
            return Unoffered({**item.images, media_id: False})
        case _:
            return item


def _evolved(item: Existing, event: ItemEvent) -> Item:
    match event:
        case ItemUpdated(fields=fields):
            return replace(item, fields=fields)
        case ItemImagesAdded(images=images):
            more = {each.media_id: _known(each) for each in images}
            early = {each: drawn for each, drawn in item.early.items() if each not in more}
            return replace(item, images={**item.images, **more}, early=early)
        case ItemImageAdded(media_id=media_id, variants=variants):
            return _with(item, media_id, variants)
        case ItemImageFailed(media_id=media_id):
            return _with(item, media_id, False)
        case ItemImageRemoved(media_id=media_id):
            return _early(
                replace(item, images=_without(item.images, media_id)), media_id, drawn=False
            )
        case ItemImagesSettled(outcome=outcome):
            return _settled(item, complete=outcome is ImageProcessing.COMPLETED)
        case ItemReserved(turn=turn) | ItemFreed(turn=turn) | ItemSold(turn=turn):
            return replace(item, turn=turn) if isinstance(item, Active) else item
        case ItemActivated() | ItemCreated():
            return item  # settled images come with it, in the same breath
        case ItemDeleted():
            return Deleted(item.owner_id, item.email_domain, seen=isinstance(item, Active))
        case _:
            assert_never(event)


def _settled(item: Existing, *, complete: bool) -> Active:
    if isinstance(item, Active):
        return replace(item, complete=complete)
    return Active(
        item.owner_id, item.email_domain, item.fields, item.images, complete, early=item.early
    )


def _with(item: Existing, media_id: UUID, drawn: Drawn) -> Existing:
    if media_id in item.images:
        return replace(item, images={**item.images, media_id: drawn})
    return _early(item, media_id, drawn)


def _early(item: Existing, media_id: UUID, drawn: Drawn) -> Existing:
    """What is meant for it and never becomes one of its images is known of within bounds."""
    early = [*_without(item.early, media_id).items(), (media_id, drawn)]
    return replace(item, early=dict(early[-EARLY_MAX:]))


items: Decider[ItemCommand, Item, ItemEvent] = Decider(
    initial=Unoffered(), decide=decide, evolve=evolve
)
