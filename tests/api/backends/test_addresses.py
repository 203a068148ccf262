"""Whose request it is: what a client says of itself counts for nothing."""

from __future__ import annotations

import pytest

from api.backends.addresses import UNKNOWN, Addresses


def address_of(trusted: str, client: str | None, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "http", "client": (client, 1) if client else None, "headers": headers}
    return Addresses(trusted).of(scope)


def test_NS_03_without_trusted_proxies_the_peer_it_is() -> None:
    assert address_of("", "192.0.2.1", "198.51.100.7") == "192.0.2.1"


def test_NS_03_a_peer_that_is_no_proxy_is_not_believed() -> None:
    assert address_of("10.0.0.0/8", "192.0.2.1", "198.51.100.7") == "192.0.2.1"


def test_NS_03_a_trusted_proxy_is_believed() -> None:
    assert address_of("10.0.0.0/8", "10.0.0.1", "198.51.100.7") == "198.51.100.7"


@pytest.mark.parametrize(
    "forwarded", [("203.0.113.1, 198.51.100.7",), ("203.0.113.1", "198.51.100.7")]
)
def test_NS_03_only_what_the_proxy_saw_itself_counts(forwarded: tuple[str, ...]) -> None:
    assert address_of("10.0.0.0/8", "10.0.0.1", *forwarded) == "198.51.100.7"


def test_NS_03_a_chain_of_trusted_proxies_is_followed() -> None:
    found = address_of("10.0.0.0/8,192.0.2.9", "10.0.0.1", "198.51.100.7, 192.0.2.9, 10.0.0.2")
    assert found == "198.51.100.7"


@pytest.mark.parametrize("forwarded", ["", "nobody", "198.51.100.7:80", "10.0.0.5"])
def test_NS_03_what_is_no_address_ends_the_chain(forwarded: str) -> None:
    assert address_of("10.0.0.0/8", "10.0.0.1", forwarded).startswith("10.0.0.")


def test_NS_03_all_addresses_of_one_ipv6_network_are_one() -> None:
    first, second = (address_of("", f"2001:db8::{n}") for n in (1, 2))
    assert first == second != address_of("", "2001:db8:0:1::1")


def test_NS_03_an_ipv4_address_in_ipv6_form_is_the_same() -> None:
    assert address_of("", "::ffff:192.0.2.1") == address_of("", "192.0.2.1")


@pytest.mark.parametrize("client", [None, "testclient"])
def test_NS_03_clients_without_an_address_are_one(client: str | None) -> None:
    assert address_of("10.0.0.0/8", client, "192.0.2.1") == UNKNOWN


def test_LI_19_behind_a_proxy_the_network_told_is_the_clients() -> None:
    scope = {
        "type": "http",
        "client": ("10.0.0.1", 1),
        "headers": [(b"x-forwarded-for", b"2001:db8:1::7")],
    }
    assert Addresses("10.0.0.0/8").whole(scope) == "2001:db8:1::7"
    assert Addresses("").whole(scope) == "10.0.0.1"
