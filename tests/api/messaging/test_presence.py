"""Who learns whether somebody is there: two API processes, several devices, and hard kills."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import httpx
import orjson
import pytest

from schemas.log.positions import TopicPartition
from tests.api.acting.talking import Talk, Talker, readable_talk, talker
from tests.api.running import Mesh, Process, started
from tests.api.sockets import Device, Devices, Replica, Replicas
from tests.waiting import eventually, eventually_blocking

PATH = "/api/chat/presence"
OFFLINE_S = 30.0


async def words(mesh: Mesh) -> Talk:
    """Two who have exchanged some."""
    chat = await readable_talk(mesh)
    said = await chat.buyer.said(chat.id, "Hello")
    await chat.seller.contents(chat.id, said)
    return chat


async def seen(who: Talker, *others: Talker) -> list[tuple[bool, bool]]:
    """Of each: whether they are there, and whether it is known when they were."""
    answer = await who.ask("GET", PATH, params={"ids": [each.id for each in others]})
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [each["user_id"] for each in items] == [each.id for each in others]
    return [(each["online"], each["last_seen"] is not None) for each in items]


HERE, GONE, UNKNOWN = (True, True), (False, True), (False, False)


@pytest.fixture
async def chat(mesh: Mesh) -> Talk:
    return await words(mesh)


async def device_of(some: Devices, replica: Replica, who: Talker) -> Device:
    return await some.connect(replica, who.account.access_token)


async def told(device: Device, who: Talker, count: int) -> list[bool]:
    """The first so many changes that a device heard of this person."""

    def changes() -> list[bool]:
        found = [each["online"] for each in device.all("presence") if each["userId"] == who.id]
        return found if len(found) >= count else []

    found: list[bool] = await eventually(changes, 20, "presence")
    return found


async def test_MS_27_the_other_one_sees_who_comes_and_goes(replicas, some, chat) -> None:
    assert await seen(chat.seller, chat.buyer) == [UNKNOWN]
    seller = await device_of(some, replicas.first, chat.seller)
    buyer = await device_of(some, replicas.second, chat.buyer)
    assert await seen(chat.seller, chat.buyer) == [HERE]
    assert await seen(chat.buyer, chat.seller) == [HERE]
    await buyer.client.disconnect()
    assert await told(seller, chat.buyer, 2) == [True, False]
    assert await seen(chat.seller, chat.buyer) == [GONE]
    (came, went) = seller.all("presence")
    assert came.keys() == {"userId", "online", "lastSeen"}
    assert came["lastSeen"] < went["lastSeen"]


async def test_MS_27_with_several_devices_the_last_one_counts(replicas, some, chat) -> None:
    seller = await device_of(some, replicas.first, chat.seller)
    phone = await device_of(some, replicas.second, chat.buyer)
    laptop = await device_of(some, replicas.first, chat.buyer)
    await phone.client.disconnect()
    assert await seen(chat.seller, chat.buyer) == [HERE]
    await laptop.client.disconnect()
    assert await told(seller, chat.buyer, 2) == [True, False]


async def test_MS_27_strangers_learn_nothing(mesh, replicas, some, chat) -> None:
    stranger, silent = await talker(mesh), await readable_talk(mesh)
    strange = await device_of(some, replicas.first, stranger)
    await device_of(some, replicas.second, chat.buyer)
    await device_of(some, replicas.second, silent.seller)
    # A conversation in which nothing was said is none: anybody may open one.
    for who, others in ((stranger, chat.buyer), (silent.buyer, silent.seller)):
        assert await seen(who, others) == [UNKNOWN]
    seller = await device_of(some, replicas.first, chat.seller)
    assert seller.connected
    assert await seen(chat.seller, chat.buyer, stranger) == [HERE, UNKNOWN]
    buyer = await device_of(some, replicas.first, chat.buyer)
    await seller.client.disconnect()
    await told(buyer, chat.seller, 1)
    assert strange.all("presence") == []


async def test_MS_08_MS_27_no_block_lets_presence_through(replicas, some, chat) -> None:
    path = f"/api/users/{chat.buyer.id}/block"
    assert (await chat.seller.ask("POST", path)).status_code == 204
    seller = await device_of(some, replicas.first, chat.seller)
    buyer = await device_of(some, replicas.second, chat.buyer)
    for one, other in ((chat.buyer, chat.seller), (chat.seller, chat.buyer)):
        assert await seen(one, other) == [UNKNOWN]
    assert (await chat.seller.ask("DELETE", path)).status_code == 204
    for one, other in ((chat.buyer, chat.seller), (chat.seller, chat.buyer)):
        assert await seen(one, other) == [HERE]
    await seller.client.disconnect()
    assert await told(buyer, chat.seller, 1) == [False]  # nothing of the time before


async def test_MS_27_whoever_hides_it_is_seen_by_nobody(replicas, some, chat) -> None:
    path = f"/api/users/{chat.buyer.id}/preferences"
    hidden = {"json": {"show_presence": False}, "headers": {"If-Match": "*"}}
    answer = await chat.buyer.ask("PATCH", path, **hidden)
    assert answer.status_code == 200, answer.text
    assert (await chat.buyer.page(path, answer))["show_presence"] is False
    seller = await device_of(some, replicas.first, chat.seller)
    buyer = await device_of(some, replicas.second, chat.buyer)
    assert await seen(chat.seller, chat.buyer) == [UNKNOWN]
    assert await seen(chat.buyer, chat.seller) == [HERE]
    await buyer.client.disconnect()
    shown = {**hidden, "json": {"show_presence": True}}
    answer = await chat.buyer.ask("PATCH", path, **shown)
    await chat.buyer.page(path, answer)
    await device_of(some, replicas.second, chat.buyer)
    assert await told(seller, chat.buyer, 1) == [True]


async def test_MS_27_whoever_has_left_was_never_there(replicas, some, mesh, chat) -> None:
    buyer = await device_of(some, replicas.second, chat.buyer)
    assert await seen(chat.seller, chat.buyer) == [HERE]
    assert (await chat.buyer.ask("DELETE", f"/api/users/{chat.buyer.id}")).status_code == 204
    assert await buyer.gone()

    async def forgotten() -> bool:
        return await seen(chat.seller, chat.buyer) == [UNKNOWN]

    await eventually(forgotten)
    keys = [key async for key in mesh.machines.redis.scan_iter(match=f"*{chat.buyer.id}*")]
    assert [key for key in keys if "seen" in key] == []


async def test_MS_27_nothing_of_it_is_in_the_log(mesh, replicas, some, chat) -> None:
    places = [
        TopicPartition(f"{kind}.{context}", number)
        for kind in ("events", "commands", "replies")
        for context in ("messaging", "profiles", "tracking")
        if (kind, context) not in {("commands", "tracking"), ("replies", "tracking")}
        for number in range(mesh.settings.topic_partitions)
    ]
    before = await mesh.machines.writes.ends_of(places)
    seller = await device_of(some, replicas.first, chat.seller)
    buyer = await device_of(some, replicas.second, chat.buyer)
    assert await seen(chat.seller, chat.buyer) == [HERE]
    await buyer.client.disconnect()
    await told(seller, chat.buyer, 2)
    assert await mesh.machines.writes.ends_of(places) == before


@pytest.mark.parametrize("ids", [[], ["x"], [str(uuid4())] * 101, [f"{uuid4()},{uuid4()}"]])
async def test_MS_27_who_is_asked_for_is_bounded(chat, ids) -> None:
    answer = await chat.buyer.ask("GET", PATH, params={"ids": ids})
    assert answer.status_code == 422, answer.text


# Hard kills.


@asynccontextmanager
async def an_api(mesh: Mesh, folder: Path) -> AsyncIterator[tuple[Process, Replica]]:
    """An API process that can be killed."""
    settings = mesh.settings.model_copy(update={"port": 0, "host": "127.0.0.1"})
    process = started(settings, folder / "api", "api")
    try:
        eventually_blocking(process.is_ready, 120, "the API is ready")
        found = re.search(r"serving on (http://\S+)", process.log)
        assert found, process.log
        await eventually(lambda: answers(found[1]), 60, "the API answers")
        yield process, Replica(found[1], None)  # type: ignore[arg-type]  # it is not in this process
    finally:
        process.stop()


async def answers(url: str) -> bool:
    """Whether it listens by now: it is ready a moment before."""
    try:
        async with httpx.AsyncClient(base_url=url) as client:
            return (await client.get("/health/live")).status_code == 200
    except httpx.TransportError:
        return False


async def gone_within(who: Talker, other: Talker, device: Device, since: float) -> float:
    """How long it took until who was there is not, over HTTP and over the socket."""

    async def offline() -> bool:
        return await seen(who, other) == [GONE]

    await eventually(offline, OFFLINE_S * 2, "offline")
    await told(device, other, 2)
    return time.monotonic() - since


@pytest.mark.timeout(400)
async def test_MS_27_whose_api_process_is_killed_is_gone_within_30_s(
    mesh, replicas, some, chat, tmp_path
) -> None:
    seller = await device_of(some, replicas.first, chat.seller)
    async with an_api(mesh, tmp_path) as (process, replica):
        await device_of(some, replica, chat.buyer)
        assert await seen(chat.seller, chat.buyer) == [HERE]
        assert await told(seller, chat.buyer, 1) == [True]
        process.running.kill()
        since = time.monotonic()
        process.running.wait()
        took = await gone_within(chat.seller, chat.buyer, seller, since)
    assert took <= OFFLINE_S
    assert await told(seller, chat.buyer, 2) == [True, False]


async def lay_dead(socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
    """Connect, and then do nothing any more, as a machine without power."""
    await socket.send_str("40" + orjson.dumps({"token": token}).decode())
    async for message in socket:
        if message.data.startswith("40"):
            return


async def test_MS_27_whose_client_dies_without_a_word_is_gone_within_30_s(
    replicas: Replicas, some: Devices, chat: Talk
) -> None:
    seller = await device_of(some, replicas.first, chat.seller)
    url = replicas.second.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await lay_dead(socket, chat.buyer.account.access_token)
        since = time.monotonic()
        assert await seen(chat.seller, chat.buyer) == [HERE]
        took = await gone_within(chat.seller, chat.buyer, seller, since)
    assert took <= OFFLINE_S
