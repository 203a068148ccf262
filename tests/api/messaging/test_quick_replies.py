"""Quick replies: kept, filled and sent, over HTTP and over a socket."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.messaging.templates import PLACEHOLDERS, USES_MAX, Template, filled
from schemas.messaging import CONTENT_LENGTH_MAX, conversation_id_of
from schemas.messaging.quick_replies import TEMPLATE_LENGTH_MAX
from tests.api.acting.selling import pointers_of, reason_of
from tests.api.acting.talking import Talk, Talker, readable_talk, talker
from tests.api.running import Mesh
from tests.waiting import eventually

PATH = "/api/messages/quick-replies"
ALL_OF_THEM = "{buyer.name}: {listing.title} is {listing.price}. {seller.name}"
FILLED = "Test Person: Porsche 911 Carrera is USD 85,000.00. Test Person"
RULE: TypeAdapter[str] = TypeAdapter(Template)


@pytest.fixture(scope="module")
async def chat(mesh: Mesh) -> Talk:
    return await readable_talk(mesh)


async def keep(who: Talker, content: str) -> tuple[str, httpx.Response]:
    """A template that can be used from now on."""
    kept = await who.ask("POST", PATH, json={"content": content})
    assert kept.status_code == 201, kept.text
    await who.page(PATH, kept)
    return str(kept.json()["id"]), kept


async def send(who: Talker, chat_id: str, template_id: str, **headers: str) -> httpx.Response:
    body = {"template_id": template_id}
    return await who.ask("POST", f"/api/messages/{chat_id}", json=body, headers=headers)


async def test_MS_10_every_placeholder_is_filled_for_either_side(chat) -> None:
    for who in (chat.seller, chat.buyer):
        template_id, _ = await keep(who, ALL_OF_THEM)
        sent = await send(who, chat.id, template_id)
        assert sent.status_code == 201, sent.text
        assert (await chat.buyer.contents(chat.id, sent))[-1] == FILLED


async def test_MS_10_ones_own_are_listed_the_last_first_and_removed(mesh) -> None:
    own = await talker(mesh)
    first, _ = await keep(own, "First")
    second, kept = await keep(own, "Second {seller.name}")
    found = await own.page(PATH, kept)
    assert [(each["id"], each["content"]) for each in found["items"]] == [
        (second, "Second {seller.name}"),
        (first, "First"),
    ]
    gone = await own.ask("DELETE", f"{PATH}/{first}")
    assert gone.status_code == 204
    assert [each["id"] for each in (await own.page(PATH, gone))["items"]] == [second]
    again = await own.ask("DELETE", f"{PATH}/{first}")
    assert reason_of(again) == (404, "quick_reply_unknown")


async def test_MS_10_nobody_sends_what_is_not_theirs(mesh, chat) -> None:
    template_id, _ = await keep(chat.seller, "Mine")
    for each in (template_id, str(uuid4())):
        answer = await send(chat.buyer, chat.id, each)
        assert reason_of(answer) == (404, "quick_reply_unknown")
    stranger = await talker(mesh)
    own, _ = await keep(stranger, ALL_OF_THEM)
    assert reason_of(await send(stranger, chat.id, own)) == (404, "conversation_unknown")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": "Hello", "template_id": str(uuid4())},
        {"template_id": None},
        {"content": None},
    ],
)
async def test_MS_10_a_message_is_words_or_a_template(chat, body) -> None:
    answer = await chat.buyer.ask("POST", f"/api/messages/{chat.id}", json=body)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "content",
    [
        *("{listing.vin}", "{0}", "{}", "{ listing.title }", "{LISTING.TITLE}", "{buyer.email}"),
        *("{buyer.__class__}", "{listing.title!r}", "{listing.title:>9999999}", "{{listing}}"),
        *("", "x" * (TEMPLATE_LENGTH_MAX + 1), "{buyer.name}" * (USES_MAX + 1), "a\x00b"),
    ],
)
async def test_MS_10_what_is_no_template_is_named_when_it_is_made(chat, content) -> None:
    answer = await chat.buyer.ask("POST", PATH, json={"content": content})
    assert (answer.status_code, pointers_of(answer)) == (422, ["/content"])


@given(st.text("{}.%$abc\\ listingtleprcbuyrnam"), st.text("{}listing.tle"))
def test_MS_10_a_template_is_text_and_nothing_in_it_is_ever_evaluated(text, value) -> None:
    """What is put in is not looked through: a name of braces stays one."""
    try:
        template = RULE.validate_python(text + "{buyer.name}")
    except ValidationError:
        return
    shown = filled(template, lambda name: value)
    pieces = [template]
    for each in PLACEHOLDERS:
        pieces = [part for piece in pieces for part in piece.split(f"{{{each}}}")]
    assert shown == value.join(pieces)


def test_MS_10_a_filled_template_is_a_message() -> None:
    longest = 200  # a title has 160 characters, a name 100, a price fewer
    assert TEMPLATE_LENGTH_MAX + USES_MAX * longest <= CONTENT_LENGTH_MAX


async def test_MS_10_what_can_not_be_seen_is_not_filled_in(mesh) -> None:
    chat = await readable_talk(mesh)
    template_id, _ = await keep(chat.buyer, "About {listing.title}")
    deleted = await chat.seller.ask("DELETE", f"/api/listings/{chat.listing_id}")
    await chat.buyer.read(f"/api/listings/{chat.listing_id}", deleted)
    answer = await send(chat.buyer, chat.id, template_id)
    assert reason_of(answer) == (409, "quick_reply_empty")
    assert "{listing.title}" in answer.json()["detail"]


async def test_MS_10_a_repeat_sends_once_even_when_the_template_is_gone(mesh) -> None:
    chat = await readable_talk(mesh)
    template_id, _ = await keep(chat.buyer, "{buyer.name} asks")
    key = {"Idempotency-Key": uuid4().hex}
    first = await send(chat.buyer, chat.id, template_id, **key)
    gone = await chat.buyer.ask("DELETE", f"{PATH}/{template_id}")
    await chat.buyer.page(PATH, gone)
    again = await send(chat.buyer, chat.id, template_id, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await chat.buyer.contents(chat.id, again) == ["Test Person asks"]


async def test_MS_10_a_socket_sends_one_and_says_what_it_says(replicas, some, chat) -> None:
    template_id, _ = await keep(chat.seller, ALL_OF_THEM)
    seller = await some.connect(replicas.first, chat.seller.account.access_token)
    buyer = await some.connect(replicas.second, chat.buyer.account.access_token)
    for each in (seller, buyer):
        await each.join(chatId=chat.id)
    asked: dict[str, Any] = {"chatId": chat.id, "templateId": template_id, "id": "one"}
    answers = [await seller.ask("send-message", **asked) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (await buyer.hears("new-message"))["content"] == FILLED
    both = await seller.ask("send-message", **asked | {"content": "Hello", "id": "two"})
    assert both["error"]["code"] == "invalid"
    neither = await seller.ask("send-message", chatId=chat.id)
    assert neither["error"]["code"] == "invalid"
    assert len(buyer.all("new-message")) == 1


async def test_MS_10_first_words_over_a_socket_may_be_a_template(
    mesh, replicas, some, chat
) -> None:
    buyer = await talker(mesh)
    listing = await chat.seller.offer()
    listing_id = listing.json()["id"]
    await buyer.read(f"/api/listings/{listing_id}", listing)
    template_id, _ = await keep(buyer, "Is {listing.title} still there?")
    device = await some.connect(replicas.first, buyer.account.access_token)
    chat_id = str(conversation_id_of(UUID(listing_id), UUID(buyer.id), UUID(chat.seller.id)))
    asked = {"chatId": chat_id, "itemId": listing_id, "templateId": template_id}
    answer = await device.ask("send-message", **asked)
    assert "error" not in answer, answer

    async def said() -> bool:
        found = await buyer.ask("GET", f"/api/messages/{chat_id}")
        said = [each["content"] for each in found.json().get("items", [])]
        return said == ["Is Porsche 911 Carrera still there?"]

    await eventually(said)


async def test_PR_10_no_word_of_one_stands_readable_in_the_log_or_its_table(mesh) -> None:
    own, word = await talker(mesh), uuid4().hex
    await keep(own, f"secret {word}")
    reads = mesh.machines.postgres

    async def journalled() -> str | None:
        query = "SELECT data FROM reads.journal WHERE stream_id = $1"
        found: str | None = await reads.fetchval(query, f"quick_replies/{own.id}")
        return found

    assert word not in await eventually(journalled)
    row = await reads.fetchrow("SELECT * FROM reads.quick_replies WHERE key = $1", own.id)
    assert word not in orjson.dumps(dict(row), default=str).decode()
    exported = await own.ask("GET", f"/api/users/{own.id}/export")
    assert word in exported.text
    assert (await own.ask("DELETE", f"/api/users/{own.id}")).status_code == 204

    async def emptied() -> bool:
        query = "SELECT deleted AND contents_sealed = '{}' FROM reads.quick_replies WHERE key = $1"
        return bool(await reads.fetchval(query, own.id))

    await eventually(emptied)
