"""What may happen to a review, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.reviews.reviews import reviews
from schemas.log.messages import Role
from schemas.reviews import (
    CreateReview,
    DeleteReview,
    ReviewCreated,
    ReviewDeleted,
    ReviewText,
    ReviewTexts,
    ReviewUpdated,
    UpdateReview,
    review_id_of,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LISTING, REVIEWER, SELLER, OTHER = (UUID(int=number) for number in range(1, 5))
ID = review_id_of(LISTING, REVIEWER)

spec = Spec(reviews)


def text(words: str, *, mark: str = "") -> ReviewText:
    """Sealed, as far as the rules can tell."""
    return ReviewText(
        text=words.replace(" ", "-"), mark=(mark or words).encode().hex().ljust(64, "0")
    )


SAID = ReviewTexts(title=text("title"), content=text("content"))
CREATED = ReviewCreated(
    review_id=ID,
    seller_id=SELLER,
    listing_id=LISTING,
    reviewer_id=REVIEWER,
    rating=4,
    sealed=SAID,
    created_at=NOW,
)
DELETED = ReviewDeleted(review_id=ID, seller_id=SELLER, rating=4, deleted_at=NOW)
REMOVED = DELETED.model_copy(update={"by_staff": True})


def asked(by: UUID = REVIEWER, role: Role = Role.BUYER) -> dict[str, Any]:
    return {"asked_at": NOW, "asked_by": str(by), "asked_role": role}


def create(**more: Any) -> CreateReview:
    ids = {"review_id": ID, "listing_id": LISTING, "seller_id": SELLER}
    return CreateReview(**{**ids, "rating": 4, "sealed": SAID, **asked(), **more})


def update(**more: Any) -> UpdateReview:
    return UpdateReview(**{"review_id": ID, "sealed": ReviewTexts(), **asked(), **more})


def delete(**who: Any) -> DeleteReview:
    return DeleteReview(review_id=ID, **asked(**who))


def updated(rating: int, before: int, texts: ReviewTexts = SAID) -> ReviewUpdated:
    return ReviewUpdated(
        review_id=ID,
        seller_id=SELLER,
        rating=rating,
        previous_rating=before,
        sealed=texts,
        updated_at=NOW,
    )


def test_RV_01_whoever_saw_a_listing_says_what_they_think() -> None:
    spec.given().when(create()).then(CREATED)


def test_RV_01_nobody_reviews_themselves() -> None:
    own = create(review_id=review_id_of(LISTING, SELLER), **asked(SELLER, Role.SELLER))
    spec.given().when(own).refused("own_listing", 403)


def test_RV_01_there_is_one_review_of_a_listing_by_one_reviewer() -> None:
    spec.given(CREATED).when(create(rating=5)).refused("review_exists")


def test_RV_01_nobody_writes_in_the_name_or_place_of_another() -> None:
    spec.given().when(create(**asked(OTHER))).refused("review_unknown", 404)
    spec.given().when(create(**asked(role=Role.SYSTEM))).refused("role_not_allowed", 403)


@pytest.mark.parametrize("rating", [0, 6, -1])
def test_RV_01_stars_are_one_to_five(rating: int) -> None:
    with pytest.raises(ValueError, match="rating"):
        create(rating=rating)


def test_RV_01_what_was_taken_back_may_be_written_anew() -> None:
    spec.given(CREATED, DELETED).when(create()).then(CREATED)


def test_RV_03_what_the_staff_took_away_stays_away() -> None:
    spec.given(CREATED, REMOVED).when(create()).refused("removed_by_staff", 403)


def test_RV_03_staff_may_take_back_what_they_wrote_themselves() -> None:
    spec.given(CREATED).when(delete(role=Role.ADMIN)).then(DELETED)


def test_RV_02_its_author_says_something_else() -> None:
    spec.given(CREATED).when(update(rating=2)).then(updated(2, 4))
    other = ReviewTexts(content=text("other"))
    after = SAID.model_copy(update={"content": text("other")})
    spec.given(CREATED).when(update(sealed=other)).then(updated(4, 4, after))
    after = SAID.model_copy(update={"title": None})
    spec.given(CREATED).when(update(clear=("title",))).then(updated(4, 4, after))


def test_RV_02_what_is_said_again_is_no_change() -> None:
    again = ReviewTexts(content=text("sealed otherwise", mark="content"))
    spec.given(CREATED).when(update(rating=4, sealed=again)).then()
    spec.given(CREATED).when(update()).then()
    spec.given(CREATED, updated(2, 4)).when(update(rating=4)).then(updated(4, 2))


def test_RV_02_a_text_is_not_both_stated_and_emptied() -> None:
    both = update(sealed=ReviewTexts(title=text("title")), clear=("title",))
    spec.given(CREATED).when(both).refused("invalid_field", 422, ["/title"])


@pytest.mark.parametrize("role", [Role.BUYER, Role.SELLER, Role.MODERATOR, Role.ADMIN])
def test_RV_02_nobody_else_changes_it(role: Role) -> None:
    spec.given(CREATED).when(update(rating=1, **asked(OTHER, role))).refused("not_owner", 403)


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN])
def test_RV_03_its_author_and_the_staff_take_it_away(role: Role) -> None:
    spec.given(CREATED).when(delete()).then(DELETED)
    spec.given(CREATED).when(delete(by=OTHER, role=role)).then(REMOVED)
    spec.given(CREATED).when(delete(by=SELLER, role=Role.SELLER)).refused("not_owner", 403)


def test_RV_03_it_counts_with_its_last_rating() -> None:
    after = DELETED.model_copy(update={"rating": 2})
    spec.given(CREATED, updated(2, 4)).when(delete()).then(after)


@pytest.mark.parametrize("command", [update(rating=1), delete()], ids=lambda each: each.kind)
def test_RV_02_RV_03_what_is_not_there_is_not_changed(command: Any) -> None:
    spec.given().when(command).refused("review_unknown", 404)
    spec.given(CREATED, DELETED).when(command).refused("review_deleted", 410)
