"""Reviews: what somebody says of a seller, about one listing of theirs, and how many stars; what
the seller responds, and whom it helped.

There is one review of a reviewer and a listing, so its id follows from both. What is said is
sealed with the key of whoever says it; the stars are not personal, and stay when the reviewer
leaves. A vote is a stream of its own, one of a review and a voter: a review that many vote on
stays short.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.profiles import TextMark
from schemas.values.numbers import NUMBER
from schemas.values.texts import SEALED, each_text

RATING_MAX = 5  # stars
TITLE_LENGTH_MAX = 120  # characters
CONTENT_LENGTH_MAX = 2_000
RESPONSE_LENGTH_MIN, RESPONSE_LENGTH_MAX = 10, 1_000
REVIEWS = UUID("3f1d8a64-5b0c-5c7e-9a41-7d2e6b90c1f5")  # the namespace of their ids
VOTES = UUID("8c27b0d5-1e94-5f3a-b6d8-05a9e1c4f772")  # of their votes' ids

Rating = Annotated[int, Field(ge=1, le=RATING_MAX), NUMBER]
# 2,000 characters of any script: 8,000 bytes, and a third more in base64.
SealedWords = Annotated[str, StringConstraints(max_length=11_000)]
SealedId = Annotated[str, StringConstraints(max_length=200)]
ReviewTextName = Literal["title", "content"]


class Vote(StrEnum):
    """Whether a review helped somebody."""

    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReviewText(_Value):
    """A text that only the key of whoever says it opens. Sealed again it looks different;
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


def vote_id_of(review_id: UUID, voter_id: UUID) -> UUID:
    """The one vote that somebody has on a review."""
    return uuid5(VOTES, f"{review_id}/{voter_id}")


def vote_stream(vote_id: UUID | str) -> str:
    """The stream of one vote."""
    return f"review_vote/{vote_id}"


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


class RespondToReview(_ReviewCommand):
    """Say something to it, or something else than before."""

    kind: Literal["review.respond"] = "review.respond"
    content: Annotated[ReviewText, each_text(SEALED)]


class WithdrawResponse(_ReviewCommand):
    """Take back what was said to it."""

    kind: Literal["review.withdraw_response"] = "review.withdraw_response"


class _VoteCommand(Command):
    vote_id: UUID
    review_id: UUID

    @property
    def stream_id(self) -> str:
        return vote_stream(self.vote_id)


class VoteOnReview(_VoteCommand):
    """Say whether a review helped; whose it is and of whom is stated, for neither votes on it."""

    kind: Literal["review.vote"] = "review.vote"
    reviewer_id: UUID
    seller_id: UUID
    vote: Vote
    user_id_sealed: Annotated[SealedId, SEALED]


class WithdrawVote(_VoteCommand):
    """Say nothing of it any more."""

    kind: Literal["review.withdraw_vote"] = "review.withdraw_vote"


ReviewCommand: TypeAlias = (
    CreateReview | UpdateReview | DeleteReview | RespondToReview | WithdrawResponse
)
VoteCommand: TypeAlias = VoteOnReview | WithdrawVote


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


class ReviewResponded(_ReviewEvent):
    """The seller has said something to it, sealed with their own key; the last word is theirs."""

    kind: Literal["review.responded"] = "review.responded"
    content: ReviewText
    responded_at: AwareDatetime


class ReviewResponseWithdrawn(_ReviewEvent):
    """The seller's response was taken back, or away by the staff."""

    kind: Literal["review.response_withdrawn"] = "review.response_withdrawn"
    by_staff: bool = False
    withdrawn_at: AwareDatetime


class _VoteEvent(Event):
    vote_id: UUID
    review_id: UUID


class ReviewVoted(_VoteEvent):
    """Somebody says whether a review helped; `previous` is what they said until now. Who it is
    only their own key tells: what a deleted person voted counts, and is nobody's.
    """

    kind: Literal["review.voted"] = "review.voted"
    user_id_sealed: SealedId
    vote: Vote
    previous: Vote | None = None
    voted_at: AwareDatetime


class ReviewVoteWithdrawn(_VoteEvent):
    """Somebody says nothing of it any more; `vote` counts no more."""

    kind: Literal["review.vote_withdrawn"] = "review.vote_withdrawn"
    vote: Vote
    withdrawn_at: AwareDatetime


RatingEvent: TypeAlias = ReviewCreated | ReviewUpdated | ReviewDeleted  # moves a seller's mean
ReviewEvent: TypeAlias = RatingEvent | ReviewResponded | ReviewResponseWithdrawn
VoteEvent: TypeAlias = ReviewVoted | ReviewVoteWithdrawn

CONTEXT = Context(
    "reviews",
    (*get_args(ReviewCommand), *get_args(VoteCommand)),
    (*get_args(ReviewEvent), *get_args(VoteEvent)),
)
