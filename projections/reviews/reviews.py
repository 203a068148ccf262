"""Reviews with what sellers respond and how many they helped, and the lists of a seller's and a
listing's. Postgres, one row per review; the view review_responses has one per response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.listings import ListingSold
from schemas.log.recorded import Recorded
from schemas.reviews import (
    ReviewCreated,
    ReviewDeleted,
    ReviewEvent,
    ReviewResponded,
    ReviewResponseWithdrawn,
    ReviewTexts,
    ReviewUpdated,
    ReviewVoted,
    ReviewVoteWithdrawn,
    Vote,
    VoteEvent,
    review_id_of,
)

Heard: TypeAlias = ReviewEvent | VoteEvent | ListingSold


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody says of a seller, sealed with their own key, how many stars, and what the
    seller responds, sealed with theirs. `rating` is kept of a deleted one, whose texts are gone.

    Votes and the sale to the reviewer come from other streams, before the review or after it, and
    stay whatever becomes of it. Without a `version` nobody has written it: there are only those.
    """

    version: int = 0
    listing_id: str | None = None
    seller_id: str | None = None
    reviewer_id: str | None = None
    rating: int | None = None
    title_sealed: str | None = None
    content_sealed: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted: bool = False
    verified_buyer: bool = False
    helpful: int = 0
    unhelpful: int = 0
    response_sealed: str | None = None
    responded_at: datetime | None = None
    response_edited_at: datetime | None = None


def key(recorded: Recorded[Heard]) -> str:
    """The review's id: of a sale that of the one review which its buyer may write."""
    event = recorded.event
    if not isinstance(event, ListingSold):
        return str(event.review_id)
    if event.buyer_id is None:
        return str(event.listing_id)  # a sale to nobody known makes no row
    return str(review_id_of(event.listing_id, event.buyer_id))


def fold(row: Review | None, recorded: Recorded[Heard]) -> Review | None:
    """The review after the event. A deleted one keeps its row: links to it answer 410.

    Votes are counted by whole differences, so the order in which their streams come is all one.
    """
    event = recorded.event
    match event:
        case ListingSold(buyer_id=buyer_id):
            return row if buyer_id is None else replace(row or Review(), verified_buyer=True)
        case ReviewVoted(vote=vote, previous=previous):
            return _counted(row or Review(), vote, previous)
        case ReviewVoteWithdrawn(vote=vote):
            return _counted(row or Review(), None, vote)
        case ReviewCreated():
            return _written(row or Review(), event, recorded.version)
    if row is None or not row.version:
        return row
    return replace(row, version=recorded.version, **_changes(row, event))


def _counted(row: Review, vote: Vote | None, previous: Vote | None) -> Review:
    return replace(
        row,
        helpful=row.helpful + (vote is Vote.HELPFUL) - (previous is Vote.HELPFUL),
        unhelpful=row.unhelpful + (vote is Vote.UNHELPFUL) - (previous is Vote.UNHELPFUL),
    )


def _written(row: Review, event: ReviewCreated, version: int) -> Review:
    return Review(
        version=version,
        listing_id=str(event.listing_id),
        seller_id=str(event.seller_id),
        reviewer_id=str(event.reviewer_id),
        rating=event.rating,
        created_at=event.created_at,
        updated_at=event.created_at,
        verified_buyer=row.verified_buyer,
        helpful=row.helpful,
        unhelpful=row.unhelpful,
        **_texts(event.sealed),
    )


def _changes(
    row: Review, event: ReviewUpdated | ReviewDeleted | ReviewResponded | ReviewResponseWithdrawn
) -> dict[str, Any]:
    match event:
        case ReviewUpdated():
            changes = {"rating": event.rating, "updated_at": event.updated_at}
            return {**changes, **_texts(event.sealed)}
        case ReviewDeleted():
            gone = {**_texts(ReviewTexts()), **_NO_RESPONSE}
            return {"deleted": True, "updated_at": event.deleted_at, **gone}
        case ReviewResponded(content=content, responded_at=at):
            times = "responded_at" if row.responded_at is None else "response_edited_at"
            return {"response_sealed": content.text, times: at}
        case ReviewResponseWithdrawn():
            return _NO_RESPONSE
        case _:
            assert_never(event)


_NO_RESPONSE: dict[str, Any] = dict.fromkeys(
    ("response_sealed", "responded_at", "response_edited_at")
)


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
Index(
    "of_seller_by_help",
    table.c.seller_id,
    table.c.helpful.desc(),
    table.c.created_at.desc(),
    table.c.key.desc(),
    postgresql_where=~table.c.deleted,
)

RESPONSES_VIEW = """
    CREATE OR REPLACE VIEW reads.review_responses AS
    SELECT key AS id, key AS review_id, seller_id, response_sealed AS content_sealed,
           responded_at AS created_at
    FROM {view} WHERE responded_at IS NOT NULL
"""

reviews = Projection(
    name="reviews",
    version=2,
    hears=(*get_args(ReviewEvent), *get_args(VoteEvent), ListingSold),
    key=key,
    fold=fold,
    erased_by=(ReviewDeleted,),
    row=Review,
    target=PostgresTable(table, extras=(RESPONSES_VIEW,)),
)


class Subject(StrEnum):
    """What a list of reviews is about."""

    SELLER = "seller_id"
    LISTING = "listing_id"


class ReviewSort(StrEnum):
    """What stands first in a list of reviews."""

    RECENT = "recent"
    HELPFUL = "helpful"


# Each ends with what no two reviews have in common: pages neither repeat nor hide any.
ORDERS: Mapping[ReviewSort, tuple[str, ...]] = {
    ReviewSort.RECENT: ("created_at", "key"),
    ReviewSort.HELPFUL: ("helpful", "created_at", "key"),
}


@dataclass(frozen=True)
class Wanted:
    """Which reviews of a subject: with `rating` stars, or None for any."""

    subject: Subject
    id: str
    rating: int | None = None
    sort: ReviewSort = ReviewSort.RECENT


_REVIEW = """
    SELECT review.*, coalesce(reviewer.status IN ('pending', 'active'), false) AS reviewer_is_here
    FROM reads.reviews AS review LEFT JOIN reads.users AS reviewer
      ON reviewer.key = review.reviewer_id
"""
_LISTED = f"""
    {_REVIEW} WHERE review.{{subject}} = $1 AND NOT review.deleted
      AND ($2::bigint IS NULL OR review.rating = $2) {{after}}
    ORDER BY {{order}} {{limit}}
"""


async def by_id(reads: Reads, review_id: str) -> Mapping[str, Any] | None:
    """One review, a deleted one too; `reviewer_is_here` tells whether others see who wrote it."""
    query = f"{_REVIEW} WHERE review.key = $1 AND review.version > 0"
    return await reads.fetchrow(query, review_id)


async def listed(reads: Reads, wanted: Wanted, part: Slice) -> Sequence[Mapping[str, Any]]:
    """The reviews that stand, in the order that is wanted."""
    columns = [f"review.{name}" for name in ORDERS[wanted.sort]]
    order = ", ".join(f"{column} DESC" for column in columns)
    query = _LISTED.replace("{subject}", wanted.subject).replace("{order}", order)
    return await fetch_slice(reads, query, ", ".join(columns), part, wanted.id, wanted.rating)
