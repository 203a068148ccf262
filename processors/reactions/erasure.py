"""Erasing somebody: when `user.deleted` is in the log, the key that makes their data readable
is destroyed. An effect does it, and effects run at least once: a crash between the event and
the key can't leave the key.
"""

from __future__ import annotations

from processors.reacting.effects import Effect, Tools
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded


async def destroy_key(recorded: Recorded[UserDeleted], tools: Tools) -> None:
    """Whatever the log says of the person is noise from now on."""
    await tools.vault.erase(recorded.event.user_id)


DESTROY_KEY = Effect("destroy_key", (UserDeleted,), destroy_key, in_order=False)
