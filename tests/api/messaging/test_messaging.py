"""Conversations over HTTP, against a mesh at work."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import orjson
import pytest

from schemas.messaging import conversation_id_of
from tests.api.acting.selling import pointers_of, reason_of, token_of
from tests.api.acting.talking import OPEN, Talk, Talker, talk, talker
from tests.api.running import Mesh, journal_kinds
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Talker:
    return await talker(mesh)


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Talker:
    return await talker(mesh, "seller")


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Talker:
    return await talker(mesh, "seller")


@pytest.fixture
async def chat(buyer: Talker, seller: Talker) -> Talk:
    return await talk(buyer, seller)


async def test_MS_11_opening_twice_gives_the_same_id_201_then_200(buyer, seller) -> None:
    listing = await seller.offer()
    first, second = await buyer.open(listing), await buyer.open(listing)
    assert (first.status_code, second.status_code) == (201, 200)
    listing_id = UUID(listing.json()["id"])
    wanted = conversation_id_of(listing_id, UUID(buyer.id), UUID(seller.id))
    assert first.json() == second.json()
    assert (first.json()["id"], first.json()["seller_id"]) == (str(wanted), seller.id)


async def test_MS_11_nobody_talks_with_themselves(seller) -> None:
    assert reason_of(await seller.open(await seller.offer())) == (409, "own_listing")


async def test_MS_11_nobody_asks_about_what_is_not_on_offer(mesh, buyer, seller) -> None:
    draft, gone = await seller.create(), await seller.offer()
    deleted = await seller.ask("DELETE", f"/api/listings/{gone.json()['id']}")
    moderator = await talker(mesh, "moderator")
    for who in (buyer, moderator):
        assert reason_of(await who.open(draft)) == (404, "listing_unknown")
        body, token = {"listing_id": gone.json()["id"]}, token_of(deleted)
        answer = await who.ask("POST", OPEN, json=body, headers=token)
        assert reason_of(answer) == (410, "listing_deleted")
    answer = await buyer.ask("POST", OPEN, json={"listing_id": str(uuid4())})
    assert reason_of(answer) == (404, "listing_unknown")


@pytest.mark.parametrize("field", ["seller_id", "buyer_id", "id"])
async def test_X_32_no_client_says_whom_they_talk_with(buyer, seller, field) -> None:
    listing = await seller.offer()
    body = {"listing_id": listing.json()["id"], field: str(uuid4())}
    answer = await buyer.ask("POST", OPEN, json=body, headers=token_of(listing))
    assert (answer.status_code, pointers_of(answer)) == (422, [f"/{field}"])


async def test_MS_01_the_order_of_a_conversation_is_the_logs(mesh, chat) -> None:
    answers = await asyncio.gather(
        *(who.said(chat.id, f"{n}") for n in range(10) for who in (chat.buyer, chat.seller))
    )
    last = max(answers, key=lambda each: int(each.headers["ETag"].strip('"')))
    found = await chat.buyer.page(f"/api/messages/{chat.id}", last, limit=100)
    assert [each["number"] for each in found["items"]] == list(range(20, 0, -1))
    query = "SELECT data FROM reads.journal WHERE stream_id = $1 AND version > 1 ORDER BY version"

    async def journalled() -> list[str]:
        rows = await mesh.machines.postgres.fetch(query, f"conversation/{chat.id}")
        return [orjson.loads(row["data"])["message_id"] for row in rows] if len(rows) == 20 else []

    in_the_log = await eventually(journalled)
    assert [each["id"] for each in reversed(found["items"])] == in_the_log


async def test_MS_01_to_others_there_is_no_conversation(mesh, chat, stranger) -> None:
    said = await chat.buyer.said(chat.id, "Hello")
    admin = await talker(mesh, "admin")
    asks = {
        ("GET", f"/api/messages/{chat.id}"): {},
        ("GET", f"/api/chat/{chat.id}/messages"): {},
        ("POST", f"/api/messages/{chat.id}"): {"json": {"content": "Let me in"}},
        ("DELETE", f"/api/messages/{chat.id}"): {},
        ("PUT", f"/api/messages/{said.json()['id']}/read"): {"headers": token_of(said)},
    }
    for who in (stranger, admin):
        for (method, path), more in asks.items():
            answer = await who.ask(method, path, **more)
            assert answer.status_code == 404, (method, path)
    assert await chat.seller.contents(chat.id, said) == ["Hello"]


async def test_MS_01_a_repeat_with_the_same_key_is_the_same_message(chat) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = await chat.buyer.say(chat.id, "Once", **key)
    second = await chat.buyer.say(chat.id, "Once", **key)
    assert first.json() == second.json()
    assert await chat.buyer.contents(chat.id, second) == ["Once"]


@pytest.mark.parametrize("content", ["", "   ", "x" * 4_001, "a\x00b", "a\x1bb", None, 7, ["a"]])
async def test_MS_01_what_can_not_be_said_is_named(chat, content) -> None:
    answer = await chat.buyer.say(chat.id, content)
    assert (answer.status_code, pointers_of(answer)) == (422, ["/content"])


async def test_MS_01_the_longest_message_of_any_script_is_kept(chat) -> None:
    content = "𑄌" * 3_999 + "\n."
    said = await chat.buyer.said(chat.id, content[:4_000])
    assert await chat.seller.contents(chat.id, said) == [content[:4_000].strip()]


async def test_MS_02_conversations_are_sorted_by_their_last_message(mesh, buyer, seller) -> None:
    own = await talker(mesh)
    talks = [await talk(own, seller) for _ in range(3)]
    for each in (talks[0], talks[2], talks[1], talks[0]):
        last = await seller.said(each.id, f"about {each.listing_id}")
    found = (await own.page(OPEN, last))["items"]
    assert [each["id"] for each in found] == [talks[0].id, talks[1].id, talks[2].id]
    assert [each["unread"] for each in found] == [2, 1, 1]
    first = found[0]
    assert first["side"] == "buyer"
    assert first["other"] == {"id": seller.id, "name": "Test Person"}
    assert first["last_message"]["content"] == f"about {talks[0].listing_id}"
    assert first["listing"] == {
        "id": talks[0].listing_id,
        "title": "Porsche 911 Carrera",
        "price_minor": 8_500_000,
        "currency": "USD",
        "status": "active",
    }


async def test_MS_02_pages_of_conversations_follow_each_other(mesh, seller) -> None:
    own = await talker(mesh)
    talks = [await talk(own, seller) for _ in range(5)]
    last = await own.said(talks[-1].id, "Hello")
    found, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await own.page(OPEN, last, limit=2, **more)
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [each.id for each in reversed(talks)]


async def test_MS_02_a_listing_that_was_taken_away_says_so_and_no_more(chat) -> None:
    said = await chat.buyer.said(chat.id, "Still there?")
    deleted = await chat.seller.ask("DELETE", f"/api/listings/{chat.listing_id}")
    await chat.buyer.read(f"/api/listings/{chat.listing_id}", deleted)
    for who in (chat.buyer, chat.seller):
        (card,) = [
            each["listing"]
            for each in (await who.page(OPEN, said, limit=100))["items"]
            if each["id"] == chat.id
        ]
        assert (card["status"], card["title"], card["price_minor"]) == ("deleted", None, None)


async def test_MS_03_paging_back_has_no_gap_while_new_messages_arrive(chat) -> None:
    for start in range(0, 500, 50):
        batch = [chat.buyer.said(chat.id, f"{n}") for n in range(start, start + 50)]
        answers = await asyncio.gather(*batch)
    last = max(answers, key=lambda each: int(each.headers["ETag"].strip('"')))
    numbers, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await chat.seller.page(f"/api/messages/{chat.id}", last, limit=70, **more)
        numbers += [each["number"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        last = await chat.seller.said(chat.id, "meanwhile")
    assert numbers == list(range(500, 0, -1))


async def test_MS_04_reading_a_message_reads_all_before_it(chat) -> None:
    said = [await chat.buyer.said(chat.id, f"{n}") for n in range(3)]
    own = await chat.seller.said(chat.id, "mine")
    marked = await chat.seller.mark_read(said[1])
    assert marked.status_code == 204
    page = await chat.buyer.page(f"/api/messages/{chat.id}", marked)
    read = {each["id"]: each["read_at"] is not None for each in page["items"]}
    assert [read[each.json()["id"]] for each in (*said, own)] == [True, True, False, False]
    again = await chat.seller.mark_read(said[2])
    later = await chat.buyer.page(f"/api/messages/{chat.id}", again)
    moments = [each["read_at"] for each in reversed(later["items"])]
    assert moments[0] == moments[1] < moments[2]
    assert moments[3] is None


async def test_MS_04_reading_ones_own_message_reads_what_it_answers(chat) -> None:
    await chat.buyer.said(chat.id, "Is it red?")
    answered = await chat.seller.said(chat.id, "It is")
    marked = await chat.seller.mark_read(answered)
    page = await chat.seller.page(f"/api/messages/{chat.id}", marked)
    assert [each["read_at"] is not None for each in page["items"]] == [False, True]


async def test_MS_04_the_receipt_is_in_the_log_once(mesh, chat) -> None:
    said = await chat.buyer.said(chat.id, "Hello")
    assert (await chat.seller.mark_read(said)).status_code == 204
    assert (await chat.seller.mark_read(said)).status_code == 204
    last = await chat.seller.said(chat.id, "Good day")
    assert last.status_code == 201
    await mesh.until_read(last)
    kinds = await journal_kinds(mesh, f"conversation/{chat.id}")
    assert kinds == ["conversation.opened", "message.sent", "messages.read", "message.sent"]


async def test_MS_05_a_hidden_conversation_comes_back_with_a_new_message(chat) -> None:
    await chat.seller.said(chat.id, "Hello")
    hidden = await chat.buyer.ask("DELETE", f"/api/messages/{chat.id}")
    assert hidden.status_code == 204

    async def listed(who: Talker, after) -> bool:
        page = await who.page(OPEN, after, limit=100)
        return chat.id in [each["id"] for each in page["items"]]

    assert not await listed(chat.buyer, hidden)
    assert await listed(chat.seller, hidden)
    assert await chat.seller.contents(chat.id, hidden) == ["Hello"]
    back = await chat.seller.said(chat.id, "Are you there?")
    assert await listed(chat.buyer, back)
    assert await chat.buyer.contents(chat.id, back) == ["Hello", "Are you there?"]


async def test_MS_06_a_hidden_conversation_comes_back_with_what_is_new_alone_unread(chat) -> None:
    for words in ("Hello", "Are you there?"):
        await chat.seller.said(chat.id, words)
    assert (await chat.buyer.ask("DELETE", f"/api/messages/{chat.id}")).status_code == 204
    back = await chat.seller.said(chat.id, "It is cheaper now")
    found = await chat.buyer.page("/api/messages/unread", back)
    waiting = {each["id"]: each["unread"] for each in found["conversations"]}
    assert waiting[chat.id] == 1


async def test_MS_06_unread_messages_are_counted_as_their_rows_are(mesh, seller) -> None:
    own = await talker(mesh)
    talks = [await talk(own, seller) for _ in range(2)]
    said = [await seller.said(each.id, "Hello") for each in (talks[0], talks[0], talks[1])]
    found = await own.page("/api/messages/unread", said[-1])
    waiting = {each["id"]: each["unread"] for each in found["conversations"]}
    assert (found["total"], waiting) == (3, {talks[0].id: 2, talks[1].id: 1})
    for each in talks:
        page = await own.page(f"/api/messages/{each.id}", said[-1])
        assert len([row for row in page["items"] if row["read_at"] is None]) == waiting[each.id]
    marked = await own.mark_read(said[1])
    found = await own.page("/api/messages/unread", marked)
    assert found == {"total": 1, "conversations": [{"id": talks[1].id, "unread": 1}]}


async def test_MS_32_GW_02_the_chat_prefix_has_the_same_data(chat) -> None:
    said = await chat.buyer.said(chat.id, "Hello")
    pairs = [
        (OPEN, "/api/chat"),
        (f"/api/messages/{chat.id}", f"/api/chat/{chat.id}/messages"),
    ]
    for one, other in pairs:
        assert await chat.seller.page(one, said) == await chat.seller.page(other, said)
    assert (await chat.seller.page("/api/chat", said))["items"][0]["id"] == chat.id


async def test_GW_02_an_unknown_path_of_the_chat_is_a_problem(chat) -> None:
    assert reason_of(await chat.buyer.ask("GET", "/api/chat/nothing")) == (404, "not_found")
    assert reason_of(await chat.buyer.ask("GET", "/api/chats")) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/chat", f"/api/chat/{UUID(int=5)}/messages", OPEN])
async def test_GW_10_nobody_sees_chats_without_a_token(mesh, path) -> None:
    assert reason_of(await mesh.client.get(path)) == (401, "token_missing")


async def test_PR_10_in_the_others_conversation_whoever_left_is_a_deleted_user(
    mesh, seller
) -> None:
    own = await talker(mesh)
    chat = await talk(own, seller)
    await own.said(chat.id, "My telephone is 077 123 4567")
    answered = await seller.said(chat.id, "I shall call")
    assert await seller.contents(chat.id, answered) == [
        "My telephone is 077 123 4567",
        "I shall call",
    ]
    deleted = await own.ask("DELETE", f"/api/users/{own.id}")
    assert deleted.status_code == 204

    async def nobody_there() -> bool:
        return await mesh.machines.vault.person(UUID(own.id)) is None

    await eventually(nobody_there, 20, "the key is destroyed")
    page = await seller.page(f"/api/messages/{chat.id}", deleted)
    assert [(each["sender_name"], each["content"]) for each in page["items"]] == [
        ("Test Person", "I shall call"),
        ("deleted user", None),
    ]
    (listed,) = [
        each for each in (await seller.page(OPEN, deleted))["items"] if each["id"] == chat.id
    ]
    assert listed["other"] == {"id": own.id, "name": "deleted user"}


async def test_PR_10_no_word_stands_readable_in_the_log_and_ones_own_are_exported(
    mesh, chat
) -> None:
    mine, theirs = f"mine {uuid4().hex}", f"theirs {uuid4().hex}"
    await chat.buyer.said(chat.id, mine)
    last = await chat.seller.said(chat.id, theirs)
    stream = f"conversation/{chat.id}"

    async def journalled() -> str:
        rows = await mesh.machines.postgres.fetch(
            "SELECT data FROM reads.journal WHERE stream_id = $1", stream
        )
        return " ".join(row["data"] for row in rows) if len(rows) == 3 else ""

    stored = await eventually(journalled)
    assert mine not in stored
    assert theirs not in stored

    async def exported() -> str:
        path = f"/api/users/{chat.buyer.id}/export"
        text = (await chat.buyer.read(path, last)).text
        return text if mine in text else ""

    found = await eventually(exported)
    assert theirs not in found
