"""What sellers are told of how many keep their listings in mind, against a mesh at work."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from schemas.favorites import favorites_stream
from tests.api.acting.selling import Seller, pointers_of, reason_of
from tests.api.favorites.favoring import FAVORITES, favorite, keep
from tests.api.running import Mesh
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")
STATS = f"{FAVORITES}/stats"


@pytest.fixture
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def people(mesh: Mesh) -> list[Seller]:
    return [Seller(mesh, await mesh.account("buyer")) for _ in range(3)]


async def stats(seller: Seller, after: Any, **asked: Any) -> dict[str, dict[str, Any]]:
    answer = await seller.read(STATS, after, **asked)
    assert answer.status_code == 200, answer.text
    return {each["listing_id"]: each for each in answer.json()["items"]}


async def counted_in_the_log(mesh: Mesh, people: list[Seller]) -> Counter[str]:
    """How many keep each listing in mind, by the events alone."""
    found: Counter[str] = Counter()
    streams = [favorites_stream(each.account.user_id) for each in people]
    rows = await mesh.machines.postgres.fetch(
        "SELECT kind, data FROM reads.journal WHERE stream_id = ANY($1)", streams
    )
    for row in rows:
        data = orjson.loads(row["data"])
        ids = data.get("listing_ids") or [data["listing_id"]]
        found.update(dict.fromkeys(ids, 1 if row["kind"] == "favorite.added" else -1))
    return found


async def test_FA_08_the_counts_of_a_day_equal_the_log(mesh, seller, people) -> None:
    one, two, none = [await seller.offer() for _ in range(3)]
    for each in people:
        last = await keep(each, one, two)
    await people[0].ask("DELETE", favorite(one))
    last = await people[1].ask("DELETE", FAVORITES)
    last = await keep(people[0], one)
    found = await stats(seller, last)
    ids = [each.json()["id"] for each in (one, two, none)]
    assert set(found) == set(ids)
    today = datetime.now(UTC).date().isoformat()
    days = [found[each]["days"] for each in ids]
    assert days == [
        [{"day": today, "added": 4, "removed": 2, "kept": 2}],
        [{"day": today, "added": 3, "removed": 1, "kept": 2}],
        [],
    ]
    await mesh.until_read(last)
    log = await counted_in_the_log(mesh, people)
    assert {each: found[each]["kept"] for each in ids} == {each: log[each] for each in ids}


async def test_FA_08_what_was_before_the_first_day_counts(seller, people) -> None:
    last = await keep(people[0], await seller.offer())
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    span = {"first": tomorrow.isoformat(), "last": tomorrow.isoformat()}
    (found,) = (await stats(seller, last, **span)).values()
    assert (found["kept_before"], found["kept"], found["days"]) == (1, 1, [])
    long_ago = {"first": "2020-01-01", "last": "2020-01-31"}
    (found,) = (await stats(seller, last, **long_ago)).values()
    assert (found["kept_before"], found["kept"], found["days"]) == (0, 0, [])


async def test_FA_08_of_whoever_has_left_nothing_counts(mesh, seller, people) -> None:
    last = await keep(people[0], await seller.offer())
    assert [each["kept"] for each in (await stats(seller, last)).values()] == [1]
    left = await people[0].ask("DELETE", f"/api/users/{people[0].account.user_id}")
    assert left.status_code < 300, left.text

    async def gone() -> bool:
        return [each["kept"] for each in (await stats(seller, left)).values()] == [0]

    await eventually(gone, 20, "whoever has left counts no more")


async def test_FA_08_a_seller_is_told_of_their_own_listings_alone(mesh, seller, people) -> None:
    last = await keep(people[0], await seller.offer())
    assert await stats(people[1], last) == {}
    nobody = await mesh.client.get(STATS)
    assert nobody.status_code == 401


async def test_FA_08_it_comes_in_pages(seller, people) -> None:
    listings = [await seller.offer() for _ in range(3)]
    last = await keep(people[0], *listings)
    first = await seller.read(STATS, last, limit=2)
    again = await seller.read(STATS, last, limit=2, cursor=first.json()["next_cursor"])
    told = [each["listing_id"] for page in (first, again) for each in page.json()["items"]]
    assert told == [each.json()["id"] for each in reversed(listings)]
    assert again.json()["next_cursor"] is None


@pytest.mark.parametrize(
    "span",
    [{"first": "2026-03-02", "last": "2026-03-01"}, {"first": "2024-01-01", "last": "2026-01-01"}],
)
async def test_FA_08_a_span_that_is_none_is_refused(seller, span: dict[str, str]) -> None:
    answer = await seller.ask("GET", STATS, params=span)
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == ["?first"]
