"""What somebody else names is fetched from the open network and from nowhere else. Tripwires listen on
loopback: nothing may ever ring at one.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpcore
import pytest

from infra import fetching
from infra.fetching import (
    ADDRESS_LENGTH_MAX,
    REDIRECTS_MAX,
    AddressRefusedError,
    Fetcher,
    FetchFailedError,
    FetchRefusedError,
    TooLargeError,
    address_of,
    is_public,
)
from tests.infra.test_nginx_runs import certificate
from tests.waiting import eventually
from tests.web import answering, tripwire, web

PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
MANY = 100_000

# Where a tripwire is, in all the ways in which that can be said; {port} is the tripwire's.
SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "hTTp://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.000.000.001:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0x0.0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ⓛocalhost:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://picture@127.0.0.1:{port}/",
    "http://picture.example:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@picture.example/",
    "http://127.0.0.1:{port}?@picture.example/",
    "http://127.0.0.1:{port}\\@picture.example/",
    "http://picture.example\\@127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "//127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nX: y",
    "https://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "file://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "ldap://127.0.0.1:{port}/",
    "data:image/png;base64,iVBORw0KGgo=",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_V1_3_6_no_spelling_of_our_own_network_is_asked(spelling: str) -> None:
    async with tripwire() as wire:
        fetcher = Fetcher(ports=frozenset({wire.port, 80, 443}))
        with pytest.raises((AddressRefusedError, FetchFailedError)):
            await fetcher.fetch(spelling.format(port=wire.port), MANY)
        assert wire.rings == 0


async def test_without_the_look_at_addresses_most_of_them_would_ring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tripwires are where the spellings lead."""
    monkeypatch.setattr(fetching, "is_public", lambda _: True)
    rung = []
    async with tripwire() as wire:
        fetcher = Fetcher(ports=frozenset({wire.port}), timeout_s=1)
        for spelling in SPELLINGS:
            if spelling.startswith(("http://[6", "http://[2", "http://[fe80")):
                continue  # leads out of the machine
            before = wire.rings
            with pytest.raises((AddressRefusedError, FetchFailedError)):
                await fetcher.fetch(spelling.format(port=wire.port), MANY)
            rung += [spelling] * (wire.rings > before)
    assert len(rung) > 20


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "127.0.0.1"),
        *("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "192.0.2.1"),
        *("192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1"),
        *("2001:0:a00:1::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1"),
    ],
)
def test_what_is_not_of_the_open_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, OTHER_PUBLIC, "8.8.8.8", "2a00:1450:4001:81b::200e"])
def test_what_is_of_the_open_network_is_public(address: str) -> None:
    assert is_public(address)


@dataclass
class Network:
    """The network, of which nothing can be reached; it knows who was to be."""

    asked: list[str] = field(default_factory=list)

    async def connect_tcp(self, host: str, *_: object) -> Any:
        self.asked.append(host)
        raise httpcore.ConnectError


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    found = Network()
    monkeypatch.setattr(httpcore, "AnyIOBackend", lambda: found)
    return found


