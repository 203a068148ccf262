"""Who is let in over Socket.IO, for how long, and what is no event of ours: real sockets."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import httpx
import orjson
import pytest

from api.backends.tokens import Subject, Tokens
from api.messaging.realtime import PACKET_BYTES_MAX
from schemas.identity import UserStatus
from schemas.log.messages import Role
from tests.api.acting.talking import Talk, Talker, talk, talker
from tests.api.running import Account, Mesh, claims_of
from tests.api.sockets import ANSWER_S, FRONTEND, refusal_of
from tests.waiting import eventually, quick_once


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Talker:
    return await talker(mesh)


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Talker:
    return await talker(mesh, "seller")


@pytest.fixture
async def chat(buyer: Talker, seller: Talker) -> Talk:
    found = await talk(buyer, seller)
    # Both sides read what has been opened.
    await buyer.page(f"/api/messages/{found.id}", found.opened)
    return found


# Who is let in.


async def api_key(owner: Talker) -> str:
    body = {"label": "chat", "operations": ["search"], "days": 1}
    answer = await owner.ask("POST", "/api/auth/keys", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["api_key"])


async def logged_out(mesh: Mesh) -> str:
    own = await talker(mesh)
    assert (await own.ask("POST", "/api/auth/logout")).status_code == 204
    return own.account.access_token


async def test_MS_16_a_bad_token_is_refused_with_that_text(mesh, replicas, some, buyer) -> None:
    good = buyer.account.access_token
    for token in (
        *(None, "", "x", 7, {"token": good}, good[:-6] + "AAAAAA", "a" * 5_000),
        await api_key(buyer),
        await logged_out(mesh),
    ):
        told = await refusal_of(some, replicas.first, token)
        assert "Authentication failed" in told, str(token)[:20]


async def short_lived(mesh: Mesh, account: Account, seconds: int) -> str:
    """A token of this account's session that ends soon."""
    settings = mesh.settings.model_copy(update={"access_token_s": seconds})
    claims = claims_of(account.access_token)
    return await Tokens(mesh.machines.vault, settings).issue(
        Subject(
            user_id=UUID(account.user_id),
            session_id=UUID(account.session_id),
            email=account.email,
            email_verified=False,
            role=Role.BUYER,
            market="exotics",
            user_version=claims["ver"],
            status=UserStatus.PENDING,
        ),
        time.time(),
    )


async def test_MS_16_whose_token_ends_is_disconnected(mesh, replicas, some, buyer) -> None:
    token = await short_lived(mesh, buyer.account, 2)
    device = await some.connect(replicas.first, token)
    assert device.connected
    assert await device.gone()
    assert time.time() >= claims_of(token)["exp"]
    assert "Authentication failed" in await refusal_of(some, replicas.first, token)


async def test_MS_16_whose_session_ends_is_disconnected(mesh, replicas, some, monkeypatch) -> None:
    own = await talker(mesh)
    device = await some.connect(replicas.first, own.account.access_token)
    monkeypatch.setattr("api.messaging.realtime.CHECK_S", 0.1)
    idle = await some.connect(replicas.first, own.account.access_token)
    assert (await own.ask("POST", "/api/auth/logout")).status_code == 204
    assert await idle.gone()
    assert await device.gone()


async def test_MS_17_pages_of_other_origins_are_refused(replicas, some, buyer) -> None:
    token = buyer.account.access_token
    own = {replicas.first: replicas.first.url, replicas.second: FRONTEND}
    for replica, origin in own.items():
        assert (await some.connect(replica, token, Origin=origin)).connected
        others = {"https://evil.example", f"{origin}.evil.example", "null", *own.values()}
        for other in others - {origin}:
            assert await refusal_of(some, replica, token, Origin=other), other


async def test_MS_16_nobody_who_shows_no_token_keeps_a_connection(replicas, monkeypatch) -> None:
    monkeypatch.setattr("api.messaging.realtime.CONNECT_S", 0.1)
    sockets = replicas.first.realtime.server.eio.sockets
    async with httpx.AsyncClient(base_url=replicas.first.url) as client:
        query = {"EIO": "4", "transport": "polling"}
        answer = await client.get("/socket.io/", params=query)
        sid = orjson.loads(answer.text[1:])["sid"]
        assert sid in sockets
        await eventually(lambda: sid not in sockets or sockets[sid].closed)


async def test_MS_16_whose_client_ignores_the_close_is_closed_by_us(replicas, monkeypatch) -> None:
    monkeypatch.setattr("api.messaging.realtime.CONNECT_S", 0.1)
    url = replicas.first.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        async with asyncio.timeout(ANSWER_S):
            told = [message.data async for message in socket]  # until the server ends it
    assert told[-1] == "1"  # Engine.IO's close, which this client does not heed
    assert socket.closed


