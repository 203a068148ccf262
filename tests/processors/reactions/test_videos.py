"""What becomes of a video. Needs no server: as of pictures, see test_media."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from infra.videos import Made, VideoFailedError, Videos
from processors.reacting.effects import OutsideDownError
from processors.reacting.lanes import RUN_TIMEOUT_S
from processors.reactions import videos
from processors.reactions.reactor import EFFECTS
from processors.reactions.videos import BEGIN, NAME, PROCESS_VIDEOS
from schemas.log.messages import Command, Event
from schemas.media import (
    FailureReason,
    MediaDeleted,
    MediaRetried,
    MediaType,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    RecordTryFailed,
    media_folder,
)
from tests.clips import clip
from tests.infra.some_settings import some_settings
from tests.processors.reactions import test_media
from tests.processors.reactions.test_media import (
    FOLDER,
    ORIGINAL,
    OTHER,
    SAID,
    STREAM,
    life,
    pauses,
)
from tests.projections.history import BEGINNING, recorded

UPLOADED = MediaUploaded(
    media_type=MediaType.MP4, size=500, original=ORIGINAL, uploaded_at=BEGINNING, **SAID
)
PICTURE = UPLOADED.model_copy(update={"media_type": MediaType.PNG})
RETRIED = MediaRetried(
    attempt=2, original=ORIGINAL, media_type=MediaType.MP4, retried_at=BEGINNING, **SAID
)


class Failing(Videos):
    """Fails as often as told, then looks at it; or asks somebody else to act meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.failures, self.asked = 0, 0
        self.meanwhile: Any = None

    async def made(self, folder: Path) -> Made:
        self.asked += 1
        if self.asked <= self.failures:
            message = "killed"
            raise VideoFailedError(message)
        if self.meanwhile is not None:
            await self.meanwhile()
        return await super().made(folder)


@dataclass
class Stand(test_media.Stand):
    """What the effect uses of its tools, and what it asked for."""

    videos: Failing = field(default_factory=Failing)

    async def send(self, name: str, _recorded: object, commands: list[Command]) -> None:
        # Part of the commands' ids: they never change.
        assert (NAME, BEGIN) == ("process_videos", "begin_video")
        (self.begun if name == BEGIN else self.sent).extend(commands)

    async def hear(self, event: Event) -> None:
        tools: Any = self
        await PROCESS_VIDEOS.run(recorded(STREAM, 1, event), tools)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    found = Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    yield found
    found.pictures.close()


def test_ME_07_the_reactor_runs_it() -> None:
    assert PROCESS_VIDEOS in EFFECTS


@pytest.mark.parametrize("event", [UPLOADED, RETRIED])
async def test_ME_07_of_a_clip_of_two_seconds_a_webp_frame_is_kept(stand, event) -> None:
    await stand.objects.put(ORIGINAL, clip(2))
    await stand.hear(event)
    (command,) = stand.sent
    assert isinstance(command, RecordProcessed)
    assert [each.name for each in command.variants] == ["thumbnail", "medium", "large"]
    for each in command.variants:
        kept = await stand.objects.get(each.key)
        assert kept is not None
        with Image.open(BytesIO(kept)) as picture:
            assert (picture.format, picture.size) == ("WEBP", (each.width, each.height))
    assert (command.variants[-1].width, command.variants[-1].height) == (320, 240)


async def test_ME_08_the_file_is_kept_with_where_its_segments_are(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, clip(10))
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordProcessed)
    video = command.video
    assert video is not None
    kept = await stand.objects.get(video.file)
    assert kept is not None
    assert len(kept) == video.size
    assert [each.duration_ms for each in video.segments] == [4000, 4000, 2000]
    with av.open(BytesIO(kept)) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 250
    files = {ORIGINAL, video.file, *(each.key for each in command.variants)}
    assert set(await stand.keys()) == files


async def test_ME_06_pictures_are_left_to_those_who_draw_them(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, clip(2))
    await stand.hear(PICTURE)
    await stand.hear(RETRIED.model_copy(update={"media_type": None}))
    assert (stand.begun, stand.sent) == ([], [])
    await test_media.PROCESS_MEDIA.run(recorded(STREAM, 1, UPLOADED), stand)  # type: ignore[arg-type]
    assert (stand.begun, stand.sent) == ([], [])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\0\x18ftypisom" + bytes(999), FailureReason.UNREADABLE),
        (clip(2)[:9_000], FailureReason.UNREADABLE),
        (clip(1, sound="libmp3lame"), FailureReason.CODEC_UNKNOWN),
        (None, FailureReason.ORIGINAL_MISSING),
    ],
    ids=["no video", "cut off", "other sound", "lost"],
)
async def test_ME_06_what_can_not_be_shown_fails_at_once(stand, data, reason) -> None:
    if data is not None:
        await stand.objects.put(ORIGINAL, data)
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordFailed)
    assert command.reason == reason


@pytest.mark.parametrize(
    ("failures", "waited", "ends"),
    [(2, [2.0, 4.0], "media.processed"), (9, [2.0, 4.0], "media.failed")],
)
async def test_ME_06_three_tries_with_longer_pauses_and_then_one_failure(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, failures: int, waited: list[float], ends: str
) -> None:
    monkeypatch.setattr(test_media, "UPLOADED", UPLOADED)
    await stand.objects.put(ORIGINAL, clip(2))
    stand.videos.failures = failures
    log = await life(stand)
    kinds = [each.kind for each in log]
    assert kinds[-1] == ends
    assert (kinds.count("media.processed"), kinds.count("media.failed")).count(1) == 1
    assert stand.videos.asked == 3
    assert pauses(log) == waited


async def test_ME_06_a_try_that_takes_too_long_goes_wrong(stand, monkeypatch) -> None:
    monkeypatch.setattr(videos, "TRY_TIMEOUT_S", 0.3)
    await stand.objects.put(ORIGINAL, clip(2))
    stand.videos.meanwhile = asyncio.Event().wait
    await stand.hear(UPLOADED)
    assert [type(each) for each in stand.sent] == [RecordTryFailed]


async def test_ME_06_one_is_looked_at_at_once_and_who_waits_has_made_no_try(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "TURN_WAIT_S", 0.05)
    async with stand.videos.jobs:
        with pytest.raises(OutsideDownError):
            await stand.hear(UPLOADED)
    assert stand.begun == []


def test_ME_06_a_try_and_its_turn_fit_in_what_a_lane_gives_an_event() -> None:
    assert videos.TURN_WAIT_S + videos.TRY_TIMEOUT_S < RUN_TIMEOUT_S


async def test_ME_06_of_what_is_deleted_every_object_goes_and_no_other(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, clip(2))
    other = f"{media_folder(OTHER, SAID['media_id'])}/x"
    await stand.objects.put(other, b"x")
    await stand.hear(UPLOADED)
    assert any(f"{FOLDER}/video/" in each for each in await stand.keys())
    await stand.hear(MediaDeleted(deleted_at=BEGINNING, **SAID))
    assert await stand.keys() == [other]


async def test_PR_10_of_whoever_leaves_meanwhile_nothing_is_kept(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, clip(2))

    async def leave() -> None:
        stand.people = ()

    stand.videos.meanwhile = leave
    await stand.hear(UPLOADED)
    assert (await stand.keys(), stand.sent) == ([], [])
