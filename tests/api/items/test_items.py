"""Items over HTTP, against a mesh at work."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import pytest

from api.items.bodies import ItemAnswer
from schemas.items import ItemCategory
from tests.api.acting.offering import ITEMS, LAPTOP, Student, campus, student
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, pointers_of, reason_of, token_of
from tests.api.limited import limited_api, named, redis_url, settings_on
from tests.api.operations import NOBODYS
from tests.api.running import Mesh
from tests.waiting import eventually

UNKNOWN = f"{ITEMS}/{NOBODYS}"
BROKEN = b"\x89PNG\r\n\x1a\n and no more"
EVERY = [
    ("POST", ITEMS),
    ("GET", ITEMS),
    ("GET", f"{ITEMS}/categories"),
    ("GET", UNKNOWN),
    ("PUT", UNKNOWN),
    ("PATCH", UNKNOWN),
    ("DELETE", UNKNOWN),
]


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture(scope="module")
async def owner(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def mate(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Student:
    return await student(mesh, campus())


async def test_IT_01_a_new_item_is_taken_and_waits_for_its_images(owner: Student) -> None:
    answer = await owner.offer(photo(), photo((1, 2, 3)))
    found = answer.json()
    assert answer.status_code == 201, answer.text
    assert (found["success"], bool(found["message"])) == (True, True)
    item = found["item"]
    assert (item["status"], item["imageProcessingStatus"]) == ("processing", "pending")
    assert [each["thumbnail"] for each in item["images"]] == [None, None]
    assert answer.headers["Location"] == f"{ITEMS}/{item['id']}"
    assert answer.headers["ETag"] == f'"{item["version"]}"'


async def test_IT_01_the_same_key_gives_the_same_item(owner: Student) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    one, two = [await owner.offer(headers=headers) for _ in range(2)]
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json()["item"]["id"] == two.json()["item"]["id"]
    other = await owner.offer(headers=headers, title="Another")
    assert reason_of(other) == (422, "idempotency_key_reused")
    image = await owner.offer(photo((9, 9, 9)), headers=headers)
    assert reason_of(image) == (422, "idempotency_key_reused")


async def test_IT_02_at_least_one_image_is_required(owner: Student) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    form = {name: (None, value) for name, value in LAPTOP.items()}
    answer = await owner.ask("POST", ITEMS, files=form, headers=headers)
    assert (reason_of(answer), pointers_of(answer)) == ((422, "invalid"), ["/images"])
    assert "at least one image" in answer.json()["errors"][0]["detail"]
    # Nothing was appended, so the key is nobody's yet.
    assert (await owner.offer(headers=headers)).status_code == 201


@pytest.mark.parametrize("image", [b"", b"GIF89a", b"<svg/>"])
async def test_IT_02_what_is_no_image_is_refused_before_any_is_kept(owner, image) -> None:
    answer = await owner.offer(photo(), image)
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == ["/images/1"]


@pytest.mark.asvs("V2.3.2")
async def test_IT_02_more_than_ten_images_are_refused(owner: Student) -> None:
    assert reason_of(await owner.offer(*[photo()] * 11)) == (422, "invalid")


@pytest.mark.parametrize("price", ["abc", "-1", "1e999", "NaN", "Infinity", "", "1.005", "0x10"])
async def test_IT_03_what_is_no_price_is_422(owner: Student, price: str) -> None:
    answer = await owner.offer(price=price)
    assert answer.status_code == 422
    assert pointers_of(answer) == ["/price"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"emailDomain": "law.uni.example"}, "/emailDomain"),
        ({"email_domain": "law.uni.example"}, "/email_domain"),
        ({"userId": str(uuid4())}, "/userId"),
        ({"title": None}, "/title"),
        ({"category": "yachts"}, "/category"),
        ({"title": ["one", "two"]}, "/title"),
    ],
)
@pytest.mark.asvs("V15.3.3")
async def test_IT_03_nobody_states_what_is_not_theirs_to_state(owner, fields, pointer) -> None:
    answer = await owner.offer(**fields)
    assert answer.status_code == 422
    assert pointers_of(answer) == [pointer]


@pytest.mark.asvs("V8.3.3")
async def test_IT_03_owner_and_campus_are_the_callers(owner: Student, here: str) -> None:
    item = (await owner.offer(price="45000.50")).json()["item"]
    assert (item["userId"], item["emailDomain"]) == (owner.account.user_id, here)
    assert (item["price"], item["priceMinor"], item["currency"]) == (45000.5, 4_500_050, "LKR")


async def test_IT_06_ME_19_drawn_images_make_an_item_active(owner: Student, mate: Student) -> None:
    item = (await owner.offer()).json()["item"]
    found = await owner.becomes(item["id"], "completed")
    assert found["status"] == "active"
    (image,) = found["images"]
    for size in ("thumbnail", "medium", "large"):
        shown = await mate.ask("GET", image[size])
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert await mate.item(item["id"]) == found


async def test_IT_06_ME_19_an_image_that_can_not_be_drawn_makes_it_active_too(owner, mate) -> None:
    item = (await owner.offer(BROKEN)).json()["item"]
    found = await owner.becomes(item["id"], "failed")
    assert (found["status"], found["images"][0]["large"]) == ("active", None)
    assert (await mate.item(item["id"]))["status"] == "active"


async def test_ME_05_an_image_that_its_owner_deletes_is_shown_by_no_item(owner: Student) -> None:
    offered = await owner.offer(photo(), photo((1, 2, 3)))
    item = await owner.becomes(offered.json()["item"]["id"], "completed")
    media = [each["large"].split("/")[-2] for each in item["images"]]
    for left in (1, 0):
        assert (await owner.ask("DELETE", f"/api/media/{media[left]}")).status_code == 204

        async def shown(left: int = left) -> bool:
            return len((await owner.item(item["id"]))["images"]) == left

        await eventually(shown, 20, f"{left} images")
    assert (await owner.item(item["id"]))["status"] == "active"


async def test_IT_13_an_item_has_every_field_of_the_source(owner: Student) -> None:
    item = await owner.item(await owner.have())
    assert ItemAnswer(**item).model_fields_set == item.keys() == ItemAnswer.model_fields.keys()
    wanted = "title description price category condition userId emailDomain status"
    assert {*wanted.split(), "imageProcessingStatus", "images", "createdAt"} <= item.keys()
    assert None not in item.values()


async def test_IT_13_the_view_of_items_has_every_field(mesh: Mesh, owner: Student) -> None:
    row = await mesh.machines.postgres.fetchrow(
        "SELECT title, description, price_minor, currency, category, condition, owner_id,"
        " email_domain, status, image_processing_status, image_ids, created_at"
        " FROM reads.items WHERE key = $1",
        await owner.have(),
    )
    assert row is not None
    assert None not in dict(row).values()


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_GW_10_items_need_a_token(mesh: Mesh, method: str, path: str) -> None:
    answer = await mesh.client.request(method, path)
    assert reason_of(answer) == (401, "token_missing")


async def test_GW_02_the_prefix_of_items_answers(owner: Student) -> None:
    answer = await owner.ask("GET", ITEMS)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert reason_of(await owner.ask("GET", "/api/goods")) == (404, "not_found")


@pytest.fixture(scope="module")
async def unverified(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here, verified=False)


@pytest.fixture(scope="module")
async def outsider(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("admin"))


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_ID_17_whose_email_is_not_verified_gets_403_email_not_verified(
    unverified: Student, outsider: Seller, method: str, path: str
) -> None:
    body = {"json": {"title": "Mine"}} if method in ("PUT", "PATCH") else {}
    more = {"headers": {"If-Match": "*"}, **body}
    answer = await unverified.ask(method, path, **more)
    assert reason_of(answer) == (403, "email_not_verified")
    answer = await outsider.ask(method, path, **more)
    assert reason_of(answer) == (403, "market_not_allowed")


async def test_ID_17_who_proves_their_email_is_let_in_with_the_token_they_have(mesh: Mesh) -> None:
    """That token says until its end that nothing is proved."""
    late = await student(mesh, campus())
    assert await late.listed() == []


async def test_GW_06_the_31st_request_for_items_in_a_minute_is_429() -> None:
    async with limited_api(settings_on(redis_url())) as limited:
        who = {"headers": named(uuid4().hex)}
        # Whoever it is: they are counted before anybody looks where they are from.
        asked = [await limited.client.request(*EVERY[n % 2 + 1], **who) for n in range(31)]
        assert [answer.status_code for answer in asked] == [403] * 30 + [429]
        assert asked[-1].headers["RateLimit"].startswith('"items";r=0')
        other = await limited.client.get(ITEMS, headers=named(uuid4().hex))
        assert other.headers["RateLimit"] == '"items";r=29;t=60'


async def test_IT_07_the_newest_comes_first_and_pages_follow(mesh: Mesh) -> None:
    someone = await student(mesh, campus())
    ids = [await someone.have(title=f"Book {n}", category="books") for n in range(3)]
    waiting = await someone.have(drawn=False)
    assert waiting not in await someone.listed()
    assert await someone.listed() == ids[::-1]
    assert await someone.listed(page=2, limit=2) == ids[:1]
    first = (await someone.ask("GET", ITEMS, params={"limit": 2})).json()
    newer = await someone.have(category="sports")
    following = {"limit": 2, "cursor": first["next_cursor"]}
    assert await someone.listed(**following) == ids[:1]
    assert await someone.listed(category="sports") == [newer]
    assert await someone.listed(category="books", search="book 1") == [ids[1]]


@pytest.mark.asvs("V8.2.2")
async def test_IT_07_nobody_sees_an_item_of_another_campus(mesh: Mesh) -> None:
    """A property: of any items, whatever is asked, each campus finds its own and no other."""
    chance = random.Random(7)
    people = [await student(mesh, campus()) for _ in range(3)]
    words, categories = ("Lamp", "lamp shade", "Desk"), list(ItemCategory)[:3]
    has: dict[str, dict[str, Any]] = {each.account.user_id: {} for each in people}
    for _ in range(18):
        person = chance.choice(people)
        stated = {"title": chance.choice(words), "category": chance.choice(categories).value}
        has[person.account.user_id][await person.have(**stated)] = stated
    everything = {item_id for own in has.values() for item_id in own}
    for person in people:
        own = has[person.account.user_id]
        for _ in range(8):
            search, category = (
                chance.choice((None, "lamp", "e")),
                chance.choice((*categories, None)),
            )
            asked = {"search": search, "category": category and category.value}
            query = {name: value for name, value in asked.items() if value}
            found = await person.listed(limit=100, **query)
            assert set(found) == {each for each, stated in own.items() if _fits(stated, query)}
        for foreign in everything - own.keys():
            answer = await person.ask("GET", f"{ITEMS}/{foreign}")
            assert reason_of(answer) == (404, "item_unknown")


def _fits(stated: dict[str, Any], query: dict[str, Any]) -> bool:
    text = f"{stated['title']} {LAPTOP['description']}".lower()
    return (
        query.get("search", "") in text
        and query.get("category", stated["category"]) == stated["category"]
    )


@pytest.fixture(scope="module")
async def searched(mesh: Mesh) -> tuple[Student, str]:
    someone = await student(mesh, campus())
    await someone.have(title="Chair", description="Wood")
    odd = r"100% .* _ \ ' [a-z]+ Übung"
    return someone, await someone.have(title="My laptop", description=odd)


@pytest.mark.parametrize(
    "text",
    ["LAP", "laptop", "my  LAPTOP ", "100%", ".*", "_", "\\", "'", "[a-z]+", "ÜBUNG", "% .*"],
)
async def test_IT_08_a_part_of_title_or_description_is_found_in_any_case(searched, text) -> None:
    someone, item_id = searched
    assert await someone.listed(search=text) == [item_id]


@pytest.mark.parametrize("text", ["l.p", "%lap%", "la_top", "(", "lap|chair", "laptop 100%", "^My"])
async def test_IT_08_metacharacters_mean_nothing_but_themselves(searched, text) -> None:
    someone, _ = searched
    assert await someone.listed(search=text) == []


async def test_IT_11_its_owner_changes_and_deletes_an_item(owner: Student, mate: Student) -> None:
    item_id = await owner.have()
    path, item = f"{ITEMS}/{item_id}", await owner.item(item_id)
    headers = {"If-Match": f'"{item["version"]}"'}
    assert reason_of(await owner.ask("PUT", path, json={})) == (428, "if_match_required")
    changes = {"price": 399.99, "description": None}
    changed = await owner.ask("PUT", path, json=changes, headers=headers)
    assert changed.status_code == 200, changed.text
    found = await mate.item(item_id, changed)
    assert (found["priceMinor"], found["description"]) == (39_999, None)
    assert (found["title"], found["version"]) == (item["title"], item["version"] + 1)
    stale = await owner.ask("PATCH", path, json={"title": "Late"}, headers=headers)
    assert reason_of(stale) == (412, "version_mismatch")
    deleted = await owner.ask("DELETE", path)
    assert deleted.status_code == 204
    gone = await mate.ask("GET", path, headers=token_of(deleted))
    assert reason_of(gone) == (410, "item_deleted")
    assert item_id not in await mate.listed(limit=100)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": "abc"}, "/price"),
        ({"price": -1}, "/price"),
        ({"price": 1.005}, "/price"),
        ({"title": None}, "/title"),
        ({"status": "active"}, "/status"),
        ({"emailDomain": "law.uni.example"}, "/emailDomain"),
        ({"currency": "USD"}, "/price"),
    ],
)
async def test_IT_11_a_change_is_judged_as_an_offer_is(owner, change, pointer) -> None:
    path = f"{ITEMS}/{await owner.have()}"
    answer = await owner.ask("PATCH", path, json=change, headers={"If-Match": "*"})
    assert answer.status_code == 422
    assert pointers_of(answer) == [pointer]


@pytest.mark.asvs("V8.2.2")
async def test_IT_11_a_mate_gets_403_and_another_campus_404(owner, mate, stranger) -> None:
    path = f"{ITEMS}/{await owner.have()}"
    for method, body in (("PUT", {"json": {"title": "Mine"}}), ("DELETE", {})):
        asked = {"headers": {"If-Match": "*"}, **body}
        assert reason_of(await mate.ask(method, path, **asked)) == (403, "not_owner")
        assert reason_of(await stranger.ask(method, path, **asked)) == (404, "item_unknown")
    assert (await mate.ask("GET", path)).status_code == 200
    assert reason_of(await stranger.ask("GET", path)) == (404, "item_unknown")


async def test_IT_11_before_its_images_are_drawn_only_its_owner_finds_it(owner, mate) -> None:
    item_id = await owner.have(drawn=False)
    assert (await owner.item(item_id))["status"] == "processing"
    assert reason_of(await mate.ask("GET", f"{ITEMS}/{item_id}")) == (404, "item_unknown")


async def test_IT_12_the_counts_of_categories_equal_the_list(mesh: Mesh) -> None:
    someone = await student(mesh, campus())
    await someone.have(category="books", drawn=False)
    for category, count in (("books", 2), ("sports", 1)):
        for _ in range(count):
            await someone.have(category=category)
    answer = await someone.ask("GET", f"{ITEMS}/categories")
    counts = {each["category"]: each["count"] for each in answer.json()["categories"]}
    listed = {each: len(await someone.listed(category=each, limit=100)) for each in counts}
    assert counts == listed
    assert {each for each, count in counts.items() if count} == {"books", "sports"}
    assert list(counts) == [*ItemCategory]
