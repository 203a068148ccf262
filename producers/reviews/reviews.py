"""What may happen to a review: whoever wrote it changes it, the reviewed seller responds, and each
or the staff take away what they said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.log.messages import Fault, Role
from schemas.reviews import (
    CreateReview,
    DeleteReview,
    RespondToReview,
    ReviewCommand,
    ReviewCreated,
    ReviewDeleted,
    ReviewEvent,
    ReviewResponded,
    ReviewResponseWithdrawn,
    ReviewText,
    ReviewTexts,
    ReviewUpdated,
    UpdateReview,
    WithdrawResponse,
    review_id_of,
)

STAFF = frozenset({Role.MODERATOR, Role.ADMIN})


@dataclass(frozen=True)
class Unwritten:
    """Nobody has said anything yet."""


@dataclass(frozen=True)
class Unanswered:
    """The seller says nothing to it."""


@dataclass(frozen=True)
class Answered:
    """The seller has had their say."""

    content: ReviewText


@dataclass(frozen=True)
class Silenced:
    """The staff took away what the seller had said, and that stands."""


Response: TypeAlias = Unanswered | Answered | Silenced


@dataclass(frozen=True)
class Written:
    """It stands for all to read."""

    seller_id: UUID
    reviewer_id: UUID
    rating: int
    texts: ReviewTexts
    response: Response = Unanswered()


@dataclass(frozen=True)
class Deleted:
    """It is gone. Whoever took their own back may write it anew, as the staff's word stands."""

    by_staff: bool


Review: TypeAlias = Unwritten | Written | Deleted


def decide(command: ReviewCommand, review: Review) -> Sequence[ReviewEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case CreateReview():
            return create(command, review)
        case UpdateReview():
            return update(command, review)
        case DeleteReview():
            return delete(command, review)
        case RespondToReview():
            return respond(command, review)
        case WithdrawResponse():
            return withdraw_response(command, review)
        case _:
            assert_never(command)


def create(command: CreateReview, review: Review) -> Sequence[ReviewEvent]:
    """One review of a listing by one reviewer, and none of one's own."""
    if command.asked_role is Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    reviewer_id = UUID(command.asked_by)
    if command.review_id != review_id_of(command.listing_id, reviewer_id):
        raise Rejected("review_unknown", 404)
    if reviewer_id == command.seller_id:
        raise Rejected("own_listing", 403)
    if isinstance(review, Written):
        raise Rejected("review_exists")
    if isinstance(review, Deleted) and review.by_staff:
        raise Rejected("removed_by_staff", 403)
    return [
        ReviewCreated(
            review_id=command.review_id,
            seller_id=command.seller_id,
            listing_id=command.listing_id,
            reviewer_id=reviewer_id,
            rating=command.rating,
            sealed=command.sealed,
            created_at=command.asked_at,
        )
    ]


def update(command: UpdateReview, review: Review) -> Sequence[ReviewEvent]:
    """Only by whoever wrote it, and only what differs is a fact."""
    found = _standing(review)
    if command.asked_by != str(found.reviewer_id):
        raise Rejected("not_owner", 403)
    both = [name for name in command.clear if getattr(command.sealed, name) is not None]
    if both:
        detail = "can't be both stated and emptied"
        faults = [Fault(pointer=f"/{name}", detail=detail) for name in sorted(both)]
        raise Rejected("invalid_field", 422, faults)
    rating = command.rating or found.rating
    texts = ReviewTexts(
        title=None if "title" in command.clear else _said(command.sealed.title, found.texts.title),
        content=None
        if "content" in command.clear
        else _said(command.sealed.content, found.texts.content),
    )
    if (rating, texts) == (found.rating, found.texts):
        return []
    return [
        ReviewUpdated(
            review_id=command.review_id,
            seller_id=found.seller_id,
            rating=rating,
            previous_rating=found.rating,
            sealed=texts,
            updated_at=command.asked_at,
        )
    ]


def delete(command: DeleteReview, review: Review) -> Sequence[ReviewEvent]:
    """By whoever wrote it, or the staff."""
    found = _standing(review)
    own = command.asked_by == str(found.reviewer_id)
    if not own and command.asked_role not in STAFF:
        raise Rejected("not_owner", 403)
    return [
        ReviewDeleted(
            review_id=command.review_id,
            seller_id=found.seller_id,
            rating=found.rating,
            by_staff=not own,
            deleted_at=command.asked_at,
        )
    ]


def respond(command: RespondToReview, review: Review) -> Sequence[ReviewEvent]:
    """Only by the seller of whom it speaks, once; said again it takes the place of the first."""
    found = _standing(review)
    if command.asked_by != str(found.seller_id):
        raise Rejected("not_reviewed", 403)
    match found.response:
        case Silenced():
            raise Rejected("removed_by_staff", 403)
        case Answered(content=content) if content.mark == command.content.mark:
            return []
        case Answered() | Unanswered():
            return [
                ReviewResponded(
                    review_id=command.review_id,
                    seller_id=found.seller_id,
                    content=command.content,
                    responded_at=command.asked_at,
                )
            ]
        case _:
            assert_never(found.response)


def withdraw_response(command: WithdrawResponse, review: Review) -> Sequence[ReviewEvent]:
    """By the seller whose it is, or the staff."""
    found = _standing(review)
    own = command.asked_by == str(found.seller_id)
    if not own and command.asked_role not in STAFF:
        raise Rejected("not_reviewed", 403)
    if not isinstance(found.response, Answered):
        raise Rejected("response_unknown", 404)
    return [
        ReviewResponseWithdrawn(
            review_id=command.review_id,
            seller_id=found.seller_id,
            by_staff=not own,
            withdrawn_at=command.asked_at,
        )
    ]


def _standing(review: Review) -> Written:
    match review:
        case Written():
            return review
        case Unwritten():
            raise Rejected("review_unknown", 404)
        case Deleted():
            raise Rejected("review_deleted", 410)
        case _:
            assert_never(review)


def _said(stated: ReviewText | None, before: ReviewText | None) -> ReviewText | None:
    """What is said now. The same text sealed again is the one from before."""
    if stated is None or (before is not None and stated.mark == before.mark):
        return before
    return stated


def evolve(review: Review, event: ReviewEvent) -> Review:
    """The review after the event. Never refuses: it has happened."""
    match event:
        case ReviewCreated():
            return Written(event.seller_id, event.reviewer_id, event.rating, event.sealed)
        case ReviewDeleted(by_staff=by_staff):
            return Deleted(by_staff)
        case ReviewUpdated() | ReviewResponded() | ReviewResponseWithdrawn():
            return _changed(review, event) if isinstance(review, Written) else review
        case _:
            assert_never(event)


def _changed(
    review: Written, event: ReviewUpdated | ReviewResponded | ReviewResponseWithdrawn
) -> Written:
    match event:
        case ReviewUpdated():
            return replace(review, rating=event.rating, texts=event.sealed)
        case ReviewResponded(content=content):
            return replace(review, response=Answered(content))
        case ReviewResponseWithdrawn(by_staff=by_staff):
            return replace(review, response=Silenced() if by_staff else Unanswered())
        case _:
            assert_never(event)


reviews: Decider[ReviewCommand, Review, ReviewEvent] = Decider(
    initial=Unwritten(), decide=decide, evolve=evolve
)
