"""Whichever server is away by itself: what needs it says so, and everything else answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.api.acting.profiling import photo
from tests.api.acting.selling import CAR, Seller, path_of
from tests.api.acting.things import variant
from tests.api.running import PASSWORD, Mesh, api, new_email

pytestmark = pytest.mark.usefixtures("all_readers")

NOBODY: Final = "127.0.0.1:1"  # where nobody listens
AWAY: Final[Mapping[str, Mapping[str, object]]] = {
    "kafka": {"kafka_bootstrap": NOBODY},
    "postgres": {"database_url": SecretStr(f"postgresql://mesh:x@{NOBODY}/mesh")},
    "opensearch": {"opensearch_url": f"http://{NOBODY}"},
    "clickhouse": {"clickhouse_url": SecretStr(f"clickhouse://mesh:x@{NOBODY}/default")},
    "redis": {"redis_url": SecretStr(f"redis://:x@{NOBODY}/0")},
    "objects": {"objects_url": "s3://away", "objects_endpoint": f"http://{NOBODY}"},
}


@dataclass(frozen=True)
class Shop:
    """What there is before anything is away."""

    seller: Mapping[str, str]  # the header that shows who asks
    email: str
    listing: str
    picture: str


@dataclass(frozen=True)
class Asked:
    """A request, and the servers without which nobody can answer it. Whoever is signed in needs
    Postgres, which says whether the session still runs.
    """

    needs: frozenset[str]
    send: Callable[[httpx.AsyncClient, Shop], Any]


def asked(needs: str, method: str, path: str, *, signed: bool = True, **body: Any) -> Asked:
    """As the seller, or as somebody unknown."""

    def send(client: httpx.AsyncClient, shop: Shop) -> Any:
        # What somebody has just looked for is answered without OpenSearch.
        filled = path.format(listing=shop.listing, picture=shop.picture, word=uuid4().hex)
        return client.request(method, filled, headers=shop.seller if signed else {}, **body)

    return Asked(frozenset(needs.split()), send)


ASKED: Final[Mapping[str, Asked]] = {
    "the document": asked("", "GET", "/openapi.json", signed=False),
    "the enums": asked("", "GET", "/api/meta/enums", signed=False),
    "a listing": asked("postgres", "GET", "/api/listings/{listing}", signed=False),
    "its history": asked("postgres", "GET", "/api/listings/{listing}/history"),
    "the listings": asked("postgres", "GET", "/api/listings", signed=False),
    "favourites": asked("postgres", "GET", "/api/favorites"),
    "conversations": asked("postgres", "GET", "/api/messages/conversations"),
    "saved searches": asked("postgres", "GET", "/api/search/saved"),
    "a search": asked("opensearch", "GET", "/api/search?q={word}", signed=False),
    "suggestions": asked("opensearch", "GET", "/api/search/suggestions?q=por", signed=False),
    "figures of a listing": asked(
        "postgres clickhouse", "GET", "/api/analytics/listings/{listing}"
    ),
    "a picture": asked("objects", "GET", "/api/media/{picture}", signed=False),
    "a new listing": asked("kafka postgres", "POST", "/api/listings", json=CAR),
    "an upload": asked(
        "kafka postgres objects",
        "POST",
        "/api/media/images",
        files={"images": ("a.png", photo((1, 2, 3)))},
    ),
    "a registration": Asked(
        frozenset({"kafka", "postgres"}),
        lambda client, _: client.post(
            "/api/auth/register",
            json={"email": new_email(), "password": PASSWORD, "name": "Somebody"},
        ),
    ),
    "a log-in": Asked(
        frozenset({"kafka", "postgres"}),
        lambda client, shop: client.post(
            "/api/auth/login", json={"email": shop.email, "password": PASSWORD}
        ),
    ),
}


@pytest_asyncio.fixture(scope="module")
async def shop(mesh: Mesh) -> Shop:
    account = await mesh.account("seller")
    seller = Seller(mesh, account)
    offer = await seller.offer()
    assert (await seller.read(path_of(offer), offer)).status_code == 200
    picture = await variant(mesh, account)
    return Shop(account.headers, account.email, offer.json()["id"], picture)


@pytest.mark.parametrize("name", AWAY)
async def test_NP_09_who_needs_a_store_that_is_away_says_so_and_all_others_answer(
    mesh: Mesh, shop: Shop, name: str
) -> None:
    short = {"write_timeout_s": 2.0, "read_wait_s": 2.0}
    async with api(mesh.settings.model_copy(update={**short, **AWAY[name]})) as lame:
        found = {what: await each.send(lame.client, shop) for what, each in ASKED.items()}
    told = {what: _told(answer) for what, answer in found.items()}
    away, there = "503 with Retry-After", "an answer"
    assert told == {what: away if name in each.needs else there for what, each in ASKED.items()}


def _told(answer: httpx.Response) -> str:
    if answer.status_code == 503 and "Retry-After" in answer.headers:
        return "503 with Retry-After"
    return "an answer" if answer.status_code < 400 else answer.text
