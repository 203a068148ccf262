"""What is said of a seller, over HTTP: lists in two orders, the buyer's badge and figures."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from schemas.log.positions import format_token, parse_token
from schemas.reviews import review_id_of
from tests.api.acting.reviewing import items, path, person, shown, vote, written
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of, token_of
from tests.api.running import Mesh


@pytest.fixture
async def seller(mesh: Mesh) -> Seller:
    return await person(mesh, "seller")


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Seller:
    return await person(mesh)


@pytest.fixture(scope="module")
async def readers(mesh: Mesh) -> list[Seller]:
    return [await person(mesh) for _ in range(3)]


def token_after(*answers: httpx.Response) -> dict[str, str]:
    """What waits for all of these writes."""
    places = [each for one in answers for each in parse_token(one.headers["Consistency-Token"])]
    return {"Consistency-Token": format_token(places)}


async def page(
    mesh: Mesh, seller: Seller, token: dict[str, str] | None = None, **params: Any
) -> Any:
    where = f"/api/reviews/seller/{seller.account.user_id}"
    answer = await mesh.client.get(where, params=params, headers=token or {})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def walked(mesh: Mesh, seller: Seller, **params: Any) -> list[str]:
    """The ids on all pages of two."""
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        got = await page(mesh, seller, **params, **cursor, limit=2)
        found += [each["id"] for each in got["items"]]
        if got["next_cursor"] is None:
            return found
        cursor = {"cursor": got["next_cursor"]}


async def six(seller: Seller, buyer: Seller, readers: list[Seller]) -> list[httpx.Response]:
    """Reviews with 0, 2, 1, 2, 0 and 3 helpful votes, in this order; the last may be read."""
    made, votes = [], []
    for number, helped in enumerate((0, 2, 1, 2, 0, 3)):
        made.append(await written(buyer, await seller.offer(), rating=1 + number % 2))
        votes += [await vote(who, made[-1], "helpful") for who in readers[:helped]]
    await page(buyer.mesh, seller, token_after(*made, *votes))
    return made


async def test_RV_04_the_last_written_or_the_most_helpful_come_first(
    mesh, seller, buyer, readers
) -> None:
    ids = [each.json()["id"] for each in await six(seller, buyer, readers)]
    recent = [ids[place] for place in (5, 4, 3, 2, 1, 0)]
    helpful = [ids[place] for place in (5, 3, 1, 2, 4, 0)]
    assert await walked(mesh, seller) == await walked(mesh, seller, sort="recent") == recent
    assert await walked(mesh, seller, sort="helpful") == helpful
    assert await walked(mesh, seller, sort="helpful", rating=2) == [helpful[0], ids[3], ids[1]]
    assert await walked(mesh, seller, rating=1) == [ids[4], ids[2], ids[0]]


async def test_RV_04_while_votes_change_no_page_repeats_itself_and_the_rest_still_comes(
    mesh, seller, buyer, readers
) -> None:
    made = await six(seller, buyer, readers)
    ids = [each.json()["id"] for each in made]
    first = await page(mesh, seller, sort="helpful", limit=2)
    assert [each["id"] for each in first["items"]] == [ids[5], ids[3]]
    moved = [await vote(readers[2], made[1], "helpful"), await vote(readers[2], made[0], "helpful")]
    rest = await page(
        mesh, seller, token_after(*moved), sort="helpful", limit=9, cursor=first["next_cursor"]
    )
    # Whatever has come to stand before the place in hand is not shown again, all behind it is.
    assert [each["id"] for each in rest["items"]] == [ids[2], ids[0], ids[4]]
    again = await walked(mesh, seller, sort="helpful")
    assert sorted(again) == sorted(ids)


async def test_RV_04_a_cursor_belongs_to_its_order(mesh, seller, buyer) -> None:
    for _ in range(2):
        last = await written(buyer, await seller.offer())
    got = await page(mesh, seller, token_of(last), sort="helpful", limit=1)
    where = f"/api/reviews/seller/{seller.account.user_id}"
    for sort in ({"sort": "recent"}, {}):
        answer = await mesh.client.get(where, params={**sort, "cursor": got["next_cursor"]})
        assert reason_of(answer) == (422, "cursor_invalid")


@pytest.mark.parametrize("wrong", [{"sort": "best"}, {"rating": 0}, {"rating": 6}])
async def test_RV_04_another_order_or_number_of_stars_is_refused(mesh, seller, wrong) -> None:
    where = f"/api/reviews/seller/{seller.account.user_id}"
    answer = await mesh.client.get(where, params=wrong)
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == [f"?{next(iter(wrong))}"]


async def sold(seller: Seller, offered: httpx.Response, to: Seller | None) -> httpx.Response:
    body = {} if to is None else {"buyer_id": to.account.user_id}
    answer = await seller.ask("POST", f"{path_of(offered)}/sold", json=body)
    assert answer.status_code == 200, answer.text
    return answer


async def test_RV_10_the_badge_appears_when_the_sale_comes_after_the_review(
    mesh, seller, buyer
) -> None:
    offered = await seller.offer()
    first = await written(buyer, offered)
    assert not (await shown(mesh, first, first))["verified_buyer"]
    sale = await sold(seller, offered, buyer)
    found = await shown(mesh, first, sale)
    assert (found["verified_buyer"], found["version"]) == (True, 1)
    assert await items(mesh, f"seller/{seller.account.user_id}", sale) == [found]


async def test_RV_10_the_badge_appears_when_the_sale_comes_before_the_review(
    mesh, seller, buyer
) -> None:
    offered = await seller.offer()
    sale = await sold(seller, offered, buyer)
    first = await written(buyer, offered)
    found = (await mesh.client.get(path(first), headers=token_after(sale, first))).json()
    assert (found["verified_buyer"], found["version"]) == (True, 1)


async def test_RV_10_no_badge_for_others_nor_where_no_buyer_was_named(mesh, seller, buyer) -> None:
    stranger = await person(mesh)
    to_buyer, to_nobody, unsold = [await seller.offer() for _ in range(3)]
    sales = [await sold(seller, to_buyer, buyer), await sold(seller, to_nobody, None)]
    made = [
        await written(buyer, to_buyer),
        await written(stranger, to_buyer),
        await written(buyer, to_nobody),
        await written(buyer, unsold),
    ]
    token = token_after(*sales, *made)
    listed = (await page(mesh, seller, token))["items"]
    badges = {each["id"]: each["verified_buyer"] for each in listed}
    assert [badges[each.json()["id"]] for each in made] == [True, False, False, False]


async def test_RV_10_a_sale_alone_is_no_review(mesh, seller, buyer) -> None:
    offered = await seller.offer()
    sale = await sold(seller, offered, buyer)
    first = await written(buyer, offered)
    review_path = path(first)
    other = await seller.offer()
    alone = await sold(seller, other, buyer)
    nobodys = f"/api/reviews/{_review_id(other, buyer)}"
    answer = await mesh.client.get(nobodys, headers=token_of(alone))
    assert reason_of(answer) == (404, "review_unknown")
    refused = await buyer.ask("POST", f"{nobodys}/vote", json={"vote": "helpful"})
    assert reason_of(refused) == (404, "review_unknown")
    assert await items(mesh, f"listing/{other.json()['id']}", alone) == []
    listed = await page(mesh, seller, token_after(sale, first, alone))
    assert [f"/api/reviews/{each['id']}" for each in listed["items"]] == [review_path]


def _review_id(offered: httpx.Response, who: Seller) -> str:
    return str(review_id_of(UUID(offered.json()["id"]), UUID(who.account.user_id)))


async def stats(mesh: Mesh, seller: Seller, *after: httpx.Response) -> Any:
    where = f"/api/reviews/seller/{seller.account.user_id}/stats"
    answer = await mesh.client.get(where, headers=token_after(*after) if after else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_RV_11_the_figures_equal_a_recount_of_what_all_read(mesh, seller, buyer) -> None:
    stranger = await person(mesh)
    writes = []
    for stars, to in ((5, buyer), (4, None), (2, stranger), (2, buyer), (5, None)):
        offered = await seller.offer()
        if to is not None:
            writes.append(await sold(seller, offered, to))
        writes.append(await written(buyer, offered, rating=stars))
    changed = await buyer.ask(
        "PATCH", path(writes[-1]), json={"rating": 1}, headers={"If-Match": "*"}
    )
    gone = await buyer.ask("DELETE", path(writes[1]))
    found = await stats(mesh, seller, *writes, changed, gone)
    listed = (await page(mesh, seller))["items"]
    stars = [each["rating"] for each in listed]
    assert sorted(stars) == [1, 2, 2, 4]
    whole = {"mean": sum(stars) / len(stars), "count": len(stars)}
    assert found == {
        "seller_id": seller.account.user_id,
        **whole,
        "distribution": {str(number): stars.count(number) for number in range(1, 6)},
        "verified_share": sum(each["verified_buyer"] for each in listed) / len(listed),
        "last_30_days": whole,
        "last_90_days": whole,
    }
    assert found["verified_share"] == 0.25
    profile = await mesh.client.get(f"/api/users/{seller.account.user_id}/seller")
    told = profile.json()
    assert (told["rating"], told["review_count"]) == (found["mean"], found["count"])


async def test_RV_06_the_mean_in_profile_and_figures_moves_with_reviews_and_nothing_else(
    mesh, seller, buyer, readers
) -> None:
    first = await written(buyer, await seller.offer(), rating=5)
    second = await written(readers[0], await seller.offer(), rating=2)
    said = {"content": "Thank you. Drive it well."}
    response = await seller.ask("POST", f"{path(first)}/response", json=said)
    voted = await vote(readers[1], first, "unhelpful")
    found = await stats(mesh, seller, first, second, response, voted)
    assert (found["mean"], found["count"]) == (3.5, 2)
    gone = await buyer.ask("DELETE", path(first))
    found = await stats(mesh, seller, gone)
    assert (found["mean"], found["count"]) == (2.0, 1)


async def test_RV_11_of_whom_nobody_has_spoken_there_are_zeros_and_of_nobody_nothing(
    mesh, seller
) -> None:
    none = {"mean": None, "count": 0}
    assert await stats(mesh, seller) == {
        "seller_id": seller.account.user_id,
        **none,
        "distribution": dict.fromkeys("12345", 0),
        "verified_share": None,
        "last_30_days": none,
        "last_90_days": none,
    }
    answer = await mesh.client.get(f"/api/reviews/seller/{uuid4()}/stats")
    assert reason_of(answer) == (404, "user_unknown")
