"""Which access tokens are void although they still run.

A session that has ended is denied by its id. Whatever concerns all of a person's tokens (a ban,
another role, another password) cuts them off by version instead: each token carries the version
of its person at which it was issued, and those below the cut are void. Versions are counted by
the log, so neither clocks nor two changes within one second can confuse them.

Redis answers: an ended session has a key there for as long as any of its tokens can live, a cut
for longer. A marker says that Redis knows all of them; it lapses by itself and is renewed by
`keep`. Without the marker (Redis flushed, restarted, cut off) the read models in Postgres are
asked instead, and when those are away too the answer is 503: nobody gets in on a guess.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis

from api.backends.database import Database
from api.backends.together import Together
from api.backends.tokens import Claims
from api.wire.deadlines import left
from api.wire.problems import StoreUnavailableError
from infra.clients.redis import REDIS_DOWN
from projections.identity import sessions, users

WHOLE = "denied:whole"
ENDED = "mesh.ended"  # the channel that says at once whose tokens are void
WHOLE_S = 10
ROUND_S = 600  # longer than everything takes to be copied
KEEP_S = 2.0
# Rows reach Postgres a little after their time, and a token may be issued while its session ends.
OVERLAP = timedelta(seconds=60)
# A cut also tells log-ins and refreshes how new a person's row must be; a read model that is
# behind by more than this has other troubles.
CUT_KEPT_S = 24 * 3600
POLL_S = 0.02
BATCH = 10_000

# Of two cuts the later one counts, whoever writes first.
_CUT = """
local known = redis.call('GET', KEYS[1])
if known and tonumber(string.match(known, '^%d+')) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

# What was copied before Redis forgot everything is no part of the whole.
_ALL_COPIED = """
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
return 1
"""

log = structlog.get_logger()

_Known = tuple[str | bytes | None, ...]  # what the client reads are strings


@dataclass(frozen=True, slots=True)
class Cut:
    """A person's access tokens issued below `tokens_since` are void; those of `kept_session`
    need only be of `kept_tokens_since`.
    """

    tokens_since: int
    kept_tokens_since: int
    kept_session: str = ""

    def voids(self, claims: Claims) -> bool:
        """Whether a token is void."""
        kept = claims.session_id == self.kept_session
        return claims.user_version < (self.kept_tokens_since if kept else self.tokens_since)

    def __str__(self) -> str:
        return f"{self.tokens_since} {self.kept_tokens_since} {self.kept_session}"

    @classmethod
    def parse(cls, text: str) -> Cut:
        """The cut that `str` wrote."""
        tokens_since, kept_tokens_since, kept_session = text.split(" ")
        return cls(int(tokens_since), int(kept_tokens_since), kept_session)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Cut:
        """The cut that a row of `users` tells of."""
        return cls(row["tokens_since"], row["kept_tokens_since"], row["kept_session"] or "")


