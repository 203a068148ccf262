"""Rooms that all API processes share: what one of them says in a room is heard by the sockets of
all, by way of Redis. Nothing is kept: whoever was away reads what they missed over HTTP.

python-socketio's own manager waits for its subscription for ever, and a connection that died
without a word is never noticed. Here silence is ended: a ping that nobody answers closes the
connection, and it is opened again after a growing pause.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import structlog
from redis.asyncio.client import PubSub

from api.backends.denylist import ENDED
from infra.clients.redis import REDIS_DOWN, open_redis
from infra.settings import Settings
from infra.sockets import Publisher

PING_S = 5.0
SILENCE_MAX_S = 12.0  # two pings without an answer
RETRY_S = 0.2
RETRY_MAX_S = 5.0
CLOSE_S = 5.0


def _nobody_asks(_whose: str) -> None:
    """Until somebody wants to know."""


log = structlog.get_logger()


class Rooms(Publisher):
    """The manager of a Socket.IO server; every call to Redis is bounded and may fail without
    harm to whoever is connected here.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, write_only=False)
        self.listening = asyncio.Event()
        self.ended: Callable[[str], None] = _nobody_asks  # is told whose tokens are void
        self._closing = False
        self._listener = open_redis(settings)

    async def close(self) -> None:
        """Hear and say nothing more."""
        self._closing = True
        thread: asyncio.Task[None] | None = getattr(self, "thread", None)
        if thread is not None:
            thread.cancel()
            done, _ = await asyncio.wait([thread], timeout=CLOSE_S)
            if not done:
                log.warning("rooms_not_closed")
        await self._listener.aclose()
        await super().close()

    async def _listen(self) -> AsyncIterator[Any]:
        pause = RETRY_S
        # `_closing` and not only a cancellation: Redis' client may swallow one.
        while not self._closing:
            try:
                async with self._listener.pubsub() as subscription:
                    await subscription.subscribe(self.channel, ENDED)
                    async for message in self._heard(subscription):
                        pause = RETRY_S
                        yield message
            except REDIS_DOWN as error:
                self.listening.clear()
                log.warning("rooms_not_heard", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_MAX_S)

    async def _heard(self, subscription: PubSub) -> AsyncIterator[Any]:
        """What other processes say; raises TimeoutError once Redis says nothing at all."""
        heard_at = pinged_at = time.monotonic()
        while not self._closing:
            message = await subscription.get_message(timeout=PING_S)
            now = time.monotonic()
            if message is not None:
                heard_at = now
                self.listening.set()
                if message["type"] == "message" and message["channel"] == ENDED:
                    self.ended(message["data"])
                elif message["type"] == "message":
                    yield orjson.loads(message["data"])
            if now - heard_at > SILENCE_MAX_S:
                raise TimeoutError
            if now - pinged_at >= PING_S:
                await subscription.ping()
                pinged_at = now
