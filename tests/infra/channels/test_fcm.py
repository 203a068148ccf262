"""Push to apps: what FCM and Google's token service are asked, and what their answers mean."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import RSAKey

from infra.channels import fcm
from infra.channels.errors import (
    ChannelRefusedError,
    ChannelUnavailableError,
    GoneError,
)
from infra.channels.fcm import Fcm
from infra.channels.posting import Poster
from infra.settings import SettingsError
from tests.infra.channels.adapters import (
    DEVICE,
    PUSH,
    SECRET,
    TOKEN_REPLY,
    Adapter,
    adapter,
    sent,
    service_account,
    service_key,
)
from tests.infra.channels.given import settings_with
from tests.infra.channels.provider import Reply, provider

PATH = "/v1/projects/market/messages:send"
TYPE = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def failure(status: int, code: str | None, kind: str = TYPE) -> Reply:
    """As FCM's reference shows it."""
    told: dict[str, Any] = {"code": status, "message": "Requested entity was not found."}
    if code:
        told["details"] = [{"@type": kind, "errorCode": code}]
    return Reply(status, json.dumps({"error": told | {"status": "NOT_FOUND"}}).encode())


@pytest_asyncio.fixture
async def own() -> AsyncIterator[Adapter]:
    async with provider() as server, adapter("fcm", server) as made:
        server.reply = Reply(200, b'{"name": "projects/market/messages/0:1500415314455276"}')
        yield made


async def test_NO_14_google_is_asked_for_a_token_as_its_reference_says(own: Adapter) -> None:
    await sent(own)
    (asked,) = own.provider.of("/token")
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    token = jwt.decode(asked.form["assertion"], RSAKey.import_key(service_key()), ["RS256"])
    assert token.header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    claims = dict(token.claims)
    issued, ends = claims.pop("iat"), claims.pop("exp")
    assert claims == {
        "iss": "push@market.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": f"{own.provider.url}/token",
    }
    assert issued - 5 <= time.time() <= issued + 60
    assert ends - issued == 3_600


async def test_NO_14_fcm_is_asked_as_its_reference_says(own: Adapter) -> None:
    message = replace(PUSH, tag="chat-1", urgency="high", ttl_s=60)
    await own.sender.send(message, DEVICE, UUID(int=1))
    (asked,) = own.provider.of(PATH)
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    told = asked.json["message"]
    apns = told.pop("apns")["headers"]
    assert told == {
        "token": DEVICE.token,
        "notification": {"title": message.title, "body": message.body},
        "data": {"url": "/chats/1", "tag": "chat-1", "id": str(UUID(int=1))},
        "android": {"priority": "HIGH", "ttl": "60s", "notification": {"tag": "chat-1"}},
    }
    assert apns["apns-priority"] == "10"
    assert len(apns["apns-collapse-id"]) <= 64
    assert time.time() < int(apns["apns-expiration"]) <= time.time() + 61


async def test_a_token_is_asked_for_once(own: Adapter) -> None:
    for _ in range(3):
        await sent(own)
    assert len(own.provider.of("/token")) == 1
    assert len(own.provider.of(PATH)) == 3


async def test_a_token_is_not_used_in_its_last_minutes(own: Adapter) -> None:
    about_to_end = {"access_token": "x", "expires_in": int(fcm.SPARE_S), "token_type": "Bearer"}
    own.provider.replies["/token"] = Reply(200, json.dumps(about_to_end).encode())
    for _ in range(2):
        await sent(own)
    assert len(own.provider.of("/token")) == 2


async def test_a_token_that_is_turned_away_is_asked_for_anew(own: Adapter) -> None:
    own.provider.replies[PATH] = failure(401, None)
    with pytest.raises(ChannelUnavailableError):
        await sent(own)
    own.provider.replies.pop(PATH)
    await sent(own)
    assert len(own.provider.of("/token")) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}'),
        Reply(500),
        Reply(200, b"<html>"),
        Reply(200, b'{"access_token": "x"}'),
        Reply(200, b'{"access_token": 7, "expires_in": 3599}'),
        Reply(200, '{"access_token": "é", "expires_in": 3599}'.encode()),
        Reply(200, endless=True),
        Reply(302, b"", ("Location: /elsewhere",)),
    ],
    ids=lambda each: f"{each.status}-{each.body[:25]!r}",
)
async def test_without_a_token_messages_wait(own: Adapter, reply: Reply) -> None:
    own.provider.replies["/token"] = reply
    with pytest.raises(ChannelUnavailableError):
        await sent(own)
    assert own.provider.of(PATH) == []
    own.provider.replies["/token"] = TOKEN_REPLY
    await sent(own)
    assert len(own.provider.of(PATH)) == 1


async def test_NO_03_a_registration_that_is_dead_is_told(own: Adapter) -> None:
    own.provider.replies[PATH] = failure(404, "UNREGISTERED")
    with pytest.raises(GoneError, match=r"^FCM answered 404$"):
        await sent(own)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (failure(400, "INVALID_ARGUMENT"), ChannelRefusedError),
        (failure(403, "SENDER_ID_MISMATCH"), ChannelRefusedError),
        (failure(403, None), ChannelUnavailableError),
        (failure(404, None), ChannelUnavailableError),  # the project is not there
        (failure(404, "UNREGISTERED", "type.googleapis.com/x"), ChannelUnavailableError),
        (failure(401, "THIRD_PARTY_AUTH_ERROR"), ChannelUnavailableError),
        (failure(429, "QUOTA_EXCEEDED"), ChannelUnavailableError),
        (failure(503, "UNAVAILABLE"), ChannelUnavailableError),
        (failure(500, "INTERNAL"), ChannelUnavailableError),
    ],
)
async def test_what_fcm_answers_decides_what_becomes_of_a_message(
    own: Adapter, reply: Reply, expected: type[Exception]
) -> None:
    own.provider.replies[PATH] = reply
    with pytest.raises(expected) as told:
        await sent(own)
    assert type(told.value) is expected


@pytest.mark.parametrize("token", ["", "a b", "a\n", "é", "a" * 4_097])
async def test_a_token_that_is_none_is_refused(own: Adapter, token: str) -> None:
    with pytest.raises(ChannelRefusedError):
        await own.sender.send(PUSH, replace(DEVICE, token=token), uuid4())
    assert own.provider.asked == []


def account(**other: Any) -> str:
    known: dict[str, Any] = json.loads(service_account("http://127.0.0.1:1"))
    return json.dumps({**known, **other})


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"project_id": "x"}', account(private_key=SECRET), account(project_id="../x"),
     account(token_uri="http://example.org/token"), account(token_uri="ftp://127.0.0.1/")],
    ids=lambda each: str(each)[:20],
)  # fmt: skip
def test_a_key_file_that_is_none_is_told_without_what_it_holds(text: str) -> None:
    with pytest.raises(SettingsError, match="FCM_ACCOUNT") as told:
        Fcm(settings_with(fcm_account=text), Poster())
    assert SECRET not in str(told.value)


def test_in_production_not_even_this_machine_is_told_in_the_clear() -> None:
    plain = settings_with(fcm_account=account())
    assert Fcm(plain, Poster()).kinds == {"fcm"}
    with pytest.raises(SettingsError, match="token_uri must begin with https://"):
        Fcm(plain.model_copy(update={"mode": "production"}), Poster())
