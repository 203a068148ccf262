"""The HTTP server cuts off whoever takes for ever, and nobody else. Real sockets, no stores."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cli.running.processes import _uvicorn_config
from infra.http_server import HEAD_BYTES_MAX, bounded_protocol
from tests.infra.vault.test_vault_keys import settings_with
from tests.waiting import eventually, let_pass

NGINX_KEEPS_S = 60  # its default for connections to those behind it
LIMIT_S = 0.3
PATIENCE_S = 10.0
ASKED = b"GET / HTTP/1.1\r\nHost: mesh.test\r\n\r\n"
CLOSED = (ConnectionError, OSError)
gone: list[str] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; takes every WebSocket and says what it hears."""
    if scope["type"] == "websocket":
        await echo(receive, send)
        return
    request = Request(scope, receive)
    try:
        body = await request.body()
    except ClientDisconnect:
        gone.append(scope["path"])
        return
    await Response(str(len(body)))(scope, receive, send)


async def echo(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    """A server that gives a request 0.3 seconds to arrive."""
    async with served(LIMIT_S) as found:
        yield found


@asynccontextmanager
async def served(limit_s: float) -> AsyncIterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=bounded_protocol(limit_s), ws="wsproto", log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined,method-assign]
        task = asyncio.create_task(server._serve([listener]))
        await eventually(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True
        await task


class Client:
    """A socket that says exactly what a test wants said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, text: bytes) -> None:
        with suppress(*CLOSED):
            self._writer.write(text)
            await self._writer.drain()

    async def rest(self) -> bytes:
        """Everything until the server closes. Piece by piece, for a reader that is asked for all
        of it at once forgets what has come when the line is reset.
        """
        found = b""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(*CLOSED):
                while piece := await self._reader.read(HEAD_BYTES_MAX):
                    found += piece
        return found

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def bytes(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.readexactly(count)

    async def answer(self) -> bytes:
        """One answer with a short body."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            return head + await self._reader.readexactly(length)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Client(reader, writer)
    writer.close()
    with suppress(*CLOSED):
        await writer.wait_closed()


async def drip(client: Client, pieces: int) -> None:
    """A byte now and then: each would renew a time-out between bytes."""
    for number in range(pieces):
        await client.say(b"X-%d: 1\r\n" % number)
        await let_pass(LIMIT_S / 10, because="a slow client's pauses are the input")


async def test_NS_03_who_says_nothing_is_cut_off(port: int) -> None:
    async with connected(port) as client:
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_NS_03_a_head_that_comes_drop_by_drop_is_cut_off(port: int) -> None:
    async with connected(port) as client:
        await client.say(b"GET / HTTP/1.1\r\nHost: mesh.test\r\n")
        dripping = asyncio.create_task(drip(client, 10_000))
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")
        dripping.cancel()


async def test_NS_03_a_body_that_comes_drop_by_drop_is_cut_off(port: int) -> None:
    async with connected(port) as client:
        await client.say(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n")
        dripping = asyncio.create_task(drip(client, 10_000))
        assert await client.rest() == b""
        dripping.cancel()
    assert await eventually(lambda: "/slow" in gone)


async def test_NS_03_the_second_request_on_a_connection_is_bounded_as_well(port: int) -> None:
    async with connected(port) as client:
        await client.say(ASKED)
        assert (await client.answer()).startswith(b"HTTP/1.1 200 ")
        await client.say(b"GET / HTTP/1.1\r\nHost:")
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_NS_03_slow_clients_hold_up_nobody_else(port: int) -> None:
    async with connected(port) as slow, connected(port) as quick:
        await slow.say(b"GET / HTTP/1.1\r\n")
        await quick.say(ASKED)
        assert (await quick.answer()).endswith(b"\r\n\r\n0")


async def test_NS_03_a_request_in_pieces_that_comes_in_time_is_answered() -> None:
    async with served(PATIENCE_S) as port, connected(port) as client:
        for piece in (b"POST / HTTP/1.1\r\nHo", b"st: a\r\nContent-Le", b"ngth: 3\r\n\r\na", b"bc"):
            await client.say(piece)
            await asyncio.sleep(0)
        assert (await client.answer()).endswith(b"\r\n\r\n3")


async def test_NS_03_a_connection_lives_on_between_requests() -> None:
    async with served(LIMIT_S) as port, connected(port) as client:
        for _ in range(2):
            await client.say(ASKED)
            assert (await client.answer()).startswith(b"HTTP/1.1 200 ")
            await let_pass(LIMIT_S * 2, because="a pause between requests is the input")
        await client.say(ASKED)
        assert (await client.answer()).startswith(b"HTTP/1.1 200 ")


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: mesh.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO = b"\x81\x85\0\0\0\0hello"  # one text frame, masked with nothing


async def test_MS_15_a_websocket_lives_longer_than_a_request_may_take() -> None:
    async with served(LIMIT_S) as port, connected(port) as client:
        await client.say(UPGRADE)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await let_pass(LIMIT_S * 2, because="a quiet socket is the input")
        await client.say(HELLO)
        assert await client.bytes(7) == b"\x81\x05hello"


async def test_NS_03_who_asks_for_a_websocket_drop_by_drop_is_cut_off(port: int) -> None:
    async with connected(port) as client:
        await client.say(UPGRADE[:-2])
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")


async def test_NS_03_a_head_without_end_is_431() -> None:
    async with served(PATIENCE_S) as port, connected(port) as client:
        await client.say(b"GET / HTTP/1.1\r\n")
        line = b"X: " + b"a" * 1_000 + b"\r\n"
        for _ in range(HEAD_BYTES_MAX // len(line) + 2):
            await client.say(line)
        assert (await client.rest()).startswith(b"HTTP/1.1 431 ")


# What is ambiguous is no request: RFC 9112, and what smugglers live on.

SMUGGLED = {
    "both lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "a length of two": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd",
    "a signed length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
    "a space before the colon": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd",
    "chunked is not last": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "a chunk's length is no number": b"POST / HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n  2\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "a version of nobody": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "no method": b"/ HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLED)
async def test_V4_2_1_what_is_ambiguous_is_refused_and_the_connection_closed(kind, port) -> None:
    async with connected(port) as client:
        await client.say(SMUGGLED[kind] + ASKED)
        found = await client.rest()
        assert found.startswith(b"HTTP/1.1 400 "), kind
        assert found.count(b"HTTP/1.1 ") == 1, kind


def test_V13_4_6_the_server_names_neither_itself_nor_a_proxy_it_believes() -> None:
    config = _uvicorn_config(settings_with(bytes(32), bytes(32)))
    assert not config.server_header
    assert not config.proxy_headers
    assert config.http.request_timeout_s == 30


def test_GW_03_who_is_in_front_ends_a_connection_and_not_we() -> None:
    config = _uvicorn_config(settings_with(bytes(32), bytes(32)))
    assert config.timeout_keep_alive > NGINX_KEEPS_S
