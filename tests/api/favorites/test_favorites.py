"""Favourites over HTTP, against a mesh at work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from projections.favorites.favorites import favorites
from schemas.favorites import favorites_stream
from tests.api.acting.selling import Seller, path_of, reason_of, token_of
from tests.api.favorites.favoring import (
    FAVORITES,
    asked_of_favorites,
    favorite,
    keep,
    kept,
)
from tests.api.operations import NOBODYS
from tests.api.parking import parked
from tests.api.running import Mesh, journal_kinds
from tests.waiting import eventually

ANY = {"If-Match": "*"}


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


@pytest.fixture
async def other(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("dealer"))


async def count(mesh: Mesh, listing: httpx.Response, after: httpx.Response) -> int:
    """How many keep the listing in mind, as everybody reads."""
    answer = await mesh.client.get(path_of(listing), headers=token_of(after))
    found: int = answer.json()["favorites"]
    return found


async def kinds_of(mesh: Mesh, who: Seller, after: httpx.Response) -> list[str]:
    await mesh.until_read(after)
    return await journal_kinds(mesh, f"favorites/{who.account.user_id}")


async def test_FA_01_the_listings_count_rises_by_one_however_often_it_is_asked(
    mesh, seller, buyer, other
) -> None:
    listing = await seller.offer()
    first = await keep(buyer, listing)
    assert first.json() == {"id": listing.json()["id"], "version": 1}
    assert await count(mesh, listing, first) == 1
    again = await keep(buyer, listing)
    assert again.json() == first.json()
    assert await count(mesh, listing, first) == 1
    assert await count(mesh, listing, await keep(other, listing)) == 2
    assert await kinds_of(mesh, buyer, first) == ["favorite.added"]


async def test_FA_01_what_is_unknown_or_not_to_be_seen_is_no_favourite(seller, buyer) -> None:
    unknown = await buyer.ask("POST", f"{FAVORITES}/{NOBODYS}")
    assert reason_of(unknown) == (404, "listing_unknown")
    draft = await seller.create()
    refused = await buyer.ask("POST", favorite(draft), headers=token_of(draft))
    assert reason_of(refused) == (404, "listing_unknown")
    listing = await seller.offer()
    gone = await seller.ask("DELETE", path_of(listing), headers=ANY)
    deleted = await buyer.ask("POST", favorite(listing), headers=token_of(gone))
    assert reason_of(deleted) == (410, "listing_deleted")


async def test_FA_01_a_repeat_is_told_the_same_after_the_listing_is_gone(seller, buyer) -> None:
    listing = await seller.offer()
    same = {"Idempotency-Key": uuid4().hex}
    first = await buyer.ask("POST", favorite(listing), headers={**same, **token_of(listing)})
    gone = await seller.ask("DELETE", path_of(listing), headers=ANY)
    again = await buyer.ask("POST", favorite(listing), headers={**same, **token_of(gone)})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()


async def test_FA_02_removing_is_done_once_and_lowers_the_count(mesh, seller, buyer) -> None:
    listing = await seller.offer()
    await keep(buyer, listing)
    removed = await buyer.ask("DELETE", favorite(listing))
    assert (removed.status_code, removed.content) == (204, b"")
    assert await count(mesh, listing, removed) == 0
    again = await buyer.ask("DELETE", favorite(listing))
    assert (again.status_code, again.headers["ETag"]) == (204, removed.headers["ETag"])
    assert await kinds_of(mesh, buyer, removed) == ["favorite.added", "favorite.removed"]


async def test_FA_02_what_was_deleted_can_be_taken_out(seller, buyer) -> None:
    listing = await seller.offer()
    await keep(buyer, listing)
    gone = await seller.ask("DELETE", path_of(listing), headers=ANY)
    (found,) = await kept(buyer, gone)
    assert found["status"] == "gone"
    removed = await buyer.ask("DELETE", favorite(listing))
    assert (removed.status_code, await kept(buyer, removed)) == (204, [])


async def test_FA_03_the_newest_come_first_a_page_at_a_time(seller, buyer) -> None:
    listings = [await seller.offer() for _ in range(5)]
    last = await keep(buyer, *listings)
    newest_first = [each.json()["id"] for each in reversed(listings)]
    assert [each["listing_id"] for each in await kept(buyer, last)] == newest_first
    walked: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await buyer.ask("GET", FAVORITES, params=params)).json()
        walked += [each["listing_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        params = {"limit": 2, "cursor": page["next_cursor"]}
    assert walked == newest_first


async def test_FA_03_a_favourite_shows_its_facts_and_that_it_is_sold(seller, buyer) -> None:
    listing = await seller.offer(title="A car", price_minor=700)
    last = await keep(buyer, listing)
    (found,) = await kept(buyer, last)
    facts = [found["listing"][name] for name in ("id", "title", "price_minor", "sold_at")]
    assert (found["status"], facts) == ("active", [listing.json()["id"], "A car", 700, None])
    sold = await seller.ask("POST", f"{path_of(listing)}/sold", headers=ANY)
    (found,) = await kept(buyer, sold)
    assert (found["status"], found["listing"]["sold_at"] is None) == ("sold", False)


@pytest.mark.parametrize("how", ["deleted", "taken back", "hidden"])
async def test_FA_03_LI_03_of_what_can_not_be_seen_nothing_is_told_but_that_it_is_gone(
    mesh, buyer, how: str
) -> None:
    seller = Seller(mesh, await mesh.account("seller"))
    listing = await seller.offer(title="A telling title")
    await keep(buyer, listing)
    if how == "hidden":
        away = await seller.ask("POST", f"/api/users/{seller.account.user_id}/deactivate")
        await eventually(lambda: is_gone(mesh, listing), 20, "the listing is hidden")
    elif how == "deleted":
        away = await seller.ask("DELETE", path_of(listing), headers=ANY)
    else:
        away = await seller.ask("POST", f"{path_of(listing)}/unpublish", headers=ANY)
    answer = await buyer.read(FAVORITES, away)
    (found,) = answer.json()["items"]
    assert (found["status"], found["listing"]) == ("gone", None)
    assert found["listing_id"] == listing.json()["id"]
    assert "telling" not in answer.text


async def is_gone(mesh: Mesh, listing: httpx.Response) -> bool:
    return (await mesh.client.get(path_of(listing))).status_code in (404, 410)


async def test_FA_03_ones_own_draft_is_seen_by_oneself(seller) -> None:
    draft = await seller.create(title="My draft")
    (found,) = await kept(seller, await keep(seller, draft))
    assert (found["status"], found["listing"]["title"]) == ("draft", "My draft")
    await seller.ask("DELETE", FAVORITES)


async def test_FA_04_whether_a_listing_is_a_favourite_and_since_when(seller, buyer) -> None:
    listing, before = await seller.offer(), datetime.now(UTC)
    last = await keep(buyer, listing)
    found = (await buyer.read(favorite(listing), last)).json()
    assert found["is_favorite"] is True
    assert before <= datetime.fromisoformat(found["added_at"]) <= datetime.now(UTC)
    removed = await buyer.ask("DELETE", favorite(listing))
    found = (await buyer.read(favorite(listing), removed)).json()
    assert found == {"is_favorite": False, "added_at": None}


async def test_FA_04_a_listing_tells_whether_it_is_a_favourite_of_whoever_asks(
    mesh, seller, buyer, other
) -> None:
    listing = await seller.offer()
    last = await keep(buyer, listing)
    told = [(await who.read(path_of(listing), last)).json() for who in (buyer, other)]
    told.append((await mesh.client.get(path_of(listing), headers=token_of(last))).json())
    assert [each["is_favorite"] for each in told] == [True, False, None]
    assert {each["favorites"] for each in told} == {1}


async def test_FA_04_no_copy_outlives_what_it_says_of_favourites(seller, buyer) -> None:
    listing = await seller.offer()
    shown = await buyer.read(path_of(listing), listing)
    assert shown.headers["Cache-Control"] == "private, no-store"
    after = await buyer.read(path_of(listing), await keep(buyer, listing))
    assert shown.headers["ETag"] == after.headers["ETag"]  # what changes of the listing name
    headers = {"If-None-Match": shown.headers["ETag"]}
    again = await buyer.ask("GET", path_of(listing), headers=headers)
    assert (again.status_code, again.json()["is_favorite"]) == (200, True)
    visitor = await seller.mesh.client.get(path_of(listing), headers=headers)
    assert visitor.status_code == 304


async def test_FA_04_listings_are_shown_while_ones_favourites_wait_to_be_mended(
    mesh, seller, buyer
) -> None:
    listing = await seller.offer()
    last = await keep(buyer, listing)
    stream = favorites_stream(buyer.account.user_id)
    paths = (path_of(listing), "/api/listings", "/api/search")
    async with parked(mesh, favorites, stream, last):

        async def refused() -> bool:
            return (await buyer.ask("GET", FAVORITES)).status_code == 503

        await eventually(refused, 20, "the favourites are withheld")
        for path in paths:
            found = await buyer.ask("GET", path)
            assert found.status_code == 200, found.text
        assert (await buyer.ask("GET", path_of(listing))).json()["is_favorite"] is None
    await eventually(lambda: marked(buyer, path_of(listing)), 20, "the mark is back")


async def marked(buyer: Seller, path: str) -> bool:
    return bool((await buyer.ask("GET", path)).json()["is_favorite"])


async def test_FA_04_the_past_of_a_listing_tells_of_no_favourites(seller, buyer) -> None:
    listing = await seller.offer()
    last = await keep(buyer, listing)
    past = await buyer.read(path_of(listing), last, version=2)
    assert past.status_code == 200
    assert past.json().keys().isdisjoint({"is_favorite", "favorites"})


async def test_FA_04_a_machine_is_told_of_nobodys_favourites(mesh, seller, buyer) -> None:
    listing = await seller.offer()
    await keep(buyer, listing)
    body = {"label": "reader", "operations": ["read_listing"]}
    key = (await buyer.ask("POST", "/api/auth/keys", json=body)).json()["api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    found = await mesh.client.get(path_of(listing), headers=headers)
    assert (found.status_code, found.json()["is_favorite"]) == (200, None)


@pytest.fixture(scope="module")
async def fifty(mesh: Mesh, all_readers: None) -> tuple[Seller, list[httpx.Response], str]:
    """So many listings of somebody's, and the make that only they have."""
    owner = Seller(mesh, await mesh.account("seller"))
    make = f"make{uuid4().hex[:12]}"
    listings = [await owner.offer(make=make) for _ in range(50)]

    async def found() -> bool:
        answer = await mesh.client.get("/api/search", params={"make": make, "limit": 1})
        return answer.status_code == 200 and answer.json()["total"] == 50

    await eventually(found, 30, "all are found")
    return owner, listings, make


