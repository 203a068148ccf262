"""Every document of every OpenSearch index, and every key of Redis with its value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from opensearchpy import AsyncOpenSearch, NotFoundError, OpenSearchException
from redis.asyncio import Redis

from cli.erasing.needles import Needles, texts_of
from cli.erasing.searched import Searched
from infra.clients.opensearch import open_opensearch
from infra.clients.redis import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, REDIS_DOWN
from infra.settings import Settings

OPENSEARCH, REDIS = "OpenSearch's documents", "Redis' keys"
PAGE = 500
KEPT = "1m"


async def search_opensearch(settings: Settings, needles: Needles) -> Searched:
    """Ids and sources of every index, hidden and system's ones too, and the indexes' own
    settings.
    """
    searched = Searched(OPENSEARCH, "documents")
    client = open_opensearch(settings, timeout_s=60)
    try:
        indexes = await client.indices.get(index="*", expand_wildcards="all")
        searched.look("settings of the indexes", orjson.dumps(indexes), needles)
        for index in sorted(indexes):
            await _search_index(client, index, needles, searched)
    except OpenSearchException as error:
        searched.could_not(OPENSEARCH, error)
    finally:
        await client.close()
    return searched


async def _search_index(
    client: AsyncOpenSearch, index: str, needles: Needles, searched: Searched
) -> None:
    try:
        async for hit in _documents(client, index):
            data = orjson.dumps([hit["_id"], hit.get("_source"), hit.get("fields")])
            searched.look(f"{index}/{hit['_id']}", data, needles)
    except NotFoundError:
        return  # dropped since it was listed
    except OpenSearchException as error:
        searched.could_not(index, error)


async def _documents(client: AsyncOpenSearch, index: str) -> AsyncIterator[dict[str, Any]]:
    await client.indices.refresh(index=index)
    body = {"size": PAGE, "query": {"match_all": {}}, "stored_fields": ["*"], "_source": True}
    answer = await client.search(index=index, body=body, scroll=KEPT)
    try:
        while hits := answer["hits"]["hits"]:
            for hit in hits:
                yield hit
            answer = await client.scroll(scroll_id=answer["_scroll_id"], scroll=KEPT)
    finally:
        await client.clear_scroll(scroll_id=answer["_scroll_id"])


async def search_redis(settings: Settings, needles: Needles) -> Searched:
    """Every key of every database of the server, of whatever type."""
    searched = Searched(REDIS, "keys")
    try:
        async with _open_redis(settings) as redis:
            numbers = [name.removeprefix("db") for name in await redis.info("keyspace")]
        for number in numbers:
            async with _open_redis(settings, db=int(number)) as redis:
                async for key in redis.scan_iter(count=PAGE):
                    await _search_key(redis, key, needles, searched)
    except REDIS_DOWN as error:
        searched.could_not(REDIS, error)
    return searched


def _open_redis(settings: Settings, **more: Any) -> Redis:
    url = settings.redis_url.get_secret_value()
    client: Redis = Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=10 * ANSWER_TIMEOUT_S,
        decode_responses=False,
    )
    if more:
        client.connection_pool.connection_kwargs.update(more)
    return client


async def _search_key(redis: Redis, key: bytes, needles: Needles, searched: Searched) -> None:
    named: bytes | str = await redis.type(key)
    kind = named.decode() if isinstance(named, bytes) else named
    readers: dict[str, Any] = {
        "string": lambda: redis.get(key),
        "hash": lambda: redis.hgetall(key),
        "list": lambda: redis.lrange(key, 0, -1),
        "set": lambda: redis.smembers(key),
        "zset": lambda: redis.zrange(key, 0, -1),
        "stream": lambda: redis.xrange(key),
    }
    if kind == "none":
        return  # lapsed since it was listed
    if kind not in readers:
        searched.could_not(f"a key of type {kind}", "nobody has said how to read it")
        return
    value = await readers[kind]()
    searched.look(f"a key of type {kind}", b"\n".join([key, *texts_of(value)]), needles)
