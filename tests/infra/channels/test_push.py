"""Push: one contract for browsers, apps and the sink, and for what hands messages to each."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
import pytest_asyncio

from infra.channels.errors import ChannelRefusedError, GoneError
from infra.channels.outbox import Outbox, SinkPush
from infra.channels.push import (
    MESSAGE_BYTES_MAX,
    DeviceSubscription,
    Pushers,
    PushMessage,
    PushSender,
    PushSubscription,
    WebSubscription,
    as_json,
)
from tests.infra.channels.adapters import DEVICE, PERSON, PUSH, adapter, browser_at, settings_of
from tests.infra.channels.browser import opened
from tests.infra.channels.provider import Provider, Reply, provider

ENDPOINT = "https://fcm.googleapis.com/fcm/send/canary"


@dataclass(frozen=True)
class Shown:
    """What whoever has the subscription comes to see."""

    title: str
    body: str
    url: str
    tag: str


@dataclass(frozen=True)
class Port:
    """A sender, a live subscription of its kind and what has come there; `die`: the subscription
    ends, as the service tells of it.
    """

    sender: PushSender
    subscription: PushSubscription
    shown: Callable[[], list[Shown]]


def in_the_sink(box: Outbox) -> list[Shown]:
    return [Shown(*each.text.split("\n"), each.url, each.tag) for each in box.newest()]


def in_the_browser(server: Provider) -> list[Shown]:
    told = [orjson.loads(opened(each.body)) for each in server.asked]
    return [Shown(each["title"], each["body"], each["url"], each["tag"]) for each in told]


def in_the_app(server: Provider) -> list[Shown]:
    told = [each.json["message"] for each in server.asked if each.path != "/token"]
    return [Shown(**each["notification"], url=each["data"]["url"], tag=each["data"]["tag"])
            for each in told]  # fmt: skip


@pytest_asyncio.fixture(params=["sink-web", "sink-fcm", "web", "fcm", "both-web", "both-fcm"])
async def port(
    request: pytest.FixtureRequest, tmp_path: Path, trusted_tls: ssl.SSLContext
) -> AsyncIterator[Port]:
    how, _, kind = request.param.rpartition("-")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(provider(trusted_tls if kind == "web" else None))
        own = await stack.enter_async_context(adapter(kind, server))
        to = browser_at(f"localhost:{server.port}") if kind == "web" else DEVICE
        if how == "sink":
            box = Outbox(tmp_path / "outbox")
            sink = SinkPush(settings_of("web", server), box)
            yield Port(sink, to, lambda: in_the_sink(box))
            return
        server.reply = Reply(201, b'{"name": "projects/market/messages/1"}')
        sender = Pushers({kind: own.sender}) if how == "both" else own.sender
        seen = in_the_browser if kind == "web" else in_the_app
        yield Port(sender, to, lambda: seen(server))


@pytest.mark.parametrize(
    ("title", "body"),
    [("New message", "Is it still there?"), ("පණිවිඩයක්", "நிமல்"), ("🙂", '"<b>&\\')],
)
async def test_NO_03_a_push_message_is_shown_as_it_was_written(
    port: Port, title: str, body: str
) -> None:
    message = PushMessage(title, body, url="/chats/1", tag="chat-1")
    await port.sender.send(message, port.subscription, uuid4())
    assert port.shown() == [Shown(title, body, "/chats/1", "chat-1")]


async def test_a_repeat_takes_the_place_of_its_first_copy(port: Port) -> None:
    effect_id, other = uuid4(), uuid4()
    for each in (effect_id, effect_id, other):
        await port.sender.send(PUSH, port.subscription, each)
    assert [each.tag for each in port.shown()] == [*[str(effect_id)] * 2, str(other)]


async def test_it_says_what_it_can_send_to(port: Port) -> None:
    assert port.subscription.kind in port.sender.kinds


@pytest.mark.parametrize("message", [PushMessage("x" * 4_000, ""), PushMessage("\ud800", "")])
async def test_a_message_that_no_service_takes_is_refused(port: Port, message: PushMessage) -> None:
    with pytest.raises(ChannelRefusedError):
        await port.sender.send(message, port.subscription, uuid4())
    assert port.shown() == []


async def test_the_longest_message_is_taken(port: Port) -> None:
    rest = MESSAGE_BYTES_MAX - len(as_json(PushMessage("", "", tag="t"), UUID(int=0)))
    longest = PushMessage("x" * rest, "", tag="t")
    await port.sender.send(longest, port.subscription, UUID(int=0))
    assert [len(each.title) for each in port.shown()] == [rest]
    with pytest.raises(ChannelRefusedError):
        await port.sender.send(replace(longest, body="x"), port.subscription, UUID(int=0))


async def test_a_subscription_that_is_none_is_refused(port: Port) -> None:
    none: PushSubscription = DeviceSubscription("no token!")
    if isinstance(port.subscription, WebSubscription):
        none = replace(port.subscription, auth="c2hvcnQ")
    with pytest.raises(ChannelRefusedError) as told:
        await port.sender.send(PUSH, none, uuid4())
    assert not isinstance(told.value, GoneError)
    assert port.shown() == []


async def test_a_kind_that_is_not_set_up_is_refused() -> None:
    nobody = Pushers({})
    assert nobody.kinds == frozenset()
    for each in (DEVICE, WebSubscription(ENDPOINT, "", "")):
        with pytest.raises(ChannelRefusedError, match=f"of the kind {each.kind} is not set up"):
            await nobody.send(PUSH, each, uuid4())


@pytest.mark.parametrize("each", [PUSH, DEVICE, WebSubscription(f"{ENDPOINT}{PERSON}", "", "")])
def test_nothing_shows_a_person_in_a_traceback(each: object) -> None:
    assert PERSON not in repr(each)
