"""Comparisons over HTTP, against a mesh at work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.comparisons import COMPARED_MAX
from tests.api.acting.selling import Seller, path_of, reason_of, token_of
from tests.api.comparisons.comparing import COMPARE, compare, compared, listed, share
from tests.api.operations import NOBODYS
from tests.api.running import Mesh, journal_kinds
from tests.waiting import eventually

ANY = {"If-Match": "*"}


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


async def kinds_of(mesh: Mesh, who: Seller, after: httpx.Response) -> list[str]:
    await mesh.until_read(after)
    return await journal_kinds(mesh, f"comparison/{who.account.user_id}")


async def count(who: Seller, after: httpx.Response) -> int:
    answer = await who.read(f"{COMPARE}/count", after)
    found: int = answer.json()["count"]
    return found


async def table(who: Seller, after: httpx.Response) -> dict[str, Any]:
    """The caller's table, its rows by their names."""
    answer = await who.read(f"{COMPARE}/table", after)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {**found, "rows": {each["name"]: each for each in found["rows"]}}


async def test_CO_01_a_listing_is_added_once_however_often_it_is_asked(mesh, seller, buyer) -> None:
    listing = await seller.offer()
    first = await compare(buyer, listing)
    assert first.json() == {"id": listing.json()["id"], "version": 1}
    again = await compare(buyer, listing)
    assert again.json() == first.json()
    assert await kinds_of(mesh, buyer, first) == ["comparison.item_added"]
    assert len(await listed(buyer, first)) == 1


async def test_CO_01_a_fifth_listing_finds_no_room(seller, buyer) -> None:
    *four, fifth = [await seller.offer() for _ in range(COMPARED_MAX + 1)]
    await compare(buyer, *four)
    refused = await buyer.ask("POST", compared(fifth), headers=token_of(fifth))
    assert reason_of(refused) == (409, "comparison_full")
    last = await compare(buyer, four[0])  # what is compared already needs no room
    assert await count(buyer, last) == COMPARED_MAX
    await buyer.ask("DELETE", compared(four[1]))
    found = await listed(buyer, await compare(buyer, fifth))
    ids = [each.json()["id"] for each in (four[0], *four[2:], fifth)]
    assert [each["listing_id"] for each in found] == ids


async def test_CO_01_what_is_unknown_or_not_to_be_seen_is_not_compared(seller, buyer) -> None:
    unknown = await buyer.ask("POST", f"{COMPARE}/{NOBODYS}")
    assert reason_of(unknown) == (404, "listing_unknown")
    draft = await seller.create()
    refused = await buyer.ask("POST", compared(draft), headers=token_of(draft))
    assert reason_of(refused) == (404, "listing_unknown")
    listing = await seller.offer()
    gone = await seller.ask("DELETE", path_of(listing), headers=ANY)
    deleted = await buyer.ask("POST", compared(listing), headers=token_of(gone))
    assert reason_of(deleted) == (410, "listing_deleted")


async def test_CO_01_a_repeat_is_told_the_same_after_the_listing_is_gone(seller, buyer) -> None:
    listing = await seller.offer()
    same = {"Idempotency-Key": uuid4().hex}
    first = await buyer.ask("POST", compared(listing), headers={**same, **token_of(listing)})
    gone = await seller.ask("DELETE", path_of(listing), headers=ANY)
    again = await buyer.ask("POST", compared(listing), headers={**same, **token_of(gone)})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()


async def test_CO_02_removing_is_done_once(mesh, seller, buyer) -> None:
    listing = await seller.offer()
    await compare(buyer, listing)
    removed = await buyer.ask("DELETE", compared(listing))
    assert (removed.status_code, removed.content) == (204, b"")
    assert await listed(buyer, removed) == []
    again = await buyer.ask("DELETE", compared(listing))
    assert (again.status_code, again.headers["ETag"]) == (204, removed.headers["ETag"])
    kinds = await kinds_of(mesh, buyer, removed)
    assert kinds == ["comparison.item_added", "comparison.item_removed"]


async def test_CO_02_what_was_deleted_can_be_taken_out(seller, buyer) -> None:
    listing = await seller.offer()
    await compare(buyer, listing)
    gone = await seller.ask("DELETE", path_of(listing), headers=ANY)
    (found,) = await listed(buyer, gone)
    assert found["status"] == "gone"
    removed = await buyer.ask("DELETE", compared(listing))
    assert (removed.status_code, await listed(buyer, removed)) == (204, [])


async def test_CO_03_the_first_added_comes_first_with_its_facts(seller, buyer) -> None:
    before = datetime.now(UTC)
    listings = [await seller.offer(title=f"Car {number}") for number in (2, 3, 1)]
    last = await compare(buyer, *listings)
    found = await listed(buyer, last)
    assert [each["listing_id"] for each in found] == [each.json()["id"] for each in listings]
    assert [each["listing"]["title"] for each in found] == ["Car 2", "Car 3", "Car 1"]
    assert {each["status"] for each in found} == {"active"}
    added = [datetime.fromisoformat(each["added_at"]) for each in found]
    assert before <= added[0] < added[1] < added[2] <= datetime.now(UTC)
    sold = await seller.ask("POST", f"{path_of(listings[0])}/sold", headers=ANY)
    assert (await listed(buyer, sold))[0]["status"] == "sold"


