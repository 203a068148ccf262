"""What clients send of reviews and what they get, with examples."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.wire.changes import ChangedAnswer
from api.wire.forms import Body, Chosen
from schemas.reviews import (
    CONTENT_LENGTH_MAX,
    RESPONSE_LENGTH_MAX,
    RESPONSE_LENGTH_MIN,
    TITLE_LENGTH_MAX,
    Rating,
    Vote,
    review_id_of,
)
from schemas.values.texts import Line, Lines

Title = Annotated[str, Line(TITLE_LENGTH_MAX)]
Content = Annotated[str, Lines(CONTENT_LENGTH_MAX)]
ResponseContent = Annotated[str, Lines(RESPONSE_LENGTH_MAX, RESPONSE_LENGTH_MIN)]

_LISTING_ID = "01980000-0000-7000-8000-000000000001"
_REVIEWER_ID = "01980000-0000-7000-8000-00000000000a"
_SELLER_ID = "01980000-0000-7000-8000-00000000000b"
_REVIEW_ID = str(review_id_of(UUID(_LISTING_ID), UUID(_REVIEWER_ID)))
_SAID: dict[str, Any] = {
    "rating": 4,
    "title": "As described",
    "content": "The car was what the photos showed.",
}
_RESPONSE: dict[str, Any] = {"content": "Thank you. Drive it well."}
REVIEW = {
    "id": _REVIEW_ID,
    "listing_id": _LISTING_ID,
    "seller_id": _SELLER_ID,
    "reviewer_id": _REVIEWER_ID,
    "reviewer_name": "Nimal Perera",
    **_SAID,
    "verified_buyer": True,
    "helpful": 3,
    "unhelpful": 0,
    "response": {
        **_RESPONSE,
        "responded_at": "2026-03-02T08:00:00Z",
        "edited_at": None,
    },
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "version": 2,
}
VOTE: dict[str, Any] = {"vote": "helpful"}
STATS = {
    "seller_id": _SELLER_ID,
    "mean": 4.5,
    "count": 4,
    "distribution": {"1": 0, "2": 0, "3": 1, "4": 0, "5": 3},
    "verified_share": 0.75,
    "last_30_days": {"mean": 5.0, "count": 1},
    "last_90_days": {"mean": 4.0, "count": 2},
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


class NewResponse(Body):
    """What the seller says to it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RESPONSE]})

    content: ResponseContent


class NewVote(Body):
    """Whether it helped."""

    model_config = ConfigDict(json_schema_extra={"examples": [VOTE]})

    vote: Vote


class ResponseAnswer(BaseModel):
    """What the seller says to a review. `content` is gone with a deleted account."""

    content: str | None
    responded_at: AwareDatetime
    edited_at: AwareDatetime | None


class ReviewAnswer(BaseModel):
    """A review. `reviewer_name` is null of whoever is not here any more; the texts are gone with
    a deleted account. `verified_buyer`: the listing was sold to the reviewer. `helpful` and
    `unhelpful` count votes, of which `version` knows nothing.
    """

    id: UUID
    listing_id: UUID
    seller_id: UUID
    reviewer_id: UUID
    reviewer_name: str | None
    rating: Rating
    title: str | None
    content: str | None
    verified_buyer: bool
    helpful: int = Field(ge=0)
    unhelpful: int = Field(ge=0)
    response: ResponseAnswer | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int = Field(ge=1)


class ReviewsAnswer(BaseModel):
    """A page of reviews, the last written or the most helpful first."""

    items: list[ReviewAnswer]
    next_cursor: str | None


class MeanAnswer(BaseModel):
    """The mean of so many reviews' stars; null of none."""

    mean: float | None
    count: int = Field(ge=0)


class SellerStatsAnswer(MeanAnswer):
    """What the reviews of a seller say, in figures. `distribution` has how many give how many
    stars; `verified_share` is that of reviews whose writer was the buyer.
    """

    seller_id: UUID
    distribution: dict[str, int]
    verified_share: float | None = Field(ge=0, le=1)
    last_30_days: MeanAnswer
    last_90_days: MeanAnswer


class VoteAnswer(BaseModel):
    """What you say of a review; null: nothing."""

    vote: Vote | None


class ReviewChangedAnswer(ChangedAnswer):
    """Its version now."""
