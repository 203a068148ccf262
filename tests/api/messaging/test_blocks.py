"""Blocking somebody: over HTTP, over sockets, and for whoever asks later (bookings, presence)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.messaging.sight import against_dealing, against_reaching
from schemas.messaging import conversation_id_of
from tests.api.acting.selling import reason_of
from tests.api.acting.talking import OPEN, Talk, Talker, readable_talk, talker
from tests.api.parking import all_parked
from tests.api.running import Mesh
from tests.api.sockets import Device
from tests.waiting import eventually

REFUSED = (403, "not_reachable")
UNBLOCK_FIRST = (409, "blocked_by_you")
LIST = "/api/users/blocked"


async def block(who: Talker, other: Talker, method: str = "POST") -> httpx.Response:
    answer = await who.ask(method, f"/api/users/{other.id}/block")
    assert answer.status_code == 204, answer.text
    return answer


@asynccontextmanager
async def apart(chat: Talk) -> AsyncIterator[Talk]:
    """The seller has blocked the buyer."""
    await block(chat.seller, chat.buyer)
    yield chat
    await block(chat.seller, chat.buyer, "DELETE")


@pytest.fixture(scope="module")
async def chat(mesh: Mesh) -> Talk:
    return await readable_talk(mesh)


@pytest.fixture
async def fresh(mesh: Mesh) -> Talk:
    """One in which nothing was said."""
    return await readable_talk(mesh)


async def test_MS_01_MS_08_whoever_is_blocked_is_refused_until_they_are_unblocked(fresh) -> None:
    chat, before = fresh, await fresh.buyer.said(fresh.id, "Hello")
    async with apart(chat):
        assert reason_of(await chat.buyer.say(chat.id, "Are you there?")) == REFUSED
        assert await chat.seller.contents(chat.id, before) == ["Hello"]
    assert (await chat.buyer.say(chat.id, "Hello again")).status_code == 201


async def test_MS_08_a_block_holds_from_its_answer_on(chat) -> None:
    for _ in range(25):
        async with apart(chat):
            assert reason_of(await chat.buyer.say(chat.id, "Now")) == REFUSED
        assert (await chat.buyer.say(chat.id, "Now")).status_code == 201


async def test_MS_08_in_what_was_opened_a_moment_ago_nobody_escapes(mesh) -> None:
    for _ in range(5):
        seller, buyer = await talker(mesh, "seller"), await talker(mesh)
        listing = await seller.offer()
        opened = await buyer.open(listing)
        await block(seller, buyer)
        assert reason_of(await buyer.say(opened.json()["id"], "Hello")) == REFUSED


async def test_MS_08_whoever_is_blocked_opens_no_conversation(mesh, chat) -> None:
    listing = await chat.seller.offer()
    await chat.buyer.read(f"/api/listings/{listing.json()['id']}", listing)
    async with apart(chat):
        assert reason_of(await chat.buyer.open(listing)) == REFUSED
    assert (await chat.buyer.open(listing)).status_code == 201


async def test_MS_08_whoever_blocks_must_unblock_to_write(chat) -> None:
    async with apart(chat):
        assert reason_of(await chat.seller.say(chat.id, "Take that")) == UNBLOCK_FIRST
    assert (await chat.seller.say(chat.id, "Sorry")).status_code == 201


async def test_MS_08_both_go_on_reading_what_was_said(mesh) -> None:
    chat = await readable_talk(mesh)
    said = await chat.buyer.said(chat.id, "Hello")
    async with apart(chat):
        for who in (chat.buyer, chat.seller):
            assert await who.contents(chat.id, said) == ["Hello"]
            listed = await who.page(OPEN, said)
            assert chat.id in [each["id"] for each in listed["items"]]
        assert (await chat.seller.mark_read(said)).status_code == 204


async def test_MS_08_a_message_that_arrived_before_the_block_is_answered_again(chat) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = await chat.buyer.say(chat.id, "Once", **key)
    async with apart(chat):
        again = await chat.buyer.say(chat.id, "Once", **key)
        assert (again.status_code, again.json()) == (201, first.json())


async def test_MS_08_the_blocked_are_listed_and_only_ones_own(mesh, chat) -> None:
    own, others = await talker(mesh), [await talker(mesh) for _ in range(3)]
    for each in others:
        last = await block(own, each)
    found, cursor = list[Any](), None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await own.page(LIST, last, limit=2, **more)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [each["user_id"] for each in found] == [each.id for each in reversed(others)]
    assert {each["name"] for each in found} == {"Test Person"}
    assert (await others[0].page(LIST, last))["items"] == []
    gone = await block(own, others[1], "DELETE")
    left = [each["user_id"] for each in (await own.page(LIST, gone))["items"]]
    assert left == [others[2].id, others[0].id]


async def test_MS_08_nobody_blocks_themselves_or_whom_there_is_not(mesh, chat) -> None:
    own = await chat.buyer.ask("POST", f"/api/users/{chat.buyer.id}/block")
    assert reason_of(own) == (403, "about_oneself")
    nobody = await chat.buyer.ask("POST", f"/api/users/{uuid4()}/block")
    assert reason_of(nobody) == (404, "user_unknown")


async def test_MS_14_the_table_of_the_source_is_filled_and_emptied(mesh, chat) -> None:
    query = "SELECT count(*) FROM reads.blocked_users WHERE user_id = $1 AND blocked_user_id = $2"
    people = (chat.seller.id, chat.buyer.id)
    async with apart(chat):
        assert await mesh.machines.postgres.fetchval(query, *people) == 1
    assert await mesh.machines.postgres.fetchval(query, *people) == 0


async def test_PR_10_with_whoever_leaves_their_blocks_go(mesh) -> None:
    own, other = await talker(mesh), await talker(mesh)
    await block(own, other)
    assert (await own.ask("DELETE", f"/api/users/{own.id}")).status_code == 204

    async def none_left() -> bool:
        reads = mesh.machines.postgres
        query = "SELECT EXISTS (SELECT FROM reads.blocked_users WHERE user_id = $1)"
        return not await reads.fetchval(query, own.id)

    async def said_in_the_log() -> bool:
        query = "SELECT kind FROM reads.journal WHERE stream_id = $1 ORDER BY version"
        rows = await mesh.machines.postgres.fetch(query, f"blocks/{own.id}")
        return [row["kind"] for row in rows] == ["user.blocked", "user.unblocked"]

    await eventually(none_left)
    await eventually(said_in_the_log)


async def test_MS_08_what_others_ask_tells_both_directions(mesh, chat) -> None:
    """Bookings ask this before they let somebody book."""
    machines, buyer, seller = mesh.machines, chat.buyer.id, chat.seller.id
    assert await against_dealing(machines, buyer, seller) is None
    async with apart(chat):
        found = await against_dealing(machines, buyer, seller)
        assert (found.status, found.reason) == REFUSED
        found = await against_dealing(machines, seller, buyer)
        assert (found.status, found.reason) == UNBLOCK_FIRST
        assert await against_reaching(machines, seller, buyer) is None


async def test_MS_08_while_a_list_waits_to_be_mended_nobody_gets_past_it(mesh) -> None:
    chat = await readable_talk(mesh)
    blocked = await block(chat.seller, chat.buyer)
    async with all_parked(mesh, {chat.seller.id}, blocked):
        answer = await chat.buyer.say(chat.id, "Hello")
        assert reason_of(answer) == (503, "being_repaired")
        assert "parked" not in answer.json()
    assert reason_of(await chat.buyer.say(chat.id, "Hello")) == REFUSED


# Over sockets.


async def code_of(device: Device, event: str, **asked: Any) -> str | None:
    answer = await device.ask(event, **asked)
    return None if answer is None or "error" not in answer else answer["error"]["code"]


@pytest.fixture
async def devices(replicas, some, fresh) -> tuple[Device, Device]:
    """The buyer's, which has joined the chat, and the seller's, on another replica."""
    buyer = await some.connect(replicas.first, fresh.buyer.account.access_token)
    seller = await some.connect(replicas.second, fresh.seller.account.access_token)
    for each in (buyer, seller):
        await each.join(chatId=fresh.id)
    return buyer, seller


async def test_MS_08_over_a_socket_that_has_joined_before_nothing_passes(fresh, devices) -> None:
    buyer, seller = devices
    async with apart(fresh):
        for event, asked in (
            ("send-message", {"chatId": fresh.id, "content": "Hello"}),
            ("typing", {"chatId": fresh.id}),
            ("stop-typing", {"chatId": fresh.id}),
            ("join-chat", {"chatId": fresh.id}),
            ("join-chat", {"itemId": fresh.listing_id}),
        ):
            assert await code_of(buyer, event, **asked) == "not_reachable", event
    assert await code_of(buyer, "send-message", chatId=fresh.id, content="Now") is None
    assert (await seller.hears("new-message"))["content"] == "Now"
    assert seller.events == {"chat-history", "new-message", "message-notification"}


async def test_MS_08_whoever_blocks_may_join_and_read_and_says_nothing(fresh, devices) -> None:
    buyer, seller = devices
    async with apart(fresh):
        assert await seller.join(chatId=fresh.id) == fresh.id
        for event, asked in (
            ("send-message", {"chatId": fresh.id, "content": "Hello"}),
            ("typing", {"chatId": fresh.id}),
        ):
            assert await code_of(seller, event, **asked) == "blocked_by_you", event
    assert buyer.events == {"chat-history"}


async def test_MS_08_first_words_over_a_socket_open_nothing(mesh, replicas, some) -> None:
    buyer, seller = await talker(mesh), await talker(mesh, "seller")
    listing = await seller.offer()
    listing_id = listing.json()["id"]
    await buyer.read(f"/api/listings/{listing_id}", listing)
    await block(seller, buyer)
    device = await some.connect(replicas.first, buyer.account.access_token)
    assert await code_of(device, "join-chat", itemId=listing_id) == "not_reachable"
    chat_id = str(conversation_of(listing_id, buyer, seller))
    asked = {"chatId": chat_id, "itemId": listing_id, "content": "Hello"}
    assert await code_of(device, "send-message", **asked) == "not_reachable"
    assert (await buyer.page(OPEN, listing))["items"] == []


def conversation_of(listing_id: str, buyer: Talker, seller: Talker) -> UUID:
    return conversation_id_of(UUID(listing_id), UUID(buyer.id), UUID(seller.id))
