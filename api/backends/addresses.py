"""Where a request comes from. What a client says of itself in X-Forwarded-For counts for nothing;
what a trusted proxy says does, and none is trusted unless the settings name it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

UNKNOWN = "unknown"  # no address at all: all such clients are one
IPV6_PREFIX = 64  # who has one address of such a network has all 2^64 of them
HOPS_MAX = 20

_Address = IPv4Address | IPv6Address


class Addresses:
    """Tells clients' addresses, believing the proxies in `trusted` (networks, comma between)."""

    def __init__(self, trusted: str) -> None:
        self._trusted = [ip_network(each.strip()) for each in trusted.split(",") if each.strip()]

    def of(self, scope: Scope) -> str:
        """The client's address; of IPv6 the network that one customer has."""
        address = self._client(scope)
        return UNKNOWN if address is None else _customer(address)

    def whole(self, scope: Scope) -> str:
        """The client's address itself; empty when nobody can tell. For hashing and cutting only."""
        address = self._client(scope)
        return "" if address is None else str(address)

    def _client(self, scope: Scope) -> _Address | None:
        client = scope.get("client")
        address = _parsed(client[0]) if client else None
        if address is not None and self._trusted and self._trusts(address):
            return self._passed_on(scope, address)
        return address

    def _passed_on(self, scope: Scope, nearest: _Address) -> _Address:
        """The last address that a trusted proxy saw and that is no trusted proxy itself."""
        for text in reversed(_forwarded_for(scope)[-HOPS_MAX:]):
            address = _parsed(text)
            if address is None:
                break
            nearest = address
            if not self._trusts(address):
                break
        return nearest

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _forwarded_for(scope: Scope) -> list[str]:
    sent = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(sent).decode("latin-1").split(",") if sent else []


def _parsed(text: str) -> _Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _customer(address: _Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), IPV6_PREFIX), strict=False))
