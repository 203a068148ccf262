"""Servers on loopback that stand in for the open network, and tripwires that nobody may touch."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Wire:
    """A listener that counts who comes."""

    port: int = 0
    rings: int = 0
    servers: list[asyncio.Server] = field(default_factory=list)

    async def ring(self, _reader: Any, writer: asyncio.StreamWriter) -> None:
        self.rings += 1
        writer.close()


@asynccontextmanager
async def tripwire() -> AsyncIterator[Wire]:
    wire = Wire()
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        server = await asyncio.start_server(wire.ring, host, wire.port)
        wire.port = server.sockets[0].getsockname()[1]
        wire.servers.append(server)
    try:
        yield wire
    finally:
        for server in wire.servers:
            server.close()


@asynccontextmanager
async def web(
    serve: Callable[[str, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server of the open network, as far as tests have one: its host and port."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await serve(head, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def answering(status: str, *headers: str, body: bytes = b"") -> Any:
    async def serve(_head: str, writer: asyncio.StreamWriter) -> None:
        lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}")
        writer.write("\r\n".join((*lines, "", "")).encode() + body)
        await writer.drain()

    return serve
