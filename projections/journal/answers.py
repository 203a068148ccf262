"""The first answers to commands, as far as the journal and the outcomes have read."""

from __future__ import annotations

from collections.abc import Sequence

from projections.reads import Reads
from schemas.log.recorded import Reply, event_id_of, first_reply_of

_DECIDED = """
    SELECT command_id, stream_id, version, event_count, fingerprint, topic, partition,
           position_offset
    FROM reads.journal WHERE key = $1
"""
_WITHOUT_EVENTS = "SELECT reply FROM reads.outcomes WHERE key = $1"
_ANY = """
    SELECT EXISTS (SELECT FROM reads.journal WHERE key = ANY($1::text[]))
        OR EXISTS (SELECT FROM reads.outcomes WHERE key = ANY($2::text[])) AS answered
"""


async def first_reply(reads: Reads, command_id: str) -> Reply | None:
    """The first reply to a command; None when it is not known here, or not yet."""
    row = await reads.fetchrow(_DECIDED, event_id_of(command_id, 0))
    if row is not None:
        return first_reply_of(row)
    row = await reads.fetchrow(_WITHOUT_EVENTS, command_id)
    return None if row is None else Reply.model_validate_json(row["reply"])


async def any_answered(reads: Reads, command_ids: Sequence[str]) -> bool:
    """Whether one of these commands had an answer."""
    events = [event_id_of(each, 0) for each in command_ids]
    row = await reads.fetchrow(_ANY, events, list(command_ids))
    return row is not None and bool(row["answered"])
