"""Who says that a review helped, or did not. Postgres, one row per vote that stands.

How many do is counted in `reviews`. A row is found by its id, which follows from review and voter,
and says who voted to nobody but the voter: the id of theirs is sealed with their own key. The vote of
somebody who is erased counts. The log's envelope names whoever gave a command by their id, here as
everywhere; once they are erased that is an id of nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.log.recorded import Recorded
from schemas.reviews import ReviewVoted, ReviewVoteWithdrawn, Vote, VoteEvent


@dataclass(frozen=True, slots=True)
class ReviewVote:
    """What somebody says of a review now."""

    review_id: str
    user_id_sealed: str
    vote_type: Vote
    voted_at: datetime


def key(recorded: Recorded[VoteEvent]) -> str:
    """The vote's id: one of a review and a voter."""
    return str(recorded.event.vote_id)


def fold(_row: ReviewVote | None, recorded: Recorded[VoteEvent]) -> ReviewVote | None:
    """The vote after the event; nothing is kept of one that was withdrawn."""
    event = recorded.event
    match event:
        case ReviewVoted():
            return ReviewVote(
                review_id=str(event.review_id),
                user_id_sealed=event.user_id_sealed,
                vote_type=event.vote,
                voted_at=event.voted_at,
            )
        case ReviewVoteWithdrawn():
            return None
        case _:
            assert_never(event)


review_votes = Projection(
    name="review_votes",
    version=1,
    hears=get_args(VoteEvent),
    key=key,
    fold=fold,
    row=ReviewVote,
    target=PostgresTable(Table("review_votes", MetaData(), *columns_of(ReviewVote))),
)


async def by_id(reads: Reads, vote_id: str) -> Mapping[str, Any] | None:
    """One vote that stands."""
    return await reads.fetchrow("SELECT vote_type FROM reads.review_votes WHERE key = $1", vote_id)
