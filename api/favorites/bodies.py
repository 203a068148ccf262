"""What clients get of favourites, with examples."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.listings.sight import SUMMARY, ListingSummary, SeenStatus
from api.wire.changes import ChangedAnswer

LISTING_ID = "01980000-0000-7000-8000-000000000001"
CHANGED = {"id": LISTING_ID, "version": 1}
SAVED: dict[str, Any] = {
    "listing_id": LISTING_ID,
    "added_at": "2026-03-01T12:00:00Z",
    "status": "active",
    "listing": SUMMARY,
}
_GONE = "`gone`: it can't be seen any more, and nothing of it is told"


class FavoriteChangedAnswer(ChangedAnswer):
    """The listing, and the version that the caller's favourites have now."""


class FavoriteAnswer(BaseModel):
    """Whether a listing is among the caller's favourites, and since when."""

    is_favorite: bool
    added_at: AwareDatetime | None


class SavedListing(BaseModel):
    """A favourite, with what a list tells of the listing."""

    listing_id: UUID | None = Field(description="Null to others when it is gone")
    added_at: AwareDatetime
    status: SeenStatus = Field(description=_GONE)
    listing: ListingSummary | None = Field(description="Null when it is gone")


class FavoritesAnswer(BaseModel):
    """A page of favourites, the last added first."""

    items: list[SavedListing]
    next_cursor: str | None


class SharedWishlistAnswer(FavoritesAnswer):
    """A page of somebody's favourites, of whom only the name is told."""

    owner_name: str
    expires_at: AwareDatetime
