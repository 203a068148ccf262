"""Bytes from an address that somebody else has named, without being led anywhere that is ours.

Whoever names addresses would have us ask for them: the machine's own ports, the network behind it, a
cloud's metadata. So a name is resolved once, every address that it has is looked at, and the connection
is made to just those: what the name says a moment later changes nothing. That is asked of each
redirect anew. No proxy, no cookie and no credential is used; what comes is bounded in bytes and in
time, and not believed to be anything. FETCH_ALLOWED names hosts that are exempt.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpcore
import httpx

ADDRESS_LENGTH_MAX = 2_000
REDIRECTS_MAX = 3
FETCH_TIMEOUT_S = 20.0  # of all of it, redirects too
CONNECT_TIMEOUT_S = 5.0
SILENCE_MAX_S = 10.0  # between two pieces
ADDRESSES_TRIED_MAX = 3  # of those that a name has
PORT_MAX = 65_535
_HOST = re.compile(r"[a-z0-9._:-]{1,253}")  # a name as the network knows it, or an IP address
_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({408, 425, 429})  # and whatever is 5xx
_HEADERS: Mapping[bytes | str, bytes | str] = {
    "Accept": "image/jpeg, image/png, image/webp",
    "Accept-Encoding": "identity",  # a few packed bytes may be endless when unpacked
    "User-Agent": "marketmesh",
}

# The part of IPv6 that is handed out. Outside of it lie loopback, local and mapped addresses, and those that
# translators turn into IPv4 ones (NAT64).
_HANDED_OUT = IPv6Network("2000::/3")
# What `is_global` of some Python that we run on takes for public: tunnels to IPv4 addresses, papers'
# examples, protocols' own.
_NOT_PUBLIC: tuple[IPv4Network | IPv6Network, ...] = (
    *map(ip_network, ("192.0.0.0/24", "192.88.99.0/24")),
    *map(ip_network, ("2001::/23", "2002::/16", "3fff::/20")),
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressRefusedError(Exception):
    """Nothing is fetched from there; the text says why, and nothing of the address."""


class FetchRefusedError(Exception):
    """What is there is not what is wanted, and will not be at another try."""


class TooLargeError(FetchRefusedError):
    """It has more bytes than are taken."""


class FetchFailedError(Exception):
    """It can't be had now: another try may do better."""


def address_of(text: str) -> httpx.URL:
    """An address that may be worth fetching, as far as it tells by itself; raises
    AddressRefusedError. Where it leads is looked at when it is fetched.
    """
    if len(text) > ADDRESS_LENGTH_MAX:
        message = f"has more than {ADDRESS_LENGTH_MAX:,} characters"
        raise AddressRefusedError(message)
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        message = "is no address"
        raise AddressRefusedError(message) from None
    if url.scheme not in _PORTS:
        message = "begins with neither https:// nor http://"
        raise AddressRefusedError(message)
    if url.userinfo:
        message = "holds a name or password: leave out what stands before the @"
        raise AddressRefusedError(message)
    if not _HOST.fullmatch(host) or (url.port or 0) > PORT_MAX:
        message = "names no host"
        raise AddressRefusedError(message)
    return url.copy_with(fragment=None)


def is_public(text: str) -> bool:
    """Whether an IP address is one of the open network's, and stands for no other."""
    if "%" in text:
        return False  # of one link
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address not in _HANDED_OUT:
        return False
    if any(address in each for each in _NOT_PUBLIC if each.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolved(host: str, port: int) -> list[str]:
    """The IP addresses of a name, or of any spelling of an address that the machine knows."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connections to public addresses, and to hosts that are exempt, as a fetcher says."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._allowed = fetcher
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve once, look at all of it, and connect to what was looked at."""
        exempt = f"{host.lower()}:{port}" in self._allowed.exempt
        if port not in self._allowed.ports and not exempt:
            message = "names a port that is not the usual one"
            raise AddressRefusedError(message)
        addresses = await self._allowed.resolve(host, port)
        if not exempt and not all(map(is_public, addresses)):
            message = "leads to an address that is not public"
            raise AddressRefusedError(message)
        failed: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


@dataclass(frozen=True)
class Fetcher:
    """Fetches from the open network, and from hosts that are exempt (`host:port`)."""

    exempt: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset(_PORTS.values())
    resolve: Resolve = resolved
    timeout_s: float = FETCH_TIMEOUT_S

    async def fetch(self, text: str, bytes_max: int) -> bytes:
        """What is there; raises AddressRefusedError, FetchRefusedError, FetchFailedError."""
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._followed(address_of(text), bytes_max)
        except UnicodeError:
            message = "is no address"
            raise AddressRefusedError(message) from None
        except (
            TimeoutError,
            OSError,
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
        ) as error:
            raise FetchFailedError(type(error).__name__) from None

    async def _followed(self, url: httpx.URL, bytes_max: int) -> bytes:
        for _ in range(1 + REDIRECTS_MAX):
            found = await self._once(url, bytes_max)
            if isinstance(found, bytes):
                return found
            url = address_of(found)
        message = "redirects too often"
        raise FetchRefusedError(message)

    async def _once(self, url: httpx.URL, bytes_max: int) -> bytes | str:
        """The bytes, or the address to go on to."""
        bounds = {"connect": CONNECT_TIMEOUT_S, "read": SILENCE_MAX_S, "write": SILENCE_MAX_S}
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        network = GuardedNetwork(self)
        async with (
            httpcore.AsyncConnectionPool(tls(), network_backend=network) as pool,
            pool.stream("GET", target, headers=_HEADERS, extensions={"timeout": bounds}) as answer,
        ):
            if answer.status in _REDIRECTS:
                return _location(url, answer)
            if answer.status != httpx.codes.OK:
                raise _refused(answer.status)
            return await _bounded(answer, bytes_max)


@cache
def tls() -> ssl.SSLContext:
    """How whoever we ask has to prove the name that we asked for."""
    return httpcore.default_ssl_context()


def _refused(status: int) -> Exception:
    later = status in _LATER or status >= httpx.codes.INTERNAL_SERVER_ERROR
    return (FetchFailedError if later else FetchRefusedError)(f"status {status}")


def _location(url: httpx.URL, answer: httpcore.Response) -> str:
    for name, value in answer.headers:
        if name.lower() == b"location":
            try:
                return str(url.join(value.decode("ascii")))
            except (httpx.InvalidURL, UnicodeError):
                message = "redirects to what is no address"
                raise AddressRefusedError(message) from None
    message = "redirects to nowhere"
    raise FetchRefusedError(message)


async def _bounded(answer: httpcore.Response, bytes_max: int) -> bytes:
    found = bytearray()
    async for piece in answer.aiter_stream():
        found += piece
        if len(found) > bytes_max:
            message = f"has more than {bytes_max >> 20} MiB"
            raise TooLargeError(message)
    return bytes(found)
