"""What is asked of providers over HTTP: one POST, bounded in time and in bytes.

No redirect is followed, no proxy or cookie used. That a connection could not be had is told apart
from that nothing was answered: then the provider may have taken what it was given.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpcore
import httpx

from infra.channels.errors import ChannelRefusedError, ChannelUnavailableError
from infra.fetching import CONNECT_TIMEOUT_S, tls

ANSWER_TIMEOUT_S: Final = 15.0  # of one POST, its connection too
BODY_BYTES_MAX: Final = 64 * 1024  # of an answer
RETRY_AFTER_S_MAX: Final = 24 * 3600.0
CONNECTIONS_MAX: Final = 50  # more than lanes that send at once
IDLE_S: Final = 30.0
_OK = range(200, 300)


class NotReachedError(ChannelUnavailableError):
    """Nobody was there to give it to."""


class UnansweredError(ChannelUnavailableError):
    """It was given to somebody who did not say whether it is taken."""


@dataclass(frozen=True)
class Answer:
    """What a provider said; header names in small letters. A body that is too large, or ends before
    its end, is none: the status alone says whether something was taken.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Answer({self.status})"  # providers quote what they were sent

    @property
    def is_ok(self) -> bool:
        """Whether it is taken."""
        return self.status in _OK

    @property
    def retry_after_s(self) -> float | None:
        """How long we are asked to wait; None where that is not said."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), RETRY_AFTER_S_MAX)
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = until if until.tzinfo else until.replace(tzinfo=UTC)
        wait_s = (aware - datetime.now(UTC)).total_seconds()
        return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)

    def fields(self) -> Mapping[str, Any]:
        """The body as a JSON object; an empty one where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def unavailable(self, who: str) -> ChannelUnavailableError:
        """What to raise when it says that nothing is taken now."""
        return ChannelUnavailableError(f"{who} answered {self.status}", self.retry_after_s)

    def refused(self, who: str, code: object = None) -> ChannelRefusedError:
        """What to raise when it says that this one is never taken; a code is told if a number."""
        known = f", code {code}" if isinstance(code, int) else ""
        return ChannelRefusedError(f"{who} answered {self.status}{known}")


class Poster:
    """Posts over connections that it keeps for a while; close it."""

    def __init__(
        self,
        network: httpcore.AsyncNetworkBackend | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._network = network
        self._timeout_s = timeout_s
        self._opened: httpcore.AsyncConnectionPool | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer, whatever it is; raises NotReachedError, UnansweredError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(url, headers, body)
        except (
            httpcore.ConnectError,
            httpcore.ConnectTimeout,
            httpcore.PoolTimeout,
            httpcore.UnsupportedProtocol,
            httpcore.LocalProtocolError,
            httpx.InvalidURL,
            OSError,
            UnicodeError,
        ) as error:
            if isinstance(error, TimeoutError):
                raise UnansweredError(type(error).__name__) from None
            raise NotReachedError(type(error).__name__) from None
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
        ) as error:
            raise UnansweredError(type(error).__name__) from None

    async def aclose(self) -> None:
        """Let go of every connection."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _answer(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        bounds = {"connect": CONNECT_TIMEOUT_S, "pool": CONNECT_TIMEOUT_S}
        # Parsed as infra.fetching does: what was looked at is what is asked.
        parts = httpx.URL(url)
        target = httpcore.URL(
            scheme=parts.raw_scheme, host=parts.raw_host, port=parts.port, target=parts.raw_path
        )
        sent = {"User-Agent": "marketmesh", "Accept-Encoding": "identity", **headers}
        async with self._pool().stream(
            "POST",
            target,
            headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()],
            content=body,
            extensions={"timeout": bounds},
        ) as answer:
            said = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in answer.headers
            }
            return Answer(answer.status, said, await _bounded(answer))

    def _pool(self) -> httpcore.AsyncConnectionPool:
        # Made at its first use: to load the certificates takes longer than to start without them.
        if self._opened is None:
            self._opened = httpcore.AsyncConnectionPool(
                tls(),
                max_connections=CONNECTIONS_MAX,
                keepalive_expiry=IDLE_S,
                network_backend=self._network,
            )
        return self._opened


async def _bounded(answer: httpcore.Response) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            async for piece in answer.aiter_stream():
                found += piece
                if len(found) > BODY_BYTES_MAX:
                    return b""
    except (TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        return b""
    return bytes(found)
