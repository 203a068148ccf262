"""Videos played over HTTP: in parts, and by a player of HLS, against a mesh at work."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import av
import httpx
import pytest

from api.entry.pictures import FOREVER
from tests.api.acting.filming import Filmer
from tests.api.acting.selling import reason_of
from tests.api.running import Mesh, api
from tests.api.sockets import served
from tests.clips import clip

CDN = "https://pictures.example.org/market"
SECONDS = 10
Part = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Filmer:
    return Filmer(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def video(seller: Filmer) -> dict[str, Any]:
    return await seller.filmed(await seller.offer(), clip(SECONDS))


@pytest.fixture(scope="module")
async def whole(mesh: Mesh, video: dict[str, Any]) -> httpx.Response:
    return await mesh.client.get(video["stream"])


@pytest.fixture(scope="module")
async def playlist(mesh: Mesh, video: dict[str, Any]) -> str:
    answer = await mesh.client.get(video["playlist"])
    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    return answer.text


@pytest.fixture(scope="module")
def url(playlist: str) -> str:
    """The file's own address."""
    (found,) = set(re.findall(r"^/api/\S+$", playlist, re.MULTILINE))
    return str(found)


def frames_of(data: bytes) -> int:
    with av.open(BytesIO(data)) as opened:
        return sum(1 for _ in opened.decode(video=0))


@pytest.fixture
def part(mesh: Mesh) -> Part:
    async def asked(path: str, wanted: str, **headers: str) -> httpx.Response:
        return await mesh.client.get(path, headers={"Range": wanted, **headers})

    return asked


async def test_ME_08_without_a_range_the_whole_file_is_sent(whole) -> None:
    assert (whole.status_code, whole.headers["Content-Type"]) == (200, "video/mp4")
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    assert "Content-Range" not in whole.headers
    assert frames_of(whole.content) == SECONDS * 25


@pytest.mark.parametrize(
    ("wanted", "begins", "ends"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-1999", 100, 2_000),
        ("bytes=1000-", 1_000, None),
        ("bytes=0-", 0, None),
        ("bytes=-500", -500, None),
        ("bytes=-999999999", 0, None),
        ("bytes=7-999999999999", 7, None),
        ("bytes = 3-4", 3, 5),
    ],
)
async def test_ME_08_a_range_gives_its_bytes_and_says_which(
    video, url, whole, part, wanted, begins, ends
) -> None:
    size = len(whole.content)
    first = begins % size
    last = size - 1 if ends is None else ends - 1
    for path in (video["stream"], url):
        got = await part(path, wanted)
        assert got.status_code == 206
        assert got.content == whole.content[begins:ends]
        assert got.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert int(got.headers["Content-Length"]) == len(got.content)
        assert got.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize("wanted", ["bytes={size}-", "bytes={size}-{size}", "bytes=-0"])
async def test_ME_08_what_lies_outside_is_416_and_told_the_size(part, video, whole, wanted) -> None:
    size = len(whole.content)
    got = await part(video["stream"], wanted.format(size=size))
    assert reason_of(got) == (416, "range_not_satisfiable")
    assert got.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-6", "bytes=5-4", "bytes=", "bytes=-", "items=0-1", "0-1", "bytes=a-b"]
)
async def test_ME_08_what_is_no_single_range_is_answered_with_all(
    part, video, whole, wanted
) -> None:
    got = await part(video["stream"], wanted)
    assert (got.status_code, got.content) == (200, whole.content)


async def test_ME_08_a_range_of_another_file_is_answered_with_all(part, video, whole) -> None:
    tag = whole.headers["ETag"]
    same = await part(video["stream"], "bytes=0-9", **{"If-Range": tag})
    assert (same.status_code, same.content) == (206, whole.content[:10])
    for other in ('"other"', f"W/{tag}", "Mon, 30 Nov 2026 12:00:00 GMT"):
        got = await part(video["stream"], "bytes=0-9", **{"If-Range": other})
        assert (got.status_code, got.content) == (200, whole.content)