async def test_FA_04_fifty_listings_cost_one_lookup(mesh, fifty) -> None:
    owner, listings, make = fifty
    await owner.ask("DELETE", FAVORITES)
    last = await keep(owner, *listings[::2])
    wanted = {each.json()["id"]: place % 2 == 0 for place, each in enumerate(listings)}
    for path, name, params in (
        ("/api/listings/mine", "items", {}),
        ("/api/search", "hits", {"make": make}),
        ("/api/listings/search", "hits", {"make": make}),
    ):
        with asked_of_favorites(mesh) as queries:
            answer = await owner.read(path, last, limit=50, **params)
        marks = {each["id"]: each["is_favorite"] for each in answer.json()[name]}
        assert marks == wanted, path
        assert len(queries) == 1, (path, queries)


async def test_FA_04_visitors_cost_no_lookup_and_are_told_nothing(mesh, fifty) -> None:
    _, listings, make = fifty
    headers = token_of(listings[-1])
    for path, name, params in (
        ("/api/listings", "items", {}),
        ("/api/search", "hits", {"make": make}),
    ):
        with asked_of_favorites(mesh) as queries:
            answer = await mesh.client.get(path, params={"limit": 50, **params}, headers=headers)
        assert {each["is_favorite"] for each in answer.json()[name]} == {None}, path
        assert queries == [], path


