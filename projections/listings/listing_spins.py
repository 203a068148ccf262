"""Views all around a listing, frame by frame. Postgres, one row per listing that has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never, get_args

from sqlalchemy import MetaData, Table

from projections.image_columns import image_columns, with_variants
from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.listings import (
    ListingDeleted,
    ListingImageDrawn,
    ListingImageFailed,
    ListingSpinRemoved,
    ListingSpinSet,
)
from schemas.log.recorded import Recorded

Heard: TypeAlias = (
    ListingSpinSet | ListingSpinRemoved | ListingImageDrawn | ListingImageFailed | ListingDeleted
)


@dataclass(frozen=True, slots=True)
class ListingSpin:
    """The frames in their order, as projections.image_columns has images; `lost` are those of them
    that are shown no more.
    """

    version: int
    image_ids: tuple[str, ...]
    thumbnail_keys: tuple[str, ...]
    medium_keys: tuple[str, ...]
    large_keys: tuple[str, ...]
    lost: tuple[str, ...] = ()


def key(recorded: Recorded[Heard]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingSpin | None, recorded: Recorded[Heard]) -> ListingSpin | None:
    """The view after the event."""
    event, version = recorded.event, recorded.version
    match event:
        case ListingSpinSet(frames=frames):
            return ListingSpin(version=version, **image_columns(frames))
        case ListingImageDrawn(media_id=media_id, variants=variants):
            return row and replace(row, **with_variants(row, media_id, variants))
        case ListingImageFailed(media_id=media_id):
            if row is None or str(media_id) not in row.image_ids:
                return row
            return replace(row, lost=(*row.lost, str(media_id)))
        case ListingSpinRemoved() | ListingDeleted():
            return None
        case _:
            assert_never(event)


listing_spins = Projection(
    name="listing_spins",
    version=1,
    hears=get_args(Heard),
    key=key,
    fold=fold,
    erased_by=(ListingDeleted,),
    row=ListingSpin,
    target=PostgresTable(Table("listing_spins", MetaData(), *columns_of(ListingSpin))),
)


async def by_id(reads: Reads, listing_id: str) -> Mapping[str, Any] | None:
    """The view all around a listing, if it has one."""
    return await reads.fetchrow("SELECT * FROM reads.listing_spins WHERE key = $1", listing_id)
