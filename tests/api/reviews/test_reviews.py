"""Reviews over HTTP, against a mesh at work."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from infra.vault.vault import Vault
from tests.api.acting.reviewing import items, path, written
from tests.api.acting.selling import Seller, pointers_of, reason_of, review, token_of
from tests.api.running import Mesh

ANY = {"If-Match": "*"}


@pytest.fixture
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def moderator(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("moderator"))


async def figures(mesh: Mesh, seller: Seller, after: httpx.Response) -> tuple[Any, Any]:
    """What the seller's page tells of reviews."""
    user_id = seller.account.user_id
    answer = await mesh.client.get(f"/api/users/{user_id}/seller", headers=token_of(after))
    return answer.json()["rating"], answer.json()["review_count"]


async def test_RV_01_all_read_what_somebody_says_of_a_seller(mesh, seller, buyer) -> None:
    offered = await seller.offer()
    said = {"rating": 4, "title": "As described", "content": "  It was.\nTruly. "}
    answer = await written(buyer, offered, **said)
    assert answer.headers["Location"] == path(answer)
    found = (await mesh.client.get(path(answer), headers=token_of(answer))).json()
    assert (found["rating"], found["title"], found["content"]) == (
        4,
        "As described",
        "It was.\nTruly.",
    )
    ids = (offered.json()["id"], seller.account.user_id, buyer.account.user_id)
    assert (found["listing_id"], found["seller_id"], found["reviewer_id"]) == ids
    assert (found["reviewer_name"], found["version"]) == ("Test Person", 1)
    assert await items(mesh, f"seller/{seller.account.user_id}", answer) == [found]


async def test_RV_01_nobody_reviews_themselves(seller) -> None:
    for offered in (await seller.offer(), await seller.create()):
        assert reason_of(await review(seller, offered)) == (403, "own_listing")


async def test_RV_01_a_second_review_of_a_listing_is_refused(seller, buyer) -> None:
    offered = await seller.offer()
    await written(buyer, offered)
    assert reason_of(await review(buyer, offered, rating=1)) == (409, "review_exists")


