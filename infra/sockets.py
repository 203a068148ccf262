"""Saying something over the sockets: what any process says, Redis carries to all that have sockets
open, and each to those of its own in the room.
"""

from __future__ import annotations

from typing import Any

import orjson
import socketio
import structlog

from infra.clients.redis import REDIS_DOWN, open_redis
from infra.settings import Settings

log = structlog.get_logger()


def person_room(user_id: object) -> str:
    """Where every device of one person listens."""
    return f"user:{user_id}"


class Publisher(socketio.AsyncRedisManager):  # type: ignore[misc]  # a library without types
    """The library's way of saying things, with bounds: a Redis that is away is no harm to whoever
    says something, and nobody hears it then. `write_only`: this process has no sockets.
    """

    def __init__(self, settings: Settings, *, write_only: bool = True) -> None:
        super().__init__(
            settings.redis_url.get_secret_value(),
            channel=f"mesh.{settings.store_prefix}rooms",
            write_only=write_only,
        )
        self._publisher = open_redis(settings)

    async def close(self) -> None:
        """Say nothing more."""
        await self._publisher.aclose()

    async def _publish(self, data: Any) -> None:
        try:
            await self._publisher.publish(self.channel, orjson.dumps(data))
        except REDIS_DOWN as error:
            log.warning("rooms_not_told", error=type(error).__name__)
