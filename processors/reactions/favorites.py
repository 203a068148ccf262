"""What becomes of the favourites of whoever has left: nobody keeps those listings in mind any more, and
so they are counted no longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.favorites import ClearFavorites
from schemas.identity import UserDeleted
from schemas.log.messages import Command
from schemas.log.recorded import Recorded


def clear_favorites(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """All of theirs."""
    user_id = recorded.event.user_id
    return [ClearFavorites(user_id=user_id, **asked("clear_favorites", recorded))]


REACTIONS: tuple[Reaction, ...] = (Reaction("clear_favorites", (UserDeleted,), clear_favorites),)
