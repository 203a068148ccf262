"""Listings over HTTP, against a mesh at work."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.listings.bodies import LISTING_ID, shown
from projections.listings.listing_page import ListingPage
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from tests.api.acting.selling import CAR, Seller, path_of, pointers_of, reason_of, token_of
from tests.api.running import Mesh, api, held_back
from tests.projections.cars import day

UNKNOWN = f"/api/listings/{uuid4()}"


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("admin"))


async def test_LI_01_a_created_listing_is_a_draft_that_its_seller_reads_at_once(seller) -> None:
    created = await seller.create()
    assert created.status_code == 201, created.text
    assert created.headers["Location"] == path_of(created)
    assert created.headers["ETag"] == '"1"'
    found = (await seller.read(path_of(created), created)).json()
    assert {name: found[name] for name in CAR} == CAR
    assert (found["status"], found["version"], found["views"]) == ("draft", 1, 0)
    assert found["seller_id"] == seller.account.user_id
    assert (found["damaged"], found["published_at"]) == (None, None)


async def test_LI_01_a_buyer_can_not_create(mesh) -> None:
    buyer = Seller(mesh, await mesh.account("buyer"))
    assert reason_of(await buyer.create()) == (403, "role_not_allowed")


async def test_LI_01_nobody_creates_anonymously(mesh) -> None:
    answer = await mesh.client.post("/api/listings", json=CAR)
    assert reason_of(answer) == (401, "token_missing")


async def test_LI_01_the_same_key_gives_the_same_listing(seller) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    one, two = [
        await seller.ask("POST", "/api/listings", json=CAR, headers=headers) for _ in range(2)
    ]
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json() == two.json()
    other = {**CAR, "year": 2018}
    again = await seller.ask("POST", "/api/listings", json=other, headers=headers)
    assert reason_of(again) == (422, "idempotency_key_reused")


async def test_a_key_used_at_another_address_is_another_command(seller) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {**CAR, "publish": False}
    links = [
        (await seller.ask("POST", "/api/listings", json=body)).headers["Location"] for _ in range(2)
    ]
    answers = [await seller.ask("POST", f"{link}/publish", headers=headers) for link in links]
    assert [answer.headers["ETag"] for answer in answers] == ['"2"', '"2"']


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"status": "active"}, "/status"),
        ({"seller_id": "me"}, "/seller_id"),
        ({"mileage": {"value": -1}}, "/mileage/value"),
        ({"year": 2999}, "/year"),
        ({"year": datetime.now(UTC).year + 2}, "/year"),
        ({"fuel_type": "water"}, "/fuel_type"),
        ({"price_minor": 1.5}, "/price_minor"),
    ],
)
async def test_LI_01_what_is_wrong_is_named_by_its_place(seller, wrong, pointer) -> None:
    answer = await seller.create(**wrong)
    assert answer.status_code == 422
    assert pointers_of(answer) == [pointer]


async def test_LI_02_a_changed_price_is_read_back(seller) -> None:
    created = await seller.create()
    changed = await seller.change(1, path_of(created), price_minor=1_000, trim="4S")
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"3"'), changed.text
    found = (await seller.read(path_of(created), changed)).json()
    assert (found["price_minor"], found["trim"], found["make"]) == (1_000, "4S", "Porsche")


async def test_LI_02_put_changes_only_what_is_sent(seller) -> None:
    created = await seller.create()
    headers = {"If-Match": '"1"'}
    put = await seller.ask("PUT", path_of(created), json={"make": "RUF"}, headers=headers)
    found = (await seller.read(path_of(created), put)).json()
    assert (found["make"], found["model"]) == ("RUF", "911")


async def test_LI_02_null_empties_a_field(seller) -> None:
    created = await seller.create()
    changed = await seller.change(1, path_of(created), geo=None, features=None)
    found = (await seller.read(path_of(created), changed)).json()
    assert (found["geo"], found["features"]) == (None, None)


async def test_LI_02_a_stranger_can_not_change(seller, stranger) -> None:
    created = await seller.offer()
    answer = await stranger.change(2, path_of(created), make="RUF")
    assert reason_of(answer) == (403, "not_owner")


async def test_LI_02_a_stranger_does_not_learn_the_version(seller, stranger) -> None:
    path = path_of(await seller.create())
    ways = [("PATCH", "", {"make": "RUF"}), ("DELETE", "", None), ("POST", "/publish", None)]
    for version in (1, 2):
        for method, action, body in ways:
            tag = {"If-Match": f'"{version}"'}
            answer = await stranger.ask(method, path + action, json=body, headers=tag)
            assert reason_of(answer) == (404, "listing_unknown"), (method, version)


@pytest.mark.asvs("V15.4.2")
async def test_LI_02_a_stale_version_is_refused(seller) -> None:
    created = await seller.create()
    assert (await seller.change(1, path_of(created), trim="S")).status_code == 200
    assert (await seller.change(1, path_of(created), trim="T")).status_code == 412


async def test_LI_02_changing_needs_a_version(seller) -> None:
    created = await seller.create()
    for method in ("PUT", "PATCH"):
        answer = await seller.ask(method, path_of(created), json={"trim": "S"})
        assert reason_of(answer) == (428, "if_match_required")


async def test_LI_02_a_change_to_what_already_is_appends_nothing(seller) -> None:
    created = await seller.create()
    same = await seller.change(1, path_of(created), **CAR)
    assert (same.status_code, same.json()["version"]) == (200, 1)


async def test_LI_03_a_deleted_listing_is_gone_for_everyone(mesh, seller) -> None:
    created = await seller.offer()
    gone = await seller.ask("DELETE", path_of(created))
    assert (gone.status_code, gone.content) == (204, b"")
    assert reason_of(await seller.read(path_of(created), gone)) == (410, "listing_deleted")
    anonymous = await mesh.client.get(path_of(created), headers=token_of(gone))
    assert reason_of(anonymous) == (410, "listing_deleted")
    again = await seller.ask("DELETE", path_of(created))
    assert reason_of(again) == (410, "listing_deleted")


async def test_LI_03_the_history_of_a_deleted_listing_stays_for_staff(
    seller, stranger, admin
) -> None:
    created = await seller.offer()
    gone = await seller.ask("DELETE", path_of(created))
    found = await admin.read(f"{path_of(created)}/history", gone)
    assert [each["kind"] for each in found.json()["items"]][-1] == "listing.deleted"
    hidden = await stranger.read(f"{path_of(created)}/history", gone)
    assert reason_of(hidden) == (410, "listing_deleted")


async def test_LI_04_a_draft_is_seen_by_its_seller_only(mesh, seller, stranger) -> None:
    created = await seller.create()
    path = path_of(created)
    own = await seller.read(path, created)
    assert (own.status_code, own.headers["Cache-Control"]) == (200, "private, no-store")
    assert reason_of(await stranger.read(path, created)) == (404, "listing_unknown")
    anonymous = await mesh.client.get(path, headers=token_of(created))
    assert anonymous.json() | {"correlation_id": ""} == (await mesh.client.get(UNKNOWN)).json() | {
        "correlation_id": ""
    }


async def test_LI_04_an_active_listing_is_seen_without_a_token(mesh, seller) -> None:
    created = await seller.offer()
    found = await mesh.client.get(path_of(created), headers=token_of(created))
    assert (found.status_code, found.json()["status"]) == (200, "active")


async def test_GW_12_an_unchanged_listing_is_not_sent_again(mesh, seller) -> None:
    created = await seller.offer()
    found = await mesh.client.get(path_of(created), headers=token_of(created))
    headers = {"If-None-Match": found.headers["ETag"]}
    again = await mesh.client.get(path_of(created), headers=headers)
    assert (again.status_code, again.content) == (304, b"")


async def test_LI_05_pages_show_every_active_listing_once_while_others_are_added(
    mesh, seller
) -> None:
    offers = await asyncio.gather(*(seller.offer() for _ in range(5)))
    last = max(offers, key=lambda each: each.headers["Consistency-Token"])
    for each in offers:  # One token a partition: wait for all of them.
        await mesh.client.get("/api/listings", headers=token_of(each))
    found: list[str] = []
    path: str | None = "/api/listings?limit=2"
    while path is not None:
        page = await mesh.client.get(path, headers=token_of(last))
        found += [item["id"] for item in page.json()["items"]]
        path = page.links.get("next", {}).get("url")
        if len(found) == 2:
            await seller.offer()
    assert len(found) == len(set(found))
    assert {each.json()["id"] for each in offers} <= set(found)


async def test_LI_05_lists_do_without_descriptions(mesh, seller) -> None:
    offered = await seller.offer(description="Long")
    listed = await mesh.client.get("/api/listings", headers=token_of(offered))
    assert "description" not in listed.json()["items"][0]


async def test_LI_05_page_numbers_lead_to_the_same_listings(mesh, seller) -> None:
    offered = [await seller.offer() for _ in range(3)][-1]
    first = await mesh.client.get("/api/listings", params={"limit": 4}, headers=token_of(offered))
    second = await mesh.client.get("/api/listings", params={"limit": 2, "page": 2})
    assert [each["id"] for each in second.json()["items"]] == [
        each["id"] for each in first.json()["items"][2:]
    ]


async def test_LI_07_mine_are_mine_by_state(mesh) -> None:
    seller = Seller(mesh, await mesh.account("dealer"))
    draft, offered = await seller.create(), await seller.offer()
    sold = await seller.ask("POST", f"{path_of(await seller.offer())}/sold")
    gone = await seller.ask("DELETE", path_of(await seller.create()))
    for each in (draft, offered, sold, gone):
        mine = await seller.read("/api/listings/mine", each)
    by_status = {item["status"]: item["id"] for item in mine.json()["items"]}
    assert by_status == {
        "draft": draft.json()["id"],
        "active": offered.json()["id"],
        "sold": sold.json()["id"],
    }
    assert mine.headers["Cache-Control"] == "private, no-cache"
    some = await seller.ask("GET", "/api/listings/mine?status=draft&status=sold")
    assert {item["status"] for item in some.json()["items"]} == {"draft", "sold"}


async def test_LI_08_publish_names_each_missing_field(seller) -> None:
    created = await seller.create(title=None, mileage=None, currency=None)
    answer = await seller.ask("POST", f"{path_of(created)}/publish")
    assert reason_of(answer) == (422, "fields_missing")
    assert pointers_of(answer) == ["/title", "/currency", "/mileage"]


async def test_LI_08_publishing_twice_is_harmless(seller) -> None:
    created = await seller.create()
    one, two = [await seller.ask("POST", f"{path_of(created)}/publish") for _ in range(2)]
    assert [one.json()["version"], two.json()["version"]] == [2, 2]
    assert (await seller.read(path_of(created), two)).json()["status"] == "active"


async def test_LI_09_an_unpublished_listing_is_hidden_again(mesh, seller) -> None:
    offered = await seller.offer()
    back = await seller.ask("POST", f"{path_of(offered)}/unpublish")
    assert back.status_code == 200
    anonymous = await mesh.client.get(path_of(offered), headers=token_of(back))
    assert reason_of(anonymous) == (404, "listing_unknown")


async def test_LI_10_a_sold_listing_says_so_and_can_not_be_sold_again(mesh, seller) -> None:
    offered = await seller.offer()
    buyer = await mesh.account()
    sale = {"buyer_id": buyer.user_id, "price_minor": 8_000_000}
    sold = await seller.ask("POST", f"{path_of(offered)}/sold", json=sale)
    found = await mesh.client.get(path_of(offered), headers=token_of(sold))
    assert (found.json()["status"], found.json()["sold_at"] is not None) == ("sold", True)
    assert found.json()["days_to_sell"] == 0
    assert "buyer_id" not in found.json()
    again = await seller.ask("POST", f"{path_of(offered)}/sold", json=sale)
    assert reason_of(again) == (409, "listing_sold")


@pytest.mark.parametrize(("sold", "days"), [(None, None), (day(3.9), 3), (day(40), 40)])
def test_LI_10_days_to_sell_are_whole_days_since_the_first_publication(
    sold: datetime | None, days: int | None
) -> None:
    page = ListingPage("s", Market.EXOTICS, ListingStatus.SOLD, 1, day(0), day(0), day(0))
    row = {"key": LISTING_ID, **asdict(page), "sold_at": sold}
    assert shown(row)["days_to_sell"] == days


async def test_LI_10_nobody_who_is_not_there_can_have_bought(mesh, seller) -> None:
    offered, erased = await seller.offer(), await mesh.account()
    await mesh.machines.vault.erase(UUID(erased.user_id))
    for nobody in (str(uuid4()), erased.user_id):
        path = f"{path_of(offered)}/sold"
        answer = await seller.ask("POST", path, json={"buyer_id": nobody})
        assert (answer.status_code, pointers_of(answer)) == (422, ["/buyer_id"])


@pytest.mark.parametrize("action", ["publish", "unpublish", "sold"])
async def test_LI_21_what_is_not_there_can_not_be_acted_on(seller, action: str) -> None:
    answer = await seller.ask("POST", f"{UNKNOWN}/{action}")
    assert reason_of(answer) == (404, "listing_unknown")


# The past.


async def changed_twice(seller: Seller, **fields: Any) -> tuple[str, Any, datetime]:
    """A listing whose price moved twice; the moment lies between."""
    path = path_of(await seller.offer(**fields))
    first = await seller.change(2, path, price_minor=2_000)
    await seller.read(f"{path}/history", first)
    between = datetime.now(UTC)
    return path, await seller.change(3, path, price_minor=3_000), between


async def test_a_listing_can_be_read_as_it_was(mesh, seller) -> None:
    path, last, between = await changed_twice(seller)

    async def price(**params: Any) -> int:
        found = await mesh.client.get(path, params=params, headers=token_of(last))
        return int(found.json()["price_minor"])

    assert await price() == 3_000
    assert await price(as_of=between.isoformat()) == 2_000
    assert [await price(version=number) for number in (2, 3, 4)] == [8_500_000, 2_000, 3_000]


async def test_an_old_version_is_the_page_that_stood_then_field_by_field(seller) -> None:
    created = await seller.offer()
    path = path_of(created)
    then = (await seller.read(path, created)).json()
    changed = await seller.change(2, path, price_minor=5, features=None, title="Another")
    past = (await seller.read(path, changed, version=2)).json()
    now_only = [then.pop(name) for name in ("views", "favorites", "is_favorite")]
    assert (past, now_only) == (then, [0, 0, False])


async def test_the_past_of_a_draft_stays_with_its_seller(mesh, seller) -> None:
    path, last, _ = await changed_twice(seller)
    own = await seller.read(path, last, version=1)
    assert own.json()["status"] == "draft"
    others = await mesh.client.get(path, params={"version": 1}, headers=token_of(last))
    assert reason_of(others) == (404, "listing_unknown")


async def test_what_never_was_is_404(seller) -> None:
    path, last, _ = await changed_twice(seller)
    for params in ({"version": 99}, {"as_of": "2020-01-01T00:00:00Z"}):
        assert reason_of(await seller.read(path, last, **params)) == (404, "version_unknown")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"version": 0}, "?version"),
        ({"version": "x"}, "?version"),
        ({"as_of": "2030-01-01T00:00:00"}, "?as_of"),
        ({"as_of": "2030-01-01T00:00:00Z", "version": 1}, "?version"),
    ],
    ids=str,
)
async def test_a_past_without_a_clear_address_is_refused(mesh, seller, wrong, pointer) -> None:
    offered = await seller.offer()
    answer = await mesh.client.get(path_of(offered), params=wrong, headers=token_of(offered))
    assert (answer.status_code, pointers_of(answer)) == (422, [pointer])


async def test_no_past_is_told_that_lacks_what_the_listing_shows(mesh, seller) -> None:
    offered = await seller.offer()
    await seller.read(path_of(offered), offered)
    hasty = api(mesh.settings.model_copy(update={"read_wait_s": 0.2}))
    async with hasty as asked, held_back(mesh, "journal"):
        changed = await seller.change(2, path_of(offered), price_minor=1_234)
        path = path_of(offered)
        await seller.read(path, changed)
        headers = seller.account.headers
        for url in (f"{path}/history", f"{path}?version=3"):
            answer = await asked.client.get(url, headers=headers)
            assert reason_of(answer) == (503, "store_unavailable")
    entries = (await mesh.client.get(f"{path}/history", headers=headers)).json()["items"]
    assert [each["version"] for each in entries] == [1, 2, 3]


async def test_reading_the_past_spends_the_limit_of_searches_and_the_present_does_not(
    mesh, seller
) -> None:
    offered = await seller.offer()
    path = path_of(offered)
    limited = api(mesh.settings.model_copy(update={"limit_search": "2 per minute"}))
    async with limited as asked:
        for _ in range(3):
            assert (await asked.client.get(path, headers=token_of(offered))).status_code == 200
        past = [
            (await asked.client.get(url, headers=token_of(offered))).status_code
            for url in (f"{path}?version=1", f"{path}?version=2", f"{path}/history")
        ]
    assert past == [404, 200, 429]


async def test_the_history_tells_versions_actors_causes_and_changes(mesh, seller, admin) -> None:
    path = path_of(await seller.offer())
    await seller.change(2, path, price_minor=2_000)
    last = await admin.ask("POST", f"{path}/unpublish")
    entries = (await seller.read(f"{path}/history", last)).json()["items"]
    assert [(each["version"], each["kind"], each["actor"]) for each in entries] == [
        (1, "listing.created", "owner"),
        (2, "listing.published", "owner"),
        (3, "listing.price_changed", "owner"),
        (4, "listing.unpublished", "other"),
    ]
    assert entries[0]["changes"]["make"] == {"before": None, "after": "Porsche"}
    assert entries[2]["changes"] == {"price_minor": {"before": 8_500_000, "after": 2_000}}
    assert len({each["cause"] for each in entries}) == 3  # created and published by one command
    assert admin.account.user_id not in str(entries)


@pytest.mark.asvs("V8.2.3")
async def test_the_history_hides_from_the_public_what_was_hidden(mesh, seller) -> None:
    created = await seller.create(description="secret")
    path = path_of(created)
    published = await seller.ask("POST", f"{path}/publish")
    shown = await mesh.client.get(f"{path}/history", headers=token_of(published))
    entries = shown.json()["items"]
    assert [(each["version"], "make" in each["changes"]) for each in entries] == [
        (1, False),
        (2, False),
    ]
    assert "secret" not in shown.text
    assert entries[1]["changes"]["status"] == {"before": "draft", "after": "active"}


async def test_the_history_cuts_what_is_long_and_the_version_has_the_whole(mesh, seller) -> None:
    path = path_of(await seller.offer(description="short", features=["a"]))
    text, features = "😀" * 10_000, [f"feature {each}" for each in range(30)]
    last = await seller.change(2, path, description=text, features=features)
    answer = await seller.read(f"{path}/history", last)
    change = answer.json()["items"][-1]["changes"]
    assert change["description"] == {"before": "short", "after": f"{'😀' * 300}…", "cut": True}
    assert change["features"] == {"before": ["a"], "after": features[:10], "cut": True}
    assert len(answer.content) < 10_000
    whole = (await mesh.client.get(path, params={"version": 3})).json()
    assert (whole["description"], whole["features"]) == (text, features)


async def test_the_history_comes_in_pages(mesh, seller) -> None:
    path, last, _ = await changed_twice(seller)
    first = await mesh.client.get(f"{path}/history", params={"limit": 3}, headers=token_of(last))
    second = await mesh.client.get(first.links["next"]["url"])
    versions = [each["version"] for page in (first, second) for each in page.json()["items"]]
    assert versions == [1, 2, 3, 4]
    assert second.json()["next_cursor"] is None
    assert second.json()["items"][0]["changes"]["price_minor"]["before"] == 2_000


async def test_BY_02_the_price_history_tells_public_prices_and_an_honest_low(mesh, seller) -> None:
    path, last, _ = await changed_twice(seller)
    found = (await mesh.client.get(f"{path}/price-history", headers=token_of(last))).json()
    assert [each["price_minor"] for each in found["items"]] == [8_500_000, 2_000, 3_000]
    assert found["items"][-1]["until"] is None
    assert found["lowest_30_days"]["price_minor"] == 2_000
    assert found["lowest_30_days"]["complete"] is False
    assert found["lowest_30_days"]["observed_since"] == found["items"][0]["since"]
    assert found["lowest_before_change"]["price_minor"] == 2_000
    assert (found["days_at_price"], found["back_on_market"]) == (0, None)


async def test_BY_02_what_comes_back_on_the_market_says_since_when(mesh, seller) -> None:
    path = path_of(await seller.offer())
    away = await seller.ask("POST", f"{path}/unpublish")
    assert (await seller.read(f"{path}/price-history", away)).json()["days_at_price"] is None
    back = await seller.ask("POST", f"{path}/publish")
    found = (await mesh.client.get(f"{path}/price-history", headers=token_of(back))).json()
    before, after = found["items"]
    assert found["back_on_market"] == {
        "away_since": before["until"],
        "back_since": after["since"],
        "times": 1,
    }
