"""Push to browsers: what RFC 8291 and 8292 say, what push services answer, and where nothing goes."""

from __future__ import annotations

import json
import ssl
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpcore
import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from infra import fetching
from infra.channels.errors import (
    ChannelDeferredError,
    ChannelRefusedError,
    GoneError,
)
from infra.channels.posting import Poster
from infra.channels.push import WebSubscription
from infra.channels.web_push import WebPush, vapid_public_key, web_fault
from infra.channels.web_push_body import BrowserKeys, Once, browser_keys, encoded, encrypted
from infra.fetching import Fetcher, GuardedNetwork
from infra.settings import SettingsError
from tests.infra.channels.adapters import (
    AUTH,
    BROWSER,
    PUSH,
    Adapter,
    adapter,
    b64,
    browser_at,
    sent,
)
from tests.infra.channels.browser import opened
from tests.infra.channels.given import settings_with
from tests.infra.channels.provider import Reply, provider
from tests.web import tripwire

# RFC 8291, section 5 and appendix A.
RFC = {
    "text": "When I grow up, I want to be a watermelon",
    "our_key": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
    "browser": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
    "p256dh": (
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkN"
        "toIAiw4"
    ),
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "salt": "DGv6ra1nlYgDCS1FRnbzlw",
    "body": (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
        "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
        "lcy4a-fN"
    ),
}  # fmt: skip
KNOWN = [
    "https://fcm.googleapis.com/fcm/send/abc",
    "https://updates.push.services.mozilla.com/wpush/v2/abc",
    "https://db5p.notify.windows.com/w/?token=abc",
    "https://web.push.apple.com/abc",
]
# Each would be asked if only its form were looked at.
ELSEWHERE = [
    "",
    "https://",
    "https://example.org/fcm.googleapis.com",
    "https://fcm.googleapis.com.example.org/",
    "https://fcm.googleapis.com@example.org/",
    "https://user@fcm.googleapis.com/",
    "https://example.org/#@fcm.googleapis.com/",
    "https://example.org\\@fcm.googleapis.com/",
    "https://notify.windows.com/",
    "https://xnotify.windows.com/",
    "http://fcm.googleapis.com/",
    "ftp://fcm.googleapis.com/",
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/",
    "https://[::1]/",
    f"https://fcm.googleapis.com/{'a' * 2_000}",
]  # fmt: skip


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decoded(text)), ec.SECP256R1())


@pytest_asyncio.fixture
async def own(trusted_tls: ssl.SSLContext) -> AsyncIterator[Adapter]:
    async with provider(trusted_tls) as server, adapter("web", server) as made:
        server.reply = Reply(201)
        yield made


def test_RFC_8291_a_body_is_that_of_its_appendix() -> None:
    once = Once(private(RFC["our_key"]), decoded(RFC["salt"]))
    to = browser_keys(RFC["p256dh"], RFC["auth"])
    assert b64(encrypted(RFC["text"].encode(), to, once)) == RFC["body"]


def test_RFC_8291_the_browser_of_these_tests_reads_the_body_of_its_appendix() -> None:
    key, auth = private(RFC["browser"]), decoded(RFC["auth"])
    assert opened(decoded(RFC["body"]), key, auth).decode() == RFC["text"]


def test_no_two_messages_are_encrypted_alike() -> None:
    to = BrowserKeys(BROWSER.public_key(), AUTH)
    bodies = [encrypted(b"the same", to, Once()) for _ in range(5)]
    assert len({each[:16] for each in bodies}) == 5
    assert len({each[21:86] for each in bodies}) == 5
    assert {opened(each) for each in bodies} == {b"the same"}


async def test_RFC_8292_we_prove_who_we_are_to_this_service_and_for_a_while(own: Adapter) -> None:
    await sent(own)
    (asked,) = own.provider.asked
    scheme, _, rest = asked.headers["authorization"].partition(" ")
    told = dict(each.strip().split("=", 1) for each in rest.split(","))
    point = decoded(told["k"])
    signed, _, proof = told["t"].rpartition(".")
    head, claims = (json.loads(decoded(each)) for each in signed.split("."))
    numbers = (int.from_bytes(each) for each in (decoded(proof)[:32], decoded(proof)[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    # Raises InvalidSignature. Not the library that has signed it.
    key.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
    assert (scheme, len(point)) == ("vapid", 65)
    assert (head["typ"], head["alg"]) == ("JWT", "ES256")
    assert claims["aud"] == f"https://localhost:{own.provider.port}"
    assert claims["sub"] == "mailto:no-reply@example.org"
    assert time.time() < claims["exp"] <= time.time() + 24 * 3600
    assert told["k"] == vapid_public_key(settings_with(vapid_key=b64((7).to_bytes(32))))


def test_without_a_key_there_is_none_to_subscribe_with() -> None:
    assert vapid_public_key(settings_with(vapid_key="")) == ""


async def test_RFC_8030_the_service_is_told_how_long_and_how_urgent(own: Adapter) -> None:
    to = browser_at(f"localhost:{own.provider.port}")
    for tag in ("chat-1", "chat-1", "a tag of more than 32 characters, and more"):
        message = replace(PUSH, urgency="high", ttl_s=60, tag=tag)
        await own.sender.send(message, to, uuid4())
    (first, again, other) = (each.headers for each in own.provider.asked)
    assert (first["ttl"], first["urgency"], first["content-encoding"]) == (
        "60",
        "high",
        "aes128gcm",
    )
    assert first["topic"] == again["topic"] != other["topic"]
    assert all(0 < len(each["topic"]) <= 32 for each in (first, other))


@pytest.mark.parametrize("status", [404, 410])
async def test_NO_03_a_subscription_that_is_dead_is_told(own: Adapter, status: int) -> None:
    own.provider.reply = Reply(status, b"push subscription has unsubscribed or expired.")
    with pytest.raises(GoneError, match=f"^the push service answered {status}$"):
        await sent(own)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ChannelRefusedError),
        (401, ChannelRefusedError),
        (403, ChannelRefusedError),  # subscribed with another key
        (413, ChannelRefusedError),
        (408, ChannelDeferredError),
        (429, ChannelDeferredError),
        (500, ChannelDeferredError),
        (503, ChannelDeferredError),
    ],
)
async def test_what_a_push_service_answers_is_of_this_browser_alone(
    own: Adapter, status: int, expected: type[Exception]
) -> None:
    own.provider.reply = Reply(status, b"{}")
    with pytest.raises(expected) as told:
        await sent(own)
    assert type(told.value) is expected


