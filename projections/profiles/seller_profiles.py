"""What sellers tell of their business, and what others say of it. Postgres, one row per seller
who told something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.profiles import SellerUpdated
from schemas.recorded import Recorded


@dataclass(frozen=True, slots=True)
class SellerProfile:
    """The business's name, sealed with the seller's key. No event tells of reviews or of a
    verification yet, so there is no rating, and nobody is verified.
    """

    user_id: str
    version: int = 0
    deleted: bool = False
    business_name_sealed: str | None = None
    rating: float | None = None
    review_count: int = 0
    verified: bool = False


def key(recorded: Recorded[SellerUpdated | UserDeleted]) -> str:
    """The seller's id."""
    return str(recorded.event.user_id)


def fold(
    row: SellerProfile | None, recorded: Recorded[SellerUpdated | UserDeleted]
) -> SellerProfile:
    """The seller's profile after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return SellerProfile(user_id=str(event.user_id), deleted=True)
    if row is None:
        row = SellerProfile(user_id=str(event.user_id))
    if row.deleted:
        return row
    changes: dict[str, Any] = {f"{name}_sealed": None for name in event.cleared}
    changes |= {f"{name}_sealed": told.text for name, told in event.sealed.stated().items()}
    return replace(row, version=recorded.version, **changes)


seller_profiles = Projection(
    name="seller_profiles",
    version=1,
    hears=(SellerUpdated, UserDeleted),
    key=key,
    fold=fold,
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
