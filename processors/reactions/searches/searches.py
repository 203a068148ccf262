"""What becomes of the searches of whoever has left: they are taken away, so that nothing is looked
for on their behalf. What they called them can be read by nobody from the moment they are gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.identity import UserDeleted
from schemas.log.messages import Command
from schemas.log.recorded import Recorded
from schemas.searches import DeleteSearches


def delete_searches(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """All of theirs, with their alerts."""
    user_id = recorded.event.user_id
    return [DeleteSearches(user_id=user_id, **asked("delete_searches", recorded))]


REACTIONS: tuple[Reaction, ...] = (Reaction("delete_searches", (UserDeleted,), delete_searches),)
