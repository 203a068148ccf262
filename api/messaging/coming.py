"""Tells who comes and goes, for the sockets of one API process. While Redis or Postgres is away nobody
is told, and nobody is kept from talking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import structlog

from api.backends.machines import Machines
from api.messaging.fanout import Fanout
from api.messaging.presence import witnesses
from api.wire.problems import StoreUnavailableError
from infra.clients.redis import REDIS_DOWN, open_redis
from infra.heartbeats import BEAT_S, Heart, Heartbeats, mark_of
from infra.settings import Settings
from infra.vault.vault import VaultUnavailableError

log = structlog.get_logger()


@contextmanager
def _harmless() -> Iterator[None]:
    try:
        yield
    except (*REDIS_DOWN, StoreUnavailableError, VaultUnavailableError) as error:
        log.warning("presence_not_told", error=type(error).__name__)


class Coming:
    """`machines` gives what there is to work with, `later` does something nobody waits for."""

    def __init__(
        self,
        settings: Settings,
        fanout: Fanout,
        machines: Callable[[], Machines],
        later: Callable[[Awaitable[None]], None],
    ) -> None:
        self._redis = open_redis(settings)
        self._beats = Heartbeats(self._redis, settings.store_prefix)
        self._fanout = fanout
        self._machines = machines
        self._later = later

    async def close(self) -> None:
        """Tell nothing more."""
        await self._redis.aclose()

    async def came(self, user_id: str, device: str) -> Heart | None:
        """Somebody's device has connected; its heart, to be kept beating."""
        heart = None
        with _harmless():
            key = await self._machines().vault.person(UUID(user_id))
            if key is not None:
                heart = Heart(user_id, device, mark_of(key))
                await self._beat([heart])
        return heart

    async def left(self, heart: Heart | None) -> None:
        """It has gone."""
        with _harmless():
            if heart is not None and await self._beats.leave(heart):
                self._later(self._tell(heart.user_id, online=False))

    async def keep(self, hearts: Callable[[], Sequence[Heart]]) -> None:
        """Let them beat for ever, and notice whose process was killed."""
        while True:
            await asyncio.sleep(BEAT_S)
            with _harmless():
                await self._beat(hearts())
                for user_id in await self._beats.sweep():
                    self._later(self._tell(user_id, online=False))

    async def _beat(self, hearts: Sequence[Heart]) -> None:
        for user_id in await self._beats.beat(hearts):
            self._later(self._tell(user_id, online=True))

    async def _tell(self, user_id: str, *, online: bool) -> None:
        told = await witnesses(self._machines(), user_id)
        await self._fanout.presence(user_id, datetime.now(UTC), told, online=online)
