"""Commands that the command line itself sends, and the writer's answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import uuid_utils

from api.backends.gateway import CommandGateway
from infra.settings import Settings
from schemas.log.messages import Command, Role
from schemas.log.recorded import Reply, uncaused


def asked(by: str) -> dict[str, Any]:
    """The fields of a command that a tool asks for now."""
    return {"asked_at": datetime.now(UTC), "asked_by": f"cli/{by}", "asked_role": Role.SYSTEM}


async def replies_to(chosen: Settings, *commands: Command) -> Sequence[Reply]:
    """The writer's answers, one after another, up to the first that does not accept. Raises what
    means an outage.
    """
    gateway = CommandGateway(chosen)
    await gateway.start()
    replies: list[Reply] = []
    try:
        for command in commands:
            replies.append(await gateway.send(uncaused(command, str(uuid_utils.uuid7()))))
            if replies[-1].outcome != "accepted":
                break
    finally:
        await gateway.stop()
    return replies
