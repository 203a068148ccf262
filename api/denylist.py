"""Which sessions have ended although their access tokens still run.

Redis answers: an ended session has a key there for as long as its tokens could live. A marker
says that Redis knows all of them; it lapses by itself and is renewed by `keep`. Without the
marker (Redis flushed, restarted, cut off) the sessions read model in Postgres is asked
instead, and when that is away too the answer is 503: nobody gets in on a guess.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from redis.asyncio import Redis

from api.database import Database
from api.problems import StoreUnavailableError
from infra.redis import REDIS_DOWN
from projections.identity import sessions

WHOLE = "denied:whole"
WHOLE_S = 10
KEEP_S = 2.0
OVERLAP = timedelta(seconds=60)  # rows reach Postgres a little after their time
POLL_S = 0.02
BATCH = 10_000

log = structlog.get_logger()


class Denylist:
    """Ended sessions, for the `lifetime_s` seconds that an access token lives."""

    def __init__(
        self, redis: Redis, postgres: Database, *, lifetime_s: int, row_wait_s: float
    ) -> None:
        self._redis = redis
        self._postgres = postgres
        self._lifetime_s = lifetime_s
        self._row_wait_s = row_wait_s
        self._seen_until: datetime | None = None

    async def denies(self, session_id: str) -> bool:
        """Whether this session has ended; raises StoreUnavailableError when nobody can tell."""
        try:
            denied, whole = await self._redis.mget(_key(session_id), WHOLE)
        except REDIS_DOWN as error:
            log.warning("denylist_without_redis", error=type(error).__name__)
            return await self._ended_in_postgres(session_id)
        if denied is not None:
            return True
        return False if whole is not None else await self._ended_in_postgres(session_id)

    async def deny(self, session_id: UUID) -> bool:
        """Refuse this session's access tokens from now on; False when Redis did not take it."""
        try:
            await self._redis.set(_key(str(session_id)), "1", ex=self._lifetime_s)
        except REDIS_DOWN as error:
            log.warning("denylist_without_redis", error=type(error).__name__)
            return False
        return True

    async def _ended_in_postgres(self, session_id: str) -> bool:
        # A session just begun may not have its row yet.
        deadline = time.monotonic() + self._row_wait_s
        while True:
            row = await sessions.by_id(self._postgres, session_id)
            if row is not None:
                return row["ended_at"] is not None
            if time.monotonic() > deadline:
                raise StoreUnavailableError("sessions", "your session can't be checked now")
            await asyncio.sleep(POLL_S)

    async def keep(self) -> None:
        """Copy ended sessions from Postgres to Redis and renew the marker, until cancelled."""
        while True:
            try:
                await self._copy()
            except (*REDIS_DOWN, StoreUnavailableError) as error:
                self._seen_until = None
                log.info("denylist_not_kept", error=type(error).__name__)
            await asyncio.sleep(KEEP_S)

    async def _copy(self) -> None:
        now = datetime.now(UTC)
        oldest = now - timedelta(seconds=self._lifetime_s)
        if self._seen_until is not None and await self._redis.exists(WHOLE):
            oldest = max(oldest, self._seen_until - OVERLAP)
        last = ""
        while True:
            rows = await sessions.ended_since(self._postgres, oldest, last, BATCH)
            pipeline = self._redis.pipeline(transaction=False)
            for row in rows:
                pipeline.set(_key(row["key"]), "1", ex=self._lifetime_s)
            await pipeline.execute()
            if len(rows) < BATCH:
                break
            oldest, last = rows[-1]["ended_at"], rows[-1]["key"]
        await self._redis.set(WHOLE, "1", ex=WHOLE_S)
        self._seen_until = now


def _key(session_id: str) -> str:
    return f"denied:{session_id}"