class Denylist:
    """Void access tokens, for the `lifetime_s` seconds that one lives."""

    def __init__(
        self, redis: Redis, postgres: Database, *, lifetime_s: int, row_wait_s: float
    ) -> None:
        self._redis = redis
        self._postgres = postgres
        self._lifetime_s = lifetime_s
        self._kept = timedelta(seconds=lifetime_s) + OVERLAP
        self._row_wait_s = row_wait_s
        self._seen_until: datetime | None = None
        self._round = f"denied:round:{uuid4()}"
        self._known = Together(self._in_redis)

    async def _in_redis(self, asked: Sequence[Claims]) -> Sequence[_Known]:
        """What Redis has of each: whether the session is denied, the person's cut, the marker."""
        keys = [key for each in asked for key in _keys(each)]
        *found, whole = await self._redis.mget(*keys, WHOLE)
        return [(*found[at : at + _KEYS], whole) for at in range(0, len(found), _KEYS)]

    async def denies(self, claims: Claims) -> bool:
        """Whether a token is void; raises StoreUnavailableError when nobody can tell."""
        try:
            denied, cut, *unsure, whole = await self._known.ask(claims)
        except REDIS_DOWN as error:
            log.warning("denylist_without_redis", error=type(error).__name__)
            return await self._void_in_postgres(claims)
        if denied is not None or (cut is not None and Cut.parse(str(cut)).voids(claims)):
            return True
        if any(each is not None for each in unsure):
            # What has happened to them waits to be mended: it may have been a ban.
            raise StoreUnavailableError("sessions", "your session can't be checked now")
        return False if whole is not None else await self._void_in_postgres(claims)

    async def deny(self, session_id: UUID) -> bool:
        """Refuse this session's access tokens from now on; False when Redis did not take it."""
        try:
            await self._redis.set(_key(str(session_id)), "1", ex=self._lifetime_s)
            await self._redis.publish(ENDED, str(session_id))
        except REDIS_DOWN as error:
            log.warning("denylist_without_redis", error=type(error).__name__)
            return False
        return True

    async def cut(self, user_id: UUID | str, cut: Cut) -> bool:
        """Refuse a person's access tokens from now on; False when Redis did not take it."""
        lifetime = self._lifetime_s + CUT_KEPT_S
        key = _cut_key(str(user_id))
        try:
            await self._redis.eval(_CUT, 1, key, cut.tokens_since, str(cut), lifetime)
            await self._redis.publish(ENDED, str(user_id))
        except REDIS_DOWN as error:
            log.warning("denylist_without_redis", error=type(error).__name__)
            return False
        return True

    async def newest_cut(self, user_id: str) -> int:
        """The version that a person's row must have reached to be believed; 0 when Redis is
        away: whoever cuts then waits for the read model.
        """
        try:
            found = await self._redis.get(_cut_key(user_id))
        except REDIS_DOWN as error:
            log.warning("denylist_without_redis", error=type(error).__name__)
            return 0
        return 0 if found is None else Cut.parse(str(found)).tokens_since

    async def _void_in_postgres(self, claims: Claims) -> bool:
        # A session just begun may not have its row yet.
        deadline = time.monotonic() + left(self._row_wait_s)
        while True:
            row = await sessions.by_id(self._postgres, claims.session_id)
            person = await users.by_id(self._postgres, claims.user_id)
            if row is not None and person is not None:
                return row["ended_at"] is not None or Cut.of(person).voids(claims)
            if time.monotonic() > deadline:
                raise StoreUnavailableError("sessions", "your session can't be checked now")
            await asyncio.sleep(POLL_S)

    async def keep(self) -> None:
        """Copy what is void from Postgres to Redis and renew the marker, until cancelled."""
        while True:
            try:
                await self._copy()
            except (*REDIS_DOWN, StoreUnavailableError) as error:
                self._seen_until = None
                log.info("denylist_not_kept", error=type(error).__name__)
            await asyncio.sleep(KEEP_S)

    async def _copy(self) -> None:
        now = datetime.now(UTC)
        oldest = now - self._kept
        await self._redis.set(self._round, "1", ex=ROUND_S)
        if self._seen_until is not None and await self._redis.exists(WHOLE):
            oldest = max(oldest, self._seen_until - OVERLAP)
        await self._copy_pages(oldest, "ended_at", sessions.ended_since, self._copy_sessions)
        await self._copy_pages(oldest, "cut_at", users.cut_since, self._copy_cuts)
        await self._copy_unsure()
        whole = await self._redis.eval(_ALL_COPIED, 2, self._round, WHOLE, WHOLE_S)
        self._seen_until = now if whole else None

    async def _copy_pages(
        self,
        oldest: datetime,
        moment: str,
        read: Callable[[Database, datetime, str, int], Awaitable[Rows]],
        write: Callable[[Rows], Awaitable[None]],
    ) -> None:
        last = ""
        while True:
            rows = await read(self._postgres, oldest, last, BATCH)
            await write(rows)
            if len(rows) < BATCH:
                return
            oldest, last = rows[-1][moment], rows[-1]["key"]

    async def _copy_unsure(self) -> None:
        """Sessions and people whose row is withheld, because something waits that may have ended
        them: their tokens are neither good nor void while that lasts.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for row in await self._postgres.fetch(_UNSURE, BATCH):
            pipeline.set(_unsure_key(row["key"]), "1", ex=WHOLE_S)
        await pipeline.execute()

    async def _copy_sessions(self, rows: Rows) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        now = datetime.now(UTC)
        for row in rows:
            left = row["ended_at"] + self._kept - now
            pipeline.set(_key(row["key"]), "1", ex=max(1, round(left.total_seconds())))
        await pipeline.execute()

    async def _copy_cuts(self, rows: Rows) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for row in rows:
            cut, lifetime = Cut.of(row), self._lifetime_s + CUT_KEPT_S
            pipeline.eval(_CUT, 1, _cut_key(row["key"]), cut.tokens_since, str(cut), lifetime)
        await pipeline.execute()


Rows = Sequence[Mapping[str, Any]]


_UNSURE = """
    SELECT DISTINCT unnest(row_keys) AS key FROM mesh.live_parked
    WHERE projection IN ('users', 'sessions') LIMIT $1
"""
_KEYS = 4


def _keys(claims: Claims) -> tuple[str, ...]:
    session, person = claims.session_id, claims.user_id
    return _key(session), _cut_key(person), _unsure_key(session), _unsure_key(person)


def _unsure_key(key: str) -> str:
    return f"unsure:{key}"


def _key(session_id: str) -> str:
    return f"denied:{session_id}"


def _cut_key(user_id: str) -> str:
    return f"cut:{user_id}"
