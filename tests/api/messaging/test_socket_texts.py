"""Texts that come over sockets hold no more than those of HTTP: nothing that a store can't hold, and
something to be seen.
"""

from __future__ import annotations

import pytest

from tests.api.acting.talking import Talk, readable_talk
from tests.api.running import Mesh
from tests.texts import NOWHERE, UNSEEN, with_inside


@pytest.fixture(scope="module")
async def chat(mesh: Mesh) -> Talk:
    return await readable_talk(mesh)


async def test_no_message_over_a_socket_holds_what_no_store_can_hold(
    mesh, replicas, some, chat: Talk
) -> None:
    device = await some.connect(replicas.first, chat.buyer.account.access_token)
    await device.join(chatId=chat.id)
    for text in (*(with_inside("Hello", each) for each in NOWHERE.values()), *UNSEEN, ""):
        answer = await device.ask("send-message", chatId=chat.id, content=text)
        assert answer["error"]["code"] == "invalid", f"{text!a}: {answer}"
    after = await chat.buyer.said(chat.id, "Hello")
    assert await chat.buyer.contents(chat.id, after) == ["Hello"]


NAMES = {
    "join-chat": ("itemId", "sellerId", "buyerId", "chatId"),
    "send-message": ("chatId", "clientId", "id", "itemId", "recipientId"),
    "typing": ("chatId",),
    "stop-typing": ("chatId",),
}


@pytest.mark.parametrize("event", NAMES)
async def test_no_id_over_a_socket_holds_anything_else(
    mesh, replicas, some, chat: Talk, event: str
) -> None:
    device = await some.connect(replicas.first, chat.buyer.account.access_token)
    await device.join(chatId=chat.id)
    known = {"chatId": chat.id, **({"content": "Hi"} if event == "send-message" else {})}
    for name in NAMES[event]:
        for character in NOWHERE.values():
            asked = {**known, name: with_inside(chat.id, character)}
            answer = await device.ask(event, **asked)
            assert answer["error"]["code"] == "invalid", f"{name} {character!a}: {answer}"
