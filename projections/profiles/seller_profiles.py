"""What sellers tell of their business, and what others say of it. Postgres, one row per seller
who told something or of whom something was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never, get_args

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.profiles import SellerUpdated
from schemas.reviews import RatingEvent, ReviewCreated, ReviewDeleted, ReviewUpdated

Heard: TypeAlias = SellerUpdated | RatingEvent | UserDeleted


@dataclass(frozen=True, slots=True)
class SellerProfile:
    """The business's name, sealed with the seller's key, and the mean of what `review_count`
    reviews say, `rating_sum` stars in all. No event tells of a verification yet, so nobody is
    verified. `version` is that of what the seller told.
    """

    user_id: str
    version: int = 0
    deleted: bool = False
    business_name_sealed: str | None = None
    rating: float | None = None
    rating_sum: int = 0
    review_count: int = 0
    verified: bool = False


def key(recorded: Recorded[Heard]) -> str:
    """The seller's id."""
    event = recorded.event
    return str(event.user_id if isinstance(event, SellerUpdated | UserDeleted) else event.seller_id)


def fold(row: SellerProfile | None, recorded: Recorded[Heard]) -> SellerProfile:
    """The seller's profile after the event; of the deleted nothing is left, whatever comes.

    Reviews come from many streams in any order, so they are counted: what one adds, its change
    and its end take from whole numbers, and the mean falls back exactly.
    """
    event = recorded.event
    if isinstance(event, UserDeleted):
        return SellerProfile(user_id=key(recorded), deleted=True)
    if row is None:
        row = SellerProfile(user_id=key(recorded))
    if row.deleted:
        return row
    match event:
        case SellerUpdated():
            changes: dict[str, Any] = {f"{name}_sealed": None for name in event.cleared}
            changes |= {f"{name}_sealed": told.text for name, told in event.sealed.stated().items()}
            return replace(row, version=recorded.version, **changes)
        case ReviewCreated(rating=rating):
            return _rated(row, rating, 1)
        case ReviewUpdated(rating=rating, previous_rating=before):
            return _rated(row, rating - before, 0)
        case ReviewDeleted(rating=rating):
            return _rated(row, -rating, -1)
        case _:
            assert_never(event)


def _rated(row: SellerProfile, stars: int, reviews: int) -> SellerProfile:
    rating_sum, count = row.rating_sum + stars, row.review_count + reviews
    rating = rating_sum / count if count else None
    return replace(row, rating=rating, rating_sum=rating_sum, review_count=count)


seller_profiles = Projection(
    name="seller_profiles",
    version=2,
    hears=(SellerUpdated, *get_args(RatingEvent), UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=SellerProfile,
    target=PostgresTable(Table("seller_profiles", MetaData(), *columns_of(SellerProfile))),
)

_WHOLE = """
    SELECT people.key, people.role, people.status, people.created_at,
           coalesce(seller.version, 0) AS version, seller.business_name_sealed, seller.rating,
           coalesce(seller.review_count, 0) AS review_count,
           coalesce(seller.verified, false) AS verified
    FROM reads.users AS people
    LEFT JOIN reads.seller_profiles AS seller USING (key)
    WHERE people.key = $1
"""


async def by_id(reads: Reads, user_id: str) -> Mapping[str, Any] | None:
    """One person as a seller; whether they are one, their role tells."""
    return await reads.fetchrow(_WHOLE, user_id)


async def is_reviewed(reads: Reads, seller_id: str) -> bool:
    """Whether something was said of this seller, be they registered or not."""
    row = await reads.fetchrow(
        "SELECT key FROM reads.seller_profiles WHERE key = $1 AND review_count > 0", seller_id
    )
    return row is not None
