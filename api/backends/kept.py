"""Answers that are dear to make and the same for everybody, kept in Redis for a moment.

What many ask for at once is made once: within a process they wait for the same making, and other
processes find what was kept. No answer is older than `keep_s`, counted from when its making began,
whatever has happened since, so that what is kept needs nobody who takes it back; whoever must see
a certain write does not ask here (`anew`). While Redis is away every answer is made.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog
from redis.asyncio import Redis

from api.wire.deadlines import without_end
from infra.clients.redis import REDIS_DOWN
from infra.metrics import KEPT_ANSWERS

AWAY_S = 1.0  # how long nobody asks a Redis that did not answer
REDIS_TIMEOUT_S = 0.1  # a Redis that takes longer saves nothing

log = structlog.get_logger()

Make = Callable[[], Awaitable[bytes]]


class Kept:
    """Answers of one kind, each to a question in canonical form. A `keep_s` of 0 keeps none;
    `prefix` tells installations apart that share a Redis.
    """

    def __init__(self, redis: Redis, name: str, keep_s: float, prefix: str = "") -> None:
        self._redis = redis
        self._name = name
        self._prefix = prefix
        self._keep_ms = round(keep_s * 1_000)
        self._making: dict[str, asyncio.Task[bytes]] = {}
        self._away_until = 0.0

    async def answer(self, question: bytes, make: Make) -> bytes:
        """What is kept, else what `make` gives; raises what it raises."""
        if not self._keep_ms:
            return await make()
        key = self._key(question)
        making = self._making.get(key)
        if making is None:
            # Others may wait for it, who have more time left than whoever asks first.
            making = asyncio.create_task(self._read_through(key, make), context=without_end())
            self._making[key] = making
            making.add_done_callback(lambda _: self._making.pop(key))
        else:
            self._count("shared")
        # Whoever goes away leaves the others theirs.
        return await asyncio.shield(making)

    async def anew(self, question: bytes, make: Make) -> bytes:
        """What `make` gives; from now on others get this one, as long as it may be kept."""
        began = monotonic()
        answer = await make()
        if self._keep_ms:
            await self._keep(self._key(question), answer, began)
        return answer

    async def _read_through(self, key: str, make: Make) -> bytes:
        kept = await self._look(key)
        if kept is not None:
            return kept
        began = monotonic()
        answer = await make()
        # Never in the place of one that was made anew meanwhile.
        await self._keep(key, answer, began, only_where_none=True)
        return answer

    async def _look(self, key: str) -> bytes | None:
        if self._is_away():
            self._count("away")
            return None
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                kept = await self._redis.get(key)
        except REDIS_DOWN as error:
            self._note_away(error)
            self._count("away")
            return None
        self._count("miss" if kept is None else "hit")
        return kept.encode() if isinstance(kept, str) else kept

    async def _keep(
        self, key: str, answer: bytes, began: float, *, only_where_none: bool = False
    ) -> None:
        left_ms = self._keep_ms - round((monotonic() - began) * 1_000)
        if left_ms <= 0 or self._is_away():
            return
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._redis.set(key, answer, px=left_ms, nx=only_where_none)
        except REDIS_DOWN as error:
            self._note_away(error)

    def _is_away(self) -> bool:
        return monotonic() < self._away_until

    def _note_away(self, error: BaseException) -> None:
        self._away_until = monotonic() + AWAY_S
        log.info("answers_not_kept", kind=self._name, error=type(error).__name__)

    def _key(self, question: bytes) -> str:
        # What people look for is theirs: it is in no key.
        return f"{self._prefix}{self._name}:{hashlib.sha256(question).hexdigest()}"

    def _count(self, outcome: str) -> None:
        KEPT_ANSWERS.labels(self._name, outcome).inc()
