"""Videos over HTTP, against a mesh at work: sent, told of, and taken away. Played in test_streaming."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from limits import parse
from PIL import Image

from api.wire.problems import VIDEO_FORM_BYTES_MAX
from schemas.media import VIDEO_BYTES_MAX
from tests.api.acting.filming import VIDEOS, Filmer
from tests.api.acting.profiling import photo
from tests.api.acting.selling import path_of, pointers_of, reason_of, token_of
from tests.api.running import Mesh, api, journal_kinds, journalled
from tests.clips import clip
from tests.waiting import eventually

NO_VIDEO = b"\0\0\0\x18ftypisom and no more"


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Filmer:
    return Filmer(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def other(mesh: Mesh) -> Filmer:
    return Filmer(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def offered(seller: Filmer) -> httpx.Response:
    return await seller.offer()


@pytest.fixture(scope="module")
async def video(seller: Filmer, offered: httpx.Response) -> dict[str, Any]:
    return await seller.filmed(offered)


async def test_ME_06_an_mp4_is_taken_and_told_of(mesh, seller, offered, video) -> None:
    assert (video["width"], video["height"], video["duration_ms"]) == (320, 240, 2000)
    assert (video["sound"], video["failure"], video["filename"]) == (True, None, "a.mp4")
    assert video["size"] == len(clip(2))
    assert video["listing_id"] == offered.json()["id"]
    (original,) = [key for key in seller.kept(video["id"]) if "/original-" in key]
    assert await mesh.machines.objects.get(original) == clip(2)
    stream = f"media/{video['id']}"
    await journalled(mesh, stream, "media.processed")
    told = ["media.uploaded", "media.begun", "media.processed"]
    assert await journal_kinds(mesh, stream) == told


async def test_ME_07_its_poster_is_shown_to_whoever_has_the_address(mesh, video) -> None:
    assert video["poster"].keys() == {"thumbnail", "medium", "large"}
    for each in video["poster"].values():
        got = await mesh.client.get(each["url"])
        assert (got.status_code, got.headers["Content-Type"]) == (200, "image/webp")
        with Image.open(BytesIO(got.content)) as picture:
            assert (picture.format, picture.size) == ("WEBP", (each["width"], each["height"]))


async def test_ME_06_a_listing_shows_its_videos_to_everybody(mesh, seller, other) -> None:
    offered = await seller.offer()
    video = await seller.filmed(offered)
    path = f"{path_of(offered)}/videos"
    (seen,) = (await mesh.client.get(path)).json()["items"]
    hidden = {"failure", "filename", "size", "version"}
    assert seen == {name: each for name, each in video.items() if name not in hidden}
    assert (await mesh.client.get(f"{VIDEOS}/{video['id']}")).json() == seen
    assert (await other.ask("GET", path)).json()["items"] == [seen]
    assert (await seller.ask("GET", path)).json()["items"] == [video]


async def test_ME_06_what_can_not_be_shown_is_its_owners_to_know(mesh, seller, offered) -> None:
    sent = await seller.film(offered.json()["id"], NO_VIDEO, headers=token_of(offered))
    found = await seller.until_ready(sent, "failed")
    assert found["failure"]["reason"] == "unreadable"
    assert "send an MP4" in found["failure"]["detail"]
    assert (found["stream"], found["playlist"], found["poster"]) == (None, None, {})
    assert reason_of(await mesh.client.get(sent.json()["video"]["url"])) == (404, "media_unknown")
    assert reason_of(await seller.ask("GET", f"/api/media/{found['id']}/stream")) == (
        409,
        "video_not_ready",
    )


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (lambda: clip(122, fps=2, sound=None), "too_long"),
        (lambda: clip(1, sound="libmp3lame"), "codec_unknown"),
        (lambda: clip(0.2, (3904, 1000), sound=None), "too_large"),
    ],
    ids=["too long", "other sound", "too many pixels"],
)
async def test_ME_06_length_sides_and_codecs_are_held_to(seller, offered, sent, reason) -> None:
    answer = await seller.film(offered.json()["id"], sent(), headers=token_of(offered))
    found = await seller.until_ready(answer, "failed")
    assert found["failure"]["reason"] == reason


@pytest.mark.parametrize(
    "data",
    [photo(), clip(1, container="webm", coded="libvpx", sound=None), b"MZ\x90\0", b""],
    ids=["a picture", "WebM", "a program", "nothing"],
)
async def test_ME_06_what_is_no_video_is_refused(seller, offered, data) -> None:
    kept = seller.kept()
    answer = await seller.film(offered.json()["id"], data, name="film.mp4")
    assert (answer.status_code, pointers_of(answer)) == (422, ["/video"])
    assert "send H.264" in answer.json()["errors"][0]["detail"]
    assert seller.kept() == kept


@pytest.mark.parametrize(
    ("form", "pointer"),
    [
        ({"files": {"video": ("a.mp4", clip(1))}}, "/listing_id"),
        ({"files": {"video": ("a.mp4", clip(1))}, "data": {"listing_id": "mine"}}, "/listing_id"),
        ({"files": {"x": b""}, "data": {"listing_id": str(UUID(int=1))}}, "/x"),
        ({"files": [("video", clip(1))] * 2, "data": {"listing_id": str(UUID(int=1))}}, "/video"),
        (
            {
                "files": {"y": b""},
                "data": {"listing_id": str(UUID(int=1)), "video": "no file"},
            },
            "/y",
        ),
    ],
    ids=["no listing", "no id", "other name", "two", "a text"],
)
async def test_ME_06_what_is_wrong_in_the_form_is_named(seller, form, pointer) -> None:
    answer = await seller.ask("POST", VIDEOS, **form)
    assert (answer.status_code, pointers_of(answer)) == (422, [pointer])


async def test_ME_06_another_body_is_no_form(seller) -> None:
    headers = {"Content-Type": "video/mp4"}
    answer = await seller.ask("POST", VIDEOS, content=clip(1), headers=headers)
    assert reason_of(answer) == (415, "media_type")


@pytest.mark.asvs("V5.2.1")
async def test_ME_06_a_body_has_a_bound(seller) -> None:
    headers = {
        "Content-Length": str(VIDEO_FORM_BYTES_MAX + 1),
        "Content-Type": "multipart/form-data; boundary=x",
    }
    answer = await seller.ask("POST", VIDEOS, headers=headers, content=b"")
    assert reason_of(answer) == (413, "body_too_large")


@pytest.mark.asvs("V5.2.1")
async def test_ME_06_a_file_that_is_too_large_is_refused_and_never_held(seller, offered) -> None:
    """Sent in pieces, as a client does that does not have it in memory either."""
    lead = (
        b'--x\r\nContent-Disposition: form-data; name="listing_id"\r\n\r\n'
        + offered.json()["id"].encode()
        + b'\r\n--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n'
        + NO_VIDEO
    )

    async def pieces(count: int) -> Any:
        yield lead
        for _ in range(count):
            yield bytes(1 << 20)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    tracemalloc.start()
    most = VIDEO_BYTES_MAX >> 20
    refused = await seller.ask("POST", VIDEOS, content=pieces(most), headers=headers)
    assert reason_of(refused) == (413, "body_too_large") or pointers_of(refused) == ["/video"]
    taken = await seller.ask("POST", VIDEOS, content=pieces(most - 1), headers=headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20
    found = await seller.until_ready(taken, "failed")
    assert found["size"] == (most - 1 << 20) + len(NO_VIDEO)


async def test_ME_06_only_of_a_listing_of_ones_own(mesh, seller, other, offered) -> None:
    draft = await seller.create()
    assert draft.status_code == 201
    told = token_of(draft)
    for listing_id, status, reason in (
        (offered.json()["id"], 403, "not_owner"),
        (draft.json()["id"], 404, "listing_unknown"),
        (str(uuid4()), 404, "listing_unknown"),
    ):
        answer = await other.film(listing_id, clip(1), headers=told)
        assert reason_of(answer) == (status, reason)
    staff = Filmer(mesh, await mesh.account("admin"))
    answer = await staff.film(offered.json()["id"], clip(1), headers=told)
    assert reason_of(answer) == (403, "not_owner")
    assert other.kept() == staff.kept() == set()


async def test_ME_06_a_draft_shows_its_video_to_nobody_else(mesh, seller, other) -> None:
    draft = await seller.create()
    video = await seller.filmed(draft)
    stranger, moderator = other, Filmer(mesh, await mesh.account("moderator"))
    for path in (f"{VIDEOS}/{video['id']}", video["stream"], video["playlist"]):
        assert reason_of(await stranger.ask("GET", path)) == (404, "media_unknown")
        assert reason_of(await mesh.client.get(path)) == (404, "media_unknown")
        assert (await seller.ask("GET", path)).status_code == 200
        assert (await moderator.ask("GET", path)).status_code == 200
    answer = await mesh.client.get(f"{path_of(draft)}/videos")
    assert reason_of(answer) == (404, "listing_unknown")


async def test_ME_06_a_repeat_with_the_same_key_is_one_upload(seller, other, offered) -> None:
    headers = {"Idempotency-Key": uuid4().hex, **token_of(offered)}
    listing_id = offered.json()["id"]
    first, again = [await seller.film(listing_id, clip(1), headers=headers) for _ in range(2)]
    assert first.status_code == 201
    assert first.json() == again.json()
    changed = await seller.film(listing_id, clip(2), headers=headers)
    assert reason_of(changed) == (422, "idempotency_key_reused")


async def test_ME_06_an_image_is_no_video(seller) -> None:
    image = await seller.processed(photo())
    for path in (f"{VIDEOS}/{image['id']}", f"/api/media/{image['id']}/stream"):
        assert reason_of(await seller.ask("GET", path)) == (404, "media_unknown")


async def test_GW_10_videos_are_sent_by_those_who_are_signed_in(mesh, offered) -> None:
    answer = await mesh.client.post(VIDEOS, files={"video": clip(1)})
    assert reason_of(answer) == (401, "token_missing")


async def test_GW_08_a_video_counts_as_five_images(mesh, offered, monkeypatch) -> None:
    person = Filmer(mesh, await mesh.account("seller"))
    monkeypatch.setitem(mesh.machines.rate_limits._items, "images", parse("9 per 5 minutes"))
    first = await person.film(offered.json()["id"], NO_VIDEO, headers=token_of(offered))
    assert reason_of(first) == (403, "not_owner")
    second = await person.film(offered.json()["id"], NO_VIDEO)
    assert reason_of(second) == (429, "rate_limited")


async def test_nobody_has_more_videos_than_the_storage_allows_one_person(mesh: Mesh) -> None:
    async with api(mesh.settings.model_copy(update={"storage_per_person_mb": 1})) as small:
        await eventually(lambda: small.machines.writes.started, 20)
        person = Filmer(small, await mesh.account("seller"))
        offered = await person.offer()
        large = NO_VIDEO + bytes(1 << 20)
        answer = await person.film(offered.json()["id"], large, headers=token_of(offered))
        assert reason_of(answer) == (409, "storage_full")
        assert person.kept() == set()


async def test_ME_06_its_owner_deletes_it_and_its_objects_go(mesh, seller, other) -> None:
    offered = await seller.offer()
    video = await seller.filmed(offered)
    path = f"/api/media/{video['id']}"
    assert reason_of(await other.ask("DELETE", path)) == (404, "media_unknown")
    assert any("/video/" in each for each in seller.kept(video["id"]))
    deleted = await seller.ask("DELETE", path)
    assert deleted.status_code == 204
    await eventually(lambda: not seller.kept(video["id"]), 30)
    gone = await seller.read(video["stream"], deleted)
    assert reason_of(gone) == (410, "media_deleted")
    left = await seller.read(f"{path_of(offered)}/videos", deleted)
    assert left.json()["items"] == []


async def test_ME_06_with_its_listing_a_video_goes(mesh, seller) -> None:
    offered = await seller.offer()
    video = await seller.filmed(offered)
    await journalled(mesh, f"listing/{offered.json()['id']}", "listing.image_drawn")
    deleted = await seller.ask("DELETE", path_of(offered), headers={"If-Match": "*"})
    assert deleted.status_code == 204, deleted.text
    await eventually(lambda: not seller.kept(video["id"]), 30)
    answer = await mesh.client.get(video["stream"], headers=token_of(deleted))
    assert reason_of(answer) == (404, "media_unknown")


async def test_PR_10_of_whoever_is_deleted_no_video_stays(mesh, other) -> None:
    person = Filmer(mesh, await mesh.account("seller"))
    video = await person.filmed(await person.offer())
    deleted = await person.ask("DELETE", f"/api/users/{person.account.user_id}")
    assert deleted.status_code == 204, deleted.text
    await eventually(lambda: not person.kept(), 30)

    async def unknown() -> bool:
        """What they offered is hidden a moment later."""
        return reason_of(await other.ask("GET", video["stream"])) == (404, "media_unknown")

    await eventually(unknown, 30)