@pytest.mark.parametrize("how", ["deleted", "taken back", "hidden"])
async def test_CO_03_LI_03_of_what_can_not_be_seen_nothing_is_told_but_that_it_is_gone(
    mesh, buyer, how: str
) -> None:
    seller = Seller(mesh, await mesh.account("seller"))
    listing = await seller.offer(title="A telling title", exterior_color="A telling red")
    await compare(buyer, listing)
    if how == "hidden":
        away = await seller.ask("POST", f"/api/users/{seller.account.user_id}/deactivate")
        await eventually(lambda: is_gone(mesh, listing), 20, "the listing is hidden")
    elif how == "deleted":
        away = await seller.ask("DELETE", path_of(listing), headers=ANY)
    else:
        away = await seller.ask("POST", f"{path_of(listing)}/unpublish", headers=ANY)
    for path in (COMPARE, f"{COMPARE}/table"):
        answer = await buyer.read(path, away)
        (found,) = answer.json()["items"]
        assert (found["status"], found["listing"]) == ("gone", None)
        assert found["listing_id"] == listing.json()["id"]
        assert "telling" not in answer.text
    assert await count(buyer, away) == 1


async def is_gone(mesh: Mesh, listing: httpx.Response) -> bool:
    return (await mesh.client.get(path_of(listing))).status_code in (404, 410)


async def test_CO_04_a_table_tells_fact_by_fact_where_listings_differ(seller, buyer) -> None:
    old = await seller.offer(year=2015, price_minor=500, warranty=None, features=["ABS", "Bose"])
    new = await seller.offer(year=2021, price_minor=700, warranty=True, features=["ABS"])
    found = await table(buyer, await compare(buyer, old, new))
    assert [each["listing_id"] for each in found["items"]] == [
        old.json()["id"],
        new.json()["id"],
    ]
    year, warranty = found["rows"]["year"], found["rows"]["warranty"]
    assert year == {"name": "year", "values": [2015, 2021], "differs": True, "best": [1]}
    assert [warranty[name] for name in ("values", "differs", "best")] == [[None, True], False, [1]]
    assert found["rows"]["price_minor"]["best"] == [0]
    assert found["rows"]["mileage_km"]["differs"] is False
    assert (found["common_features"], found["unique_features"]) == (["ABS"], [["Bose"], []])
    assert found["price_position"] == [1, 2]


async def test_CO_04_of_a_listing_that_is_gone_the_table_says_null(seller, buyer) -> None:
    stays, goes = await seller.offer(price_minor=900), await seller.offer(price_minor=1)
    await compare(buyer, stays, goes)
    gone = await seller.ask("DELETE", path_of(goes), headers=ANY)
    found = await table(buyer, gone)
    assert {each["values"][1] for each in found["rows"].values()} == {None}
    assert found["rows"]["price_minor"]["best"] == [0]
    assert (found["price_position"], found["unique_features"][1]) == ([1, None], None)


async def test_CO_04_where_nothing_is_compared_the_table_is_empty(seller, buyer) -> None:
    listing = await seller.offer()
    await compare(buyer, listing)
    found = await table(buyer, await buyer.ask("DELETE", COMPARE))
    assert (found["items"], found["common_features"], found["price_position"]) == ([], [], [])
    assert [each["values"] for each in found["rows"].values()] == [[]] * len(found["rows"])


async def test_CO_05_clearing_is_one_event_and_leaves_none(mesh, seller, buyer) -> None:
    await compare(buyer, *[await seller.offer() for _ in range(2)])
    cleared = await buyer.ask("DELETE", COMPARE)
    assert (cleared.status_code, cleared.content) == (204, b"")
    assert (await listed(buyer, cleared), await count(buyer, cleared)) == ([], 0)
    again = await buyer.ask("DELETE", COMPARE)
    assert (again.status_code, again.headers["ETag"]) == (204, cleared.headers["ETag"])
    kinds = await kinds_of(mesh, buyer, cleared)
    assert kinds == ["comparison.item_added"] * 2 + ["comparison.cleared"]


async def test_CO_08_the_count_is_the_length_of_the_list(seller, buyer) -> None:
    assert (await buyer.ask("GET", f"{COMPARE}/count")).json() == {"count": 0}
    for wanted in range(1, COMPARED_MAX + 1):
        last = await compare(buyer, await seller.offer())
        assert await count(buyer, last) == len(await listed(buyer, last)) == wanted


async def test_CO_09_CO_10_with_the_person_goes_what_they_compared(mesh, seller, buyer) -> None:
    last = await compare(buyer, await seller.offer())
    shared = await share(buyer)
    assert await count(buyer, last) == 1
    left = await buyer.ask("DELETE", f"/api/users/{buyer.account.user_id}")
    assert left.status_code == 204
    path = f"{COMPARE}/shared/{shared.json()['token']}"
    assert (await mesh.client.get(path, headers=token_of(left))).status_code == 410
    for name in ("comparisons", "shared_comparisons"):
        query = f"SELECT listing_ids, deleted FROM reads.{name} WHERE key = $1"

        async def erased(query: str = query) -> bool:
            row = await mesh.machines.postgres.fetchrow(query, buyer.account.user_id)
            return dict(row) == {"listing_ids": [], "deleted": True}

        await eventually(erased, 20, f"{name} tells nothing")


async def test_PR_10_comparisons_are_in_the_persons_export(seller, buyer) -> None:
    listing = await seller.offer()
    await compare(buyer, listing)
    last = await share(buyer)
    export = await buyer.read(f"/api/users/{buyer.account.user_id}/export", last)
    told = {each["kind"]: each["data"] for each in export.json()["events"]}
    assert told["comparison.item_added"]["listing_id"] == listing.json()["id"]
    assert told["comparison.shared"]["listing_ids"] == [listing.json()["id"]]
