"""Images over HTTP, against a mesh at work."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from limits import parse
from PIL import Image

from api.entry.pictures import FOREVER
from api.wire.problems import IMAGES_BYTES_MAX, IMAGES_MAX
from processors.feeding.reading import open_log
from schemas.media import ORIGINAL_BYTES_MAX
from schemas.topics import TOPICS
from tests.api.acting.offering import Student, campus, student
from tests.api.acting.picturing import Uploader, image_of, images_of
from tests.api.acting.profiling import photo
from tests.api.acting.selling import pointers_of, reason_of, token_of
from tests.api.running import Mesh, api, journal_kinds, journalled
from tests.waiting import eventually

EXE = b"MZ\x90\x00" + bytes(600)
QUEUE = "/api/images/queue-stats"
NO_PICTURE = b"\x89PNG\r\n\x1a\n and no more"


@pytest.fixture(scope="module")
async def person(mesh: Mesh) -> Uploader:
    return Uploader(mesh, await mesh.account("buyer"))


@pytest.fixture(scope="module")
async def other(mesh: Mesh) -> Uploader:
    return Uploader(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def drawn(person: Uploader) -> dict[str, Any]:
    """An image of 640 by 480, processed."""
    return await person.processed(photo())


@pytest.mark.parametrize("path", ["/api/images", "/api/media/images"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_ME_01_an_upload_stores_the_original_and_answers_its_id(person, path, kind) -> None:
    sent = photo(kind=kind)
    answer = await person.send(("lie.exe", sent), path=path)
    assert answer.json()["success"] is True
    (image,) = images_of(answer)
    assert (image["status"], image["error"]) == ("processing", None)
    found = (await person.image(image["id"], answer)).json()
    assert (found["type"], found["size"]) == (f"image/{kind.lower()}", len(sent))
    assert found["filename"] == "lie.exe"
    (original,) = [key for key in person.kept(image["id"]) if "/original-" in key]
    assert await person.mesh.machines.objects.get(original) == sent


async def test_ME_02_ten_files_get_ten_ids_in_their_order(person) -> None:
    files = [photo((number * 20, 30, 30)) for number in range(IMAGES_MAX)]
    answer = await person.send(*files)
    ids = [each["id"] for each in images_of(answer)]
    assert len(set(ids)) == IMAGES_MAX
    for image_id, sent in zip(ids, files, strict=True):
        assert (await person.image(image_id, answer)).json()["size"] == len(sent)


@pytest.mark.asvs("V5.2.1", "V5.2.2")
async def test_ME_02_a_bad_file_fails_only_itself(person) -> None:
    large = photo() + bytes(ORIGINAL_BYTES_MAX)
    found = images_of(await person.send(photo(), EXE, large, b"", photo()))
    reasons = [each["error"] and each["error"]["reason"] for each in found]
    unknown = "media_type_unknown"
    assert reasons == [None, unknown, "file_too_large", unknown, None]
    assert [each["id"] is None for each in found] == [False, True, True, True, False]


@pytest.mark.asvs("V5.2.4")
async def test_nobody_has_more_pictures_than_the_storage_allows_one_person(mesh: Mesh) -> None:
    """Whoever deletes some may send others, and a repeat is told what it was told at first."""
    large = photo() + bytes(600_000)
    async with api(mesh.settings.model_copy(update={"storage_per_person_mb": 1})) as small:
        await eventually(lambda: small.machines.writes.started, 20)
        person = Uploader(small, await mesh.account("buyer"))
        once = {"Idempotency-Key": uuid4().hex}
        first = await person.send(large, headers=once)
        await person.image(image_of(first), first)
        beyond, fitting = images_of(await person.send(large, photo()))
        assert (beyond["status"], beyond["error"]["reason"]) == ("refused", "storage_full")
        assert fitting["status"] == "processing"
        assert images_of(await person.send(large, headers=once)) == images_of(first)
        assert len({each.split("/")[2] for each in person.kept()}) == 2
        path = f"/api/media/{image_of(first)}"
        gone = await person.ask("DELETE", path, headers={"If-Match": "*"})
        await person.image(image_of(first), gone)
        assert image_of(await person.send(large))


@pytest.mark.asvs("V1.3.4")
async def test_ME_02_when_every_file_is_bad_nothing_is_taken(mesh) -> None:
    person = Uploader(mesh, await mesh.account("buyer"))
    answer = await person.send(EXE, b"<svg/>")
    assert reason_of(answer) == (422, "no_image_taken")
    assert pointers_of(answer) == ["/images/0", "/images/1"]
    assert person.kept() == set()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"files": {"picture": ("me.png", photo())}}, 422),
        ({"data": {"images": "no file"}, "files": {"x": b""}}, 422),
        ({"files": {"images": photo()}, "data": {"itemId": "other"}}, 422),
        ({"files": [("images", photo())] * (IMAGES_MAX + 1)}, 422),
    ],
    ids=["other name", "no file", "more fields", "eleven files"],
)
async def test_ME_02_files_are_wanted_and_nothing_else(person, form, status) -> None:
    answer = await person.ask("POST", "/api/images", **form)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.asvs("V5.2.1")
async def test_ME_01_a_body_has_a_bound(person) -> None:
    headers = {"Content-Length": str(IMAGES_BYTES_MAX + 1), "Content-Type": "multipart/form-data"}
    answer = await person.ask("POST", "/api/images", headers=headers, content=b"")
    assert reason_of(answer) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/api/images", "/api/media/images"])
async def test_GW_10_images_are_for_those_who_are_signed_in(mesh, path, drawn) -> None:
    sent = await mesh.client.post(path, files={"images": photo()})
    assert reason_of(sent) == (401, "token_missing")
    read = await mesh.client.get(f"/api/images/{drawn['id']}")
    assert reason_of(read) == (401, "token_missing")


@pytest.mark.asvs("V5.2.4")
async def test_GW_08_the_twenty_first_file_in_five_minutes_is_refused(
    mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Uploader(mesh, await mesh.account("buyer"))
    policies = mesh.machines.rate_limits._items
    monkeypatch.setitem(policies, "images", parse("20 per 5 minutes"))
    first = await person.send(*[EXE] * 9, photo())
    assert (first.status_code, first.headers["RateLimit"]) == (201, '"images";r=10;t=300')
    assert (await person.send(*[EXE] * 9, photo())).status_code == 201
    refused = await person.send(photo())
    assert reason_of(refused) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 200
    assert len({key.split("/")[2] for key in person.kept()}) == 2


async def test_GW_08_more_files_than_are_left_are_none(mesh, monkeypatch) -> None:
    person = Uploader(mesh, await mesh.account("buyer"))
    monkeypatch.setitem(mesh.machines.rate_limits._items, "images", parse("3 per 5 minutes"))
    assert reason_of(await person.send(*[photo()] * 4)) == (429, "rate_limited")
    assert person.kept() == set()
    assert (await person.send(*[photo()] * 3)).status_code == 201


async def test_ME_03_three_variants_exist_with_the_right_sizes(mesh, person) -> None:
    found = await person.processed(photo_of((2000, 1500)))
    sizes = {"thumbnail": (300, 225), "medium": (800, 600), "large": (1200, 900)}
    for name, size in sizes.items():
        variant = found["variants"][name]
        got = await mesh.client.get(variant["url"])
        with Image.open(BytesIO(got.content)) as picture:
            assert (picture.size, picture.format) == (size, "WEBP")
        assert (variant["width"], variant["height"]) == size
        assert variant["size"] == len(got.content)


async def test_ME_11_a_processed_image_has_three_rows(mesh, drawn) -> None:
    rows = await mesh.machines.postgres.fetch(
        "SELECT * FROM reads.image_variants WHERE media_file_id = $1", drawn["id"]
    )
    found = {row["variant_type"]: row["url"] for row in rows}
    assert len(rows) == 3
    assert found == {name: each["url"] for name, each in drawn["variants"].items()}


async def test_ME_18_a_variant_is_kept_for_a_year_and_never_changes(mesh, drawn) -> None:
    url = drawn["variants"]["large"]["url"]
    got = await mesh.client.get(url)
    assert got.headers["Cache-Control"] == FOREVER
    assert "max-age=31536000" in FOREVER
    assert got.headers["Content-Type"] == "image/webp"
    assert hashlib.sha256(got.content).hexdigest() in url


async def test_ME_18_the_same_file_again_has_other_addresses(person, drawn) -> None:
    again = await person.processed(photo())
    assert again["variants"]["large"]["url"] != drawn["variants"]["large"]["url"]


CDN = "https://pictures.example.org/market"


async def test_ME_23_behind_another_base_address_nothing_is_stored_otherwise(mesh, person, drawn):
    before = await row_of(mesh, drawn["id"])
    async with api(mesh.settings.model_copy(update={"pictures_url": CDN})) as behind:
        found = (await Uploader(behind, person.account).image(drawn["id"])).json()
        assert found["variants"].keys() == {"thumbnail", "medium", "large"}
        for name, each in found["variants"].items():
            # A CDN asks us for what follows its base.
            path = f"/api{each['url'].removeprefix(CDN)}"
            assert path == drawn["variants"][name]["url"]
            answer = await behind.client.get(path)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, FOREVER)
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert await row_of(mesh, drawn["id"]) == before
    assert (await person.image(drawn["id"])).json()["variants"] == drawn["variants"]


async def test_ME_23_every_page_shows_pictures_under_the_base_address(mesh) -> None:
    here = campus()
    owner = await student(mesh, here)
    item = await owner.becomes((await owner.offer()).json()["item"]["id"], "completed")
    async with api(mesh.settings.model_copy(update={"pictures_url": CDN})) as behind:
        (seen,) = (await Student(behind, owner.account).item(item["id"]))["images"]
    (image,) = item["images"]
    for name in ("thumbnail", "medium", "large"):
        assert seen[name] == CDN + image[name].removeprefix("/api")


async def test_ME_14_what_can_not_be_drawn_fails_and_says_why(mesh, person, other) -> None:
    image_id = image_of(await person.send(NO_PICTURE))
    found = await person.until(image_id, "failed")
    assert found["failure"]["reason"] == "unreadable"
    assert found["variants"] == {}
    assert reason_of(await other.image(image_id)) == (404, "media_unknown")
    stream = f"media/{image_id}"
    await eventually(lambda: _told(mesh, stream, ["media.uploaded", "media.begun", "media.failed"]))


@pytest.mark.asvs("V8.2.3")
@pytest.mark.parametrize("role", ["moderator", "admin"])
async def test_moderators_see_of_any_image_what_is_public(mesh, drawn, role) -> None:
    staff = Uploader(mesh, await mesh.account(role))
    found = (await staff.image(drawn["id"])).json()
    assert found.keys() == {"id", "status", "variants", "resized", "created_at"}
    assert found["variants"] == drawn["variants"]


async def test_ME_20_the_queue_tells_of_five_that_are_drawn_and_one_that_is_not(mesh) -> None:
    staff, person = [Uploader(mesh, await mesh.account(role)) for role in ("ops", "buyer")]
    before = await eventually(lambda: idle(staff), 60, "all is drawn that was sent before")
    answer = await person.send(*[photo()] * 5, NO_PICTURE)
    outcomes = {"waiting": 0, "active": 0, "completed": 5, "failed": 1}

    async def told() -> bool:
        now = await queue_of(staff)
        return {name: now[name] - before[name] for name in now} == outcomes

    await eventually(told, 60, "the numbers match")
    token = token_of(await person.ask("DELETE", f"/api/media/{images_of(answer)[0]['id']}"))
    after = await queue_of(staff, token)
    assert after["completed"] == before["completed"] + 4


@pytest.mark.parametrize("role", ["buyer", "seller", "dealer", "moderator"])
async def test_ME_20_the_queue_is_for_those_who_run_the_mesh(mesh, role) -> None:
    answer = await Uploader(mesh, await mesh.account(role)).ask("GET", QUEUE)
    assert reason_of(answer) == (403, "role_not_allowed")


async def test_an_image_of_nothing_is_its_owners(other, drawn) -> None:
    assert reason_of(await other.image(drawn["id"])) == (404, "media_unknown")


async def test_an_image_is_seen_by_whoever_sees_its_item(mesh) -> None:
    here = campus()
    owner, fellow = await student(mesh, here), await student(mesh, here)
    unproved = await student(mesh, here, verified=False)
    elsewhere = await student(mesh, campus())
    offered = (await owner.offer()).json()["item"]["id"]
    item = await owner.becomes(offered, "completed")
    query = "SELECT image_ids FROM reads.items WHERE key = $1"
    (image_id,) = await mesh.machines.postgres.fetchval(query, offered)
    path = f"/api/images/{image_id}"
    assert item["status"] == "active"
    assert (await owner.ask("GET", path)).status_code == 200
    assert (await fellow.ask("GET", path)).status_code == 200
    exotic = Uploader(mesh, await mesh.account("buyer"))
    for stranger in (unproved, elsewhere, exotic):
        assert reason_of(await stranger.ask("GET", path)) == (404, "media_unknown")
    gone = await owner.ask("DELETE", f"/api/items/{offered}", headers={"If-Match": "*"})
    token = token_of(gone)
    assert reason_of(await fellow.ask("GET", path, headers=token)) == (404, "media_unknown")


@pytest.mark.asvs("V5.4.2")
async def test_ME_01_a_name_is_readable_to_its_owner_and_nowhere_else(mesh, person) -> None:
    name = f"{uuid4().hex}.png"
    answer = await person.send((name, photo()))
    assert (await person.image(image_of(answer), answer)).json()["filename"] == name
    stream = f"media/{image_of(answer)}"
    await eventually(lambda: _told(mesh, stream, ["media.uploaded"], exactly=False))
    rows = await mesh.machines.postgres.fetch(
        "SELECT data FROM reads.journal WHERE stream_id = $1", stream
    )
    assert name not in str([dict(row) for row in rows])


async def test_ME_22_the_log_holds_keys_and_no_bytes(mesh, drawn) -> None:
    stream = f"media/{drawn['id']}"
    await eventually(
        lambda: _told(mesh, stream, ["media.uploaded", "media.begun", "media.processed"])
    )
    rows = await mesh.machines.postgres.fetch(
        "SELECT data FROM reads.journal WHERE stream_id = $1 ORDER BY version", stream
    )
    assert all(len(row["data"]) < 2_000 for row in rows)
    assert all(drawn["id"] in row["data"] for row in rows)


async def test_ME_22_no_record_is_larger_for_a_larger_picture(mesh, person) -> None:
    """Of the largest file that is taken no record of the log has a thousandth."""
    large = photo_of((2_000, 1_500))
    large += bytes(ORIGINAL_BYTES_MAX - len(large))
    found = await person.processed(large)
    assert found["size"] == ORIGINAL_BYTES_MAX
    ours = [topic.name for topic in TOPICS if ".media" in topic.name]
    sizes = dict.fromkeys(ours, 0)
    async with open_log(mesh.settings) as log, aclosing(log.read(await log.bounds(ours))) as read:
        async for batch in read:
            for record in batch.records:
                assert record.value is not None
                headers = sum(len(name) + len(value) for name, value in record.headers)
                topic = batch.place.topic
                sizes[topic] = max(sizes[topic], len(record.value) + headers)
    assert {"commands.media", "events.media"} <= sizes.keys()
    assert all(0 < size < 10_000 for topic, size in sizes.items() if "parked" not in topic)


async def test_ME_01_a_repeat_with_the_same_key_is_one_upload(person) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = [await person.send(photo(), photo(), headers=headers) for _ in range(2)]
    assert first.json() == again.json()
    for others in ([photo((1, 2, 3))], [photo()], [photo()] * 3):
        other = await person.send(*others, headers=headers)
        assert reason_of(other) == (422, "idempotency_key_reused")


async def test_ME_05_its_owner_deletes_it_and_its_objects_go(mesh, person, other) -> None:
    found = await person.processed(photo())
    path = f"/api/media/{found['id']}"
    assert reason_of(await other.ask("DELETE", path)) == (404, "media_unknown")
    assert len(person.kept(found["id"])) > 1
    deleted = await person.ask("DELETE", path)
    assert deleted.status_code == 204
    await eventually(lambda: not person.kept(found["id"]), 30)
    gone = await mesh.client.get(found["variants"]["large"]["url"])
    assert reason_of(gone) == (404, "picture_unknown")
    assert reason_of(await person.image(found["id"], deleted)) == (410, "media_deleted")
    assert reason_of(await person.ask("DELETE", path)) == (410, "media_deleted")


@pytest.mark.parametrize("role", ["moderator", "admin"])
async def test_ME_05_nobody_else_deletes_it_whatever_their_role(mesh, drawn, role) -> None:
    staff = Uploader(mesh, await mesh.account(role))
    answer = await staff.ask("DELETE", f"/api/media/{drawn['id']}")
    assert reason_of(answer) == (404, "media_unknown")


async def test_PR_10_of_whoever_is_deleted_no_image_stays(mesh, other) -> None:
    person = Uploader(mesh, await mesh.account("buyer"))
    staff = Uploader(mesh, await mesh.account("moderator"))
    found = await person.processed(photo())
    assert (await staff.image(found["id"])).status_code == 200
    deleted = await person.ask("DELETE", f"/api/users/{person.account.user_id}")
    assert deleted.status_code == 204, deleted.text
    await eventually(lambda: not person.kept(), 30)
    assert reason_of(await staff.image(found["id"], deleted)) == (410, "media_deleted")
    assert reason_of(await other.image(found["id"], deleted)) == (404, "media_unknown")


async def test_PR_10_of_whoever_has_left_nothing_is_taken(mesh) -> None:
    person = Uploader(mesh, await mesh.account("buyer"))
    await mesh.machines.vault.erase(UUID(person.account.user_id))
    assert reason_of(await person.send(photo())) == (410, "user_deleted")


async def test_PR_10_an_export_holds_ones_uploads_with_their_names(person) -> None:
    name = f"{uuid4().hex}.png"
    answer = await person.send((name, photo()))
    await journalled(person.mesh, f"media/{image_of(answer)}", "media.processed")
    path = f"/api/users/{person.account.user_id}/export"
    exported = await person.read(path, answer)
    events = [
        each for each in exported.json()["events"] if each["stream"] == f"media/{image_of(answer)}"
    ]
    assert events[0]["data"]["filename"] == name
    assert events[-1]["kind"] == "media.processed"


async def test_an_unknown_image_is_not_there(mesh, person) -> None:
    assert reason_of(await person.image(str(uuid4()))) == (404, "media_unknown")
    url = f"/api/media/{uuid4()}/{uuid4()}/{'0' * 64}.webp"
    assert reason_of(await mesh.client.get(url)) == (404, "picture_unknown")


@pytest.mark.asvs("V5.3.1")
async def test_an_original_is_shown_to_nobody(mesh, person, drawn) -> None:
    """It tells where it was taken."""
    (original,) = [key for key in person.kept(drawn["id"]) if "/original-" in key]
    for path in (original, f"{original}.webp"):
        answer: httpx.Response = await mesh.client.get(
            f"/api/{path}", headers=token_of(await person.send(photo()))
        )
        assert answer.status_code == 422


def photo_of(size: tuple[int, int]) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(out, "JPEG")
    return out.getvalue()


async def _told(mesh: Mesh, stream: str, kinds: list[str], *, exactly: bool = True) -> bool:
    found = await journal_kinds(mesh, stream)
    return found == kinds if exactly else found[: len(kinds)] == kinds


async def queue_of(staff: Uploader, headers: dict[str, str] | None = None) -> dict[str, int]:
    answer = await staff.ask("GET", QUEUE, headers=headers or {})
    assert answer.status_code == 200, answer.text
    return {name: number for name, number in answer.json().items() if name != "success"}


async def idle(staff: Uploader) -> dict[str, int] | None:
    found = await queue_of(staff)
    return None if found["waiting"] or found["active"] else found


async def row_of(mesh: Mesh, image_id: str) -> dict[str, Any]:
    query = "SELECT * FROM reads.media_files WHERE key = $1"
    return dict(await mesh.machines.postgres.fetchrow(query, image_id))
