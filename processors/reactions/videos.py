"""Uploaded videos are written anew, with a picture of each, and go when they are deleted.

The same as of pictures (processors.reactions.media), in lanes of their own: a video takes longer,
and no picture waits behind one. The file is made by a process with bounds (infra.videos); its first
seconds' picture is then drawn in every size, like any picture that was sent.
"""

from __future__ import annotations

import hashlib

from infra.clients.objects import Objects
from infra.videos import Made, VideoRefusedError
from processors.reacting.effects import Effect, Tools
from processors.reactions.media import (
    BOXES,
    Drawn,
    Heard,
    Outcome,
    Work,
    attempt_at,
    drop,
    stored,
    turn,
)
from schemas.log.recorded import Recorded
from schemas.media import (
    FailureReason,
    MediaDeleted,
    MediaRetried,
    MediaType,
    MediaUploaded,
    Segment,
    Video,
    media_folder,
)

NAME = "process_videos"
BEGIN = "begin_video"  # its commands' ids are others than those that tell how it went
# Both together are less than a lane gives one event (RUN_TIMEOUT_S of processors.reacting.lanes).
TURN_WAIT_S = 10.0
TRY_TIMEOUT_S = 45.0


async def process_videos(recorded: Recorded[Heard | MediaDeleted], tools: Tools) -> None:
    """Write anew what waits for it and tell the log how that went; drop what was deleted."""
    event = recorded.event
    if isinstance(event, MediaDeleted):
        await drop(event, tools)
    elif event.media_type is MediaType.MP4:
        work = Work(NAME, BEGIN, _made, TURN_WAIT_S, TRY_TIMEOUT_S)
        async with turn(tools.videos.jobs, work.turn_wait_s):
            await attempt_at(recorded, work, tools)


async def _made(event: Heard, tools: Tools, objects: Objects) -> Outcome:
    async with tools.videos.folder() as folder:
        if not await objects.fetch(event.original, folder / "in"):
            return FailureReason.ORIGINAL_MISSING
        try:
            made = await tools.videos.made(folder)
        except VideoRefusedError as error:
            return FailureReason(str(error))
        kept = media_folder(event.owner_id, event.media_id)
        drawn = await tools.pictures.fitted(made.poster, BOXES)
        with made.file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            key = f"{kept}/video/{digest}.mp4"
            await objects.put_file(key, file)
        return Drawn(await stored(drawn, kept, objects), _video(key, made))


def _video(key: str, made: Made) -> Video:
    return Video(
        file=key,
        width=made.width,
        height=made.height,
        size=made.size,
        sound=made.audio,
        init=made.init,
        segments=tuple(
            Segment(begins=begins, size=size, duration_ms=ms) for begins, size, ms in made.segments
        ),
    )


PROCESS_VIDEOS = Effect(NAME, (MediaUploaded, MediaRetried, MediaDeleted), process_videos)
