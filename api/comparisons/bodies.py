"""What clients get of comparisons, with examples."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.listings.sight import SUMMARY, ListingSummary, SeenStatus
from api.wire.changes import ChangedAnswer

LISTING_ID = "01980000-0000-7000-8000-000000000001"
CHANGED = {"id": LISTING_ID, "version": 1}
COMPARED: dict[str, Any] = {"listing_id": LISTING_ID, "status": "active", "listing": SUMMARY}
_GONE_ID = "01980000-0000-7000-8000-000000000002"
TABLE: dict[str, Any] = {
    "items": [COMPARED, {"listing_id": _GONE_ID, "status": "gone", "listing": None}],
    "rows": [{"name": "year", "values": [2019, None], "differs": False, "best": [0]}],
    "common_features": ["Sunroof"],
    "unique_features": [[], None],
    "price_position": [1, None],
}
_GONE = "`gone`: it can't be seen any more, and nothing of it is told"


class ComparisonChangedAnswer(ChangedAnswer):
    """The listing, and the version that the caller's comparison has now."""


class ComparedListing(BaseModel):
    """One of those compared, with what a list tells of the listing."""

    listing_id: UUID | None = Field(description="Null to others when it is gone")
    status: SeenStatus = Field(description=_GONE)
    listing: ListingSummary | None = Field(description="Null when it is gone")


class AddedListing(ComparedListing):
    """The same, and since when it is compared."""

    added_at: AwareDatetime


class ComparisonAnswer(BaseModel):
    """What is compared, the first added first."""

    items: list[AddedListing]


class ComparisonCountAnswer(BaseModel):
    """How many are compared, gone ones too."""

    count: int


class ComparedFact(BaseModel):
    """What each of the listings says, in the order of `items`; null means "not stated"."""

    name: str
    values: list[bool | int | str | list[str] | None]
    differs: bool = Field(description="Whether two of them say unlike things")
    best: list[int] | None = Field(
        description="The places of those with the best value, from 0: the lowest price of one "
        "currency, the lowest mileage, the fewest owners, the newest year, the most power; a "
        "warranty, no accident. Null where none is better than another"
    )


class ComparisonTableAnswer(BaseModel):
    """What is compared, and what tells it apart."""

    items: list[ComparedListing]
    rows: list[ComparedFact]
    common_features: list[str] = Field(description="Of all that are not gone")
    unique_features: list[list[str] | None] = Field(
        description="Of each of the listings those that no other has; null: it states none"
    )
    price_position: list[int | None] = Field(
        description="The rank of each price, 1 for the lowest; null without one, and for all when "
        "they are in several currencies"
    )


class SharedComparisonAnswer(ComparisonTableAnswer):
    """What somebody compared, of whom only the name is told."""

    owner_name: str
    expires_at: AwareDatetime
