"""Pictures that nobody may see any more leave the object store."""

from __future__ import annotations

from infra.objects import ObjectsUnavailableError, open_objects
from processors.effects import Effect, OutsideDownError, Tools
from schemas.identity import UserDeleted
from schemas.profiles import Avatar, AvatarChanged, AvatarRemoved
from schemas.recorded import Recorded

Heard = AvatarChanged | AvatarRemoved | UserDeleted


async def drop_pictures(recorded: Recorded[Heard], tools: Tools) -> None:
    """Take away what the event has replaced; of somebody who has left, everything. An upload
    may have overtaken the end of its own account, so each event looks whether there is one.
    """
    event = recorded.event
    left = isinstance(event, UserDeleted) or await tools.vault.person(event.user_id) is None
    objects = open_objects(tools.settings)
    try:
        if left:
            await objects.delete_folder(f"avatars/{event.user_id}")
        elif not isinstance(event, UserDeleted) and event.previous is not None:
            await objects.delete(_keys(event.previous))
    except ObjectsUnavailableError as error:
        message = "the object store does not answer"
        raise OutsideDownError(message) from error


def _keys(avatar: Avatar) -> tuple[str, str]:
    return avatar.large, avatar.small


DROP_PICTURES = Effect("drop_pictures", (AvatarChanged, AvatarRemoved, UserDeleted), drop_pictures)
