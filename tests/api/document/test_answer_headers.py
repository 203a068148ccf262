"""What the document says of the headers of a success is what a success of each operation sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from api.document.answer_headers import HEADERS
from tests.api.acting.booking import planted
from tests.api.acting.deeds import DEEDS, Shop
from tests.api.acting.notified import answered
from tests.api.acting.offering import campus, student
from tests.api.acting.picturing import Uploader
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, path_of, token_of
from tests.api.acting.things import made
from tests.api.conftest import Running
from tests.api.documented import FEEDS, IDLE, documented, is_as_documented, told_to_clients
from tests.api.matrix import DOORS, ROLES, THINGS
from tests.api.operations import DOCUMENT, OPERATIONS, Operation
from tests.api.running import api, new_email
from tests.provider import Provider, provider_at_work
from tests.waiting import eventually


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_at_work() as found:
        yield found


@pytest.fixture(scope="module")
async def shop(running: Running, all_readers: None, provider: Provider) -> AsyncIterator[Shop]:
    own = {"issuer": provider.issuer, "client_id": "mesh", "client_secret": "s3cret"}
    settings = {
        "oidc_providers": SecretStr(json.dumps({"test": own})),
        "write_timeout_s": 20.0,
        "read_wait_s": 20.0,
    }
    async with api(running.settings.model_copy(update=settings)) as mesh:
        await eventually(lambda: mesh.machines.writes.started, 20, "the gateway has started")
        yield Shop(mesh, Seller(mesh, await mesh.account("admin")))


async def a_success(shop: Shop, provider: Provider, operation: Operation) -> httpx.Response:
    """One of each operation."""
    if operation.id in OTHERWISE:
        return await OTHERWISE[operation.id](shop)
    if operation.id in WITH_A_PROVIDER:
        return await WITH_A_PROVIDER[operation.id](shop, provider)
    return await asked_as_it_is(shop, operation)


async def asked_as_it_is(shop: Shop, operation: Operation) -> httpx.Response:
    """By somebody who may, about a thing of theirs; of pages the shortest."""
    thing = THINGS.get(operation.id)
    roles = DOORS[operation.id] if thing is None else thing.owners
    who = await shop.person(next(each for each in ("seller", *ROLES) if each in roles))
    path, ask = operation.path, {} if thing is None else dict(thing.ask)
    if thing is not None:
        path = operation.path_of(await made(shop.mesh, thing.kind, who.account))
    if any(each["name"] == "cursor" for each in operation.document.get("parameters", [])):
        ask["params"] = {"limit": 1}
    return await who.ask(operation.method, path, **ask)


async def log_in(shop: Shop) -> httpx.Response:
    return await shop.mesh.log_in((await shop.person()).account.email)


async def refresh_session(shop: Shop) -> httpx.Response:
    body = {"refresh_token": (await shop.person()).account.refresh_token}
    return await shop.mesh.client.post("/api/auth/refresh", json=body)


async def view_listing(shop: Shop) -> httpx.Response:
    seller, buyer = await shop.person(), await shop.person("buyer")
    listing = await seller.offer()
    return await buyer.ask("POST", f"{path_of(listing)}/view", headers=token_of(listing))


async def remove_avatar(shop: Shop) -> httpx.Response:
    person = await shop.person()
    path = f"/api/users/{person.account.user_id}/avatar"
    await made(shop.mesh, "avatar", person.account)  # to remove nothing writes nothing
    return await person.ask("DELETE", path)


async def suggest(shop: Shop) -> httpx.Response:
    return await shop.mesh.client.get("/api/search/suggestions", params={"q": "por"})


def by_anybody(path: str) -> Callable[[Shop], Awaitable[httpx.Response]]:
    """Asked as it stands."""

    async def ask(shop: Shop) -> httpx.Response:
        return await (await shop.person("buyer")).ask("GET", path)

    return ask


async def mark_notifications_read(shop: Shop) -> httpx.Response:
    person = await shop.person("buyer")
    await answered(shop.mesh, person.account)  # where nothing is unread, nothing is written
    return await person.ask("PUT", "/api/notifications/read", json={"up_to": 1})


async def list_bookings(shop: Shop) -> httpx.Response:
    person = await shop.person()
    await planted(shop.mesh, person.account, "seller")
    return await person.ask("GET", "/api/bookings", params={"role": "seller", "limit": 1})


def on_campus(path: str) -> Callable[[Shop], Awaitable[httpx.Response]]:
    async def ask(shop: Shop) -> httpx.Response:
        person = await student(shop.mesh, campus())
        return await person.ask("GET", path.format(await person.have()))

    return ask


def of_a_listing(path: str) -> Callable[[Shop], Awaitable[httpx.Response]]:
    """Asked about an offer of one's own."""

    async def ask(shop: Shop) -> httpx.Response:
        seller = await shop.person()
        offered = await seller.offer()
        path_to_it = path.format(offered.json()["id"])
        return await seller.ask("GET", path_to_it, headers=token_of(offered))

    return ask


async def resized(shop: Shop) -> httpx.Response:
    person = Uploader(shop.mesh, (await shop.person()).account)
    image = await person.processed(photo())
    return await shop.mesh.client.get(image["resized"][0]["url"])


def feed(name: str) -> Callable[[Shop], Awaitable[httpx.Response]]:
    """The first page of two."""

    async def ask(shop: Shop) -> httpx.Response:
        seller = await shop.person()
        await seller.offer()
        params = {"seller_id": seller.account.user_id, "limit": 1}
        return await seller.read(f"{FEEDS}{name}", await seller.offer(), **params)

    return ask


