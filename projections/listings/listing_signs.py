"""The signs by which two listings of one vehicle are told. Postgres, a row a listing; no word of an ad
can be read in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args

from sqlalchemy import Index, MetaData, Table

from projections.listings.duplicate_rules import signs_of, sketch_of
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingEvent,
    ListingImage,
    ListingImageDrawn,
    ListingImageFailed,
    ListingImageRemoved,
    ListingImagesAdded,
    ListingStatus,
    ListingUpdated,
    status_after,
)
from schemas.log.frozen import changed, frozen
from schemas.log.recorded import Recorded
from schemas.values.vehicles import VehicleFacts

ALIKE_MAX = 50  # of one listing


@frozen
class ListingSigns:
    """What is compared of a listing; `make` and `model` are hashes, as are the words in `sketch` and the
    pictures in `looks`, one a place of `image_ids`, empty until it is drawn.
    """

    seller_id: str
    status: ListingStatus = ListingStatus.DRAFT
    vin: str | None = None
    make: str | None = None
    model: str | None = None
    year: int | None = None
    mileage_km: int | None = None
    sketch: tuple[int, ...] = ()
    image_ids: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()


def key(recorded: Recorded[ListingEvent]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingSigns | None, recorded: Recorded[ListingEvent]) -> ListingSigns | None:
    """The signs after the event; of a deleted listing there are none."""
    event = recorded.event
    if isinstance(event, ListingDeleted):
        return None
    if isinstance(event, ListingCreated):
        row = ListingSigns(seller_id=event.seller_id, **_stated(event.fields, ()))
        return changed(row, signs=signs_of(row))
    if row is None:
        return None
    row = changed(row, status=status_after(event, row.status), **_changes(row, event))
    return changed(row, signs=signs_of(row))


def _changes(row: ListingSigns, event: ListingEvent) -> dict[str, Any]:
    match event:
        case ListingUpdated(fields=stated, cleared=cleared):
            return _stated(stated, cleared)
        case ListingImagesAdded(images=images):
            return _with_images(row, images)
        case ListingImageDrawn(media_id=media_id, variants=variants):
            look = variants.look or ""
            looks = zip(row.image_ids, row.looks, strict=True)
            return {"looks": tuple(look if at == str(media_id) else old for at, old in looks)}
        case ListingImageRemoved(media_id=media_id) | ListingImageFailed(media_id=media_id):
            return _without_image(row, str(media_id))
        case _:
            return {}


def _stated(stated: VehicleFacts, cleared: Iterable[str]) -> dict[str, Any]:
    """The columns that these fields fill or empty."""
    columns: dict[str, Any] = {
        "vin": stated.vin,
        "make": _hashed(stated.make),
        "model": _hashed(stated.model),
        "year": stated.year,
        "mileage_km": stated.mileage and stated.mileage.kilometres,
    }
    told = {name: value for name, value in columns.items() if value is not None}
    if stated.description is not None:
        told["sketch"] = sketch_of(stated.description)
    names = {"mileage": "mileage_km", "description": "sketch"}
    for name in cleared:
        column = names.get(name, name)
        if column in columns or column == "sketch":
            told[column] = () if column == "sketch" else None
    return told


def _hashed(name: str | None) -> str | None:
    if name is None:
        return None
    text = "".join(filter(str.isalnum, name.casefold()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _with_images(row: ListingSigns, images: Iterable[ListingImage]) -> dict[str, Any]:
    new = [each for each in images if str(each.media_id) not in row.image_ids]
    looks = [(each.variants and each.variants.look) or "" for each in new]
    return {
        "image_ids": (*row.image_ids, *(str(each.media_id) for each in new)),
        "looks": (*row.looks, *looks),
    }


def _without_image(row: ListingSigns, media_id: str) -> dict[str, Any]:
    kept = [
        (image_id, look)
        for image_id, look in zip(row.image_ids, row.looks, strict=True)
        if image_id != media_id
    ]
    return {
        "image_ids": tuple(image_id for image_id, _ in kept),
        "looks": tuple(look for _, look in kept),
    }


table = Table("listing_signs", MetaData(), *columns_of(ListingSigns))
Index(
    "shared",
    table.c.signs,
    postgresql_using="gin",
    postgresql_where=table.c.status == "active",
)
Index("on_offer", table.c.key, postgresql_where=table.c.status == "active")

listing_signs = Projection(
    name="listing_signs",
    version=1,
    hears=get_args(ListingEvent),
    key=key,
    fold=fold,
    erased_by=(ListingDeleted,),
    row=ListingSigns,
    target=PostgresTable(table),
)

_NAMES = ", ".join(["key", *(f'"{each.name}"' for each in fields(ListingSigns))])
_ONE = f"SELECT {_NAMES} FROM reads.listing_signs WHERE key = $1"  # noqa: S608 - our own names
_ALIKE = f"""
    SELECT {_NAMES} FROM reads.listing_signs
    WHERE status = 'active' AND signs && $1 AND key <> $2
    ORDER BY coalesce(vin = $3, false) DESC, coalesce(make = $4, false) DESC, key LIMIT {ALIKE_MAX}
"""  # noqa: S608 - our own names
_AFTER = f"""
    SELECT {_NAMES} FROM reads.listing_signs
    WHERE status = 'active' AND key > $1 ORDER BY key LIMIT $2
"""  # noqa: S608 - our own names

Found = tuple[str, ListingSigns]


async def by_id(reads: Reads, listing_id: str) -> Found | None:
    """A listing's signs."""
    row = await reads.fetchrow(_ONE, listing_id)
    return None if row is None else _found(row)


async def alike(reads: Reads, listing_id: str, signs: ListingSigns) -> list[Found]:
    """What is on offer and shares a sign with it: duplicates, or not; the likeliest first."""
    rows = await reads.fetch(_ALIKE, signs.signs, listing_id, signs.vin, signs.make)
    return [_found(row) for row in rows]


async def on_offer(reads: Reads, after: str, limit: int) -> Sequence[Found]:
    """What is on offer, by its id."""
    return [_found(row) for row in await reads.fetch(_AFTER, after, limit)]


def _found(row: Mapping[str, Any]) -> Found:
    columns = {name: value for name, value in row.items() if name != "key"}
    lists = {name: tuple(value) for name, value in columns.items() if isinstance(value, list)}
    return row["key"], ListingSigns(**columns | lists)
