"""Videos that strangers send: looked at and written anew by a process with bounds of its own
(infra.video_child), one at a time.

What leaves here has been copied stream by stream into an empty file, coded as it was: nothing of
the sent file survives but pictures and sound.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra import video_child

TIMEOUT_S = video_child.SECONDS_MAX + 5.0  # the process ends by itself before
TOLD_BYTES_MAX = 64 * 1024
POSTER_BYTES_MAX = 8 * 1024 * 1024
SEGMENTS_MAX = 64


class VideoRefusedError(Exception):
    """The file is no video that we take; the text is one of schemas.media.FailureReason."""


class VideoFailedError(Exception):
    """The process that was to look at it did not come to an end; another try may."""


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: Annotated[int, Field(ge=1, le=video_child.SIDE_MAX)]
    height: Annotated[int, Field(ge=1, le=video_child.SIDE_MAX)]
    audio: bool
    size: Annotated[int, Field(ge=1, le=video_child.WRITTEN_BYTES_MAX)]
    init: Annotated[int, Field(ge=1)]
    segments: Annotated[list[tuple[int, int, int]], Field(min_length=1, max_length=SEGMENTS_MAX)]


class _Refused(BaseModel):
    model_config = ConfigDict(extra="forbid")

    refused: str


@dataclass(frozen=True)
class Made:
    """A video written anew: the file, its first frames' picture as a PNG, its sides as it is seen,
    the bytes that it begins with, and its segments: each where it begins, its bytes and its
    milliseconds.
    """

    file: Path
    poster: bytes
    width: int
    height: int
    audio: bool
    size: int
    init: int
    segments: tuple[tuple[int, int, int], ...]


class Videos:
    """Looks at videos. `jobs` is what background work takes its turns by, so that no more of them are
    on the disk and in memory than one.
    """

    def __init__(self, at_once: int = 1) -> None:
        self.jobs = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """A folder for one video, whose file goes there as `in`; gone after the block."""
        with TemporaryDirectory(prefix="mesh-video-") as folder:
            yield Path(folder)

    async def made(self, folder: Path) -> Made:
        """The folder's `in` written anew. Raises VideoRefusedError and VideoFailedError."""
        told = await _told_by_child(folder)
        try:
            if told.startswith(b'{"refused"'):
                raise VideoRefusedError(_Refused.model_validate_json(told).refused)
            found = _Told.model_validate_json(told)
        except ValidationError as error:
            message = "the process told nothing that can be read"
            raise VideoFailedError(message) from error
        poster = folder / "poster.png"
        if poster.stat().st_size > POSTER_BYTES_MAX:
            message = "its picture is too large"
            raise VideoFailedError(message)
        return Made(
            file=folder / "out.mp4",
            poster=poster.read_bytes(),
            width=found.width,
            height=found.height,
            audio=found.audio,
            size=found.size,
            init=found.init,
            segments=tuple(found.segments),
        )


async def _told_by_child(folder: Path) -> bytes:
    # -I: neither the environment nor this folder says what is imported. No secret goes along.
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        video_child.__file__,
        str(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            told = await _whole(child.stdout)
            code = await child.wait()
    except TimeoutError as error:
        message = "the process took too long"
        raise VideoFailedError(message) from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if code:
        message = f"the process ended with {code}"
        raise VideoFailedError(message)
    return told


async def _whole(stdout: asyncio.StreamReader) -> bytes:
    try:
        await stdout.readexactly(TOLD_BYTES_MAX)
    except asyncio.IncompleteReadError as all_of_it:
        return all_of_it.partial
    message = "the process told too much"
    raise VideoFailedError(message)


def is_video(start: bytes) -> bool:
    """Whether a file that begins so says that it is an MP4, or what a phone's camera writes."""
    return start[4:8] == b"ftyp" and start[8:12] not in _PICTURES


# Pictures in the same kind of box.
_PICTURES = frozenset({b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})
