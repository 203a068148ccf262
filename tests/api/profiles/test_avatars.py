"""Avatars over HTTP, against a mesh at work."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image

from api.entry.pictures import FOREVER
from api.wire.problems import UPLOAD_BYTES_MAX
from infra.clients.objects import Objects
from infra.pictures import PicturesBusyError
from tests.api.acting.profiling import Person, path_to, person_of, photo, stranger_sees
from tests.api.acting.selling import pointers_of, reason_of
from tests.api.running import Mesh, api, journalled
from tests.s3 import s3_server
from tests.waiting import eventually

RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
async def person(mesh: Mesh) -> Person:
    return Person(mesh, await mesh.account("buyer"))


def kept(mesh: Mesh, person: Person) -> set[str]:
    """The addresses of everything that the object store keeps of a person."""
    root = Path(unquote(urlsplit(mesh.settings.objects_url).path))
    files = (root / "avatars" / person.account.user_id).rglob("*.webp")
    return {f"/api/{each.relative_to(root).as_posix()}" for each in files}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_PR_03_a_picture_gets_two_variants(mesh, person, kind) -> None:
    answer = await person.upload(photo(RED, kind))
    urls = person_of(answer)
    for name, side in (("avatar_url", 512), ("avatar_small_url", 128)):
        got = await mesh.client.get(urls[name])
        with Image.open(BytesIO(got.content)) as picture:
            assert (picture.size, picture.format) == ((side, side), "WEBP")
        assert hashlib.sha256(got.content).hexdigest() in urls[name]
    assert kept(mesh, person) == {*urls.values()}
    found = await stranger_sees(mesh, person.account, answer)
    assert {name: found[name] for name in urls} == urls


@pytest.mark.asvs("V5.3.1", "V5.4.1")
async def test_PR_14_a_variant_is_served_for_ever_as_what_it_is(mesh, person) -> None:
    urls = person_of(await person.upload(photo()))
    url = urls["avatar_url"]
    headers = (await mesh.client.get(url)).headers
    assert headers["Cache-Control"] == FOREVER
    assert headers["Content-Disposition"] == f'inline; filename="{url.rpartition("/")[2]}"'
    assert headers["Content-Type"] == "image/webp"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "data", [b"MZ\x90\x00" + bytes(600), b"", b"<svg/>", photo()[:200]], ids=len
)
@pytest.mark.asvs("V5.2.2", "V1.3.4")
async def test_PR_03_a_renamed_program_is_refused(mesh, person, data) -> None:
    answer = await person.upload(data, "me.png")
    assert (reason_of(answer), pointers_of(answer)) == ((422, "invalid"), ["/avatar"])
    assert kept(mesh, person) == set()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"files": {"picture": ("me.png", photo())}}, 422),
        ({"data": {"avatar": "no file"}, "files": {"x": b""}}, 422),
        ({"files": [("avatar", photo()), ("avatar", photo())]}, 422),
        ({"files": {"avatar": photo()}, "data": {"user_id": "other"}}, 422),
    ],
    ids=["other name", "no file", "two files", "more fields"],
)
async def test_PR_03_one_file_is_wanted_and_nothing_else(person, form, status) -> None:
    answer = await person.ask("POST", path_to(person.account, "/avatar"), **form)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("media_type", "body", "wanted"),
    [
        ("application/json", b"{}", (415, "media_type")),
        ("image/png", photo(), (415, "media_type")),
        ("application/x-www-form-urlencoded", b"avatar=x", (415, "media_type")),
        ("multipart/form-data", b"no boundary", (400, "bad_request")),
        ("multipart/form-data; boundary=x", b"--y\r\n", (400, "bad_request")),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disp", (422, "invalid")),
    ],
)
async def test_PR_03_what_is_no_form_is_told(person, media_type, body, wanted) -> None:
    path = path_to(person.account, "/avatar")
    answer = await person.ask("POST", path, content=body, headers={"Content-Type": media_type})
    assert reason_of(answer) == wanted


@pytest.mark.asvs("V5.2.1")
async def test_PR_03_a_picture_has_a_bound_and_other_bodies_a_smaller_one(mesh, person) -> None:
    answer = await person.upload(photo() + bytes(UPLOAD_BYTES_MAX))
    assert reason_of(answer) == (413, "body_too_large")
    large = await person.upload(photo() + bytes(3 * 1024 * 1024))
    assert large.status_code == 200, large.text
    other = await person.tell(1, bio="x" * 3 * 1024 * 1024)
    assert reason_of(other) == (413, "body_too_large")


async def test_PR_03_nobody_shows_a_picture_of_somebody_else(mesh, person) -> None:
    path, files = path_to(person.account, "/avatar"), {"avatar": photo()}
    for role in ("buyer", "admin"):
        other = Person(mesh, await mesh.account(role))
        for method in ("POST", "DELETE"):
            answer = await other.ask(method, path, files=files if method == "POST" else None)
            assert reason_of(answer) == (403, "not_owner")
    assert reason_of(await mesh.client.post(path, files=files)) == (401, "token_missing")
    assert kept(mesh, person) == set()


async def test_PR_03_a_repeat_with_the_same_key_is_one_change(mesh, person) -> None:
    """The form's boundary is another one at every try."""
    key = {"Idempotency-Key": uuid4().hex}
    first, again = [await person.upload(photo(), **key) for _ in range(2)]
    assert first.json() == again.json() == person_of(first)
    assert first.headers["ETag"] == again.headers["ETag"] == '"1"'
    other = await person.upload(photo(BLUE), **key)
    assert reason_of(other) == (422, "idempotency_key_reused")