_METADATA: Final = "/api/functions/seo-metadata"
OTHERWISE: Final[Mapping[str, Callable[[Shop], Awaitable[httpx.Response]]]] = {
    "read_listing_json_ld": of_a_listing("/api/listings/{}/json-ld"),
    "read_seo_metadata": of_a_listing(f"{_METADATA}?listing={{}}"),
    "read_seo_image": of_a_listing(f"{_METADATA}/image?listing={{}}"),
    "list_vin_listings": of_a_listing("/api/vins?vin=WP0ZZZ99ZTS392124"),
    "read_json_ld_feed": feed("vehicles.jsonld"),
    "read_meta_feed": feed("meta-vehicles.csv"),
    "read_google_feed": feed("google-vehicles.csv"),
    "log_in": log_in,
    "refresh_session": refresh_session,
    "view_listing": view_listing,
    "suggest": suggest,
    "read_presence": by_anybody(f"/api/chat/presence?ids={uuid4()}"),
    "search_messages": by_anybody("/api/messages/search?q=porsche"),
    "resize_image": resized,
    "remove_avatar": remove_avatar,
    "read_item": on_campus("/api/items/{}"),
    "read_item_contact": on_campus("/api/items/{}/contact"),
    "list_bookings": list_bookings,
    "mark_notifications_read": mark_notifications_read,
    "list_items": on_campus("/api/items"),
    "list_item_categories": on_campus("/api/items/categories"),
}


def browser(shop: Shop) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(shop.mesh.app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


async def start_oauth(shop: Shop, _provider: Provider) -> httpx.Response:
    async with browser(shop) as client:
        return await client.get("/api/auth/oauth/test/start")


async def start_linking(shop: Shop, _provider: Provider) -> httpx.Response:
    return await (await shop.person()).ask("POST", "/api/auth/oauth/test/link")


async def finish_oauth(shop: Shop, provider: Provider) -> httpx.Response:
    async with browser(shop) as client:
        left = await client.get("/api/auth/oauth/test/start")
        return await come_back(client, provider, left.headers["Location"])


async def unlink_identity(shop: Shop, provider: Provider) -> httpx.Response:
    person = await shop.person()
    async with browser(shop) as client:
        path, headers = "/api/auth/oauth/test/link", person.account.headers
        begun = await client.post(path, headers=headers)
        await come_back(client, provider, begun.json()["authorization_url"])
        return await client.delete(path, headers=headers)


async def come_back(client: httpx.AsyncClient, provider: Provider, left: str) -> httpx.Response:
    """From the provider, as somebody it lets in."""
    subject = uuid4().hex
    await provider.knows(subject, email=new_email(), email_verified=True, name="Nimal")
    back = await provider.let_in(left, subject)
    return await client.get("/api/auth/oauth/test/callback", params=back)


WITH_A_PROVIDER: Final[Mapping[str, Callable[[Shop, Provider], Awaitable[httpx.Response]]]] = {
    "start_oauth": start_oauth,
    "start_linking": start_linking,
    "finish_oauth": finish_oauth,
    "unlink_identity": unlink_identity,
}


# tests.api.entry.test_repeats looks at the first answers of the deeds.
NO_DEEDS = [each for each in OPERATIONS if each.id not in DEEDS or each.id in IDLE]


@pytest.mark.parametrize("operation", NO_DEEDS, ids=[each.id for each in NO_DEEDS])
async def test_a_success_has_the_headers_that_are_documented_and_no_others(
    shop: Shop, provider: Provider, operation: Operation
) -> None:
    is_as_documented(operation, await a_success(shop, provider, operation))


async def test_what_is_known_already_has_the_headers_that_are_documented(
    shop: Shop, provider: Provider
) -> None:
    """An item to somebody of its campus, a listing to a stranger."""
    (item,) = (each for each in OPERATIONS if each.id == "read_item")
    (listing,) = (each for each in OPERATIONS if each.id == "read_listing")
    seen = await a_success(shop, provider, item)
    offer = await made(shop.mesh, "offer", (await shop.person()).account)
    looked = await shop.mesh.client.get(listing.path_of(offer))
    for operation, first in ((item, seen), (listing, looked)):
        known = {"If-None-Match": first.headers["ETag"]}
        if "Authorization" in first.request.headers:
            known["Authorization"] = first.request.headers["Authorization"]
        again = await shop.mesh.client.get(first.request.url.path, headers=known)
        assert again.status_code == 304
        assert told_to_clients(again) == documented(operation, again)


def test_whoever_is_to_wait_is_told_how_long() -> None:
    without = [
        f"{operation.id} {status}"
        for operation in OPERATIONS
        for status, answer in operation.document["responses"].items()
        if status in ("429", "503") and "Retry-After" not in answer.get("headers", {})
    ]
    assert without == []


def test_whoever_knows_another_version_is_told_the_one_that_there_is() -> None:
    without = [
        operation.id
        for operation in OPERATIONS
        if "ETag" not in operation.document["responses"].get("412", {}).get("headers", {"ETag"})
    ]
    assert without == []


def test_every_header_that_is_told_of_is_described_with_an_example() -> None:
    used = {
        name
        for operation in OPERATIONS
        for answer in operation.document["responses"].values()
        for name in answer.get("headers", {})
    }
    assert used == set(HEADERS) == set(DOCUMENT["components"]["headers"])
    assert all({"description", "schema", "example"} <= set(each) for each in HEADERS.values())
