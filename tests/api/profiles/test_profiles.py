"""Profiles and sellers over HTTP, against a mesh at work."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import orjson
import pytest

from api.entry.auth import ANONYMOUS, Caller
from api.profiles.sight import visible
from api.wire.problems import Problem
from schemas.identity import UserStatus
from schemas.log.messages import Role
from tests.api.acting.profiling import Person, path_to, stranger_sees
from tests.api.acting.selling import pointers_of, reason_of, token_of
from tests.api.running import Mesh
from tests.waiting import eventually

PHONE = "+94 77 123 4567"
PUBLIC = {
    *("id", "full_name", "role", "market", "location", "bio"),
    *("avatar_url", "avatar_small_url", "created_at"),
}


@pytest.fixture
async def person(mesh: Mesh) -> Person:
    return Person(mesh, await mesh.account("buyer"))


@pytest.fixture
async def seller(mesh: Mesh) -> Person:
    return Person(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Person:
    return Person(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Person:
    return Person(mesh, await mesh.account("admin"))


async def test_PR_01_people_see_all_of_themselves(person) -> None:
    told = await person.told(0, phone=PHONE, bio="Hello", location="Colombo")
    answer = await person.read(path_to(person.account), told)
    found = answer.json()
    assert (found["phone"], found["email"]) == ("+94771234567", person.account.email)
    assert (found["bio"], found["location"]) == ("Hello", "Colombo")
    assert (found["status"], found["email_verified"], found["version"]) == ("pending", False, 1)
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-store"


async def test_PR_01_whoever_told_no_name_goes_by_the_one_they_registered_with(
    mesh, person
) -> None:
    answer = await person.ask("GET", path_to(person.account))
    assert (answer.json()["full_name"], answer.headers["ETag"]) == ("Test Person", '"0"')
    told = await person.told(0, full_name="Nimal Perera")
    assert (await stranger_sees(mesh, person.account, told))["full_name"] == "Nimal Perera"


async def test_PR_01_others_see_neither_phone_nor_email(mesh, person, stranger, admin) -> None:
    told = await person.told(0, phone=PHONE, bio="Hello")
    assert set(await stranger_sees(mesh, person.account, told)) == PUBLIC
    for other in (stranger, admin):
        answer = await other.read(path_to(person.account), told)
        assert set(answer.json()) == PUBLIC
        assert "ETag" not in answer.headers


@pytest.mark.parametrize("shown", ["phone", "email"])
async def test_PR_01_others_see_what_a_person_shows_and_only_as_long(mesh, person, shown) -> None:
    await person.told(0, phone=PHONE)
    allowed = await person.told(0, "/preferences", **{f"show_{shown}": True})
    found = await stranger_sees(mesh, person.account, allowed)
    wanted = {"phone": "+94771234567", "email": person.account.email}[shown]
    assert (set(found), found[shown]) == (PUBLIC | {shown}, wanted)
    hidden = await person.told(1, "/preferences", **{f"show_{shown}": False})
    assert set(await stranger_sees(mesh, person.account, hidden)) == PUBLIC


async def test_PR_01_nobody_is_at_an_unknown_id(mesh) -> None:
    for path in (f"/api/users/{uuid4()}", f"/api/users/{uuid4()}/seller"):
        assert reason_of(await mesh.client.get(path)) == (404, "user_unknown")


async def test_PR_10_whose_key_is_gone_has_left(mesh, person) -> None:
    told = await person.told(0, bio="Hello")
    await stranger_sees(mesh, person.account, told)
    await mesh.machines.vault.erase(UUID(person.account.user_id))
    answers = [
        await mesh.client.get(path_to(person.account)),
        await person.ask("GET", path_to(person.account)),
        await person.tell(1, bio="I am back"),
    ]
    assert [reason_of(each) for each in answers] == [(410, "user_deleted")] * 3


ID = UUID(int=5)
SELF, MODERATOR = Caller(str(ID), Role.SELLER), Caller(str(UUID(int=6)), Role.MODERATOR)
OTHER = Caller(str(UUID(int=7)), Role.BUYER)


@pytest.mark.parametrize("status", [UserStatus.DEACTIVATED, UserStatus.BANNED])
def test_PR_01_whoever_is_not_active_is_hidden_from_others(status: UserStatus) -> None:
    row = {"status": status}
    assert [visible(row, ID, caller) for caller in (SELF, MODERATOR)] == [row, row]
    for caller in (OTHER, ANONYMOUS):
        with pytest.raises(Problem, match="user_unknown"):
            visible(row, ID, caller)


def test_PR_10_nobody_sees_a_deleted_person() -> None:
    for caller in (SELF, MODERATOR, OTHER, ANONYMOUS):
        with pytest.raises(Problem, match="user_deleted"):
            visible({"status": UserStatus.DELETED}, ID, caller)


async def test_PR_02_an_event_holds_the_changed_fields_sealed_and_nothing_else(
    mesh, person
) -> None:
    await person.told(0, phone=PHONE, bio="Hello")
    second = await person.told(1, phone="+94771234567", bio="Good day")
    assert second.json()["version"] == 2
    query = "SELECT data FROM reads.journal WHERE stream_id = $1 ORDER BY version"
    stream = f"profile/{person.account.user_id}"

    async def both() -> list[str]:
        rows = await mesh.machines.postgres.fetch(query, stream)
        return [row["data"] for row in rows] if len(rows) == 2 else []

    first, changed = await eventually(both)
    assert [set(orjson.loads(each)["sealed"]) for each in (first, changed)] == [
        {"phone", "bio"},
        {"bio"},
    ]
    assert all(said not in first + changed for said in ("94771234567", "Hello", "Good day"))


async def test_PR_02_null_empties_a_field_and_the_others_stay(person) -> None:
    await person.told(0, phone=PHONE, bio="Hello")
    emptied = await person.ask(
        "PATCH", path_to(person.account), json={"phone": None}, headers={"If-Match": '"1"'}
    )
    found = await person.page(emptied)
    assert (found["phone"], found["bio"]) == (None, "Hello")


async def test_PR_02_two_fields_changed_in_parallel_with_fresh_etags_both_survive(person) -> None:
    await person.told(0, full_name="Nimal Perera")
    changes = [{"phone": PHONE}, {"bio": "Hello"}]
    answers = await asyncio.gather(*(person.tell(1, **change) for change in changes))
    assert sorted(each.status_code for each in answers) == [200, 412]
    late = changes[next(place for place, each in enumerate(answers) if each.status_code == 412)]
    again = await person.told(2, **late)
    found = await person.page(again)
    assert (found["phone"], found["bio"]) == ("+94771234567", "Hello")
    assert found["full_name"] == "Nimal Perera"


async def test_PR_02_a_stale_version_changes_nothing(person) -> None:
    told = await person.told(0, bio="Hello")
    assert reason_of(await person.tell(0, bio="Late")) == (412, "version_mismatch")
    assert (await person.page(told))["bio"] == "Hello"


async def test_PR_02_a_change_names_the_version_that_it_is_of(person) -> None:
    answer = await person.ask("PUT", path_to(person.account), json={"bio": "Hello"})
    assert reason_of(answer) == (428, "if_match_required")


@pytest.mark.parametrize("more", ["", "/seller", "/preferences"])
async def test_PR_02_nobody_changes_what_is_somebody_elses(
    mesh, person, stranger, admin, more
) -> None:
    path, headers = path_to(person.account, more), {"If-Match": "*"}
    for method in ("PUT", "PATCH"):
        for other in (stranger, admin):
            answer = await other.ask(method, path, json={}, headers=headers)
            assert reason_of(answer) == (403, "not_owner")
        answer = await mesh.client.request(method, path, json={}, headers=headers)
        assert reason_of(answer) == (401, "token_missing")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "077 123 4567"),
        ("phone", "+0123456789"),
        ("phone", "+94 77 ABC"),
        ("bio", "x" * 601),
        ("bio", "a\x00b"),
        ("full_name", ""),
        ("full_name", "two\nlines"),
        ("location", 7),
        ("avatar_url", "https://example.org/x.png"),
        ("role", "admin"),
        ("email", "other@example.org"),
        ("status", "active"),
        ("version", 9),
    ],
)
async def test_PR_02_what_can_not_be_told_is_named(person, field, value) -> None:
    answer = await person.tell(0, **{field: value})
    assert (answer.status_code, pointers_of(answer)) == (422, [f"/{field}"])


async def test_PR_02_the_longest_bio_of_any_script_is_kept(person) -> None:
    bio = "𑄌" * 600  # four bytes each
    assert (await person.page(await person.told(0, bio=bio)))["bio"] == bio


async def test_PR_02_a_repeat_with_the_same_key_gives_the_same_answer(person) -> None:
    headers = {"If-Match": '"0"', "Idempotency-Key": uuid4().hex}
    answers = [
        await person.ask("PUT", path_to(person.account), json={"bio": "Hello"}, headers=headers)
        for _ in range(2)
    ]
    assert [each.json()["version"] for each in answers] == [1, 1]


async def test_PR_04_a_seller_has_a_business_without_a_rating_yet(mesh, seller) -> None:
    told = await seller.told(0, "/seller", business_name="Perera Motors")
    answer = await mesh.client.get(path_to(seller.account, "/seller"), headers=token_of(told))
    found = answer.json()
    assert found.pop("created_at")
    assert found == {
        "id": seller.account.user_id,
        "business_name": "Perera Motors",
        "rating": None,
        "review_count": 0,
        "verified": False,
        "response_rate": None,
        "response_minutes": None,
    }


async def test_PR_04_a_new_seller_has_a_page_already(seller) -> None:
    answer = await seller.ask("GET", path_to(seller.account, "/seller"))
    assert (answer.json()["business_name"], answer.headers["ETag"]) == (None, '"0"')


async def test_PR_04_whoever_does_not_sell_has_none(mesh, person) -> None:
    await eventually(lambda: readable(mesh, person))
    answer = await mesh.client.get(path_to(person.account, "/seller"))
    assert reason_of(answer) == (404, "not_a_seller")
    told = await person.tell(0, "/seller", business_name="Perera Motors")
    assert reason_of(told) == (403, "role_not_allowed")


async def readable(mesh: Mesh, person: Person) -> bool:
    return (await mesh.client.get(path_to(person.account))).status_code == 200


@pytest.mark.parametrize(
    "field", ["rating", "review_count", "verified", "user_id", "id", "deleted", "version"]
)
async def test_PR_05_no_seller_rates_or_verifies_themselves(seller, field) -> None:
    answer = await seller.tell(0, "/seller", business_name="Perera Motors", **{field: 5})
    assert (answer.status_code, pointers_of(answer)) == (422, [f"/{field}"])


async def test_PR_05_a_business_can_lose_its_name(seller) -> None:
    await seller.told(0, "/seller", business_name="Perera Motors")
    emptied = await seller.told(1, "/seller", business_name=None)
    assert (await seller.page(emptied, more="/seller"))["business_name"] is None
