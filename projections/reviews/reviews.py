"""Reviews, and the lists of a seller's and a listing's. Postgres, one row per review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.recorded import Recorded
from schemas.reviews import (
    ReviewCreated,
    ReviewDeleted,
    ReviewEvent,
    ReviewTexts,
    ReviewUpdated,
)


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody says of a seller, sealed with their own key, and how many stars. `rating` is
    kept of a deleted one, whose texts are gone.
    """

    listing_id: str
    seller_id: str
    reviewer_id: str
    version: int
    rating: int
    title_sealed: str | None
    content_sealed: str | None
    created_at: datetime
    updated_at: datetime
    deleted: bool = False


def key(recorded: Recorded[ReviewEvent]) -> str:
    """The review's id."""
    return str(recorded.event.review_id)


def fold(row: Review | None, recorded: Recorded[ReviewEvent]) -> Review | None:
    """The review after the event. A deleted one keeps its row: links to it answer 410."""
    event = recorded.event
    match event:
        case ReviewCreated():
            return Review(
                listing_id=str(event.listing_id),
                seller_id=str(event.seller_id),
                reviewer_id=str(event.reviewer_id),
                version=recorded.version,
                rating=event.rating,
                created_at=event.created_at,
                updated_at=event.created_at,
                **_texts(event.sealed),
            )
        case ReviewUpdated():
            changes: dict[str, Any] = {"rating": event.rating, "updated_at": event.updated_at}
            changes |= _texts(event.sealed)
        case ReviewDeleted():
            changes = {"deleted": True, "updated_at": event.deleted_at, **_texts(ReviewTexts())}
        case _:
            assert_never(event)
    return row and replace(row, version=recorded.version, **changes)


def _texts(sealed: ReviewTexts) -> dict[str, Any]:
    return {
        "title_sealed": sealed.title and sealed.title.text,
        "content_sealed": sealed.content and sealed.content.text,
    }


table = Table("reviews", MetaData(), *columns_of(Review))
for _subject in ("seller_id", "listing_id"):
    Index(
        f"of_{_subject}",
        table.c[_subject],
        table.c.created_at.desc(),
        table.c.key.desc(),
        postgresql_where=~table.c.deleted,
    )

reviews = Projection(
    name="reviews",
    version=1,
    hears=get_args(ReviewEvent),
    key=key,
    fold=fold,
    erased_by=(ReviewDeleted,),
    row=Review,
    target=PostgresTable(table),
)


class Subject(StrEnum):
    """What a list of reviews is about."""

    SELLER = "seller_id"
    LISTING = "listing_id"


@dataclass(frozen=True)
class Wanted:
    """Which reviews of a subject: with `rating` stars, or None for any."""

    subject: Subject
    id: str
    rating: int | None = None


_REVIEW = """
    SELECT review.*, coalesce(reviewer.status IN ('pending', 'active'), false) AS reviewer_is_here
    FROM reads.reviews AS review LEFT JOIN reads.users AS reviewer
      ON reviewer.key = review.reviewer_id
"""
_NEWEST = f"""
    {_REVIEW} WHERE review.{{subject}} = $1 AND NOT review.deleted
      AND ($2::bigint IS NULL OR review.rating = $2) {{after}}
    ORDER BY review.created_at DESC, review.key DESC {{limit}}
"""


async def by_id(reads: Reads, review_id: str) -> Mapping[str, Any] | None:
    """One review, a deleted one too; `reviewer_is_here` tells whether others see who wrote it."""
    return await reads.fetchrow(f"{_REVIEW} WHERE review.key = $1", review_id)


async def newest(reads: Reads, wanted: Wanted, part: Slice) -> Sequence[Mapping[str, Any]]:
    """The reviews that stand, the last written first."""
    query = _NEWEST.replace("{subject}", wanted.subject)
    order = "review.created_at, review.key"
    return await fetch_slice(reads, query, order, part, wanted.id, wanted.rating)
