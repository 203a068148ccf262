"""Pictures that nobody may see any more leave the object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from infra.clients.objects import Objects, ObjectsUnavailableError, open_objects
from infra.settings import Settings
from processors.reacting.effects import Effect, OutsideDownError, Tools
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.media import media_folder
from schemas.profiles import Avatar, AvatarChanged, AvatarRemoved

Heard = AvatarChanged | AvatarRemoved | UserDeleted


async def drop_pictures(recorded: Recorded[Heard], tools: Tools) -> None:
    """Take away what the event has replaced; of somebody who has left, everything. An upload
    may have overtaken the end of its own account, so each event looks whether there is one.
    """
    event = recorded.event
    if isinstance(event, UserDeleted):
        # Before anything is taken away: what comes later finds no key, and goes by itself.
        await tools.vault.erase(event.user_id)
    left = isinstance(event, UserDeleted) or await tools.vault.person(event.user_id) is None
    with object_store(tools.settings) as objects:
        if left:
            await objects.delete_folder(f"avatars/{event.user_id}")
            await objects.delete_folder(media_folder(event.user_id))
        elif not isinstance(event, UserDeleted) and event.previous is not None:
            await objects.delete(_keys(event.previous))


@contextmanager
def object_store(settings: Settings) -> Iterator[Objects]:
    """The object store; while it is away, the effect waits."""
    try:
        yield open_objects(settings)
    except ObjectsUnavailableError as error:
        message = "the object store does not answer"
        raise OutsideDownError(message) from error


def _keys(avatar: Avatar) -> tuple[str, str]:
    return avatar.large, avatar.small


DROP_PICTURES = Effect(
    "drop_pictures", (AvatarChanged, AvatarRemoved, UserDeleted), drop_pictures, in_order=False
)
