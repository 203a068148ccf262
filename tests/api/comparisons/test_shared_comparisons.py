"""Links by which others see what somebody compared, against a mesh at work; test_wishlists has what
holds for any link.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from api.entry import sharing
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of
from tests.api.comparisons.comparing import (
    COMPARE,
    SHARES,
    compare,
    compared,
    looked,
    share,
    token_in,
)
from tests.api.conftest import Running
from tests.api.gate.test_secrets import everything_in_kafka, everything_in_postgres
from tests.api.running import Mesh

ANY = {"If-Match": "*"}
ENDED = (410, "share_ended")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def offers(seller: Seller) -> list[httpx.Response]:
    """Listings that no test changes."""
    return [await seller.offer() for _ in range(3)]


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


@pytest.fixture
async def comparing(buyer: Seller, offers: list[httpx.Response]) -> Seller:
    """Somebody who compares the first of the offers."""
    await compare(buyer, offers[0])
    return buyer


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["listing_id"] for each in answer.json()["items"]]


async def test_CO_06_a_link_is_told_once_with_its_address_and_end(comparing) -> None:
    before = datetime.now(UTC)
    shared = await share(comparing, hours=2)
    told = shared.json()
    assert told["url"].endswith(f"/api/compare/shared/{told['token']}")
    assert len(told["token"]) == 43
    ends, lasts = datetime.fromisoformat(told["expires_at"]), timedelta(hours=2)
    assert before + lasts <= ends <= datetime.now(UTC) + lasts
    mine = await comparing.read(SHARES, shared)
    kept = {name: told[name] for name in ("id", "shared_at", "expires_at")}
    assert mine.json() == {"items": [kept]}
    assert token_in(shared) not in mine.text


async def test_CO_06_where_nothing_is_compared_there_is_nothing_to_share(buyer, offers) -> None:
    assert reason_of(await buyer.ask("POST", SHARES)) == (409, "comparison_empty")
    await compare(buyer, offers[0])
    await buyer.ask("DELETE", COMPARE)
    assert reason_of(await buyer.ask("POST", SHARES)) == (409, "comparison_empty")
    assert (await buyer.ask("GET", SHARES)).json() == {"items": []}


@pytest.mark.parametrize("hours", [0, 365 * 24 + 1, "24"])
async def test_CO_06_a_link_lasts_an_hour_to_a_year(comparing, hours) -> None:
    answer = await comparing.ask("POST", SHARES, json={"hours": hours})
    assert (reason_of(answer), pointers_of(answer)) == ((422, "invalid"), ["/hours"])


async def test_CO_06_a_repeat_is_told_the_same_link_whatever_is_compared_since(
    mesh, comparing, offers
) -> None:
    same = {"Idempotency-Key": uuid4().hex}
    first = await comparing.ask("POST", SHARES, headers=same)
    assert first.status_code == 201
    await compare(comparing, offers[1])
    again = await comparing.ask("POST", SHARES, headers=same)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len((await comparing.read(SHARES, first)).json()["items"]) == 1
    assert ids(await looked(mesh, first, first)) == [offers[0].json()["id"]]
    await comparing.ask("DELETE", COMPARE)
    emptied = await comparing.ask("POST", SHARES, headers=same)
    assert (emptied.status_code, emptied.json()) == (201, first.json())


async def test_CO_06_a_revoked_link_shows_nothing_as_soon_as_that_is_answered(
    mesh, comparing
) -> None:
    shared, other = await share(comparing), await share(comparing)
    path = f"{SHARES}/{shared.json()['id']}"
    for _ in range(2):
        assert (await comparing.ask("DELETE", path)).status_code == 204
        answer = await mesh.client.get(f"{COMPARE}/shared/{token_in(shared)}")
        assert reason_of(answer) == ENDED
    mine = (await comparing.read(SHARES, other)).json()["items"]
    assert [each["id"] for each in mine] == [other.json()["id"]]


async def test_CO_06_nobody_revokes_the_link_of_another(mesh, seller, comparing) -> None:
    shared = await share(comparing)
    refused = await seller.ask("DELETE", f"{SHARES}/{shared.json()['id']}")
    assert reason_of(refused) == (404, "share_unknown")
    assert (await looked(mesh, shared, shared)).status_code == 200


async def test_CO_06_CO_07_a_link_shows_what_was_compared_when_it_was_opened(
    mesh, buyer, offers
) -> None:
    await compare(buyer, offers[1], offers[0])
    shared = await share(buyer)
    chosen = [offers[1].json()["id"], offers[0].json()["id"]]
    assert ids(await looked(mesh, shared, shared)) == chosen
    for change in (
        await compare(buyer, offers[2]),
        await buyer.ask("DELETE", compared(offers[1])),
        await buyer.ask("DELETE", COMPARE),
    ):
        assert ids(await looked(mesh, shared, change)) == chosen
    second = await compare(buyer, offers[2])
    other = await share(buyer)
    assert ids(await looked(mesh, other, second)) == [offers[2].json()["id"]]
    assert ids(await looked(mesh, shared, second)) == chosen


async def test_CO_07_of_each_listing_it_tells_what_is_so_now(mesh, seller, buyer) -> None:
    listing = await seller.offer(price_minor=900)
    await compare(buyer, listing)
    shared = await share(buyer)
    cheaper = await seller.change(2, path_of(listing), price_minor=5)
    answer = (await looked(mesh, shared, cheaper)).json()
    assert answer["items"][0]["listing"]["price_minor"] == 5
    (row,) = [each for each in answer["rows"] if each["name"] == "price_minor"]
    assert row["values"] == [5]


async def test_CO_07_a_stranger_learns_of_the_owner_the_name_alone(mesh, comparing) -> None:
    shared = await share(comparing)
    answer = await looked(mesh, shared, shared)
    assert answer.json()["owner_name"] == "Test Person"
    assert answer.json().keys() == {
        "items",
        "rows",
        "common_features",
        "unique_features",
        "price_position",
        "owner_name",
        "expires_at",
    }
    assert comparing.account.user_id not in answer.text
    assert comparing.account.email not in answer.text


async def test_CO_07_no_cache_and_no_search_engine_keeps_it(mesh, comparing) -> None:
    shared = await share(comparing)
    answer = await looked(mesh, shared, shared)
    told = [answer.headers[name] for name in ("Cache-Control", "X-Robots-Tag", "Referrer-Policy")]
    assert told == ["no-store", "noindex", "no-referrer"]


async def test_CO_07_what_not_everybody_may_see_is_gone_whoever_asks(mesh) -> None:
    owner = Seller(mesh, await mesh.account("seller"))
    draft = await owner.create(title="A telling draft")
    deleted = await owner.offer(title="A telling car", exterior_color="A telling red")
    await compare(owner, draft, deleted)
    shared = await share(owner)
    last = await owner.ask("DELETE", path_of(deleted), headers=ANY)
    path = f"{COMPARE}/shared/{token_in(shared)}"
    for answer in (await looked(mesh, shared, last), await owner.ask("GET", path)):
        assert {each["status"] for each in answer.json()["items"]} == {"gone"}
        for name in ("listing", "listing_id"):  # not even that there is such a draft
            assert [each[name] for each in answer.json()["items"]] == [None] * 2
        assert {value for each in answer.json()["rows"] for value in each["values"]} == {None}
        assert "elling" not in answer.text


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 44, "%00" * 43])
async def test_CO_07_an_unknown_link_is_none(mesh, token: str) -> None:
    answer = await mesh.client.get(f"{COMPARE}/shared/{token}")
    assert reason_of(answer) == (404, "share_unknown")


async def test_CO_07_an_expired_link_is_gone(mesh, comparing, monkeypatch) -> None:
    shared = await share(comparing, hours=1)
    assert (await looked(mesh, shared, shared)).status_code == 200

    class InAnHour(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr(sharing, "datetime", InAnHour)
    assert reason_of(await looked(mesh, shared, shared)) == ENDED
    assert (await comparing.read(SHARES, shared)).json()["items"] == []


async def test_CO_07_of_whoever_is_banned_no_link_shows_anything(mesh, comparing) -> None:
    admin = Seller(mesh, await mesh.account("admin"))
    shared = await share(comparing)
    assert (await looked(mesh, shared, shared)).status_code == 200
    person = f"/api/users/{comparing.account.user_id}"
    banned = await admin.ask("POST", f"{person}/ban", json={"reason": "fraud"})
    assert reason_of(await looked(mesh, shared, banned)) == ENDED
    unbanned = await admin.ask("POST", f"{person}/unban")
    assert (await looked(mesh, shared, unbanned)).status_code == 200


async def test_CO_07_of_whoever_has_left_no_link_shows_anything(mesh, comparing) -> None:
    shared = await share(comparing)
    assert (await looked(mesh, shared, shared)).status_code == 200
    left = await comparing.ask("DELETE", f"/api/users/{comparing.account.user_id}")
    assert reason_of(await looked(mesh, shared, left)) == ENDED


async def test_CO_10_the_token_stands_in_no_event_no_row_and_no_line_of_a_log(
    mesh, running: Running, comparing
) -> None:
    with capture_logs() as lines:
        shared = await share(comparing)
        token = token_in(shared)
        await looked(mesh, shared, shared)
        await mesh.client.get(f"{COMPARE}/shared/{token}?nothing=known")
    await mesh.until_read(shared)
    digest = hashlib.sha256(token.encode()).hexdigest()
    log = await everything_in_kafka(mesh)
    assert (token.encode() in log, digest.encode() in log) == (False, True)
    rows = await everything_in_postgres(mesh, ("reads", "mesh", "vault", "public"))
    assert (token in rows, digest in rows) == (False, True)
    assert token not in repr(lines)
    assert [each.command for each in running.processes if token in each.log] == []
