"""Saved searches and alerts over HTTP, against a mesh at work."""

from __future__ import annotations

from uuid import uuid4

import pytest

from schemas.searches import SEARCHES_MAX
from tests.api.acting.selling import Seller, pointers_of, reason_of
from tests.api.running import Mesh, journal_kinds
from tests.api.searches.searching import ALERTS, SAVED, alert, listed, save

FILTERS = {"make": ["Porsche", "BMW"], "price_max": 90_000, "q": "sunroof"}


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("buyer"))


@pytest.fixture(scope="module")
async def other(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


async def test_SE_04_a_saved_search_has_its_name_and_filters(buyer) -> None:
    saved = await save(buyer, "Fast ones", **FILTERS)
    (found,) = await listed(buyer, SAVED, saved)
    assert (found["id"], found["name"]) == (saved.json()["id"], "Fast ones")
    filters = found["filters"]
    assert (filters["make"], filters["q"]) == (["BMW", "Porsche"], "sunroof")
    assert (float(filters["price_max"]), filters["market"]) == (90_000, "exotics")
    assert (found["new_matches"], found["alert"]) == (0, None)


@pytest.mark.parametrize(
    ("filters", "pointer"),
    [
        ({"makes": ["BMW"]}, "/filters/makes"),
        ({"year_min": 20}, "/filters/year_min"),
        ({"price_max": "cheap"}, "/filters/price_max"),
        ({"fuel": ["steam"]}, "/filters/fuel/0"),
        ({"price_min": 5, "price_max": 4}, "/filters"),
        ({"radius_km": 5}, "/filters"),
        ({"lat": 5}, "/filters"),
        ({name: [f"x {each:055}" for each in range(30)]
          for name in ("make", "model", "location", "features", "color")}, "/filters"),
    ],
)  # fmt: skip
async def test_SE_04_filters_that_no_search_takes_are_refused_by_name(
    buyer, filters, pointer
) -> None:
    answer = await buyer.ask("POST", SAVED, json={"name": "Mine", "filters": filters})
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == [pointer]


async def test_SE_04_the_same_filters_are_the_same_search_however_they_are_spelt(buyer) -> None:
    first = await save(buyer, **FILTERS, color=["Guards Red"])
    again = await save(
        buyer, "Another name", q="sunroof", color=["guards-red"], price_max=90_000.0,
        make=["bmw", "PORSCHE", "Bmw"],
    )  # fmt: skip
    assert again.json()["id"] == first.json()["id"]
    assert len(await listed(buyer, SAVED, again)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"price_max": 90_000}, {"price_max": 89_999}),
        ({"q": "sunroof"}, {"q": "sunroof leather"}),
        ({"color": ["Red"]}, {"color": ["Blue"]}),
        ({"features": ["Sunroof"]}, {"location": ["Sunroof"]}),
        ({"lat": 6.93, "lon": 79.86, "radius_km": 5}, {"lat": 6.93, "lon": 79.861, "radius_km": 5}),
        ({"model": ["911 of Kamala in Kandy, sold"]}, {}),
    ],
)
async def test_SE_04_other_filters_are_another_search(buyer, one, other) -> None:
    first = await save(buyer, **one)
    second = await save(buyer, **other)
    assert first.json()["id"] != second.json()["id"]
    found = await listed(buyer, SAVED, second)
    assert {each["id"] for each in found} == {first.json()["id"], second.json()["id"]}


async def test_SE_04_there_is_a_bound_that_the_writer_judges(buyer) -> None:
    for each in range(SEARCHES_MAX):
        await save(buyer, year_min=1_950, mileage_max=each)
    full = await buyer.ask(
        "POST", SAVED, json={"name": "One more", "filters": {"mileage_max": SEARCHES_MAX}}
    )
    assert reason_of(full) == (409, "searches_full")


async def test_SE_05_others_see_none_of_it(buyer, other) -> None:
    saved = await save(buyer, **FILTERS)
    made = await alert(buyer, saved)
    assert await listed(other, SAVED, saved) == []
    assert await listed(other, ALERTS, made) == []
    path = f"{SAVED}/{saved.json()['id']}"
    for each in (path, f"{path}/matches"):
        assert reason_of(await other.read(each, made)) == (404, "search_unknown")