class Names:
    """Resolves by turns, as a name server of somebody's own may."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self.answers = [list(each) for each in answers]
        self.asked = 0

    async def resolve(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def test_V1_3_6_a_name_that_means_another_address_a_moment_later_is_asked_once(
    network: Network,
) -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    with pytest.raises(FetchFailedError):
        await Fetcher(resolve=names.resolve).fetch("http://rebinding.example/1.jpg", MANY)
    assert (names.asked, network.asked) == (1, [PUBLIC])


async def test_a_name_is_resolved_anew_and_looked_at_anew_the_next_time(network: Network) -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    fetcher = Fetcher(resolve=names.resolve)
    with pytest.raises(FetchFailedError):
        await fetcher.fetch("http://rebinding.example/1.jpg", MANY)
    with pytest.raises(AddressRefusedError):
        await fetcher.fetch("http://rebinding.example/1.jpg", MANY)
    assert network.asked == [PUBLIC]


@pytest.mark.parametrize("answer", [[PUBLIC, "127.0.0.1"], ["::1", PUBLIC], [OTHER_PUBLIC, "::"]])
async def test_a_name_that_leads_to_us_too_is_refused_whole(network: Network, answer) -> None:
    with pytest.raises(AddressRefusedError):
        await Fetcher(resolve=Names(answer).resolve).fetch("https://both.example/", MANY)
    assert network.asked == []


async def test_each_address_of_a_name_is_tried(network: Network) -> None:
    names = Names([PUBLIC, OTHER_PUBLIC])
    with pytest.raises(FetchFailedError):
        await Fetcher(resolve=names.resolve).fetch("https://picture.example/", MANY)
    assert network.asked == [PUBLIC, OTHER_PUBLIC]


async def test_other_ports_are_left_alone(network: Network) -> None:
    for port in (22, 25, 6379, 8080, 9092):
        with pytest.raises(AddressRefusedError):
            await Fetcher(resolve=Names([PUBLIC]).resolve).fetch(f"http://a.example:{port}/", MANY)
    assert network.asked == []


async def test_what_is_there_is_fetched() -> None:
    async with web(
        answering("200 OK", "Content-Type: text/html", body=b"\xff\xd8 picture")
    ) as host:
        fetcher = Fetcher(frozenset({host}))
        assert await fetcher.fetch(f"http://{host}/1.jpg?a=b%20c#d", MANY) == b"\xff\xd8 picture"


async def test_it_is_asked_for_as_the_address_says_and_as_nobody() -> None:
    heads: list[str] = []

    async def serve(head: str, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        await answering("200 OK")(head, writer)

    async with web(serve) as host:
        await Fetcher(frozenset({host})).fetch(f"http://{host}/ä 1.jpg?a=%2F#there", MANY)
    (head,) = heads
    assert head.startswith("GET /%C3%A4%201.jpg?a=%2F HTTP/1.1\r\n")
    assert f"Host: {host}\r\n" in head
    assert {"cookie", "authorization", "referer"}.isdisjoint(head.lower().replace(":", " ").split())


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with tripwire() as wire, web(answering("200 OK", body=b"1")) as host:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{wire.port}")
        assert await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY) == b"1"
        assert wire.rings == 0


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Again", "308 Moved"])
@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/",
        "//localhost:{port}/",
        "http://[::1]:{port}/",
        "file:///etc/passwd",
    ],
)
async def test_V1_3_6_V15_3_2_a_redirect_to_us_is_not_followed(status: str, target: str) -> None:
    async with tripwire() as wire:
        location = f"Location: {target.format(port=wire.port)}"
        async with web(answering(status, location)) as host:
            fetcher = Fetcher(frozenset({host}), ports=frozenset({wire.port}))
            with pytest.raises(AddressRefusedError):
                await fetcher.fetch(f"http://{host}/", MANY)
        assert wire.rings == 0


async def redirecting(times: int) -> bytes:
    async def serve(head: str, writer: asyncio.StreamWriter) -> None:
        place = int(head.split()[1].lstrip("/"))
        if place < times:
            await answering("302 Found", f"Location: /{place + 1}")(head, writer)
        else:
            await answering("200 OK", body=b"here")(head, writer)

    async with web(serve) as host:
        return await Fetcher(frozenset({host})).fetch(f"http://{host}/0", MANY)


async def test_a_few_redirects_are_followed() -> None:
    assert await redirecting(REDIRECTS_MAX) == b"here"


async def test_V15_3_2_more_redirects_than_a_few_are_not_followed() -> None:
    with pytest.raises(FetchRefusedError):
        await redirecting(REDIRECTS_MAX + 1)


@pytest.mark.parametrize(
    "header", ["X: y", "Location: http://a:b@picture.example/", "Location: http://["]
)
async def test_a_redirect_to_nowhere_is_refused(header: str) -> None:
    async with web(answering("302 Found", header)) as host:
        with pytest.raises((AddressRefusedError, FetchRefusedError)):
            await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((each, FetchRefusedError) for each in ("404 No", "403 No", "410 Gone", "204 No Content")),
        *((each, FetchFailedError) for each in ("500 Oh", "503 Later", "429 Later", "408 Late")),
    ],
)
async def test_an_answer_says_whether_another_try_may_do_better(status: str, error: Any) -> None:
    async with web(answering(status)) as host:
        with pytest.raises(error):
            await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY)


async def test_who_answers_byte_by_byte_is_left() -> None:
    left = asyncio.Event()

    async def drip(_head: str, writer: asyncio.StreamWriter) -> None:
        async def one_more() -> None:
            writer.write(b".")
            await writer.drain()

        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        with pytest.raises(ConnectionError):
            await eventually(one_more)
        left.set()

    async with web(drip) as host:
        with pytest.raises(FetchFailedError):
            await Fetcher(frozenset({host}), timeout_s=0.2).fetch(f"http://{host}/", MANY)
        await asyncio.wait_for(left.wait(), 10)


@pytest.mark.parametrize("head", ["Content-Length: 9000000000", "Transfer-Encoding: chunked"])
async def test_what_never_ends_is_left_when_it_is_too_much(head: str) -> None:
    sent = 0

    async def pour(_head: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        piece = bytes(4_096) if head.startswith("Content") else b"1000\r\n" + bytes(4_096) + b"\r\n"
        while True:
            writer.write(piece)
            await writer.drain()
            sent += 4_096

    async with web(pour) as host:
        with pytest.raises(TooLargeError):
            await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY)
    assert MANY - 4_096 <= sent < 100 * MANY


async def test_as_many_bytes_as_may_be_are_taken() -> None:
    async with web(answering("200 OK", body=bytes(MANY))) as host:
        assert len(await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY)) == MANY


async def test_what_is_packed_is_not_unpacked() -> None:
    packed = gzip.compress(bytes(50_000_000))
    async with web(answering("200 OK", "Content-Encoding: gzip", body=packed)) as host:
        assert await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY) == packed


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000]
)
async def test_what_is_no_answer_is_none(answer: bytes) -> None:
    async def serve(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with web(serve) as host:
        with pytest.raises(FetchFailedError):
            await Fetcher(frozenset({host})).fetch(f"http://{host}/", MANY)


async def test_who_can_not_prove_a_name_is_not_listened_to(tmp_path) -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate(tmp_path)
    own.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    async with web(answering("200 OK", body=b"1"), tls=own) as host:
        with pytest.raises(FetchFailedError):
            await Fetcher(frozenset({host})).fetch(f"https://{host}/", MANY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "picture.jpg",
        "http://",
        "https://[/",
        "http://a b/",
        "http://x\x00y/",
        "http://a:99999/",
    ],
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(AddressRefusedError):
        address_of(text)


def test_an_address_has_a_bound() -> None:
    start = "https://picture.example/"
    assert address_of(start + "a" * (ADDRESS_LENGTH_MAX - len(start)))
    with pytest.raises(AddressRefusedError):
        address_of(start + "a" * (ADDRESS_LENGTH_MAX - len(start) + 1))