async def test_RV_01_a_repeat_is_no_second_review(seller, buyer) -> None:
    offered = await seller.offer()
    body = {"listing_id": offered.json()["id"], "rating": 5}
    same = {"Idempotency-Key": uuid4().hex, **token_of(offered)}
    answers = [await buyer.ask("POST", "/api/reviews", json=body, headers=same) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("rating", [0, 6, 4.5, "many", None])
async def test_RV_01_stars_are_one_to_five(seller, buyer, rating) -> None:
    answer = await review(buyer, await seller.create(), rating=rating)
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == ["/rating"]


async def test_RV_01_of_what_nobody_sees_nothing_is_said(seller, buyer) -> None:
    assert reason_of(await review(buyer, await seller.create())) == (404, "listing_unknown")
    offered = await seller.offer()
    gone = await seller.ask("DELETE", f"/api/listings/{offered.json()['id']}", headers=ANY)
    body = {"listing_id": offered.json()["id"], "rating": 1}
    answer = await buyer.ask("POST", "/api/reviews", json=body, headers=token_of(gone))
    assert reason_of(answer) == (410, "listing_deleted")


async def test_RV_02_its_author_says_otherwise_and_the_earlier_text_is_history(
    mesh, seller, buyer
) -> None:
    first = await written(buyer, await seller.offer(), title="Good", content="All well.")
    tag = {"If-Match": '"1"'}
    changed = await buyer.ask(
        "PUT", path(first), json={"rating": 2, "title": None, "content": "It broke."}, headers=tag
    )
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    stale = await buyer.ask("PATCH", path(first), json={"rating": 3}, headers=tag)
    assert reason_of(stale) == (412, "version_mismatch")
    found = (await mesh.client.get(path(first), headers=token_of(changed))).json()
    assert (found["rating"], found["title"], found["content"]) == (2, None, "It broke.")
    export = await buyer.read(f"/api/users/{buyer.account.user_id}/export", changed)
    told = [each["data"]["sealed"] for each in export.json()["events"] if "review" in each["kind"]]
    assert [each["content"]["text"] for each in told] == ["All well.", "It broke."]


async def test_RV_02_nobody_else_changes_it(seller, buyer, stranger, moderator) -> None:
    first = await written(buyer, await seller.offer())
    for other in (seller, stranger, moderator):
        answer = await other.ask("PATCH", path(first), json={"rating": 5}, headers=ANY)
        assert reason_of(answer) == (403, "not_owner")


async def test_RV_03_PR_12_the_mean_follows_and_falls_back_exactly(
    mesh, seller, buyer, stranger
) -> None:
    offered = await seller.offer()
    first = await written(buyer, offered, rating=5)
    assert await figures(mesh, seller, first) == (5.0, 1)
    second = await written(stranger, offered, rating=2)
    assert await figures(mesh, seller, second) == (3.5, 2)
    worse = await buyer.ask("PATCH", path(first), json={"rating": 1}, headers=ANY)
    assert await figures(mesh, seller, worse) == (1.5, 2)
    gone = await buyer.ask("DELETE", path(first))
    assert (gone.status_code, await figures(mesh, seller, gone)) == (204, (2.0, 1))
    last = await stranger.ask("DELETE", path(second))
    assert await figures(mesh, seller, last) == (None, 0)
    assert await items(mesh, f"seller/{seller.account.user_id}", last) == []
    assert reason_of(await mesh.client.get(path(first))) == (410, "review_deleted")


async def test_PR_12_rating_and_count_equal_recomputation_from_the_kept_reviews(
    mesh, seller, buyer, stranger
) -> None:
    for rating, reviewer in ((5, buyer), (4, stranger), (3, buyer)):
        last = await written(reviewer, await seller.offer(), rating=rating)
    gone = await stranger.ask("DELETE", path(last))
    assert reason_of(gone) == (403, "not_owner")
    found = await figures(mesh, seller, last)
    rows = await mesh.machines.postgres.fetch(
        "SELECT rating FROM reads.reviews WHERE seller_id = $1 AND NOT deleted",
        seller.account.user_id,
    )
    ratings = [row["rating"] for row in rows]
    assert found == (sum(ratings) / len(ratings), len(ratings)) == (4.0, 3)


async def test_RV_03_the_staff_take_a_review_away(mesh, seller, buyer, stranger, moderator) -> None:
    first = await written(buyer, await seller.offer())
    for other in (seller, stranger):
        assert reason_of(await other.ask("DELETE", path(first))) == (403, "not_owner")
    gone = await moderator.ask("DELETE", path(first))
    assert (gone.status_code, await figures(mesh, seller, gone)) == (204, (None, 0))


async def test_RV_05_a_listings_reviews_are_those_about_it(mesh, seller, buyer, stranger) -> None:
    one, other = await seller.offer(), await seller.offer()
    first = await written(buyer, one, rating=5)
    await written(buyer, other, rating=1)
    last = await written(stranger, one, rating=3)
    where = f"listing/{one.json()['id']}"
    found = await items(mesh, where, last)
    assert [each["id"] for each in found] == [last.json()["id"], first.json()["id"]]
    assert [each["rating"] for each in await items(mesh, where, last, rating=5)] == [5]


async def test_a_sellers_reviews_come_in_pages_and_by_stars(mesh, seller, buyer) -> None:
    for rating in (1, 5, 3, 5):
        last = await written(buyer, await seller.offer(), rating=rating)
    where = f"seller/{seller.account.user_id}"
    assert [each["rating"] for each in await items(mesh, where, last)] == [5, 3, 5, 1]
    assert [each["rating"] for each in await items(mesh, where, last, rating=5)] == [5, 5]
    walked: list[int] = []
    params: dict[str, Any] = {"limit": 3}
    while True:
        page = (await mesh.client.get(f"/api/reviews/{where}", params=params)).json()
        walked += [each["rating"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        params = {"limit": 3, "cursor": page["next_cursor"]}
    assert walked == [5, 3, 5, 1]


async def test_PR_10_of_whoever_is_erased_the_stars_stay_and_no_word(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer(), rating=2, title="T", content="Words")
    assert await figures(mesh, seller, first) == (2.0, 1)
    vault: Vault = mesh.machines.vault
    await vault.erase(UUID(buyer.account.user_id))
    (found,) = await items(mesh, f"seller/{seller.account.user_id}", first)
    told = [found[name] for name in ("rating", "title", "content", "reviewer_name")]
    assert told == [2, None, None, None]


async def test_NS_10_what_is_said_is_sealed_in_the_log(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer(), content="a most telling sentence")
    await mesh.until_read(first)
    stream = f"review/{first.json()['id']}"
    row = await mesh.machines.postgres.fetchrow(
        "SELECT data FROM reads.journal WHERE stream_id = $1", stream
    )
    assert "telling" not in row["data"]
    assert orjson.loads(row["data"])["rating"] == 4
