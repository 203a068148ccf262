"""A closed loop of HTTP requests: on each connection a request, its whole answer, the next request.

On bare protocols, for the client shares the machine with what it measures.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

LATE_S = 30.0  # how long the last answers may take


class UnwantedAnswerError(RuntimeError):
    """An answer with another status than the wanted; the text is the answer."""


class Connection(asyncio.Protocol):
    """One connection, until its requests or the time are over. `times` are the answers' seconds."""

    def __init__(
        self, requests: Iterator[bytes], status: int, until: float, pause_s: float
    ) -> None:
        self._requests = requests
        self._status = b"http/1.1 %d" % status
        self._until = until
        self._pause_s = pause_s
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.times: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._finish()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of it."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        if not lower.startswith(self._status):
            self._fail(self._buffer)
            return
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = b""
        now = time.perf_counter()
        self.times.append(now - self._sent_at)
        if now >= self._until:
            self._finish()
        elif self._pause_s:
            asyncio.get_running_loop().call_later(self._pause_s, self._ask)
        else:
            self._ask()

    def _fail(self, answer: bytes) -> None:
        if not self.done.done():
            self.done.set_exception(UnwantedAnswerError(answer.decode(errors="replace")))

    def _finish(self) -> None:
        assert self._transport is not None
        self._transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """A connection that ends before its time fails the round."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed"))


async def load(
    port: int,
    requests: Sequence[Iterator[bytes]],
    *,
    seconds: float = math.inf,
    status: int = 200,
    pause_s: float = 0.0,
) -> list[float]:
    """The seconds that each answer took: one connection for each of `requests`, all of them for
    so long or until they have no more. Raises UnwantedAnswerError for the first other status,
    ConnectionError, and TimeoutError when the last answers do not come.
    """
    loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
    connections = []
    for each in requests:
        _, connection = await loop.create_connection(
            partial(Connection, each, status, until, pause_s), "127.0.0.1", port
        )
        connections.append(connection)
    async with asyncio.timeout(None if math.isinf(seconds) else seconds + LATE_S):
        await asyncio.gather(*(connection.done for connection in connections))
    return [each for connection in connections for each in connection.times]