async def test_ME_08_what_is_known_already_is_not_sent_again(mesh, video, url, whole) -> None:
    tag = whole.headers["ETag"]
    for path in (video["stream"], url):
        again = await mesh.client.get(path, headers={"If-None-Match": f'"x", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag


async def test_ME_08_head_tells_of_the_file_and_sends_none_of_it(mesh, video, whole) -> None:
    for headers in ({}, {"Range": "bytes=0-9"}):
        got = await mesh.client.head(video["stream"], headers=headers)
        assert (got.status_code, got.content) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
            assert got.headers[name] == whole.headers[name]


async def test_ME_08_segments_of_the_playlist_are_parts_of_the_file(whole, playlist) -> None:
    lines = playlist.splitlines()
    assert (lines[0], lines[-1]) == ("#EXTM3U", "#EXT-X-ENDLIST")
    assert "#EXT-X-TARGETDURATION:4" in lines
    lengths = [float(each) for each in re.findall(r"#EXTINF:([0-9.]+),", playlist)]
    assert lengths == [4.0, 4.0, 2.0]
    found = re.search(r'#EXT-X-MAP:URI="\S+",BYTERANGE="([0-9]+)@0"', playlist)
    assert found is not None
    init = whole.content[: int(found[1])]
    ranges = re.findall(r"#EXT-X-BYTERANGE:([0-9]+)@([0-9]+)", playlist)
    for (size, begins), seconds in zip(ranges, lengths, strict=True):
        segment = whole.content[int(begins) : int(begins) + int(size)]
        assert frames_of(init + segment) == seconds * 25


def played(address: str) -> tuple[str, dict[str, int], float]:
    """What FFmpeg's player of HLS, which ffprobe has as well, makes of a playlist: every frame of it."""
    with av.open(address, timeout=20) as opened:
        counts = {"video": 0, "audio": 0}
        last = 0.0
        for frame in opened.decode(opened.streams.video[0], opened.streams.audio[0]):
            kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
            counts[kind] += 1
            last = max(last, frame.time)
        return opened.format.name, counts, last


async def test_ME_08_a_player_plays_every_segment_over_http(mesh, video) -> None:
    async with served(mesh.settings, writes=False) as replica:
        form, counts, last = await asyncio.to_thread(played, replica.url + video["playlist"])
    assert form == "hls"
    assert counts["video"] == SECONDS * 25
    assert counts["audio"] >= SECONDS * 48_000 // 1024
    assert SECONDS - 0.2 < last < SECONDS + 0.2


async def test_ME_08_the_files_own_address_is_kept_for_ever(mesh, url, whole) -> None:
    got = await mesh.client.get(url)
    assert (got.content, got.headers["Cache-Control"]) == (whole.content, FOREVER)
    assert "private" in whole.headers["Cache-Control"]


async def test_ME_23_behind_another_base_address_segments_are_there(mesh, video, url) -> None:
    async with api(mesh.settings.model_copy(update={"pictures_url": CDN})) as behind:
        lines = (await behind.client.get(video["playlist"])).text.splitlines()
        assert [each for each in lines if each and each[0] != "#"] == [CDN + url[4:]] * 3
        got = await behind.client.get(url)
        assert got.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_ME_08_what_is_not_there_is_not_there(mesh, url) -> None:
    digest = url.rpartition("/")[2]
    other = url.replace(digest, f"{'0' * 64}.mp4")
    assert reason_of(await mesh.client.get(other)) == (404, "video_unknown")
    wrong = await mesh.client.get(url.replace(digest, "original.mp4"))
    assert wrong.status_code == 422


@pytest.mark.asvs("V5.3.1")
async def test_an_original_is_shown_to_nobody(mesh, seller, video) -> None:
    """It tells where it was taken."""
    (original,) = [key for key in seller.kept(video["id"]) if "/original-" in key]
    name = original.rpartition("/")[2]
    folder = original.removesuffix(name)
    for path in (original, f"{folder}video/{name}", f"{folder}video/{name}.mp4"):
        assert (await seller.ask("GET", f"/api/{path}")).status_code == 422
