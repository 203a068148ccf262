"""Links by which others see somebody's favourites, against a mesh at work."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from api.entry import sharing
from projections.favorites.favorites import favorites
from projections.favorites.shared_wishlists import shared_wishlists
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of
from tests.api.conftest import Running
from tests.api.favorites.favoring import (
    FAVORITES,
    SHARES,
    keep,
    looked,
    share,
)
from tests.api.gate.test_secrets import everything_in_kafka, everything_in_postgres
from tests.api.parking import parked
from tests.api.running import Mesh, api
from tests.waiting import eventually

ANY = {"If-Match": "*"}
ENDED = (410, "share_ended")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("admin"))


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


def token_in(shared: httpx.Response) -> str:
    found: str = shared.json()["token"]
    return found


async def seen(mesh: Mesh, shared: httpx.Response, after: httpx.Response) -> list[Any]:
    """The favourites that a stranger with the link sees."""
    await looked(mesh, token_in(shared), shared)  # the link itself is readable from now on
    answer = await looked(mesh, token_in(shared), after)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


async def test_FA_06_a_link_is_told_once_with_its_address_and_end(buyer) -> None:
    before = datetime.now(UTC)
    shared = await share(buyer, hours=2)
    told = shared.json()
    assert told["url"].endswith(f"/api/favorites/shared/{told['token']}")
    assert len(told["token"]) == 43
    ends = datetime.fromisoformat(told["expires_at"])
    lasts = timedelta(hours=2)
    assert before + lasts <= ends <= datetime.now(UTC) + lasts
    mine = await buyer.read(SHARES, shared)
    kept = {name: told[name] for name in ("id", "shared_at", "expires_at")}
    assert mine.json() == {"items": [kept]}
    assert token_in(shared) not in mine.text


async def test_FA_06_by_default_a_link_lasts_thirty_days(buyer) -> None:
    told = (await buyer.ask("POST", SHARES)).json()
    began, ends = (datetime.fromisoformat(told[name]) for name in ("shared_at", "expires_at"))
    assert ends - began == timedelta(days=30)


async def test_FA_06_where_there_is_a_frontend_the_token_stands_behind_the_hash(mesh) -> None:
    shown = {"frontend_url": "https://market.example/"}
    async with api(mesh.settings.model_copy(update=shown)) as front:
        await eventually(lambda: front.machines.writes.started, 20, "the gateway has started")
        told = (await share(Seller(front, await mesh.account("buyer")))).json()
    assert told["url"] == f"https://market.example/wishlist#token={told['token']}"


@pytest.mark.parametrize("hours", [0, 365 * 24 + 1, 1.5, "24", True, None])
async def test_FA_06_a_link_lasts_an_hour_to_a_year(buyer, hours) -> None:
    answer = await buyer.ask("POST", SHARES, json={"hours": hours})
    assert (reason_of(answer), pointers_of(answer)) == ((422, "invalid"), ["/hours"])


async def test_FA_06_a_repeat_is_told_the_same_link_and_opens_no_second(buyer) -> None:
    same = {"Idempotency-Key": uuid4().hex}
    answers = [await buyer.ask("POST", SHARES, json={"hours": 3}, headers=same) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len((await buyer.read(SHARES, answers[0])).json()["items"]) == 1
    others = [await share(buyer) for _ in range(2)]
    assert len({token_in(each) for each in (*answers, *others)}) == 3


async def test_FA_06_a_revoked_link_shows_nothing_as_soon_as_that_is_answered(mesh, buyer) -> None:
    shared, other = await share(buyer), await share(buyer)
    path = f"{SHARES}/{shared.json()['id']}"
    for _ in range(2):
        assert (await buyer.ask("DELETE", path)).status_code == 204
        answer = await mesh.client.get(f"{FAVORITES}/shared/{token_in(shared)}")
        assert reason_of(answer) == ENDED
    mine = (await buyer.read(SHARES, other)).json()["items"]
    assert [each["id"] for each in mine] == [other.json()["id"]]


async def test_FA_06_nobody_revokes_the_link_of_another(mesh, seller, buyer) -> None:
    shared = await share(buyer)
    refused = await seller.ask("DELETE", f"{SHARES}/{shared.json()['id']}")
    assert reason_of(refused) == (404, "share_unknown")
    assert (await looked(mesh, token_in(shared), shared)).status_code == 200


async def test_FA_06_FA_07_a_shared_wishlist_is_live(mesh, seller, buyer) -> None:
    first, second = await seller.offer(), await seller.offer()
    shared = await share(buyer)
    assert await seen(mesh, shared, shared) == []
    last = await keep(buyer, first, second)
    found = await seen(mesh, shared, last)
    assert [each["listing_id"] for each in found] == [
        second.json()["id"],
        first.json()["id"],
    ]
    cheaper = await seller.change(2, path_of(first), price_minor=5)
    found = await seen(mesh, shared, cheaper)
    assert found[1]["listing"]["price_minor"] == 5
    cleared = await buyer.ask("DELETE", FAVORITES)
    assert await seen(mesh, shared, cleared) == []


def test_FA_06_the_document_says_that_a_shared_wishlist_is_live(mesh) -> None:
    told = mesh.app.openapi()["paths"][SHARES]["post"]["description"]
    assert "It is live" in told


async def test_FA_07_a_stranger_learns_of_the_owner_the_name_alone(mesh, seller, buyer) -> None:
    last = await keep(buyer, await seller.offer())
    shared = await share(buyer)
    await seen(mesh, shared, last)
    answer = await looked(mesh, token_in(shared), last)
    assert answer.json()["owner_name"] == "Test Person"
    assert answer.json().keys() == {"items", "next_cursor", "owner_name", "expires_at"}
    assert buyer.account.user_id not in answer.text
    assert buyer.account.email not in answer.text


async def test_FA_07_no_cache_and_no_search_engine_keeps_it(mesh, buyer) -> None:
    shared = await share(buyer)
    answer = await looked(mesh, token_in(shared), shared)
    told = [answer.headers[name] for name in ("Cache-Control", "X-Robots-Tag", "Referrer-Policy")]
    assert told == ["no-store", "noindex", "no-referrer"]


async def test_FA_07_it_comes_in_pages(mesh, seller, buyer) -> None:
    listings = [await seller.offer() for _ in range(3)]
    last = await keep(buyer, *listings)
    shared = await share(buyer)
    await seen(mesh, shared, last)
    first = (await looked(mesh, token_in(shared), last, limit=2)).json()
    params = {"limit": 2, "cursor": first["next_cursor"]}
    second = (await looked(mesh, token_in(shared), last, **params)).json()
    walked = [each["listing_id"] for page in (first, second) for each in page["items"]]
    assert walked == [each.json()["id"] for each in reversed(listings)]
    assert second["next_cursor"] is None


async def test_FA_07_what_not_everybody_may_see_is_gone_whoever_asks(mesh, admin) -> None:
    owner = Seller(mesh, await mesh.account("seller"))
    draft = await owner.create(title="A telling draft")
    deleted, back = await owner.offer(title="A telling car"), await owner.offer(title="Telling")
    await keep(owner, draft, deleted, back)
    shared = await share(owner)
    await owner.ask("DELETE", path_of(deleted), headers=ANY)
    last = await owner.ask("POST", f"{path_of(back)}/unpublish", headers=ANY)
    await seen(mesh, shared, last)
    path = f"{FAVORITES}/shared/{token_in(shared)}"
    gone = await owner.ask("GET", path_of(deleted))
    assert gone.status_code == 410
    for answer in (
        await mesh.client.get(path),
        await owner.ask("GET", path),
        await admin.ask("GET", path),
    ):
        assert {each["status"] for each in answer.json()["items"]} == {"gone"}
        for name in ("listing", "listing_id"):  # not even that there is such a draft
            assert [each[name] for each in answer.json()["items"]] == [None] * 3
        assert "elling" not in answer.text


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 44, "%00" * 43, "ä" * 43])
async def test_FA_07_an_unknown_link_is_none(mesh, token: str) -> None:
    answer = await mesh.client.get(f"{FAVORITES}/shared/{token}")
    assert reason_of(answer) == (404, "share_unknown")


async def test_FA_07_a_list_that_waits_to_be_mended_is_not_shown_empty(mesh, seller, buyer) -> None:
    last = await keep(buyer, await seller.offer())
    shared = await share(buyer)
    assert len(await seen(mesh, shared, last)) == 1
    owner = f"favorites/{buyer.account.user_id}"
    async with parked(mesh, favorites, owner, last):
        answer = await looked(mesh, token_in(shared), shared)
        assert reason_of(answer) == (503, "being_repaired")
        assert "parked" not in answer.json()
    assert len(await seen(mesh, shared, last)) == 1


async def test_FA_07_a_link_that_waits_to_be_mended_is_not_told_unknown(mesh, buyer) -> None:
    shared = await share(buyer)
    async with parked(mesh, shared_wishlists, f"shares/{buyer.account.user_id}", shared):
        answer = await mesh.client.get(f"/api/favorites/shared/{token_in(shared)}")
        assert reason_of(answer) == (503, "being_repaired")
        assert (await buyer.ask("DELETE", f"{SHARES}/{shared.json()['id']}")).status_code == 204


async def test_FA_07_an_expired_link_is_gone(mesh, buyer, monkeypatch) -> None:
    shared = await share(buyer, hours=1)
    assert (await looked(mesh, token_in(shared), shared)).status_code == 200

    class InAnHour(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr(sharing, "datetime", InAnHour)
    assert reason_of(await looked(mesh, token_in(shared), shared)) == ENDED
    assert (await buyer.read(SHARES, shared)).json()["items"] == []


async def test_FA_07_of_whoever_is_banned_no_link_shows_anything(mesh, admin, buyer) -> None:
    shared = await share(buyer)
    assert (await looked(mesh, token_in(shared), shared)).status_code == 200
    person = f"/api/users/{buyer.account.user_id}"
    banned = await admin.ask("POST", f"{person}/ban", json={"reason": "fraud"})
    assert reason_of(await looked(mesh, token_in(shared), banned)) == ENDED
    unbanned = await admin.ask("POST", f"{person}/unban")
    assert (await looked(mesh, token_in(shared), unbanned)).status_code == 200


async def test_FA_07_of_whoever_has_left_no_link_shows_anything(mesh, buyer) -> None:
    shared = await share(buyer)
    assert (await looked(mesh, token_in(shared), shared)).status_code == 200
    left = await buyer.ask("DELETE", f"/api/users/{buyer.account.user_id}")
    assert reason_of(await looked(mesh, token_in(shared), left)) == ENDED


async def test_FA_10_the_token_stands_in_no_event_no_row_and_no_line_of_a_log(
    mesh, running: Running, buyer
) -> None:
    with capture_logs() as lines:
        shared = await share(buyer)
        token = token_in(shared)
        await looked(mesh, token, shared)
        await mesh.client.get(f"{FAVORITES}/shared/{token}?nothing=known")
        await buyer.ask("DELETE", f"{SHARES}/{shared.json()['id']}")
        assert reason_of(await looked(mesh, token, shared)) == ENDED
    await mesh.until_read(shared)
    digest = hashlib.sha256(token.encode()).hexdigest()
    log = await everything_in_kafka(mesh)
    assert (token.encode() in log, digest.encode() in log) == (False, True)
    rows = await everything_in_postgres(mesh, ("reads", "mesh", "vault", "public"))
    assert (token in rows, digest in rows) == (False, True)
    assert token not in repr(lines)
    assert [each.command for each in running.processes if token in each.log] == []