@pytest.mark.asvs("V7.4.1")
async def test_MS_16_who_logs_out_everywhere_hears_nothing_a_second_later(
    mesh, replicas, some
) -> None:
    async def logged_out() -> float:
        chat = await talk(await talker(mesh), await talker(mesh, "seller"))
        await chat.buyer.page(f"/api/messages/{chat.id}", chat.opened)
        token = (await mesh.log_in(chat.buyer.account.email)).json()["access_token"]
        devices = [await some.connect(each, token) for each in (replicas.first, replicas.second)]
        for each in devices:
            await each.join(chatId=chat.id)
        other = (await mesh.log_in(chat.buyer.account.email)).json()["access_token"]
        headers = {"Authorization": f"Bearer {other}"}
        ended = await mesh.client.delete("/api/auth/sessions", headers=headers)
        assert ended.status_code == 204
        began = time.monotonic()
        await eventually(lambda: not any(each.connected for each in devices), ANSWER_S)
        took = time.monotonic() - began
        await chat.seller.said(chat.id, "Are you there?")
        assert [each.all("new-message") for each in devices] == [[], []]
        return took

    await quick_once(logged_out, 1)


async def test_MS_16_one_session_ends_and_the_persons_others_do_not(mesh, replicas, some) -> None:
    own = await talker(mesh)
    other = (await mesh.log_in(own.account.email)).json()["access_token"]
    ends = await some.connect(replicas.first, own.account.access_token)
    stays = await some.connect(replicas.first, other)
    assert (await own.ask("POST", "/api/auth/logout")).status_code == 204
    assert await ends.gone()
    assert stays.connected


async def test_MS_15_clients_that_begin_with_long_polling_are_served(replicas, buyer) -> None:
    query = {"EIO": "4", "transport": "polling"}
    async with httpx.AsyncClient(base_url=replicas.first.url) as client:
        opened = await client.get("/socket.io/", params=query)
        query["sid"] = orjson.loads(opened.text[1:])["sid"]
        shown = orjson.dumps({"token": buyer.account.access_token}).decode()
        for packet, answer in ((f"40{shown}", "40{"), ('420["join-chat",{}]', '42["error"')):
            sent = await client.post("/socket.io/", params=query, content=packet)
            assert sent.text == "OK"
            heard = await client.get("/socket.io/", params=query)
            assert heard.text.startswith(answer)


async def test_MS_26_who_comes_and_goes_is_logged_without_an_address(
    replicas, some, buyer, monkeypatch
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "api.messaging.realtime.log.info", lambda event, **said: logged.append({event: said})
    )
    device = await some.connect(replicas.first, buyer.account.access_token)
    await device.client.disconnect()
    wanted = [
        {"socket_connected": {"user_id": buyer.id}},
        {"socket_disconnected": {"user_id": buyer.id}},
    ]
    # Sockets of before may still be closing.
    await eventually(lambda: [each for each in logged if buyer.id in str(each)] == wanted)


# What is no event of ours.


@pytest.mark.parametrize(
    ("event", "asked", "pointer"),
    [
        ("send-message", {"chatId": str(uuid4())}, "/content"),
        ("send-message", {"chatId": str(uuid4()), "content": ""}, "/content"),
        ("send-message", {"chatId": str(uuid4()), "content": 7}, "/content"),
        ("send-message", {"chatId": "x", "content": "Hello"}, "/chatId"),
        ("send-message", {"chatId": str(uuid4()), "content": "a", "senderId": "x"}, "/senderId"),
        ("join-chat", {"itemId": ["x"]}, "/itemId"),
        ("typing", {}, "/chatId"),
        ("join-chat", {}, "/chatId"),
        ("send-message", {"chatId": str(uuid4()), "content": "a", "clientId": ""}, "/clientId"),
        ("send-message", {"chatId": str(uuid4()), "content": "a", "clientId": "a b"}, "/clientId"),
    ],
)
async def test_V2_2_1_what_can_not_be_read_is_named(
    replicas, some, buyer, event, asked, pointer
) -> None:
    device = await some.connect(replicas.first, buyer.account.access_token)
    error = (await device.ask(event, **asked))["error"]
    assert (error["code"], [each["pointer"] for each in error["errors"]]) == ("invalid", [pointer])
    assert "openapi" not in error["errors"][0]["detail"]
    assert device.connected


async def test_V2_2_1_no_client_plays_the_server(replicas, some, chat) -> None:
    token = chat.buyer.account.access_token
    device = await some.connect(replicas.first, token)
    for event in ("connect", "disconnect", "new-message", "nothing"):
        await device.client.emit(event, {"chatId": chat.id})
    assert await device.join(chatId=chat.id) == chat.id
    assert device.events == {"chat-history"}


@pytest.mark.parametrize("content", ["x" * PACKET_BYTES_MAX, b"binary"])
async def test_NS_03_who_sends_too_much_or_something_else_is_let_go(
    replicas, some, chat, content
) -> None:
    device = await some.connect(replicas.first, chat.buyer.account.access_token)
    await device.client.emit("send-message", {"chatId": chat.id, "content": content})
    assert await device.gone()
