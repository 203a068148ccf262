"""What holds for every adapter that asks a provider over HTTP, whatever the provider does."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from infra.channels import posting
from infra.channels.errors import (
    ChannelDeferredError,
    ChannelRefusedError,
    ChannelUnavailableError,
)
from infra.channels.posting import BODY_BYTES_MAX
from tests.infra.channels.adapters import NUMBER, PERSON, SECRET, Adapter, adapter, sent
from tests.infra.channels.provider import Provider, Reply, provider
from tests.web import tripwire

NAMES = ("twilio", "sendgrid", "ses", "fcm", "web")
# Whose provider is one for all, and so away for all. A browser's push service is that browser's.
ONE_FOR_ALL = {"twilio", "sendgrid", "ses", "fcm"}
FAULTS = [
    Reply(500, b"oops"),
    Reply(503, b"", ("Retry-After: 7",)),
    Reply(429, b"{}", ("Retry-After: 7",)),
    Reply(400, b"<html>" + PERSON.encode() + b"</html>"),
    Reply(401, SECRET.encode()),
    Reply(403, b"[]"),
    Reply(302, b"", ("Location: /elsewhere",)),
    Reply(404, b"null"),
    Reply(400, b'{"error": []}'),
    Reply(400, b'{"error": {"details": [1, {"errorCode": "UNREGISTERED"}]}}'),
    Reply(400, b"[" * 60_000),
    Reply(hangs=True),
]


def later(own: Adapter) -> type[Exception]:
    return ChannelUnavailableError if own.name in ONE_FOR_ALL else ChannelDeferredError


@pytest_asyncio.fixture(params=NAMES)
async def own(
    request: pytest.FixtureRequest, trusted_tls: ssl.SSLContext
) -> AsyncIterator[Adapter]:
    async with (
        provider(trusted_tls if request.param == "web" else None) as server,
        adapter(request.param, server, timeout_s=20.0) as made,
    ):
        yield made


def messages(server: Provider) -> list[Any]:
    return [each for each in server.asked if each.path != "/token"]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_what_is_taken_is_taken_whatever_else_is_said(own: Adapter, status: int) -> None:
    own.provider.reply = Reply(status, b"" if status == 204 else b"<html>no JSON")
    await sent(own)
    (asked,) = messages(own.provider)
    assert asked.method == "POST"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_outage_is_over_some_day_and_when_is_told(own: Adapter, status: int) -> None:
    own.provider.reply = Reply(status, b"oops", ("Retry-After: 7",))
    with pytest.raises(later(own)) as told:
        await sent(own)
    assert told.value.retry_after_s == 7
    assert f"answered {status}" in str(told.value)


async def test_nobody_there_is_an_outage(own: Adapter) -> None:
    async with provider() as gone:
        own.provider.port = gone.port
    async with adapter(own.name, own.provider) as away:
        with pytest.raises(later(own)):
            await sent(away)


async def test_NO_14_who_says_nothing_is_given_up(own: Adapter) -> None:
    own.provider.reply = Reply(hangs=True)
    async with asyncio.timeout(20), adapter(own.name, own.provider, timeout_s=0.5) as hasty:
        with pytest.raises((ChannelDeferredError, ChannelUnavailableError)) as told:
            await sent(hasty)
    # A repeat of an SMS is one more on somebody's phone: its tries have an end.
    few = own.name in {"web", "twilio"}
    assert isinstance(told.value, ChannelDeferredError) is few
    assert len(messages(own.provider)) == 1


async def test_a_body_without_end_is_not_read_to_its_end(own: Adapter) -> None:
    own.provider.reply = Reply(201, endless=True)
    async with asyncio.timeout(20):
        await sent(own)
    # What the two ends of the connection hold besides is a few megabytes at most.
    assert own.provider.written < BODY_BYTES_MAX + 16 * 2**20


async def test_an_answer_without_its_body_is_an_answer(
    own: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "CONNECT_TIMEOUT_S", 1.0)
    own.provider.reply = Reply(202, b"", ("Transfer-Encoding: chunked",))
    await sent(own)
    assert len(messages(own.provider)) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(own: Adapter, status: int) -> None:
    async with tripwire() as wire:
        where = (f"Location: http://127.0.0.1:{wire.port}/", f"Location: {own.provider.url}/there")
        for each in where:
            own.provider.reply = Reply(status, headers=(each,))
            with pytest.raises((ChannelRefusedError, ChannelUnavailableError)):
                await sent(own)
    assert wire.rings == 0
    assert own.provider.of("/there") == []


@pytest.mark.parametrize("reply", FAULTS, ids=lambda each: f"{each.status}-{len(each.body)}")
async def test_no_error_tells_a_secret_or_a_person(
    own: Adapter, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    own.provider.reply = reply
    caplog.set_level(logging.DEBUG)
    patience_s = 0.5 if reply.hangs else 20.0
    async with adapter(own.name, own.provider, timeout_s=patience_s) as patient:
        with pytest.raises(
            (ChannelDeferredError, ChannelRefusedError, ChannelUnavailableError)
        ) as told:
            await sent(patient)
    error = told.value
    whole = "".join(traceback.format_exception(error))
    texts = (str(error), repr(error), repr(own.sender), whole, caplog.text)
    for text in texts:
        assert SECRET not in text
        assert PERSON not in text
        assert NUMBER not in text
    assert str(error)


async def test_a_connection_is_used_again(own: Adapter) -> None:
    own.provider.reply = Reply(201, b"{}")
    for _ in range(3):
        await own.send(uuid4())
    assert len(messages(own.provider)) == 3
    assert own.provider.connections == 1
