"""Items, their pages and the lists of a campus. Postgres, one row per item.

Whoever is away has nothing on offer: that is looked up in `users` when somebody asks, and so
holds at once and needs no command for each item of whoever comes and goes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Index, MetaData, Table

from projections.image_columns import image_columns, with_images, with_variants, without_image
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.items import (
    ImageProcessing,
    ItemActivated,
    ItemCategory,
    ItemCondition,
    ItemCreated,
    ItemDeleted,
    ItemEvent,
    ItemFields,
    ItemFreed,
    ItemImageAdded,
    ItemImageFailed,
    ItemImageRemoved,
    ItemImagesAdded,
    ItemImagesSettled,
    ItemReserved,
    ItemSold,
    ItemStatus,
    ItemUpdated,
)
from schemas.log.frozen import changed, frozen
from schemas.log.recorded import Recorded


@frozen
class Item:
    """Everything that is stated of an item. `thumbnail_keys`, `medium_keys` and `large_keys` hold,
    for each of `image_ids` in its place, where the variant lies, or nothing while it is not drawn.

    `searched` is title and description as they are looked for: see `folded`.
    """

    owner_id: str
    email_domain: str
    status: ItemStatus
    image_processing_status: ImageProcessing
    version: int
    created_at: datetime
    updated_at: datetime
    title: str
    description: str | None
    price_minor: int
    currency: str
    category: ItemCategory
    condition: ItemCondition
    searched: str
    image_ids: tuple[str, ...]
    thumbnail_keys: tuple[str, ...]
    medium_keys: tuple[str, ...]
    large_keys: tuple[str, ...]


def key(recorded: Recorded[ItemEvent]) -> str:
    """The item's id."""
    return str(recorded.event.item_id)


def fold(row: Item | None, recorded: Recorded[ItemEvent]) -> Item | None:
    """The item after the event. A deleted one keeps its row: links to it answer 410."""
    event = recorded.event
    if isinstance(event, ItemCreated):
        return _created(event, recorded.version)
    return row and changed(row, version=recorded.version, **_changes(row, event))


def _created(event: ItemCreated, version: int) -> Item:
    return Item(
        owner_id=str(event.owner_id),
        email_domain=event.email_domain,
        status=ItemStatus.PROCESSING,
        image_processing_status=ImageProcessing.PENDING,
        version=version,
        created_at=event.created_at,
        updated_at=event.created_at,
        **image_columns(event.images),
        **_stated(event.fields),
    )


def _stated(stated: ItemFields) -> dict[str, Any]:
    return {**dict(stated), "searched": _searched(stated)}


def _changes(row: Item, event: ItemEvent) -> dict[str, Any]:
    match event:
        case ItemUpdated(fields=stated, updated_at=at):
            return {"updated_at": at, **_stated(stated)}
        case ItemImagesAdded(images=images, added_at=at):
            return {"updated_at": at, **with_images(row, images)}
        case ItemImageAdded(media_id=media_id, variants=variants, added_at=at):
            return {"updated_at": at, **with_variants(row, media_id, variants)}
        case ItemImageRemoved(media_id=media_id, removed_at=at):
            return {"updated_at": at, **without_image(row, media_id)}
        case ItemImagesSettled(outcome=outcome, settled_at=at):
            return {"updated_at": at, "image_processing_status": outcome}
        case ItemActivated(activated_at=at):
            return {"updated_at": at, "status": ItemStatus.ACTIVE}
        case ItemReserved() | ItemFreed() | ItemSold():
            return _booked(event)
        case ItemDeleted(deleted_at=at):
            return {"updated_at": at, "status": ItemStatus.DELETED}
        case ItemImageFailed() | ItemCreated():
            return {}


def _booked(event: ItemReserved | ItemFreed | ItemSold) -> dict[str, Any]:
    match event:
        case ItemReserved(reserved_at=at):
            return {"updated_at": at, "status": ItemStatus.RESERVED}
        case ItemFreed(freed_at=at):
            return {"updated_at": at, "status": ItemStatus.ACTIVE}
        case ItemSold(sold_at=at):
            return {"updated_at": at, "status": ItemStatus.SOLD}


