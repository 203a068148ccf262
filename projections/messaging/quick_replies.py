"""Somebody's quick replies, sealed. Postgres, one row per person: an event changes one row, and a
deletion empties it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.messaging.quick_replies import QUICK_REPLIES_MAX, QuickReplyAdded, QuickReplyRemoved

Heard: TypeAlias = QuickReplyAdded | QuickReplyRemoved | UserDeleted


@dataclass(frozen=True, slots=True)
class QuickReplies:
    """The templates, what each says and since when it is kept, the last added last. Of a deleted
    person nothing is left but that they are.
    """

    template_ids: tuple[str, ...] = ()
    contents_sealed: tuple[str, ...] = ()
    added_at: tuple[datetime, ...] = ()
    version: int = 0
    deleted: bool = False


def key(recorded: Recorded[Heard]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: QuickReplies | None, recorded: Recorded[Heard]) -> QuickReplies:
    """The quick replies after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return QuickReplies(deleted=True)
    row = row or QuickReplies()
    if row.deleted:
        return row
    row = _without(row, str(event.template_id))
    match event:
        case QuickReplyAdded(template_id=template_id, content_sealed=content, added_at=at):
            row = replace(
                row,
                template_ids=(*row.template_ids, str(template_id)),
                contents_sealed=(*row.contents_sealed, content),
                added_at=(*row.added_at, at),
            )
        case QuickReplyRemoved():
            pass
        case _:
            assert_never(event)
    return replace(row, version=recorded.version)


def _without(row: QuickReplies, template_id: str) -> QuickReplies:
    kept = [place for place, each in enumerate(row.template_ids) if each != template_id]
    return replace(
        row,
        template_ids=tuple(row.template_ids[place] for place in kept),
        contents_sealed=tuple(row.contents_sealed[place] for place in kept),
        added_at=tuple(row.added_at[place] for place in kept),
    )


quick_replies = Projection(
    name="quick_replies",
    version=1,
    hears=(QuickReplyAdded, QuickReplyRemoved, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=QuickReplies,
    target=PostgresTable(Table("quick_replies", MetaData(), *columns_of(QuickReplies))),
)

_OF_OWNER = f"""
    SELECT one.template_id, one.content_sealed, one.added_at FROM reads.quick_replies AS own
    CROSS JOIN LATERAL unnest(own.template_ids, own.contents_sealed, own.added_at)
        AS one (template_id, content_sealed, added_at)
    WHERE own.key = $1 ORDER BY one.added_at DESC, one.template_id DESC LIMIT {QUICK_REPLIES_MAX}
"""  # noqa: S608 - our own figure
_ONE = """
    SELECT contents_sealed[array_position(template_ids, $2)] AS content_sealed
    FROM reads.quick_replies WHERE key = $1 AND template_ids @> ARRAY[$2]
"""


async def of_owner(reads: Reads, user_id: str) -> Sequence[Mapping[str, Any]]:
    """All of one person's, the last added first."""
    return await reads.fetch(_OF_OWNER, user_id)


async def content_of(reads: Reads, user_id: str, template_id: str) -> str | None:
    """What one of theirs says, sealed; None: they have no such template."""
    row = await reads.fetchrow(_ONE, user_id, template_id)
    found: str | None = None if row is None else row["content_sealed"]
    return found
