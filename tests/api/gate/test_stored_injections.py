"""Strings that attack something, stored: in every text of every command that a rule-abiding rest
gets accepted. They come back as they were sent, and nothing else has changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import randrange
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.api.acting.deeds import DEEDS, Shop
from tests.api.acting.offering import ITEMS, Student, campus, student
from tests.api.acting.picturing import Uploader, image_of
from tests.api.acting.profiling import photo
from tests.api.acting.selling import CAR, Seller, path_of, token_of
from tests.api.acting.talking import readable_talk
from tests.api.asking import body_of, placed, places, pointer_of, pointers
from tests.api.gate.test_injections import INSIDE, STRINGS
from tests.api.operations import OPERATIONS, Operation
from tests.api.running import Mesh, new_email
from tests.sizes import a_third
from tests.texts import leaves

Path = tuple[str | int, ...]
# How the document describes what may hold whatever a person writes: see schemas.values.texts.
OF_PEOPLE = r"^[^\u0000-"
# The same to the document, which does not list all that there are.
CLOSED = {("issue_api_key", ("operations", 0))}

# Templates are programs, and judged as such: tests.api.templates.test_templates stores these strings,
# and tests.api.messaging.test_quick_replies says what those of messages take.
PROGRAMS = {"override_template", "preview_template", "test_template", "add_quick_reply"}


def texts_of(operation: Operation) -> list[tuple[Path, dict[str, Any]]]:
    found = body_of(operation)
    if found is None or operation.id in PROGRAMS:
        return []
    return [p for p in places(found[0]) if p[1].get("type") == "string"]


def is_free(operation: Operation, path: Path, schema: dict[str, Any]) -> bool:
    open_to_all = schema.get("pattern", "").startswith(OF_PEOPLE)
    return open_to_all and (operation.id, path) not in CLOSED


FREE: Final[Mapping[str, list[Path]]] = {
    operation.id: paths
    for operation in OPERATIONS
    if (paths := [path for path, schema in texts_of(operation) if is_free(operation, path, schema)])
}


@dataclass(frozen=True)
class Told:
    """What was sent, what came back, and where to read it."""

    shop: Shop
    headers: Mapping[str, str]
    path: str
    answer: httpx.Response

    async def page(self, path: str = "", **params: Any) -> Any:
        """What its owner reads after that."""
        headers = {**self.headers, **token_of(self.answer)}
        client = self.shop.mesh.client
        answer = await client.get(path or self.path, headers=headers, params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert "X-Made" not in answer.headers
        return answer.json()


Reading = Callable[[Told], Awaitable[list[Any]]]


async def listing(told: Told) -> list[Any]:
    """Its page, its past, and what the seller's list and a search show of it."""
    path = f"/api/listings/{told.answer.json()['id']}"
    now = await told.page(path)
    past = await told.page(path, version=now["version"])
    mine = await told.page("/api/listings/mine")
    (listed,) = (each for each in mine["items"] if each["id"] == now["id"])
    history = await told.page(f"{path}/history")
    assert {now["title"], now["description"], *now["features"]} <= leaf_texts(history)
    return [now, past, {**listed, "description": now["description"]}]


async def own_page(told: Told) -> list[Any]:
    return [await told.page()]


async def joined(told: Told) -> list[Any]:
    user_id = told.answer.json()["user"]["id"]
    return [await told.page(f"/api/users/{user_id}")]


async def keys(told: Told) -> list[Any]:
    return [(await told.page("/api/auth/keys"))["items"][0]]


async def message(told: Told) -> list[Any]:
    """What was said, in the conversation, in both histories and in the list of conversations."""
    chat_id = told.answer.json()["conversation_id"]
    pages = [f"/api/messages/{chat_id}", f"/api/chat/{chat_id}/messages"]
    said = [(await told.page(each))["items"][0] for each in pages]
    (chat,) = (await told.page("/api/messages/conversations"))["items"]
    return [*said, chat["last_message"]]


