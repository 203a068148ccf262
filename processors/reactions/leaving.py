"""What becomes of whoever has left for good: nobody keeps their favourites in mind any more, so they
are counted no longer; nothing is looked for on their behalf; and there is nobody left to be spared
by a block.
"""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.favorites import ClearFavorites
from schemas.identity import UserDeleted
from schemas.log.messages import Command
from schemas.log.recorded import Recorded
from schemas.messaging.blocks import UnblockEverybody
from schemas.searches import DeleteSearches


def clear_favorites(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """All of theirs."""
    user_id = recorded.event.user_id
    return [ClearFavorites(user_id=user_id, **asked("clear_favorites", recorded))]


def delete_searches(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """All of theirs, with their alerts. What they called them can be read by nobody from the moment
    they are gone.
    """
    user_id = recorded.event.user_id
    return [DeleteSearches(user_id=user_id, **asked("delete_searches", recorded))]


def unblock_everybody(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """All whom they had blocked."""
    user_id = recorded.event.user_id
    return [UnblockEverybody(blocker_id=user_id, **asked("unblock_everybody", recorded))]


REACTIONS: tuple[Reaction, ...] = tuple(
    Reaction(react.__name__, (UserDeleted,), react)
    for react in (delete_searches, clear_favorites, unblock_everybody)
)
