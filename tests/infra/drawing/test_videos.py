"""Videos that strangers send, looked at in a process with bounds."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from io import BytesIO
from pathlib import Path

import av
import pytest
from PIL import Image

from infra import video_child, videos
from infra.videos import Made, VideoFailedError, VideoRefusedError, Videos, is_video
from schemas import media
from schemas.media import FailureReason
from tests.clips import clip, turned

SOURCE = Path(video_child.__file__).read_text()
SECRET = "+06.9271+079.8612/"


async def made(folder: Path, data: bytes) -> Made:
    (folder / "in").write_bytes(data)
    return await Videos().made(folder)


async def refused(folder: Path, data: bytes) -> FailureReason:
    with pytest.raises(VideoRefusedError) as caught:
        await made(folder, data)
    return FailureReason(str(caught.value))


def frames_of(data: bytes) -> int:
    with av.open(BytesIO(data)) as opened:
        return sum(1 for _ in opened.decode(video=0))


def coded_of(data: bytes, kind: str) -> list[bytes]:
    with av.open(BytesIO(data)) as opened:
        return [bytes(each) for each in opened.demux(**{kind: 0}) if each.size]


async def test_ME_06_a_video_is_copied_as_it_is_coded(tmp_path: Path) -> None:
    sent = clip(10)
    found = await made(tmp_path, sent)
    assert (found.width, found.height, found.audio) == (320, 240, True)
    assert [ms for _, _, ms in found.segments] == [4000, 4000, 2000]
    for kind in ("video", "audio"):
        before, after = [coded_of(each, kind) for each in (sent, found.file.read_bytes())]
        assert before == after
        assert len(before) > 200


async def test_ME_08_segments_fill_the_file_and_each_plays_by_itself(tmp_path: Path) -> None:
    found = await made(tmp_path, clip(10))
    data = found.file.read_bytes()
    begins, size, _ = found.segments[-1]
    assert len(data) == found.size
    assert data[begins + size :][4:8] == b"mfra"
    ends = [begin + size for begin, size, _ in found.segments]
    assert [begin for begin, _, _ in found.segments[1:]] == ends[:-1]
    for begins, size, ms in found.segments:
        alone = data[: found.init] + data[begins : begins + size]
        assert frames_of(alone) == ms * 25 / 1000


async def test_ME_06_nothing_that_can_not_be_seen_survives(tmp_path: Path) -> None:
    sent = clip(2, told=SECRET)
    assert SECRET.encode() in sent
    found = await made(tmp_path, sent)
    assert SECRET.encode() not in found.file.read_bytes()
    assert SECRET.encode() not in found.poster


async def test_ME_07_the_poster_is_a_frame_of_the_video(tmp_path: Path) -> None:
    with Image.open(BytesIO((await made(tmp_path, clip(2))).poster)) as picture:
        assert picture.size == (320, 240)
        left, right = picture.getpixel((40, 120)), picture.getpixel((280, 120))
    assert left[0] > 150 > left[2]
    assert right[2] > 150 > right[0]


async def test_ME_07_a_video_that_was_held_upright_is_shown_so(tmp_path: Path) -> None:
    found = await made(tmp_path, turned(clip(2)))
    assert (found.width, found.height) == (240, 320)
    with Image.open(BytesIO(found.poster)) as picture:
        assert picture.size == (240, 320)
        above, below = picture.getpixel((120, 40)), picture.getpixel((120, 280))
    # A quarter turn with the clock brings the left to the top.
    assert above[0] > 150 > above[2]
    assert below[2] > 150 > below[0]
    with av.open(str(found.file)) as own:
        assert next(own.decode(video=0)).rotation % 360 == 270


async def test_ME_07_a_poster_is_no_larger_than_a_picture(tmp_path: Path) -> None:
    found = await made(tmp_path, clip(0.2, (1920, 1080), sound=None))
    assert (found.width, found.height, found.audio) == (1920, 1080, False)
    with Image.open(BytesIO(found.poster)) as picture:
        assert picture.size == (1200, 675)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (lambda: clip(122, fps=2, sound=None), FailureReason.TOO_LONG),
        (lambda: clip(0.2, (3904, 1000), sound=None), FailureReason.TOO_LARGE),
        (lambda: clip(0.2, (3200, 2700), sound=None), FailureReason.TOO_LARGE),
        (lambda: clip(1, pixels="yuv444p"), FailureReason.CODEC_UNKNOWN),
        (lambda: clip(1, coded="mpeg4"), FailureReason.CODEC_UNKNOWN),
        (lambda: clip(1, sound="libmp3lame"), FailureReason.CODEC_UNKNOWN),
        (lambda: clip(1, container="webm", coded="libvpx", sound=None), FailureReason.UNREADABLE),
        (lambda: b"\0\0\0\x18ftypisom" + bytes(4_000), FailureReason.UNREADABLE),
        (lambda: clip(4)[:20_000], FailureReason.UNREADABLE),
        (lambda: b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", FailureReason.UNREADABLE),
        (lambda: b"", FailureReason.UNREADABLE),
    ],
    ids=[
        "too long", "too wide", "too many pixels", "4:4:4", "MPEG-4", "MP3", "WebM", "only a name",
        "half of it", "a playlist", "nothing",
    ],
)  # fmt: skip
async def test_ME_06_what_is_no_video_of_ours_is_refused(tmp_path: Path, sent, reason) -> None:
    assert await refused(tmp_path, sent()) == reason
    assert not (tmp_path / "poster.png").exists()


async def test_ME_06_sound_without_a_picture_is_no_video(tmp_path: Path) -> None:
    out = BytesIO()
    with av.open(out, "w", format="mp4") as written, av.open(BytesIO(clip(1))) as read:
        copy = written.add_stream_from_template(read.streams.audio[0])
        for packet in read.demux(audio=0):
            if packet.dts is not None:
                packet.stream = copy
                written.mux(packet)
    assert await refused(tmp_path, out.getvalue()) == FailureReason.NO_VIDEO


async def test_ME_06_a_video_that_lies_of_how_long_it_is_is_measured(tmp_path: Path) -> None:
    sent = bytearray(clip(122, fps=2, sound=None))
    for box, place in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        at = sent.index(box) + place
        sent[at : at + 4] = (1).to_bytes(4, "big")
    assert await refused(tmp_path, bytes(sent)) == FailureReason.TOO_LONG


async def test_ME_06_no_broken_file_ends_but_in_a_video_or_a_reason(tmp_path: Path) -> None:
    """Bytes changed anywhere, the tables at the end among them."""
    whole, chance = clip(2), random.Random(6)
    outcomes = set()
    for _ in range(25):
        sent = bytearray(whole)
        for _ in range(12):
            sent[chance.randrange(len(sent) - 1_500, len(sent))] = chance.randrange(256)
        try:
            await made(tmp_path, bytes(sent))
            outcomes.add("made")
        except (VideoRefusedError, VideoFailedError) as error:
            outcomes.add(type(error).__name__)
    assert "VideoRefusedError" in outcomes


# What is done in a process like that which looks at videos, with its bounds.
_GREEDY = "held = [bytearray(64 << 20) for _ in range(40)]"
_BUSY = "while True: pass"
_FULL = "open(sys.argv[1] + '/out.mp4', 'wb').write(bytes(200 << 20))"
_FALLS = "import ctypes; ctypes.string_at(0)"
_TALKS = "print('x' * 100_000)"


@pytest.mark.parametrize(
    ("deed", "ends"),
    [
        (_GREEDY, "the process ended with 1"),
        (_BUSY, f"the process ended with {-signal.SIGALRM}"),
        (_FULL, "the process ended with 1"),
        (_FALLS, f"the process ended with {-signal.SIGSEGV}"),
        (_TALKS, "the process told too much"),
    ],
    ids=["greedy", "busy", "full", "falls", "talks"],
)
async def test_ME_06_the_process_is_held_to_its_bounds_and_only_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, ends: str
) -> None:
    hostile = SOURCE.replace("told = made(folder)", f"told = {{}}; exec({deed!r}, {{'sys': sys}})")
    if deed == _BUSY:
        # By the clock first: of a second of processor time less has gone by then. The others have
        # all of their time, for on a busy machine the clock would end them before their bound does.
        hostile = hostile.replace("signal.alarm(SECONDS_MAX)", "signal.alarm(1)")
        assert "signal.alarm(1)" in hostile
    assert deed in hostile
    (tmp_path / "child.py").write_text(hostile)
    monkeypatch.setattr(video_child, "__file__", str(tmp_path / "child.py"))
    with pytest.raises(VideoFailedError, match=ends):
        await made(tmp_path, clip(1))


async def test_ME_06_whoever_gives_up_leaves_no_process_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child.py").write_text(
        "import os, sys, time\n"
        "open(sys.argv[1] + '/pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(video_child, "__file__", str(tmp_path / "child.py"))
    monkeypatch.setattr(videos, "TIMEOUT_S", 2.0)
    with pytest.raises(VideoFailedError):
        await made(tmp_path, clip(1))
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_ME_06_no_secret_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_KEY", "a secret")
    (tmp_path / "child.py").write_text(
        "import os, sys; open(sys.argv[1] + '/env', 'w').write(str(dict(os.environ)))"
    )
    monkeypatch.setattr(video_child, "__file__", str(tmp_path / "child.py"))
    with pytest.raises(VideoFailedError):
        await made(tmp_path, clip(1))
    assert "MASTER_KEY" not in (tmp_path / "env").read_text()


async def test_ME_06_a_folder_goes_with_what_was_in_it() -> None:
    async with Videos().folder() as folder:
        (folder / "in").write_bytes(b"x")
    assert not await asyncio.to_thread(folder.exists)


def test_ME_06_the_process_says_what_the_language_says() -> None:
    assert {each.value for each in video_child.Reason} <= {each.value for each in FailureReason}
    assert media.VIDEO_SIDE_MAX == video_child.SIDE_MAX
    assert media.VIDEO_SECONDS_MAX == video_child.DURATION_MAX_S
    assert media.SEGMENTS_MAX == videos.SEGMENTS_MAX
    assert media.VIDEO_BYTES_MAX < video_child.WRITTEN_BYTES_MAX
    assert video_child.DURATION_MAX_S / video_child.SEGMENT_S < videos.SEGMENTS_MAX
    assert videos.TIMEOUT_S > video_child.SECONDS_MAX


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"\0\0\0\x18ftypisom", True),
        (b"\0\0\0\x14ftypqt  ", True),
        (b"\0\0\0\x1cftypavif", False),
        (b"\0\0\0\x1cftypheic", False),
        (b"\x1aE\xdf\xa3 webm---", False),
        (b"\x89PNG\r\n\x1a\n----", False),
        (b"MZ\x90\0", False),
        (b"", False),
    ],
)
def test_ME_06_the_bytes_say_whether_it_is_a_video(start: bytes, found: bool) -> None:
    assert is_video(start) is found