async def test_FA_05_clearing_is_one_event_and_every_count_is_right(
    mesh, seller, buyer, other
) -> None:
    listings = [await seller.offer() for _ in range(3)]
    await keep(buyer, *listings)
    await keep(other, listings[0])
    cleared = await buyer.ask("DELETE", FAVORITES)
    assert (cleared.status_code, cleared.content) == (204, b"")
    assert await kept(buyer, cleared) == []
    assert [await count(mesh, each, cleared) for each in listings] == [1, 0, 0]
    again = await buyer.ask("DELETE", FAVORITES)
    assert (again.status_code, again.headers["ETag"]) == (204, cleared.headers["ETag"])
    kinds = await kinds_of(mesh, buyer, cleared)
    assert kinds == ["favorite.added"] * 3 + ["favorites.cleared"]


async def test_FA_09_the_row_is_gone_with_the_person_and_so_is_the_count(
    mesh, seller, buyer
) -> None:
    listing = await seller.offer()
    await keep(buyer, listing)
    left = await buyer.ask("DELETE", f"/api/users/{buyer.account.user_id}")
    assert left.status_code == 204
    assert await count(mesh, listing, left) == 0
    row = await mesh.machines.postgres.fetchrow(
        "SELECT listing_ids, deleted FROM reads.favorites WHERE key = $1", buyer.account.user_id
    )
    assert dict(row) == {"listing_ids": [], "deleted": True}


async def test_PR_10_favourites_are_in_the_persons_export(seller, buyer) -> None:
    listing = await seller.offer()
    last = await keep(buyer, listing)
    export = await buyer.read(f"/api/users/{buyer.account.user_id}/export", last)
    events = [each for each in export.json()["events"] if each["kind"] == "favorite.added"]
    assert [each["data"]["listing_id"] for each in events] == [listing.json()["id"]]
