"""Searching one's own messages, against the real index: it holds no word."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from api.messaging.words import marks_of
from infra.clients.opensearch import alias_of
from projections.messaging import conversations
from projections.messaging.message_search import message_search
from tests.api.acting.selling import reason_of
from tests.api.acting.talking import Talk, readable_talk, talk, talker
from tests.api.running import Mesh
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")
PATH = "/api/messages/search"
Person = Any


@pytest.fixture(scope="module")
async def chat(mesh: Mesh, all_readers: None) -> Talk:
    return await readable_talk(mesh)


async def search(who: Person, q: str, after: httpx.Response | None = None, **more: Any) -> Any:
    if after is not None:
        return await who.page(PATH, after, q=q, **more)
    answer = await who.ask("GET", PATH, params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["items"]]


async def documents(mesh: Mesh, conversation_id: str) -> list[dict[str, Any]]:
    """What the index holds of a conversation, all of it."""
    body = {"query": {"term": {"conversation_id": conversation_id}}, "size": 1_000}
    name = alias_of(mesh.settings, message_search.name)
    found = await mesh.machines.opensearch.search(index=name, body=body)
    return [hit["_source"] for hit in found["hits"]["hits"]]


async def test_MS_07_both_find_what_either_said_the_last_first(chat) -> None:
    word = uuid4().hex
    first = await chat.buyer.said(chat.id, f"Is the {word} still there?")
    second = await chat.seller.said(chat.id, f"Yes, the {word.upper()}-Turbo is")
    other = await chat.seller.said(chat.id, "And nothing else")
    for who in (chat.buyer, chat.seller):
        page = await search(who, word, other)
        assert ids(page) == [second.json()["id"], first.json()["id"]]
        assert (page["next_cursor"], page["complete"]) == (None, True)
        hit = page["items"][1]
        ((begin, end),) = hit["hits"]
        assert hit["snippet"][begin:end] == word
        assert (hit["sender_id"], hit["sender_name"]) == (chat.buyer.id, "Test Person")
        assert hit["conversation_id"] == chat.id
    assert ids(await search(chat.buyer, f"{word} turbo", other)) == [second.json()["id"]]
    assert ids(await search(chat.buyer, word[:-1], other)) == []


async def test_MS_07_never_a_hit_from_a_conversation_of_others(mesh, chat) -> None:
    word = uuid4().hex
    said = await chat.buyer.said(chat.id, f"Between us: {word}")
    stranger, admin = await talker(mesh), await talker(mesh, "admin")
    third = await talk(await talker(mesh), chat.seller)
    theirs = await third.buyer.said(third.id, f"I know {word}, too")
    assert ids(await search(chat.seller, word, theirs)) == [
        theirs.json()["id"],
        said.json()["id"],
    ]
    for who, wanted in (
        (stranger, []),
        (admin, []),
        (chat.buyer, [said.json()["id"]]),
        (third.buyer, [theirs.json()["id"]]),
    ):
        assert ids(await search(who, word, theirs)) == wanted


async def test_MS_07_no_word_of_a_message_stands_in_the_index_or_the_log(mesh) -> None:
    chat, words = await readable_talk(mesh), [uuid4().hex for _ in range(3)]
    said = await chat.buyer.said(chat.id, " ".join([*words, "telephone", "0771234567"]))
    assert len(ids(await search(chat.buyer, words[0], said))) == 1
    (found,) = await documents(mesh, chat.id)
    assert found.pop("mesh_applied")
    assert found.keys() == {"message_id", "conversation_id", "sent_at", "marks"}
    assert len(found["marks"]) == 5
    reads, stream = mesh.machines.postgres, f"conversation/{chat.id}"

    async def journalled() -> str | None:
        query = "SELECT data FROM reads.journal WHERE stream_id = $1 AND kind = 'message.sent'"
        data: str | None = await reads.fetchval(query, stream)
        return data

    for dump in (orjson.dumps(found).decode(), await eventually(journalled)):
        for word in (*words, "telephone", "0771234567"):
            assert word not in dump.lower()


async def test_MS_07_PR_10_of_whoever_is_erased_nothing_is_found_and_no_key_tells_their_words(
    mesh,
) -> None:
    chat, word = await readable_talk(mesh), uuid4().hex
    theirs = await chat.buyer.said(chat.id, f"My address is {word}")
    own = await chat.seller.said(chat.id, f"I wrote down {word}")
    assert len(ids(await search(chat.seller, word, own))) == 2
    before = {each["message_id"]: each["marks"] for each in await documents(mesh, chat.id)}
    assert (await chat.buyer.ask("DELETE", f"/api/users/{chat.buyer.id}")).status_code == 204

    async def key_is_gone() -> bool:
        return await mesh.machines.vault.person(UUID(chat.buyer.id)) is None

    await eventually(key_is_gone)
    assert ids(await search(chat.seller, word)) == [own.json()["id"]]
    # The marks that anybody can still make of that word are not among theirs.
    seller = await mesh.machines.vault.person(UUID(chat.seller.id))
    makable = set(marks_of(seller, UUID(chat.id), f"My address is {word}"))
    assert makable.isdisjoint(before[theirs.json()["id"]])
    assert not makable.isdisjoint(before[own.json()["id"]])


async def test_MS_07_MS_05_what_was_put_away_is_searched_when_it_comes_back(mesh) -> None:
    chat, word = await readable_talk(mesh), uuid4().hex
    said = await chat.seller.said(chat.id, f"About {word}")
    hidden = await chat.buyer.ask("DELETE", f"/api/messages/{chat.id}")
    assert ids(await search(chat.buyer, word, hidden)) == []
    assert ids(await search(chat.seller, word, hidden)) == [said.json()["id"]]
    back = await chat.seller.said(chat.id, "Are you there?")
    assert ids(await search(chat.buyer, word, back)) == [said.json()["id"]]


async def test_MS_07_pages_follow_each_other_while_more_is_said(chat) -> None:
    word = uuid4().hex
    said = [await chat.buyer.said(chat.id, f"{word} {number}") for number in range(7)]
    found, cursor, last = list[str](), None, said[-1]
    while True:
        page = await search(
            chat.seller, word, last, limit=3, **({"cursor": cursor} if cursor else {})
        )
        found += ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            break
        last = await chat.buyer.said(chat.id, f"meanwhile {word}")
    assert found == [each.json()["id"] for each in reversed(said)]
    by_number = [ids(await search(chat.seller, f"{word} 6", last, limit=1, page=n)) for n in (1, 2)]
    assert by_number == [[said[6].json()["id"]], []]


async def test_MS_07_what_comes_over_a_socket_is_found_too(replicas, some, chat) -> None:
    word = uuid4().hex
    device = await some.connect(replicas.first, chat.buyer.account.access_token)
    sent = await device.ask("send-message", chatId=chat.id, content=f"Over the wire: {word}")

    async def found() -> bool:
        return ids(await search(chat.seller, word)) == [sent["messageId"]]

    await eventually(found)


async def test_MS_07_more_conversations_than_are_searched_are_told(mesh, chat, monkeypatch) -> None:
    own, word = await talker(mesh), uuid4().hex
    talks = [await talk(own, chat.seller) for _ in range(3)]
    for each in talks:
        last = await own.said(each.id, f"{word}")
    assert (await search(own, word, last))["complete"]
    monkeypatch.setattr(conversations, "SEARCHED_MAX", 2)
    page = await search(own, word, last)
    assert not page["complete"]
    assert {each["conversation_id"] for each in page["items"]} == {each.id for each in talks[1:]}


@pytest.mark.parametrize("q", ["", "  ", "x" * 201, "a\x00b"])
async def test_MS_07_what_can_not_be_asked_is_named(chat, q) -> None:
    answer = await chat.buyer.ask("GET", PATH, params={"q": q})
    assert answer.status_code == 422, answer.text


async def test_MS_07_signs_alone_find_nothing(chat) -> None:
    assert await search(chat.buyer, "?! 🙂") == {"items": [], "next_cursor": None, "complete": True}


async def test_MS_07_without_a_token_nobody_searches(mesh) -> None:
    answer = await mesh.client.get(PATH, params={"q": "hello"})
    assert reason_of(answer) == (401, "token_missing")


async def test_MS_07_searches_at_once_are_each_ones_own(mesh, chat) -> None:
    word = uuid4().hex
    talks = [await talk(await talker(mesh), chat.seller) for _ in range(4)]
    said = [await each.buyer.said(each.id, word) for each in talks]
    pages = await asyncio.gather(
        *(search(each.buyer, word, answer) for each, answer in zip(talks, said, strict=True))
    )
    assert [ids(page) for page in pages] == [[each.json()["id"]] for each in said]
