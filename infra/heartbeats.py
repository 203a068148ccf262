"""Who is there: heartbeats in Redis, by its own clock. Nothing of it is ever in the log.

Every API process says again and again which sockets it has. Who leaves is gone at once; whom nobody
speaks for any more, because their process was killed, is gone after FRESH_S, and one of the other
processes notices. A client that dies without a word is noticed by its process within PING_EVERY_S and
twice PING_ANSWER_S, when it leaves a ping unanswered (the server looks through its sockets once in
PING_ANSWER_S). Either way it is less than 30 seconds.

When somebody was last there is kept for SEEN_S, under a name that only their data key tells: with the
key, whoever was meant is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from redis.asyncio import Redis

from infra.vault.vault import PersonKey

BEAT_S = 5.0
FRESH_S = 20.0  # four heartbeats
PING_EVERY_S = 8
PING_ANSWER_S = 6
SEEN_S = 30 * 24 * 3600
AT_ONCE_MAX = 200  # people of one call to Redis

# ARGV: how long a heartbeat counts, how long it is remembered, the names' beginning; then of each
# device whose it is, its own name, and the name of the moment. Gives who was not there before.
_BEAT = """
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
local came = {}
for place = 4, #ARGV, 3 do
  local user, devices = ARGV[place], ARGV[3] .. 'devices:' .. ARGV[place]
  redis.call('ZADD', devices, now, ARGV[place + 1])
  redis.call('EXPIRE', devices, math.ceil(ARGV[1]) * 2)
  if redis.call('ZADD', KEYS[1], now, user) == 1 then came[#came + 1] = user end
  redis.call('SET', ARGV[3] .. 'seen:' .. ARGV[place + 2], now, 'EX', ARGV[2])
end
return came
"""
# ARGV as of one device. Gives 1 where no other of theirs is left.
_LEAVE = """
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
local devices = ARGV[3] .. 'devices:' .. ARGV[4]
redis.call('ZREM', devices, ARGV[5])
redis.call('ZREMRANGEBYSCORE', devices, '-inf', now - ARGV[1])
redis.call('SET', ARGV[3] .. 'seen:' .. ARGV[6], now, 'EX', ARGV[2])
if redis.call('ZCARD', devices) > 0 then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[4])
"""
# ARGV: how long a heartbeat counts, how many to take. Gives whom nobody has spoken for since.
_SWEEP = """
local time = redis.call('TIME')
local since = time[1] + time[2] / 1000000 - ARGV[1]
local late = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', since, 'LIMIT', 0, ARGV[2])
if #late > 0 then redis.call('ZREM', KEYS[1], unpack(late)) end
return late
"""


@dataclass(frozen=True)
class Heart:
    """One device of somebody's. `mark` is the name of the moment when they were last there."""

    user_id: str
    device: str
    mark: str


@dataclass(frozen=True)
class Presence:
    """Whether somebody is there, and when they last were, as far as that is known."""

    online: bool = False
    last_seen: datetime | None = None


def mark_of(key: PersonKey) -> str:
    """The name under which Redis keeps when somebody was last there."""
    return key.mark("presence", "last seen")


class Heartbeats:
    """The heartbeats of one installation; every method raises one of REDIS_DOWN."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._name = f"presence:{prefix}"
        self._online = f"{self._name}online"
        self._beat = redis.register_script(_BEAT)
        self._leave = redis.register_script(_LEAVE)
        self._sweep = redis.register_script(_SWEEP)

    async def beat(self, hearts: Sequence[Heart]) -> list[str]:
        """These are there; gives who was not before."""
        came: list[str] = []
        for first in range(0, len(hearts), AT_ONCE_MAX):
            some = hearts[first : first + AT_ONCE_MAX]
            told = [part for each in some for part in (each.user_id, each.device, each.mark)]
            came += cast("list[str]", await self._beat([self._online], [*self._rules(), *told]))
        return came

    async def leave(self, heart: Heart) -> bool:
        """A device is not there any more; whether that was the person's last one."""
        told = (heart.user_id, heart.device, heart.mark)
        return bool(await self._leave([self._online], [*self._rules(), *told]))

    async def sweep(self) -> list[str]:
        """Who is there no more though nobody said so. Each is told to one process alone."""
        found: Any = await self._sweep([self._online], [FRESH_S, AT_ONCE_MAX])
        return cast("list[str]", found)

    async def look(self, marks: Mapping[str, str]) -> dict[str, Presence]:
        """Whether these people are there, each by their mark."""
        if not marks:
            return {}
        async with self._redis.pipeline(transaction=False) as asked:
            asked.time()
            asked.zmscore(self._online, list(marks))
            asked.mget([f"{self._name}seen:{each}" for each in marks.values()])
            (seconds, micros), beats, seen = await asked.execute()
        fresh = seconds + micros / 1_000_000 - FRESH_S
        return {
            user_id: Presence(
                online=beat is not None and beat > fresh,
                last_seen=at and datetime.fromtimestamp(float(at), UTC),
            )
            for user_id, beat, at in zip(marks, beats, seen, strict=True)
        }

    def _rules(self) -> tuple[float, int, str]:
        return FRESH_S, SEEN_S, self._name
