"""Redis: one client with bounds. Whatever lies in it can be lost without harm."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.settings import Settings

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 1.0
CONNECTIONS_MAX = 64

REDIS_DOWN = (RedisError, OSError, TimeoutError)  # what any call raises when Redis is away


def open_redis(settings: Settings) -> Redis:
    """A client that connects at its first use; every call is bounded by a second and raises
    one of REDIS_DOWN when Redis can't be reached.
    """
    client: Redis = Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        max_connections=CONNECTIONS_MAX,
        retry=None,
        decode_responses=True,
    )
    return client
