"""uvicorn's HTTP protocol with two bounds that it lacks: how long a request may take to arrive,
and how large its head may be. Without them a few thousand clients that send a byte now and then
hold every connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
_EMPTY = b"content-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _EMPTY
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _EMPTY


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A request that arrives in one piece starts no timer."""

    request_timeout_s: ClassVar[float] = 30.0

    _arriving = True  # some of a request is still to come, at first all of it
    _in_head = True
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody has connected and has said nothing yet."""
        super().connection_made(transport)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        """A piece of a request, or several requests."""
        super().data_received(data)
        if not self._arriving:
            self._unset_timer()
            return
        self._set_timer()
        self._head_bytes += len(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._cut_off(_TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone, or we have."""
        self._unset_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._arriving = self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is here."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._arriving = False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """It goes on as a WebSocket, which has bounds of its own."""
        self._arriving = False
        self._unset_timer()
        super().handle_websocket_upgrade()

    def _set_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.request_timeout_s, self._cut_off, _TOO_SLOW)

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self, answer: bytes) -> None:
        if self.transport.is_closing():
            return
        # Not into the middle of another answer, nor before the route's own.
        if self._in_head and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(answer)
        self.transport.close()


def bounded_protocol(request_timeout_s: float) -> type[BoundedProtocol]:
    """The protocol with this bound; uvicorn makes one for each connection."""
    return type("Protocol", (BoundedProtocol,), {"request_timeout_s": request_timeout_s})
