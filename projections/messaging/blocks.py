"""Whom somebody has blocked. Postgres, one row per person: an event changes one row, and a deletion
empties it. The table `blocked_users` of the source design is a view over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.messaging.blocks import UserBlocked, UserUnblocked

Heard: TypeAlias = UserBlocked | UserUnblocked | UserDeleted


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocked, each once, and since when, the last blocked last. Of a deleted person nothing is
    left but that they are.
    """

    blocked_ids: tuple[str, ...] = ()
    blocked_at: tuple[datetime, ...] = ()
    version: int = 0
    deleted: bool = False


def key(recorded: Recorded[Heard]) -> str:
    """The id of whoever has blocked somebody."""
    event = recorded.event
    return str(event.user_id if isinstance(event, UserDeleted) else event.blocker_id)


def fold(row: Blocks | None, recorded: Recorded[Heard]) -> Blocks:
    """The list after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return Blocks(deleted=True)
    row = row or Blocks()
    if row.deleted:
        return row
    row = _without(row, str(event.blocked_id))
    match event:
        case UserBlocked(blocked_id=blocked_id, blocked_at=at):
            row = replace(
                row,
                blocked_ids=(*row.blocked_ids, str(blocked_id)),
                blocked_at=(*row.blocked_at, at),
            )
        case UserUnblocked():
            pass
        case _:
            assert_never(event)
    return replace(row, version=recorded.version)


def _without(row: Blocks, user_id: str) -> Blocks:
    if user_id not in row.blocked_ids:
        return row
    place = row.blocked_ids.index(user_id)
    return replace(
        row,
        blocked_ids=row.blocked_ids[:place] + row.blocked_ids[place + 1 :],
        blocked_at=row.blocked_at[:place] + row.blocked_at[place + 1 :],
    )


# The source design's columns. An id follows from the two people: there is one block of them.
BLOCKED_USERS_VIEW = """
    CREATE OR REPLACE VIEW reads.blocked_users AS
    SELECT md5(own.key || one.blocked_user_id)::uuid AS id, own.key AS user_id,
           one.blocked_user_id, one.created_at
    FROM {view} AS own CROSS JOIN LATERAL
        unnest(own.blocked_ids, own.blocked_at) AS one (blocked_user_id, created_at)
"""

blocks = Projection(
    name="blocks",
    version=1,
    hears=(UserBlocked, UserUnblocked, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=Blocks,
    target=PostgresTable(
        Table("blocks", MetaData(), *columns_of(Blocks)), extras=(BLOCKED_USERS_VIEW,)
    ),
)

_HAS_BLOCKED = "SELECT FROM reads.blocks WHERE key = $1 AND blocked_ids @> ARRAY[$2]"
# Each of the two lists is looked up by its key.
_APART = """
    SELECT key AS other FROM reads.blocks
    WHERE key = ANY($2::text[]) AND blocked_ids @> ARRAY[$1]
    UNION
    SELECT other FROM reads.blocks CROSS JOIN LATERAL unnest(blocked_ids) AS other
    WHERE key = $1 AND other = ANY($2::text[])
"""
_OF_OWNER = """
    SELECT one.user_id, one.blocked_at FROM reads.blocks AS own
    CROSS JOIN LATERAL unnest(own.blocked_ids, own.blocked_at) AS one (user_id, blocked_at)
    WHERE own.key = $1 {after} ORDER BY one.blocked_at DESC, one.user_id DESC {limit}
"""


async def has_blocked(reads: Reads, user_id: str, other_id: str) -> bool:
    """Whether the first of the two has blocked the other one."""
    return await reads.fetchrow(_HAS_BLOCKED, user_id, other_id) is not None


async def apart(reads: Reads, user_id: str, others: Sequence[str]) -> frozenset[str]:
    """Which of the others have blocked somebody or are blocked by them."""
    rows = await reads.fetch(_APART, user_id, others)
    return frozenset(row["other"] for row in rows)


async def of_owner(reads: Reads, user_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """Whom somebody has blocked, the last blocked first."""
    return await fetch_slice(reads, _OF_OWNER, "one.blocked_at, one.user_id", part, user_id)
