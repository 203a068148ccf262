"""The Redis client is bounded: a server that is silent holds nobody up."""

from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import SecretStr

from infra.clients.redis import ANSWER_TIMEOUT_S, REDIS_DOWN, open_redis
from tests.infra.vault.test_vault_keys import settings_with


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_silent_server_is_given_up_on() -> None:
    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = settings_with(bytes(32), bytes(32)).model_copy(
        update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}/0")}
    )
    client = open_redis(settings)
    began = time.monotonic()
    with pytest.raises(REDIS_DOWN):
        await client.get("anything")
    assert time.monotonic() - began < 3 * ANSWER_TIMEOUT_S
    await client.aclose()
    server.close()


async def test_a_closed_port_is_told_at_once() -> None:
    settings = settings_with(bytes(32), bytes(32)).model_copy(
        update={"redis_url": SecretStr("redis://127.0.0.1:1/0")}
    )
    client = open_redis(settings)
    with pytest.raises(REDIS_DOWN):
        await client.get("anything")
    await client.aclose()
