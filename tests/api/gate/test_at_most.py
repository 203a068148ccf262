"""Every "at most so many" holds under a burst: it is judged by a writer, not by a read model."""

from __future__ import annotations

import ast
import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from schemas.identity.api_keys import KEYS_MAX
from schemas.messaging.quick_replies import QUICK_REPLIES_MAX
from tests.api.acting.deeds import Shop
from tests.api.acting.offering import LAPTOP, campus, student
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, path_of, token_of
from tests.api.running import PASSWORD, Mesh, new_email

API = Path(__file__).parents[3] / "api"
BURST = 60

# What each bound of api/ bounds: one request or answer, this process, or one window of time. None
# of them counts what somebody has: such a bound is a rule, and its name is in BY_THE_WRITER.
REQUEST, ANSWER, PROCESS, WINDOW = "a request", "an answer", "this process", "a window of time"
BOUNDS: Final = {
    "ACTOR_LENGTH_MAX": REQUEST,
    "ASKED_MAX": REQUEST,
    "AT_ONCE_MAX": PROCESS,
    "BIO_LENGTH_MAX": REQUEST,
    "BODY_BYTES_MAX": REQUEST,
    "BROWSERS_MAX": WINDOW,
    "CHATS_MAX": PROCESS,
    "CONNECTIONS_MAX": PROCESS,
    "COOKIE_LENGTH_MAX": REQUEST,
    "CURSOR_LENGTH_MAX": REQUEST,
    "DAYS_MAX": REQUEST,
    "DEPTH_MAX": REQUEST,
    "DESCRIPTION_MAX": ANSWER,
    "EMAIL_LENGTH_MAX": REQUEST,
    "EVENTS_MAX": ANSWER,
    "FAULTS_MAX": ANSWER,
    "FIELDS_MAX": REQUEST,
    "FILENAME_LENGTH_MAX": REQUEST,
    "FRAME_BYTES_MAX": REQUEST,
    "HISTORY_MAX": ANSWER,
    "HOPS_MAX": REQUEST,
    "IDS_MAX": REQUEST,
    "IMAGES_BYTES_MAX": REQUEST,
    "IMAGES_MAX": REQUEST,
    "IN_FLIGHT_MAX": PROCESS,
    "LIMIT_MAX": ANSWER,
    "NAME_LENGTH_MAX": REQUEST,
    "PACKET_BYTES_MAX": REQUEST,
    "PASSWORD_LENGTH_MAX": REQUEST,
    "POINTER_TOLD_MAX": ANSWER,
    "RECORDS_MAX": PROCESS,
    "REMEMBERED_MAX": PROCESS,
    "ROWS_MAX": PROCESS,
    "SESSIONS_MAX": ANSWER,
    "SNIPPET_MAX": ANSWER,
    "SPELLINGS_MAX": REQUEST,
    "SHOWN_MAX": ANSWER,
    "TEXT_LENGTH_MAX": REQUEST,
    "TEXT_SHOWN_MAX": ANSWER,
    "TOKEN_LENGTH_MAX": REQUEST,
    "TOLD_MAX": ANSWER,
    "_NAME_TOLD_MAX": ANSWER,
    "UNREAD_MAX": ANSWER,
    "USES_MAX": REQUEST,
    "UPLOAD_BYTES_MAX": REQUEST,
    "VALUES_MAX": REQUEST,
    "VALUES_SHOWN_MAX": ANSWER,
    "VERSION_MAX": REQUEST,
    "VIDEO_FORM_BYTES_MAX": REQUEST,
}


def names_of(target: ast.expr) -> list[str]:
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    return [each.id for each in parts if isinstance(each, ast.Name)]


def bounds_in(text: str) -> set[str]:
    """The names of the bounds that a module makes."""
    return {
        name
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name in names_of(target)
        if name.endswith("_MAX")
    }


def test_every_bound_of_the_api_says_what_it_bounds() -> None:
    """A new one that counts what somebody has belongs to a decider."""
    made = set[str]().union(*(bounds_in(each.read_text()) for each in API.rglob("*.py")))
    assert made - set(BOUNDS) == set()


def test_a_new_bound_is_noticed() -> None:
    assert bounds_in("A, DRAFTS_MAX = 1, 2\nKEYS_MAX = 20") == {"DRAFTS_MAX", "KEYS_MAX"}


@pytest.fixture(scope="module")
async def shop(mesh: Mesh) -> Shop:
    return Shop(mesh, Seller(mesh, await mesh.account("admin")))


async def offered(shop: Shop) -> tuple[dict[str, Any], Seller]:
    """A listing that everybody sees, and somebody who would say something of it."""
    seller, buyer = await shop.person(), await shop.person("buyer")
    listing = await seller.offer()
    await seller.read(path_of(listing), listing)
    return {"listing_id": listing.json()["id"]}, buyer


async def api_keys(shop: Shop) -> list[httpx.Response]:
    seller = await shop.person()
    body = {"label": "nightly", "operations": ["list_my_listings"]}
    asked = (seller.ask("POST", "/api/auth/keys", json=body) for _ in range(BURST))
    answers = list(await asyncio.gather(*asked))
    last = next(each for each in answers if each.status_code == 201)
    listed = await seller.ask("GET", "/api/auth/keys", headers=token_of(last))
    assert len(listed.json()["items"]) == KEYS_MAX
    return answers


async def reviews(shop: Shop) -> list[httpx.Response]:
    listing, buyer = await offered(shop)
    asked = (
        buyer.ask("POST", "/api/reviews", json={**listing, "rating": 1 + number % 5})
        for number in range(BURST)
    )
    return list(await asyncio.gather(*asked))


async def conversations(shop: Shop) -> list[httpx.Response]:
    listing, buyer = await offered(shop)
    path = "/api/messages/conversations"
    return list(
        await asyncio.gather(*(buyer.ask("POST", path, json=listing) for _ in range(BURST)))
    )


async def quick_replies(shop: Shop) -> list[httpx.Response]:
    buyer, path = await shop.person("buyer"), "/api/messages/quick-replies"
    asked = (buyer.ask("POST", path, json={"content": "It is sold"}) for _ in range(BURST))
    return list(await asyncio.gather(*asked))


async def people_of_one_email(shop: Shop) -> list[httpx.Response]:
    body = {"email": new_email(), "password": PASSWORD, "name": "Nimal"}
    post = shop.mesh.client.post
    return list(await asyncio.gather(*(post("/api/auth/register", json=body) for _ in range(8))))


# How many of a burst may make something new.
BY_THE_WRITER: Final = {
    api_keys: KEYS_MAX,
    reviews: 1,
    conversations: 1,
    quick_replies: QUICK_REPLIES_MAX,
    people_of_one_email: 1,
}


@pytest.mark.parametrize("burst", BY_THE_WRITER, ids=lambda each: each.__name__)
@pytest.mark.asvs("V15.4.2")
async def test_a_burst_makes_so_many_and_no_more(shop: Shop, burst: Any) -> None:
    statuses = Counter(each.status_code for each in await burst(shop))
    assert statuses[201] == BY_THE_WRITER[burst]
    assert set(statuses) <= {200, 201, 409}


async def test_an_item_has_ten_images_at_most(shop: Shop) -> None:
    person = await student(shop.mesh, campus())
    files = [("images", (f"{number}.png", photo())) for number in range(11)]
    headers = {"Idempotency-Key": uuid4().hex}
    answer = await person.ask("POST", "/api/items", data=LAPTOP, files=files, headers=headers)
    assert answer.status_code == 422, answer.text