def folded(text: str) -> str:
    """A text as it is looked for: whatever its case, its spaces and its way of writing é."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _searched(stated: ItemFields) -> str:
    # No folded text has a line's end: nothing is found half in the one and half in the other.
    return f"{folded(stated.title)}\n{folded(stated.description or '')}"


table = Table("items", MetaData(), *columns_of(Item))
Index(
    "campus",
    table.c.email_domain,
    table.c.created_at.desc(),
    table.c.key.desc(),
    postgresql_where=table.c.status == "active",
)
Index("owner", table.c.owner_id, table.c.key)
Index("waiting", table.c.created_at, table.c.key, postgresql_where=table.c.status == "processing")

items = Projection(
    name="items",
    version=3,
    hears=get_args(ItemEvent),
    key=key,
    fold=fold,
    erased_by=(ItemDeleted,),
    row=Item,
    target=PostgresTable(table),
)

_NAMES = ("key", *(each.name for each in fields(Item) if each.name != "searched"))
_COLUMNS = ", ".join(f"item.{name}" for name in _NAMES)
_HERE = "owner.status IN ('pending', 'active')"
_BY_ID = f"""
    SELECT {_COLUMNS}, {_HERE} AS owner_is_here
    FROM reads.items AS item JOIN reads.users AS owner ON owner.key = item.owner_id
    WHERE item.key = $1
"""  # noqa: S608 - our own names
# What a campus sees. The search walks a campus' active items, newest first, and needs no index
# of its own: with strpos no character of what is looked for means anything but itself.
_VISIBLE = f"""
    FROM reads.items AS item JOIN reads.users AS owner ON owner.key = item.owner_id
    WHERE item.email_domain = $1 AND item.status = 'active' AND {_HERE}
"""
_NEWEST = f"""
    SELECT {_COLUMNS} {_VISIBLE}
      AND ($2::text IS NULL OR item.category = $2)
      AND ($3::text IS NULL OR strpos(item.searched, $3) > 0) {{after}}
    ORDER BY item.created_at DESC, item.key DESC {{limit}}
"""
_CATEGORIES = f"""
    SELECT item.category, count(*) AS count {_VISIBLE} GROUP BY item.category
"""


@dataclass(frozen=True)
class Wanted:
    """Which items of a campus: of one category, and with a text in title or description; None
    asks for nothing.
    """

    email_domain: str
    category: ItemCategory | None = None
    search: str | None = None


async def by_id(reads: Reads, item_id: str) -> Mapping[str, Any] | None:
    """One item of any campus, in any state; `owner_is_here` tells whether others may see it."""
    return await reads.fetchrow(_BY_ID, item_id)


async def newest(reads: Reads, wanted: Wanted, part: Slice) -> Sequence[Mapping[str, Any]]:
    """What a campus sees, the last created first."""
    search = None if wanted.search is None else folded(wanted.search)
    values = (wanted.email_domain, wanted.category, search)
    return await fetch_slice(reads, _NEWEST, "item.created_at, item.key", part, *values)


async def categories(reads: Reads, email_domain: str) -> dict[ItemCategory, int]:
    """How many items of each category a campus sees, those with none included."""
    rows = await reads.fetch(_CATEGORIES, email_domain)
    found = {row["category"]: row["count"] for row in rows}
    return {each: found.get(each.value, 0) for each in ItemCategory}


async def of_owner(reads: Reads, owner_id: str, after: str, limit: int) -> Sequence[str]:
    """The ids, past `after`, of a person's items, the deleted ones too."""
    rows = await reads.fetch(
        "SELECT key FROM reads.items WHERE owner_id = $1 AND key > $2 ORDER BY key LIMIT $3",
        owner_id,
        after,
        limit,
    )
    return [row["key"] for row in rows]