async def item(told: Told) -> list[Any]:
    """Its page, and what the campus' list and a search in it show."""
    found = (await told.page(told.path))["item"]
    listed = (await told.page(ITEMS))["items"]
    return [found, *(each for each in listed if each["id"] == found["id"])]


async def new_item(told: Told) -> list[Any]:
    return [(await told.page(f"{ITEMS}/{told.answer.json()['item']['id']}"))["item"]]


async def review(told: Told) -> list[Any]:
    """Its page, and what is read of its seller and of its listing."""
    found = await told.page(f"/api/reviews/{told.answer.json()['id']}")
    of_seller = await told.page(f"/api/reviews/seller/{found['seller_id']}")
    of_listing = await told.page(f"/api/reviews/listing/{found['listing_id']}")
    return [found, of_seller["items"][0], of_listing["items"][0]]


async def response(told: Told) -> list[Any]:
    """What the seller says, wherever the review is read."""
    return [each["response"] for each in await review(told)]


async def booking(told: Told) -> list[Any]:
    """Its page, where what the buyer says is its note."""
    return [await told.page(f"/api/bookings/{told.answer.json()['id']}")]


async def booking_answer(told: Told) -> list[Any]:
    """The same, where what the seller says is its answer."""
    return [{"note": (await told.page(told.path.rpartition("/")[0]))["answer"]}]


async def saved_search(told: Told) -> list[Any]:
    """Its page, which searches with all of it, and the list."""
    found = await told.page(f"/api/search/saved/{told.answer.json()['id']}")
    (listed,) = (await told.page("/api/search/saved"))["items"]
    assert found["looked_back"] is not None
    return [{**each, "full_name": each["name"]} for each in (found, listed)]


READINGS: Final[Mapping[str, Reading]] = {
    "create_listing": listing,
    "update_listing": listing,
    "replace_listing_fields": listing,
    "register_user": joined,
    "update_user": own_page,
    "replace_user_fields": own_page,
    "update_seller": own_page,
    "replace_seller_fields": own_page,
    "issue_api_key": keys,
    "send_message": message,
    "update_item": item,
    "replace_item_fields": item,
    "request_booking": booking,
    "reject_booking": booking_answer,
    "save_search": saved_search,
    "create_review": review,
    "update_review": review,
    "replace_review_fields": review,
    "respond_to_review": response,
    "replace_review_response": response,
}
SHOWN_AS = {"name": "full_name"}  # where a field is read under another name
# What is there once for whoever asks: a second one needs somebody else.
ONCE = {"create_review", "register_user", "save_search", "request_booking", "reject_booking"}


def leaf_texts(page: Any) -> set[str]:
    return {text for _, text in leaves(page)}


def value_at(page: Any, path: Path) -> Any:
    for step in path:
        page = page[SHOWN_AS.get(str(step), step) if isinstance(page, dict) else step]
    return page


def stored(text: str) -> str:
    """As it is kept: what is at the ends of a text is trimmed."""
    return text.strip()


@pytest.fixture(scope="module")
async def shop(mesh: Mesh, all_readers: None) -> Shop:
    """With a timer that nothing stops meanwhile: those of items end by themselves."""
    made = Shop(mesh, Seller(mesh, await mesh.account("admin")))
    await made.ban(await made.person(), until="2099-01-01T00:00:00Z")
    return made


async def filled(mesh: Mesh) -> set[str]:
    """The tables of the read models and of the vault that hold anything."""
    tables = await mesh.machines.postgres.fetch(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables"
        " WHERE table_schema IN ('reads', 'vault') AND table_type = 'BASE TABLE'"
    )
    fetch = mesh.machines.postgres.fetchval
    return {
        row["name"]
        for row in tables
        if await fetch(f"SELECT EXISTS (SELECT 1 FROM {row['name']})")  # of the catalogue's names
    }


