"""What clients send of reviews and what they get, with examples."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.wire.changes import ChangedAnswer
from api.wire.forms import Body, Chosen
from schemas.reviews import CONTENT_LENGTH_MAX, TITLE_LENGTH_MAX, Rating, review_id_of
from schemas.texts import Line, Lines

Title = Annotated[str, Line(TITLE_LENGTH_MAX)]
Content = Annotated[str, Lines(CONTENT_LENGTH_MAX)]

_LISTING_ID = "01980000-0000-7000-8000-000000000001"
_REVIEWER_ID = "01980000-0000-7000-8000-00000000000a"
_SELLER_ID = "01980000-0000-7000-8000-00000000000b"
_REVIEW_ID = str(review_id_of(UUID(_LISTING_ID), UUID(_REVIEWER_ID)))
_SAID: dict[str, Any] = {
    "rating": 4,
    "title": "As described",
    "content": "The car was what the photos showed.",
}
REVIEW = {
    "id": _REVIEW_ID,
    "listing_id": _LISTING_ID,
    "seller_id": _SELLER_ID,
    "reviewer_id": _REVIEWER_ID,
    "reviewer_name": "Nimal Perera",
    **_SAID,
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "version": 1,
}
CHANGED = {"id": _REVIEW_ID, "version": 2}


class NewReview(Body):
    """What to say of the seller of which listing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"listing_id": _LISTING_ID, **_SAID}]}
    )

    listing_id: UUID
    rating: Rating
    title: Title | None = None
    content: Content | None = None


class ReviewChanges(Body):
    """What shall be different: a field that is left out stays, null empties a text."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rating": 3, "title": None}]})

    rating: Annotated[Rating | None, Chosen] = None
    title: Title | None = None
    content: Content | None = None


class ReviewAnswer(BaseModel):
    """A review. `reviewer_name` is null of whoever is not here any more; the texts are gone with
    a deleted account.
    """

    id: UUID
    listing_id: UUID
    seller_id: UUID
    reviewer_id: UUID
    reviewer_name: str | None
    rating: Rating
    title: str | None
    content: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int = Field(ge=1)


class ReviewsAnswer(BaseModel):
    """A page of reviews, the last written first."""

    items: list[ReviewAnswer]
    next_cursor: str | None


class ReviewChangedAnswer(ChangedAnswer):
    """Its version now."""
