"""What a repeat is told of the first time: the log has it, whatever read models say by now."""

from __future__ import annotations

from typing import Any

from api.backends.machines import Machines
from api.entry.consistency import CaughtUp
from api.wire.problems import StoreUnavailableError
from projections.journal import streams
from projections.journal.journal import journal
from schemas.log.recorded import Reply

JOURNAL = CaughtUp(journal)


async def first_event_of(mesh: Machines, reply: Reply) -> Any | None:
    """The event that a repeated command led to, the last if they were several; None if this reply is
    the command's first. Raises StoreUnavailableError while the journal is behind.
    """
    if not reply.repeated or reply.position is None:
        return None
    await JOURNAL.reach(mesh, [reply.position])
    found = await streams.event_at(mesh.postgres, reply.stream_id, reply.version)
    if found is None:
        raise StoreUnavailableError("journal", "the journal has not caught up; try again soon")
    return found.event