@pytest.fixture(autouse=True)
async def nothing_else_has_changed(mesh: Mesh, shop: Shop, witness: Told) -> AsyncIterator[None]:
    """No table is gone or empty, and somebody else's listing is as it was."""
    before, page = await filled(mesh), await witness.page()
    yield
    assert before <= await filled(mesh)
    assert await witness.page() == page


@pytest.fixture(scope="module")
async def witness(shop: Shop) -> Told:
    """A listing that nobody touches."""
    seller = await shop.person()
    made = await seller.offer()
    return Told(shop, seller.account.headers, path_of(made), made)


def test_every_operation_with_a_text_is_read_back() -> None:
    assert FREE.keys() == READINGS.keys(), "say in READINGS where its texts are read"
    assert sum(map(len, FREE.values())) > 40


def test_each_string_is_stored_by_some_operation_and_refused_by_some() -> None:
    assert {text for each in FREE for text in a_third(STRINGS, each)} == set(STRINGS)
    closed = [f"{each.values[0].id}{each.values[1]}" for each in CLOSED_TEXTS]
    assert {text for each in closed for text in a_third(STRINGS, each)} == set(STRINGS)


SUCCESS: Final = {each.id: min(each.successes) for each in OPERATIONS}


def accepted(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert "X-Made" not in answer.headers
    assert not [word for word in INSIDE if word in answer.text.lower()]


@pytest.mark.parametrize("operation_id", sorted(FREE))
@pytest.mark.asvs("V1.2.4")
async def test_NS_05_every_text_is_stored_and_comes_back_as_text(
    shop: Shop, operation_id: str
) -> None:
    deed, count = await DEEDS[operation_id](shop), 0
    sent = a_third(STRINGS, operation_id)
    for text in sent:
        if operation_id in ONCE and count:
            deed = await DEEDS[operation_id](shop)
        body: Any = deed.more["json"]
        for path in FREE[operation_id]:
            body = placed(body, path, text)
        answer = await shop.mesh.client.request(
            deed.method, deed.path, headers=deed.headers, json=body
        )
        accepted(answer, SUCCESS[operation_id])
        told = Told(shop, await reader(shop, deed.headers, body), deed.path, answer)
        for page in await READINGS[operation_id](told):
            found = {path: value_at(page, path) for path in FREE[operation_id]}
            assert found == dict.fromkeys(FREE[operation_id], stored(text))
        count += 1
    assert count == len(sent) > 2


async def reader(shop: Shop, sent: Mapping[str, str], body: Any) -> dict[str, str]:
    """Who reads: whoever wrote, or has just joined."""
    if "Authorization" in sent:
        return {"Authorization": sent["Authorization"]}
    tokens = (await shop.mesh.log_in(body["email"], body["password"])).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


CLOSED_TEXTS = [
    pytest.param(operation, path, id=f"{operation.id}{pointer_of(path)}")
    for operation in OPERATIONS
    for path, schema in texts_of(operation)
    if not is_free(operation, path, schema)
    and schema.get("format") != "password"  # whatever it is, nobody reads it
    and path != ("refresh_token",)
]


@pytest.mark.parametrize(("operation", "path"), CLOSED_TEXTS)
async def test_NS_05_a_closed_vocabulary_takes_no_such_text(
    shop: Shop, neighbour: Student, operation: Operation, path: Path
) -> None:
    example = body_of(operation)[1]
    who = neighbour if operation.template.startswith(ITEMS) else shop.admin
    headers = {**who.account.headers, "If-Match": "*"}
    for text in a_third(STRINGS, f"{operation.id}{path}"):
        answer = await shop.mesh.client.request(
            operation.method, operation.path, json=placed(example, path, text), headers=headers
        )
        assert answer.status_code == 422, f"{text}: {answer.text}"
        assert any(each.startswith(pointer_of(path)) for each in pointers(answer)), answer.text


@pytest.fixture(scope="module")
async def neighbour(mesh: Mesh) -> Student:
    return await student(mesh, campus())


@pytest.mark.parametrize("text", STRINGS)
async def test_NS_05_the_texts_of_a_form_are_stored(
    shop: Shop, neighbour: Student, text: str
) -> None:
    answer = await neighbour.offer(title=text, description=text)
    accepted(answer, 201)
    told = Told(shop, neighbour.account.headers, ITEMS, answer)
    (page,) = await new_item(told)
    assert (page["title"], page["description"]) == (stored(text), stored(text))


@pytest.mark.parametrize("field", ["price", "currency", "category", "condition"])
async def test_NS_05_a_closed_vocabulary_of_a_form_takes_no_such_text(
    neighbour: Student, field: str
) -> None:
    for text in STRINGS:
        answer = await neighbour.offer(**{field: text})
        assert answer.status_code == 422, answer.text
        assert pointers(answer) == {f"/{field}"}


@pytest.mark.parametrize("text", STRINGS)
async def test_NS_05_the_name_of_a_file_is_stored(shop: Shop, text: str) -> None:
    person = Uploader(shop.mesh, (await shop.person("buyer")).account)
    answer = await person.send((text, photo()))
    accepted(answer, 201)
    found = await person.image(image_of(answer), answer)
    assert found.json()["filename"] == in_a_form(text)


def in_a_form(name: str) -> str:
    """As browsers, and httpx, write the name of a file: what would end it is escaped."""
    for character, escaped in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
        name = name.replace(character, escaped)
    return name.strip()


async def test_NS_05_what_is_said_over_a_socket_is_stored(mesh, replicas, some) -> None:
    chat = await readable_talk(mesh)
    device = await some.connect(replicas.first, chat.buyer.account.access_token)
    chat_id = await device.join(chatId=chat.id)
    for text in STRINGS:
        answer = await device.ask("send-message", chatId=chat_id, content=text)
        assert "error" not in answer, answer
        heard = await device.hears("new-message", len(device.all("new-message")) or 1)
        assert heard["content"] == stored(text)
    after = await chat.buyer.said(chat_id, "That was all")
    assert await chat.buyer.contents(chat_id, after) == [*map(stored, STRINGS), "That was all"]


async def test_NS_05_an_id_of_a_clients_own_is_no_text(mesh, replicas, some) -> None:
    chat = await readable_talk(mesh)
    device = await some.connect(replicas.first, chat.buyer.account.access_token)
    await device.join(chatId=chat.id)
    for text in (each for each in STRINGS if " " in each or "\n" in each):
        for name in ("clientId", "id"):
            answer = await device.ask("send-message", chatId=chat.id, content="Hi", **{name: text})
            assert answer["error"]["code"] == "invalid", answer


@pytest.mark.parametrize("text", STRINGS)
async def test_NS_05_a_password_may_be_any_text(mesh: Mesh, text: str) -> None:
    """Nobody reads one: it comes back as a log-in, and as none for whoever sends another."""
    password, email = f"{text} {uuid4().hex}", new_email()
    assert (await mesh.register(email, password=password)).status_code == 201
    assert (await mesh.log_in(email, password)).status_code == 200
    assert (await mesh.log_in(email, f"{password}x")).status_code == 401


SEARCHES = ("/api/search", "/api/listings/search", "/api/search/suggestions")


@pytest.mark.parametrize("text", STRINGS)
async def test_NS_05_whatever_is_searched_for_is_searched_for(
    shop: Shop, neighbour: Student, text: str
) -> None:
    line = text.strip()
    price = randrange(10**6, 10**9)
    seller = await shop.person()
    offered = await seller.offer(**{**CAR, "title": line, "make": line, "price_minor": price})
    told = Told(shop, seller.account.headers, path_of(offered), offered)
    for path in SEARCHES:
        await told.page(path, q=line)
    exactly = {"price_min": price / 100, "price_max": price / 100, "currency": "USD"}
    found = await told.page("/api/search", make=line, **exactly)
    assert [(hit["title"], hit["make"]) for hit in found["hits"]] == [(line, line)]
    listed = await neighbour.ask("GET", ITEMS, params={"search": line})
    assert listed.status_code == 200
