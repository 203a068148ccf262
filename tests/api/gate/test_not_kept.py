"""What Redis is not asked for (ADR 0049): a change is in the next read, nothing of it lies in Redis, and
without Redis the answer is the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.acting.offering import Student, campus, student
from tests.api.acting.selling import Seller, path_of, review, token_of
from tests.api.favorites.favoring import FAVORITES, favorite
from tests.api.gate.test_secrets import everything_in_redis
from tests.api.running import Mesh

COMPARE = "/api/compare"


@pytest.fixture
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


async def unkept(mesh: Mesh, read: Callable[[], Awaitable[Any]], *named: str) -> Any:
    """What is read, and read again with nothing in Redis that names it or could."""
    found = await read()
    redis = await everything_in_redis(mesh)
    assert [key for key in redis if any(each in key + redis[key] for each in named)] == []
    await mesh.machines.redis.flushall()
    assert await read() == found
    return found


async def test_RD_02_a_listing_is_as_it_was_changed_last(mesh, seller) -> None:
    listing, mark = await seller.offer(), uuid4().hex
    for version, words in enumerate((f"first {mark}", f"second {mark}"), 2):
        changed = await seller.change(version, path_of(listing), description=words)

        async def words_now(after: httpx.Response = changed) -> str:
            page = await mesh.client.get(path_of(listing), headers=token_of(after))
            return page.json()["description"]

        assert await unkept(mesh, words_now, mark, listing.json()["id"]) == words


@pytest.mark.parametrize("folder", [FAVORITES, COMPARE], ids=["RD_04", "RD_05"])
async def test_RD_04_RD_05_what_somebody_keeps_is_what_they_kept_last(
    mesh, seller, buyer, folder: str
) -> None:
    one, two = [await seller.offer() for _ in range(2)]
    ids = [each.json()["id"] for each in (one, two)]

    async def listed(after: httpx.Response) -> list[str]:
        found = (await buyer.read(folder, after)).json()["items"]
        return [each["listing_id"] for each in found]

    for each, wanted in ((one, ids[:1]), (two, ids)):
        path = favorite(each).replace(FAVORITES, folder)
        last = await buyer.ask("POST", path, headers=token_of(each))
        found = await unkept(mesh, lambda last=last: listed(last), buyer.account.user_id, *ids)
        assert sorted(found) == sorted(wanted)
    last = await buyer.ask("DELETE", folder)
    assert await unkept(mesh, lambda: listed(last), buyer.account.user_id, *ids) == []


async def test_RD_09_IT_10_a_new_item_is_in_the_list_as_soon_as_it_can_be_read(mesh) -> None:
    domain = campus()
    person: Student = await student(mesh, domain)
    made: list[str] = []
    for _ in range(2):
        made.append(await person.have())
        found = await unkept(mesh, person.listed, domain, *made)
        assert sorted(found) == sorted(made)


async def test_RV_16_a_rating_is_that_of_the_last_review(mesh, seller, buyer) -> None:
    path = f"/api/users/{seller.account.user_id}/seller"

    async def rating(after: httpx.Response) -> float:
        found: float = (await mesh.client.get(path, headers=token_of(after))).json()["rating"]
        return found

    written = await review(buyer, await seller.offer(), rating=5)
    assert await unkept(mesh, lambda: rating(written), seller.account.user_id) == 5
    where, headers = f"/api/reviews/{written.json()['id']}", {"If-Match": '"1"'}
    changed = await buyer.ask("PATCH", where, json={"rating": 1}, headers=headers)
    assert await unkept(mesh, lambda: rating(changed), seller.account.user_id) == 1
