"""Of an alert that is gone, with its search or with the person, what it has found goes, too.

An alert may go at the very moment at which it finds something: each waits until what it has heard
can be read by the other, and then looks, so whichever looks last sees both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from processors.reacting.commands import following
from processors.reacting.effects import Effect, Tools
from processors.reactions.withheld_rows import until_read
from projections.reads import Reads
from projections.searches import alert_matches, saved_searches
from schemas.log.messages import Role
from schemas.log.recorded import Recorded
from schemas.searches import AlertDeleted, AlertMatched, DeleteMatch, match_stream

NAME = "delete_matches"
BATCH = 500


async def delete_matches(recorded: Recorded[AlertDeleted | AlertMatched], tools: Tools) -> None:
    """All that an alert has found that is gone, or what it has found after that."""
    event, reads = recorded.event, cast("Reads", tools.postgres)
    if isinstance(event, AlertMatched):
        await until_read(tools, alert_matches.alert_matches, recorded)
        user_id, alert_id = str(event.user_id), str(event.alert_id)
        if await saved_searches.has_ended(reads, user_id, alert_id):
            await _delete(recorded, tools, [str(event.match_id)])
        return
    await until_read(tools, saved_searches.saved_searches, recorded)
    last, alert_id = "", str(event.alert_id)
    while ids := await alert_matches.ids_of_alert(reads, alert_id, last, BATCH):
        await _delete(recorded, tools, ids)
        last = ids[-1]


async def _delete(recorded: Recorded[Any], tools: Tools, ids: Sequence[str]) -> None:
    commands = [
        DeleteMatch(
            match_id=UUID(each),
            asked_at=recorded.recorded_at,
            asked_by=f"effect/{NAME}",
            asked_role=Role.SYSTEM,
        )
        for each in ids
    ]
    await tools.commands.hand_over(
        envelope
        for each in commands
        for envelope in following(f"{NAME}/{match_stream(each.match_id)}", recorded, [each])
    )


DELETE_MATCHES = Effect(
    NAME, (AlertDeleted, AlertMatched), delete_matches, repeatable=True, in_order=False
)
