"""Reviews: what somebody says of a seller, about one listing of theirs, and how many stars.

There is one review of a reviewer and a listing, so its id follows from both. What is said is
sealed with the reviewer's key; the stars are not personal, and stay when the reviewer leaves.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.contexts import Context
from schemas.messages import Command, Event
from schemas.numbers import NUMBER
from schemas.profiles import TextMark
from schemas.texts import SEALED, each_text

RATING_MAX = 5  # stars
TITLE_LENGTH_MAX = 120  # characters
CONTENT_LENGTH_MAX = 2_000
REVIEWS = UUID("3f1d8a64-5b0c-5c7e-9a41-7d2e6b90c1f5")  # the namespace of their ids

Rating = Annotated[int, Field(ge=1, le=RATING_MAX), NUMBER]
# 2,000 characters of any script: 8,000 bytes, and a third more in base64.
SealedWords = Annotated[str, StringConstraints(max_length=11_000)]
ReviewTextName = Literal["title", "content"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReviewText(_Value):
    """A text of the reviewer's that only their key opens. Sealed again it looks different;
    `mark` tells whether two are the same, and nothing else.
    """

    text: SealedWords
    mark: TextMark


class ReviewTexts(_Value):
    """What is said besides the stars; None: nothing."""

    title: ReviewText | None = None
    content: ReviewText | None = None


def review_id_of(listing_id: UUID, reviewer_id: UUID) -> UUID:
    """The one review that somebody may write about a listing."""
    return uuid5(REVIEWS, f"{listing_id}/{reviewer_id}")


def review_stream(review_id: UUID | str) -> str:
    """The stream of one review."""
    return f"review/{review_id}"


class _ReviewCommand(Command):
    review_id: UUID

    @property
    def stream_id(self) -> str:
        return review_stream(self.review_id)


class CreateReview(_ReviewCommand):
    """Say what one thinks of a listing's seller."""

    kind: Literal["review.create"] = "review.create"
    listing_id: UUID
    seller_id: UUID
    rating: Rating
    sealed: Annotated[ReviewTexts, each_text(SEALED)]


class UpdateReview(_ReviewCommand):
    """State another rating or the texts in `sealed`, empty those named in `clear`."""

    kind: Literal["review.update"] = "review.update"
    rating: Rating | None = None
    sealed: Annotated[ReviewTexts, each_text(SEALED)]
    clear: Annotated[tuple[ReviewTextName, ...], Field(max_length=2)] = ()


class DeleteReview(_ReviewCommand):
    """Take it back."""

    kind: Literal["review.delete"] = "review.delete"


ReviewCommand: TypeAlias = CreateReview | UpdateReview | DeleteReview


class _ReviewEvent(Event):
    """`seller_id` is in each, so that a seller's figures need no look at the review before."""

    review_id: UUID
    seller_id: UUID


class ReviewCreated(_ReviewEvent):
    """Somebody has said what they think, for the first time or after they took it back."""

    kind: Literal["review.created"] = "review.created"
    listing_id: UUID
    reviewer_id: UUID
    rating: Rating
    sealed: ReviewTexts
    created_at: AwareDatetime


class ReviewUpdated(_ReviewEvent):
    """The reviewer says something else; `rating` and `sealed` are all that is said now."""

    kind: Literal["review.updated"] = "review.updated"
    rating: Rating
    previous_rating: Rating
    sealed: ReviewTexts
    updated_at: AwareDatetime


class ReviewDeleted(_ReviewEvent):
    """It was taken back, or away by the staff, and `rating`, its last one, counts no more."""

    kind: Literal["review.deleted"] = "review.deleted"
    rating: Rating
    by_staff: bool = False
    deleted_at: AwareDatetime


ReviewEvent: TypeAlias = ReviewCreated | ReviewUpdated | ReviewDeleted

CONTEXT = Context("reviews", get_args(ReviewCommand), get_args(ReviewEvent))
