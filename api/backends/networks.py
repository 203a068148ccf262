"""Where a request comes from, but not from whom: the network of its address."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from fastapi import Request

from api.backends.machines import machines_of


def address_of(request: Request) -> str:
    """The client's address, as trusted proxies tell it. For hashing and cutting only."""
    return machines_of(request).rate_limits.addresses.whole(request.scope)


def origin_of(request: Request) -> str:
    """The network that the request came from; empty when nobody can tell."""
    return network_of(address_of(request))


def network_of(host: str) -> str:
    """`203.0.113.77` → `203.0.113.0/24`, IPv6 to /48: where from, but not who. Empty for what
    is no address.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None) or address
    bits = 24 if mapped.version == 4 else 48  # noqa: PLR2004 - IP versions
    return str(ip_network((mapped, bits), strict=False))
