"""Views and figures over HTTP, against a mesh at work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.analytics.routes import BROWSERS_MAX, ONE_VIEW_S
from api.backends.networks import network_of
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of, token_of
from tests.api.limited import from_address
from tests.api.running import Mesh, api, problem

pytestmark = pytest.mark.usefixtures("all_readers")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def viewer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


async def offered(seller: Seller) -> str:
    """The path of a listing that can be viewed."""
    answer = await seller.offer()
    await seller.read(path_of(answer), answer)
    return path_of(answer)


async def look(mesh: Mesh, path: str, browser: str = "") -> httpx.Response:
    """Somebody without an account looks, each browser a viewer of its own."""
    headers = {"User-Agent": browser or uuid4().hex}
    answer = await mesh.client.post(f"{path}/view", headers=headers)
    assert answer.status_code == 202, answer.text
    return answer


async def figures(seller: Seller, path: str, after: httpx.Response, **params: Any) -> Any:
    listing_id = path.rpartition("/")[2]
    answer = await seller.read(f"/api/analytics/listings/{listing_id}", after, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_LI_15_ten_looks_of_one_viewer_count_one(mesh, seller) -> None:
    path = await offered(seller)
    answers = await asyncio.gather(*(look(mesh, path, "one browser") for _ in range(10)))
    counted = [each for each in answers if each.json()["counted"]]
    assert len(counted) == 1
    page = await mesh.client.get(path, headers=token_of(counted[0]))
    assert page.json()["views"] == 1


async def test_LI_15_a_person_is_one_viewer_whatever_the_browser(viewer, seller) -> None:
    path = await offered(seller)
    answers = [
        await viewer.ask("POST", f"{path}/view", headers={"User-Agent": each}) for each in "ab"
    ]
    assert [each.json()["counted"] for each in answers] == [True, False]


async def test_LI_15_made_up_browsers_at_one_address_soon_count_no_more(mesh, seller) -> None:
    path = await offered(seller)
    answers = []
    for _ in range(4):  # no more at once than one process' Redis answers within its time
        answers += await asyncio.gather(*(look(mesh, path) for _ in range(BROWSERS_MAX)))
    assert sum(each.json()["counted"] for each in answers) == BROWSERS_MAX


async def test_LI_15_addresses_of_one_customer_are_one_address(mesh, seller) -> None:
    path = await offered(seller)
    counted = 0
    for number in range(BROWSERS_MAX + 2):
        async with from_address(mesh, f"2001:db8:0:1::{number + 1:x}") as client:
            answer = await client.post(f"{path}/view", headers={"User-Agent": f"{number}"})
            counted += answer.json()["counted"]
    assert counted == BROWSERS_MAX


@pytest.mark.asvs("V2.4.1")
async def test_LI_15_looks_from_one_address_are_limited(mesh, seller) -> None:
    path = await offered(seller)
    limits = {"limit_views": "3 per minute"}
    async with api(mesh.settings.model_copy(update=limits)) as limited:
        for _ in range(3):
            await look(limited, path, "the same")
        assert problem(await limited.client.post(f"{path}/view")) == (429, "rate_limited")


async def test_LI_15_the_owners_own_look_does_not_count(seller) -> None:
    path = await offered(seller)
    answer = await seller.ask("POST", f"{path}/view")
    assert (answer.status_code, answer.json()) == (202, {"counted": False})


async def test_LI_15_a_viewer_counts_again_after_half_an_hour(mesh, seller) -> None:
    path = await offered(seller)
    await look(mesh, path, "one browser")
    listing_id = path.rpartition("/")[2]
    (key,) = [each async for each in mesh.machines.redis.scan_iter(f"view:{listing_id}:*")]
    assert ONE_VIEW_S - 60 < await mesh.machines.redis.ttl(key) <= ONE_VIEW_S == 1_800
    await mesh.machines.redis.delete(key)  # Half an hour later.
    assert (await look(mesh, path, "one browser")).json()["counted"] is True


async def test_LI_15_a_draft_can_not_be_looked_at(mesh, seller) -> None:
    created = await seller.create()
    answer = await mesh.client.post(f"{path_of(created)}/view", headers=token_of(created))
    assert reason_of(answer) == (404, "listing_unknown")


async def test_AN_03_page_and_analytics_count_the_same_views(mesh, seller) -> None:
    path = await offered(seller)
    last = [await look(mesh, path) for _ in range(7)][-1]
    found = await figures(seller, path, last)
    page = await mesh.client.get(path, headers=token_of(last))
    table = await mesh.machines.postgres.fetchval(
        "SELECT views FROM reads.listings WHERE id = $1", path.rpartition("/")[2]
    )
    assert [found["views"], page.json()["views"], table] == [7, 7, 7]


async def test_LI_19_no_address_is_kept_with_a_view(mesh, seller) -> None:
    path = await offered(seller)
    last = await look(mesh, path)
    await figures(seller, path, last)
    listing_id = path.rpartition("/")[2]
    rows = await mesh.machines.clickhouse.fetch(
        "SELECT * FROM listing_views_log WHERE listing_id = %(id)s LIMIT 9", {"id": listing_id}
    )
    assert len(rows) == 1
    assert "127.0.0.1" not in str(rows)
    assert "127.0.0.0/24" in str(rows)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_LI_19_an_address_is_cut_to_its_network(host: str, network: str) -> None:
    assert network_of(host) == network


async def test_AN_05_figures_are_told_by_day(mesh, seller, viewer) -> None:
    path = await offered(seller)
    for _ in range(2):
        last = await look(mesh, path)
    last = await viewer.ask("POST", f"{path}/view")
    found = await figures(seller, path, last)
    today = datetime.now(UTC).date().isoformat()
    assert found["days"] == [{"day": today, "views": 3, "uniques": 3}]
    assert (found["views"], found["uniques"], found["last"]) == (3, 3, today)


async def test_AN_05_only_the_seller_and_staff_see_figures(mesh, seller, viewer) -> None:
    path = await offered(seller)
    target = f"/api/analytics/listings/{path.rpartition('/')[2]}"
    assert reason_of(await viewer.ask("GET", target)) == (403, "not_owner")
    assert reason_of(await mesh.client.get(target)) == (401, "token_missing")
    admin = Seller(mesh, await mesh.account("admin"))
    assert (await admin.ask("GET", target)).status_code == 200


async def test_AN_05_days_outside_the_span_are_left_out(mesh, seller) -> None:
    path = await offered(seller)
    last = await look(mesh, path)
    for year in ("2020", "0434", "1899", "1969", "2299", "9999"):
        span = {"first": f"{year}-01-01", "last": f"{year}-01-31"}
        assert (await figures(seller, path, last, **span))["views"] == 0
    over = {"first": "1969-12-31", "last": "1970-01-01"}
    assert (await figures(seller, path, last, **over))["days"] == []


@pytest.mark.parametrize(
    "span", [{"first": "2020-02-01", "last": "2020-01-31"}, {"first": "2001-01-01"}], ids=str
)
async def test_AN_05_a_span_that_makes_no_sense_is_refused(seller, span) -> None:
    path = await offered(seller)
    target = f"/api/analytics/listings/{path.rpartition('/')[2]}"
    answer = await seller.ask("GET", target, params=span)
    assert (answer.status_code, pointers_of(answer)) == (422, ["?first"])


async def test_without_redis_a_view_is_not_counted_blindly(mesh, seller) -> None:
    path = await offered(seller)
    away = mesh.settings.model_copy(update={"redis_url": type(mesh.settings.redis_url)(
        "redis://127.0.0.1:1/0"
    )})  # fmt: skip
    async with api(away) as without:
        answer = await without.client.post(f"{path}/view")
    assert reason_of(answer) == (503, "store_unavailable")
    assert "retry-after" in answer.headers
