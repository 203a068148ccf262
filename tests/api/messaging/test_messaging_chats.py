"""Chats over Socket.IO: joining, saying something, typing. Real sockets, two replicas."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

from api.messaging.events import HISTORY_MAX
from schemas.messaging import conversation_id_of
from tests.api.acting.selling import token_of
from tests.api.acting.talking import Talk, Talker, talk, talker
from tests.api.running import Mesh, journalled
from tests.api.sockets import Device, Devices, Replicas, served


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Talker:
    return await talker(mesh)


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Talker:
    return await talker(mesh, "seller")


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Talker:
    return await talker(mesh)


@pytest.fixture
async def chat(buyer: Talker, seller: Talker) -> Talk:
    found = await talk(buyer, seller)
    # Both sides read what has been opened.
    await buyer.page(f"/api/messages/{found.id}", found.opened)
    return found


@dataclass(frozen=True)
class Room:
    """Buyer and seller in one chat, each on a replica of their own."""

    talk: Talk
    buyer: Device
    seller: Device


@pytest.fixture
async def room(replicas: Replicas, some: Devices, chat: Talk) -> Room:
    devices = [
        await some.connect(replica, who.account.access_token)
        for replica, who in ((replicas.first, chat.buyer), (replicas.second, chat.seller))
    ]
    for each in devices:
        await each.join(chatId=chat.id)
    return Room(chat, *devices)


# Joining.


async def test_MS_19_the_history_is_the_last_50_the_first_of_them_first(
    replicas, some, chat
) -> None:
    words = [f"{number}" for number in range(HISTORY_MAX + 3)]
    answers = await asyncio.gather(*(chat.buyer.said(chat.id, each) for each in words))
    last = max(answers, key=lambda each: int(each.headers["ETag"].strip('"')))
    whole = await chat.buyer.contents(chat.id, last)
    device = await some.connect(replicas.first, chat.seller.account.access_token)
    await device.join(chatId=chat.id)
    history = await device.hears("chat-history")
    assert history["chatId"] == chat.id
    assert [each["content"] for each in history["messages"]] == whole[3:]
    assert history["messages"][0]["sender"] == {"id": chat.buyer.id, "name": "Test Person"}


async def test_MS_19_a_third_person_can_not_join(replicas, some, chat, stranger) -> None:
    device = await some.connect(replicas.first, stranger.account.access_token)
    for asked in (
        {"chatId": chat.id},
        {"chatId": chat.id, "itemId": chat.listing_id},
        {"chatId": chat.id, "itemId": chat.listing_id, "buyerId": chat.buyer.id},
    ):
        answer = await device.ask("join-chat", **asked)
        assert answer["error"]["code"] == "conversation_unknown"
    answer = await device.ask("send-message", chatId=chat.id, content="Let me in")
    assert answer["error"]["code"] == "conversation_unknown"
    # Whatever they say of others, they join a chat of their own.
    claimed = {"sellerId": chat.buyer.id, "buyerId": chat.buyer.id}
    own = await device.join(itemId=chat.listing_id, **claimed)
    ids = [UUID(each) for each in (chat.listing_id, stranger.id, chat.seller.id)]
    assert own == str(conversation_id_of(*ids))
    await chat.seller.said(chat.id, "Not for strangers")
    mine = await some.connect(replicas.first, chat.buyer.account.access_token)
    await mine.join(chatId=chat.id)
    await chat.seller.said(chat.id, "Nor this")
    await mine.hears("new-message")
    assert device.all("new-message") == device.all("message-notification") == []


@pytest.mark.parametrize("first", ["buyer", "seller"])
async def test_MS_20_both_sides_get_the_same_id_whoever_joins_first(
    replicas, some, buyer, seller, first
) -> None:
    listing = await seller.offer()
    item = listing.json()["id"]
    await buyer.read(f"/api/listings/{item}", listing)
    asks = {
        "buyer": (buyer, {"itemId": item, "sellerId": seller.id}),
        "seller": (seller, {"itemId": item, "buyerId": buyer.id}),
    }
    order = [first, *(asks.keys() - {first})]
    found = {}
    for side in order:
        who, asked = asks[side]
        device = await some.connect(replicas.first, who.account.access_token)
        found[side] = (device, await device.join(**asked))
    assert found["buyer"][1] == found["seller"][1]
    sent = await found["buyer"][0].ask(
        "send-message", chatId=found["buyer"][1], itemId=item, content="Hello"
    )
    assert sent["chatId"] == found["buyer"][1]
    assert (await found["seller"][0].hears("new-message"))["content"] == "Hello"


async def test_X_32_a_seller_does_not_talk_with_themselves(replicas, some, chat) -> None:
    device = await some.connect(replicas.first, chat.seller.account.access_token)
    for more in ({}, {"buyerId": chat.seller.id}, {"sellerId": chat.buyer.id}):
        answer = await device.ask("join-chat", itemId=chat.listing_id, **more)
        assert answer["error"]["code"] == "own_listing"


async def test_MS_19_nobody_joins_about_what_is_not_on_offer(replicas, some, buyer, seller) -> None:
    draft = await seller.create()
    await seller.read(f"/api/listings/{draft.json()['id']}", draft)
    device = await some.connect(replicas.first, buyer.account.access_token)
    for item in (draft.json()["id"], str(uuid4())):
        answer = await device.ask("join-chat", itemId=item)
        assert answer["error"]["code"] == "listing_unknown"


# Saying something.


async def test_MS_15_MS_21_what_is_sent_through_one_replica_is_heard_on_the_other(room) -> None:
    chat = room.talk
    sent = await room.seller.ask("send-message", chatId=chat.id, content="It is red")
    for device in (room.buyer, room.seller):
        heard = await device.hears("new-message")
        assert heard.pop("timestamp")
        token = heard.pop("consistencyToken")
        assert heard == {
            "id": sent["messageId"],
            "chatId": chat.id,
            "itemId": chat.listing_id,
            "sender": {"id": chat.seller.id, "name": "Test Person"},
            "recipientId": chat.buyer.id,
            "content": "It is red",
        }
    page = await chat.buyer.ask(
        "GET", f"/api/messages/{chat.id}", headers={"Consistency-Token": token}
    )
    assert [each["id"] for each in page.json()["items"]] == [sent["messageId"]]


async def test_MS_21_what_comes_over_http_is_heard_as_well(room) -> None:
    said = await room.talk.buyer.said(room.talk.id, "By letter")
    heard = await room.seller.hears("new-message")
    assert (heard["id"], heard["content"]) == (said.json()["id"], "By letter")
    assert heard["consistencyToken"] == token_of(said)["Consistency-Token"]


async def test_MS_21_the_first_words_of_a_buyer_open_the_conversation(
    mesh, replicas, some, buyer, seller
) -> None:
    listing = await seller.offer()
    item = listing.json()["id"]
    await buyer.read(f"/api/listings/{item}", listing)
    device = await some.connect(replicas.first, buyer.account.access_token)
    chat_id = str(conversation_id_of(UUID(item), UUID(buyer.id), UUID(seller.id)))
    claimed = {"recipientId": str(uuid4())}
    sent = await device.ask("send-message", chatId=chat_id, itemId=item, content="Hello", **claimed)
    assert sent["chatId"] == chat_id
    kinds = await journalled(mesh, f"conversation/{chat_id}", "message.sent")
    assert kinds == ["conversation.opened", "message.sent"]


async def test_MS_18_MS_22_every_device_is_notified_without_having_joined(
    replicas, some, chat
) -> None:
    token = chat.seller.account.access_token
    all_devices = [
        await some.connect(replica, token)
        for replica in (replicas.first, replicas.first, replicas.second)
    ]
    mine = await some.connect(replicas.first, chat.buyer.account.access_token)
    await mine.join(chatId=chat.id)
    await mine.ask("send-message", chatId=chat.id, content="Anybody there?")
    for device in all_devices:
        heard = await device.hears("message-notification")
        assert heard.keys() >= {"chatId", "itemId", "sender", "content", "timestamp"}
        assert (heard["chatId"], heard["content"]) == (chat.id, "Anybody there?")
        assert device.all("new-message") == []
    assert mine.all("message-notification") == []


async def test_MS_04_the_sender_sees_the_receipt(room) -> None:
    said = await room.talk.buyer.said(room.talk.id, "Hello")
    assert (await room.talk.seller.mark_read(said)).status_code == 204
    receipt = await room.buyer.hears("messages-read")
    assert receipt.pop("readAt")
    assert receipt == {
        "chatId": room.talk.id,
        "messageId": said.json()["id"],
        "readerId": room.talk.seller.id,
    }


async def test_MS_25_without_a_broker_the_sender_is_told_and_nobody_hears(mesh, some, room) -> None:
    broken = {"kafka_bootstrap": "127.0.0.1:1", "write_timeout_s": 0.5}
    async with served(mesh.settings.model_copy(update=broken), writes=False) as replica:
        device = await some.connect(replica, room.talk.buyer.account.access_token)
        await device.join(chatId=room.talk.id)
        began = time.monotonic()
        answer = await device.ask("send-message", chatId=room.talk.id, content="Lost")
        told = await device.hears("error")
        assert time.monotonic() - began < 10
        await device.client.disconnect()
    assert told["message"] == "Failed to send message"
    assert told["code"] == answer["error"]["code"] == "write_unavailable"
    await room.buyer.ask("send-message", chatId=room.talk.id, content="Kept")
    assert (await room.seller.hears("new-message"))["content"] == "Kept"
    assert [each["content"] for each in room.seller.all("new-message")] == ["Kept"]


async def test_GW_07_the_101st_message_of_a_minute_is_not_appended(
    mesh, replicas, some, seller
) -> None:
    own = await talker(mesh)
    chat = await talk(own, seller)
    await own.page(f"/api/messages/{chat.id}", chat.opened)
    token = own.account.access_token
    several = [await some.connect(replicas.second, token) for _ in range(5)]
    asks = [
        device.ask("send-message", chatId=chat.id, content=f"{number}")
        for device in several
        for number in range(20)
    ]
    assert not [each for each in await asyncio.gather(*asks) if "error" in each]
    device = several[0]
    assert "error" in await device.ask("send-message", chatId=chat.id, content="One more")
    told = await device.hears("error")
    assert told["code"] == "rate_limited"
    assert told["message"] == "Failed to send message"
    assert 0 < told["retryAfter"] <= 60
    async with httpx.AsyncClient(base_url=replicas.second.url) as client:
        path, body = f"/api/messages/{chat.id}", {"content": "By letter, then"}
        answer = await client.post(path, json=body, headers=own.account.headers)
    assert answer.status_code == 429
    last = await seller.said(chat.id, "Not so much")
    page = await seller.page(path, last, limit=2)
    assert [each["number"] for each in page["items"]] == [101, 100]
    assert page["items"][1]["content"] != "One more"


async def test_MS_31_no_address_stands_in_what_is_told(room) -> None:
    chat = room.talk
    await room.buyer.ask("typing", chatId=chat.id)
    await room.buyer.ask("send-message", chatId=chat.id, content="Hello")
    await room.seller.ask("join-chat", chatId=chat.id)
    await room.seller.hears("chat-history", 2)
    await room.seller.hears("user-typing")
    await room.seller.hears("message-notification")
    told = str([*room.buyer.heard, *room.seller.heard])
    assert chat.buyer.id in told
    assert "@" not in told
    assert chat.buyer.account.email.partition("@")[0] not in told


# Typing.


async def test_MS_23_MS_24_the_others_see_somebody_type_and_stop(mesh, room) -> None:
    chat = room.talk
    await room.buyer.ask("typing", chatId=chat.id)
    found = await room.seller.hears("user-typing")
    assert found == {"chatId": chat.id, "userId": chat.buyer.id, "name": "Test Person"}
    await room.buyer.ask("stop-typing", chatId=chat.id)
    assert await room.seller.hears("user-stop-typing") == {
        "chatId": chat.id,
        "userId": chat.buyer.id,
    }
    await room.buyer.ask("send-message", chatId=chat.id, content="Hello")
    await room.buyer.hears("new-message")
    assert room.buyer.events == {"chat-history", "new-message"}
    kinds = await journalled(mesh, f"conversation/{chat.id}", "message.sent")
    assert kinds == ["conversation.opened", "message.sent"]


async def test_MS_24_who_does_not_say_so_again_has_stopped(room, monkeypatch) -> None:
    monkeypatch.setattr("api.messaging.events.TYPING_S", 0.2)
    await room.buyer.ask("typing", chatId=room.talk.id)
    await room.seller.hears("user-stop-typing")


async def test_MS_24_who_goes_away_has_stopped(room) -> None:
    await room.buyer.ask("typing", chatId=room.talk.id)
    await room.buyer.client.disconnect()
    await room.seller.hears("user-stop-typing")


async def test_MS_23_nobody_types_where_they_have_not_joined(
    replicas, some, chat, stranger
) -> None:
    for who in (stranger, chat.buyer):
        device = await some.connect(replicas.first, who.account.access_token)
        answer = await device.ask("typing", chatId=chat.id)
        assert answer["error"]["code"] == "not_joined"


@pytest.mark.parametrize("name", ["clientId", "id"])
async def test_a_message_sent_again_is_said_once(room, name) -> None:
    again = {name: uuid4().hex, "chatId": room.talk.id, "content": "Is it still there?"}
    sent = [await room.buyer.ask("send-message", **again) for _ in range(3)]
    assert sent[0] == sent[1] == sent[2]
    assert "error" not in sent[0]
    await room.buyer.ask("send-message", chatId=room.talk.id, content="The last word")
    heard = await room.seller.hears("new-message", 2)
    assert heard["content"] == "The last word"


async def test_other_words_under_the_same_id_are_told(room) -> None:
    name = {"clientId": uuid4().hex, "chatId": room.talk.id}
    assert "error" not in await room.buyer.ask("send-message", content="Yes", **name)
    other = await room.buyer.ask("send-message", content="No", **name)
    assert other["error"]["code"] == "idempotency_key_reused"


async def test_the_id_of_somebody_else_is_another_message(room) -> None:
    said = {"clientId": uuid4().hex, "chatId": room.talk.id, "content": "Hello"}
    mine, theirs = [await each.ask("send-message", **said) for each in (room.buyer, room.seller)]
    assert mine["messageId"] != theirs["messageId"]
