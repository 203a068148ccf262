"""Redis: one client with bounds. Whatever lies in it can be lost without harm."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from infra.settings import Settings

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 1.0
CONNECTIONS_MAX = 64
TURN_TIMEOUT_S = 2.0  # for one of the connections; a crowd waits, as that is not "Redis is down"

REDIS_DOWN = (RedisError, OSError, TimeoutError)  # what any call raises when Redis is away


def open_redis(settings: Settings, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> Redis:
    """A client that connects at its first use; every call is bounded by a few seconds and raises
    one of REDIS_DOWN when Redis can't be reached.
    """
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        socket_connect_timeout=max(CONNECT_TIMEOUT_S, answer_timeout_s),
        socket_timeout=answer_timeout_s,
        max_connections=CONNECTIONS_MAX,
        timeout=TURN_TIMEOUT_S,
        retry=None,
        decode_responses=True,
    )
    client: Redis = Redis.from_pool(pool)
    return client