async def test_SE_06_with_a_search_its_alert_goes(mesh, buyer, other) -> None:
    saved = await save(buyer, **FILTERS)
    await alert(buyer, saved)
    path = f"{SAVED}/{saved.json()['id']}"
    assert reason_of(await other.ask("DELETE", path)) == (404, "search_unknown")
    deleted = await buyer.ask("DELETE", path)
    assert deleted.status_code == 204
    assert await listed(buyer, SAVED, deleted) == []
    assert await listed(buyer, ALERTS, deleted) == []
    assert reason_of(await buyer.ask("DELETE", path)) == (404, "search_unknown")
    await mesh.until_read(deleted)
    kinds = await journal_kinds(mesh, f"searches/{buyer.account.user_id}")
    assert kinds == ["search.saved", "alert.created", "alert.deleted", "search.deleted"]


async def test_SE_07_an_alert_needs_a_saved_search_of_ones_own_and_is_its_only_one(
    buyer, other
) -> None:
    saved = await save(buyer, **FILTERS)
    body = {"search_id": saved.json()["id"], "frequency": "daily"}
    assert reason_of(await other.ask("POST", ALERTS, json=body)) == (404, "search_unknown")
    await alert(buyer, saved)
    assert reason_of(await buyer.ask("POST", ALERTS, json=body)) == (409, "alert_exists")
    unknown = await buyer.ask("POST", ALERTS, json={"search_id": str(uuid4())})
    assert reason_of(unknown) == (404, "search_unknown")


async def test_SE_08_alerts_tell_their_frequency_and_whether_they_send(buyer) -> None:
    saved = await save(buyer, "Mine", **FILTERS)
    made = await alert(buyer, saved, "off")
    (found,) = await listed(buyer, ALERTS, made)
    assert found.pop("created_at")
    assert found == {
        "id": made.json()["id"],
        "search_id": saved.json()["id"],
        "search_name": "Mine",
        "frequency": "off",
        "channels": ["email"],
        "active": False,
        "last_sent_at": None,
    }


async def test_SE_09_a_frequency_is_changed_by_its_owner(buyer, other) -> None:
    made = await alert(buyer, await save(buyer, **FILTERS), "daily")
    path = f"{ALERTS}/{made.json()['id']}"
    strange = await other.ask("PUT", path, json={"frequency": "off"})
    assert reason_of(strange) == (404, "alert_unknown")
    never = await buyer.ask("PUT", path, json={"frequency": "hourly"})
    assert (reason_of(never), pointers_of(never)) == ((422, "invalid"), ["/frequency"])
    nothing = await buyer.ask("PUT", path, json={})
    assert (reason_of(nothing), pointers_of(nothing)) == ((422, "invalid"), [""])
    assert "send frequency, channels or both" in nothing.json()["errors"][0]["detail"]
    changed = await buyer.ask("PUT", path, json={"frequency": "weekly"})
    assert changed.status_code == 200
    (found,) = await listed(buyer, ALERTS, changed)
    assert (found["frequency"], found["active"]) == ("weekly", True)


async def test_SE_10_a_deleted_alert_is_gone_and_its_search_stays(buyer, other) -> None:
    saved = await save(buyer, **FILTERS)
    made = await alert(buyer, saved)
    path = f"{ALERTS}/{made.json()['id']}"
    assert reason_of(await other.ask("DELETE", path)) == (404, "alert_unknown")
    deleted = await buyer.ask("DELETE", path)
    assert deleted.status_code == 204
    assert await listed(buyer, ALERTS, deleted) == []
    (found,) = await listed(buyer, SAVED, deleted)
    assert found["alert"] is None


async def test_SE_13_SE_14_the_tables_have_the_columns_that_they_are_to_have(mesh, buyer) -> None:
    saved = await save(buyer, "Mine", **FILTERS)
    made = await alert(buyer, saved, "weekly")
    await listed(buyer, ALERTS, made)
    postgres, user_id = mesh.machines.postgres, buyer.account.user_id
    kept = await postgres.fetchrow(
        "SELECT id, filters ->> 'price_max' AS price_max, name <> 'Mine' AS is_sealed, "
        "created_at IS NOT NULL AS dated FROM reads.searches WHERE user_id = $1", user_id,
    )  # fmt: skip
    assert tuple(kept) == (saved.json()["id"], "90000", True, True)
    told = await postgres.fetchrow(
        "SELECT id, saved_search_id, frequency, last_sent_at, active FROM reads.search_alerts "
        "WHERE user_id = $1", user_id,
    )  # fmt: skip
    assert tuple(told) == (made.json()["id"], saved.json()["id"], "weekly", None, True)