async def test_PR_03_a_new_picture_takes_the_old_one_away(mesh, person) -> None:
    first = person_of(await person.upload(photo(RED)))
    second = person_of(await person.upload(photo(BLUE)))
    await eventually(lambda: kept(mesh, person) == {*second.values()}, 30)
    assert reason_of(await mesh.client.get(first["avatar_url"])) == (404, "picture_unknown")
    back = person_of(await person.upload(photo(RED)))
    await eventually(lambda: kept(mesh, person) == {*back.values()}, 30)
    assert (await mesh.client.get(back["avatar_url"])).status_code == 200


async def test_PR_03_a_removed_picture_is_gone(mesh, person) -> None:
    shown = await person.upload(photo())
    assert (await person.page(shown))["avatar_url"]
    removed = await person.ask("DELETE", path_to(person.account, "/avatar"))
    assert removed.status_code == 204
    assert (await person.page(removed))["avatar_url"] is None
    await eventually(lambda: not kept(mesh, person), 30)
    again = await person.ask("DELETE", path_to(person.account, "/avatar"))
    assert again.status_code == 204
    stream = f"profile/{person.account.user_id}"
    kinds = await journalled(mesh, stream, "profile.avatar_removed")
    assert kinds == ["profile.avatar_changed", "profile.avatar_removed"]


async def test_PR_10_of_whoever_has_left_no_picture_stays(mesh, person) -> None:
    """An upload that overtook the end of its account."""
    await person.upload(photo(RED))
    await mesh.machines.vault.erase(UUID(person.account.user_id))
    removed = await person.ask("DELETE", path_to(person.account, "/avatar"))
    assert removed.status_code == 204
    await eventually(lambda: not kept(mesh, person), 30)
    assert reason_of(await person.upload(photo())) == (410, "user_deleted")


async def test_PR_14_an_object_store_that_is_away_is_told(mesh, person, monkeypatch) -> None:
    blocked = Path(unquote(urlsplit(mesh.settings.objects_url).path)) / "avatars"
    blocked.mkdir(exist_ok=True)
    (blocked / person.account.user_id).write_text("a file where a folder should be")
    assert reason_of(await person.upload(photo())) == (503, "store_unavailable")


async def test_PR_14_pictures_in_an_s3_are_served_until_it_goes_away(mesh, person) -> None:
    with ExitStack() as server:
        s3 = server.enter_context(s3_server())
        stated = s3.settings(s3.new_bucket())
        async with api(mesh.settings.model_copy(update=stated)) as elsewhere:
            await eventually(lambda: elsewhere.machines.writes.started, 20)
            urls = person_of(await Person(elsewhere, person.account).upload(photo()))
            for url in urls.values():
                got = await elsewhere.client.get(url)
                assert hashlib.sha256(got.content).hexdigest() in url
            assert kept(mesh, person) == set()
            server.close()
            away = await elsewhere.client.get(urls["avatar_url"])
            assert reason_of(away) == (503, "store_unavailable")


async def test_PR_03_when_too_many_pictures_come_the_next_is_told(
    mesh, person, monkeypatch
) -> None:
    async def busy(*_: object) -> None:
        raise PicturesBusyError

    monkeypatch.setattr(mesh.machines.pictures, "squares", busy)
    answer = await person.upload(photo())
    assert (reason_of(answer), answer.headers["Retry-After"]) == ((503, "busy"), "1")


@pytest.mark.parametrize(
    ("name", "status"),
    [("x.webp", 422), ("%2e%2e%2f%2e%2e%2fsecret", 404), (f"{'0' * 64}.png", 422),
     (f"{'A' * 64}.webp", 422)],
)  # fmt: skip
@pytest.mark.asvs("V5.3.2")
async def test_PR_14_no_other_name_is_looked_for(mesh, monkeypatch, name, status) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Objects, "get", never)
    answer: httpx.Response = await mesh.client.get(f"/api/avatars/{uuid4()}/{uuid4()}/{name}")
    assert answer.status_code == status


async def test_PR_14_what_was_never_kept_is_not_there(mesh) -> None:
    answer = await mesh.client.get(f"/api/avatars/{uuid4()}/{uuid4()}/{'0' * 64}.webp")
    assert reason_of(answer) == (404, "picture_unknown")