@pytest.mark.parametrize("endpoint", KNOWN)
def test_what_browsers_name_is_known(endpoint: str) -> None:
    assert web_fault(at(endpoint), settings_with()) == ""


@pytest.mark.parametrize("endpoint", ELSEWHERE)
async def test_V1_3_6_an_endpoint_elsewhere_is_never_asked(endpoint: str) -> None:
    settings = settings_with(vapid_key=b64((7).to_bytes(32)))
    nowhere = Nowhere()
    with pytest.raises(ChannelRefusedError, match=r"^the endpoint "):
        await WebPush(settings, Poster(nowhere)).send(PUSH, at(endpoint), uuid4())
    assert web_fault(at(endpoint), settings).startswith("the endpoint ")
    assert nowhere.asked == []


@pytest.mark.parametrize("endpoint", [*KNOWN, "https://FCM.googleapis.com:443/x?y#@example.org/"])
async def test_V1_3_6_the_host_that_was_looked_at_is_the_one_that_is_asked(endpoint: str) -> None:
    settings = settings_with(vapid_key=b64((7).to_bytes(32)))
    nowhere = Nowhere()
    with pytest.raises(ChannelDeferredError):
        await WebPush(settings, Poster(nowhere)).send(PUSH, at(endpoint), uuid4())
    assert nowhere.asked == [(httpx.URL(endpoint).host, 443)]


class Nowhere(httpcore.AsyncNetworkBackend):
    """A network that remembers whom it was to connect to, and does not."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> Any:
        self.asked.append((host, port))
        raise httpcore.ConnectError


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_V1_3_6_a_known_name_that_leads_to_our_own_network_is_not_asked(
    address: str,
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [address]

    settings = settings_with(vapid_key=b64((7).to_bytes(32)))
    async with tripwire() as wire:
        guard = GuardedNetwork(Fetcher(ports=frozenset({wire.port}), resolve=resolve))
        poster = Poster(guard)
        to = at(f"https://fcm.googleapis.com:{wire.port}/x")
        with pytest.raises(ChannelRefusedError, match="leads to an address that is not public"):
            await WebPush(settings, poster).send(PUSH, to, uuid4())
        await poster.aclose()
    assert wire.rings == 0


async def test_V1_3_6_a_known_name_is_asked_at_the_usual_port_only() -> None:
    settings = settings_with(vapid_key=b64((7).to_bytes(32)))
    poster = Poster(GuardedNetwork(Fetcher(ports=frozenset({443}))))
    with pytest.raises(ChannelRefusedError, match="names a port that is not the usual one"):
        await WebPush(settings, poster).send(PUSH, at("https://web.push.apple.com:22/"), uuid4())
    await poster.aclose()


async def test_who_can_not_prove_a_name_gets_no_message(
    own: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    fetching.tls.cache_clear()
    with pytest.raises(ChannelDeferredError):
        await sent(own)
    assert own.provider.asked == []


@pytest.mark.parametrize(
    "keys",
    [
        {"p256dh": ""},
        {"p256dh": b64(b"\4" + bytes(64))},  # no point of the curve
        {"p256dh": b64(encoded(BROWSER.public_key())[:64])},
        {"p256dh": "é" * 87},
        {"p256dh": "A" * 100_000},
        {"auth": ""},
        {"auth": b64(bytes(15))},
        {"auth": b64(bytes(17))},
        {"auth": "!"},
    ],
    ids=lambda each: str(each)[:30],
)
def test_keys_that_are_none_are_told(keys: dict[str, str]) -> None:
    found = replace(at(KNOWN[0]), **keys)
    assert web_fault(found, settings_with()).startswith("the keys are none")


@pytest.mark.parametrize("key", ["short", b64(bytes(32)), b64(b"\xff" * 32), "é" * 43, "A" * 44])
def test_a_vapid_key_that_is_none_is_refused_at_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="VAPID_KEY") as told:
        settings_with(vapid_key=key)
    assert key not in str(told.value)


def at(endpoint: str) -> WebSubscription:
    return replace(browser_at("localhost"), endpoint=endpoint)
