"""One video, looked at and written anew, in a process of its own: `python -I video_child.py FOLDER`.

A stranger's file meets FFmpeg's C code here and nowhere else, so this process has bounds that the
kernel holds, for memory, time and what it writes; it has no secret in its environment and imports
nothing of ours. It reads `in` and writes `out.mp4` and `poster.png` in the folder, and tells on
stdout, as JSON, what they are or why there are none. Whatever kills it is a try that went wrong.
"""

from __future__ import annotations

import errno
import json
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

# Of address space. A clip of 3,840 by 2,160 pixels takes some 450 MiB, most of it the frames that
# others are told by.
MEMORY_BYTES_MAX = 1024 * 1024 * 1024
SECONDS_MAX = 20
WRITTEN_BYTES_MAX = 128 * 1024 * 1024
FILES_MAX = 64
SIDE_MAX = 3_840
PIXELS_MAX = 3_840 * 2_160
DURATION_MAX_S = 120
SEGMENT_S = 4  # at least, and then up to the next frame that needs no other
POSTER_AT_S = 1.0
POSTER_FRAMES_MAX = 300
POSTER_BOX = (1_200, 900)

# Cut where a picture needs no other, told of at the beginning, and free of what the file said
# besides: where it was taken, by what and when.
_WRITTEN_AS = {
    "movflags": "frag_keyframe+delay_moov+default_base_moof+global_sidx",
    "min_frag_duration": str(SEGMENT_S * 1_000_000),
    "fflags": "+bitexact",
}
# The machine's fault, not the file's: a later try may succeed.
_OURS = frozenset({errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENOSPC, errno.EDQUOT})
_PIXELS = frozenset({"yuv420p", "yuvj420p"})  # 8 bits, 4:2:0: what every browser decodes


class Reason(StrEnum):
    """Why a file is no video that we take, as schemas.media.FailureReason says it."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    NO_VIDEO = "no_video"
    CODEC_UNKNOWN = "codec_unknown"


class RefusedError(Exception):
    """The file is no video that we take; the text is its Reason."""


def main(folder: Path) -> None:
    """Tell what became of it."""
    bound()
    try:
        told = made(folder)
    except RefusedError as error:
        told = {"refused": str(error)}
    sys.stdout.write(json.dumps(told))


def bound() -> None:
    """Have the kernel hold this process to its bounds, whatever becomes of who started it."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, SECONDS_MAX),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES_MAX),
        (resource.RLIMIT_NOFILE, FILES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    signal.alarm(SECONDS_MAX)  # by the clock: nobody hears it, so that it ends the process


def made(folder: Path) -> dict[str, Any]:
    """Write the two files; what they are. Raises RefusedError."""
    import av  # noqa: PLC0415 - within the bounds

    try:
        with _opened(folder / "in") as source:
            video, audio = _streams(source)
            seconds = _written(source, [each for each in (video, audio) if each], folder)
        with _opened(folder / "out.mp4") as source:
            told = _poster(source.streams.video[0], min(POSTER_AT_S, seconds / 2), folder)
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        if getattr(error, "errno", None) in _OURS:
            raise
        raise RefusedError(Reason.UNREADABLE) from error
    told |= _parts(folder / "out.mp4")
    return {**told, "audio": audio is not None}


def _opened(path: Path) -> Any:
    """As an MP4 and as nothing else: no playlist, and no other file that it names."""
    import av  # noqa: PLC0415 - within the bounds

    return av.open(str(path), format="mp4", options={"protocol_whitelist": "file"})


def _streams(source: Any) -> tuple[Any, Any]:
    """The first video and the first sound, None without one; all else is left behind."""
    if not source.streams.video:
        raise RefusedError(Reason.NO_VIDEO)
    video = source.streams.video[0]
    context = video.codec_context
    if context is None or context.name != "h264" or context.pix_fmt not in _PIXELS:
        raise RefusedError(Reason.CODEC_UNKNOWN)
    width, height = context.width, context.height
    if not width or not height:
        raise RefusedError(Reason.UNREADABLE)
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise RefusedError(Reason.TOO_LARGE)
    audio = source.streams.audio[0] if source.streams.audio else None
    if audio is not None and (audio.codec_context is None or audio.codec_context.name != "aac"):
        raise RefusedError(Reason.CODEC_UNKNOWN)
    if source.duration is not None and source.duration > DURATION_MAX_S * 1_000_000:
        raise RefusedError(Reason.TOO_LONG)
    return video, audio


def _written(source: Any, streams: Sequence[Any], folder: Path) -> float:
    """Copy the streams, coded as they are; the seconds that they last, by what was copied and not
    by what the file says.
    """
    import av  # noqa: PLC0415 - within the bounds

    first, last = None, 0.0
    out = str(folder / "out.mp4")
    with av.open(out, "w", format="mp4", options=_WRITTEN_AS) as written:
        copies = {each.index: written.add_stream_from_template(each) for each in streams}
        for packet in source.demux(*streams):
            if packet.dts is None:
                continue  # the demuxer's last word
            begins = float(packet.dts * packet.time_base)
            first = begins if first is None else first
            last = max(last, begins + float((packet.duration or 0) * packet.time_base))
            if last - first > DURATION_MAX_S + 1:
                raise RefusedError(Reason.TOO_LONG)
            packet.stream = copies[packet.stream.index]
            written.mux(packet)
    if first is None:
        raise RefusedError(Reason.UNREADABLE)
    return last - first


def _poster(video: Any, at_s: float, folder: Path) -> dict[str, int]:
    """Write the frame that is shown then, upright; the sides of the video as it is seen."""
    from PIL import Image  # noqa: PLC0415 - within the bounds

    video.codec_context.thread_count = 1
    found = None
    for number, frame in enumerate(video.container.decode(video)):
        if max(frame.width, frame.height) > SIDE_MAX:
            raise RefusedError(Reason.TOO_LARGE)
        found = frame
        if number >= POSTER_FRAMES_MAX or (frame.time or 0.0) >= at_s:
            break
    if found is None:
        raise RefusedError(Reason.UNREADABLE)
    picture = found.to_image()
    picture.thumbnail((max(POSTER_BOX), max(POSTER_BOX)), Image.Resampling.BILINEAR)
    turned = round(found.rotation / 90) % 4  # quarters, against the clock
    if turned:
        picture = picture.rotate(90 * turned, expand=True)
    picture.thumbnail(POSTER_BOX)
    picture.save(folder / "poster.png", compress_level=1)
    sides = (found.height, found.width) if turned % 2 else (found.width, found.height)
    return dict(zip(("width", "height"), sides, strict=True))


def _parts(path: Path) -> dict[str, Any]:
    """Where its parts lie, as its own index tells: what comes first, and the segments, each with
    its length in bytes and its milliseconds.
    """
    with path.open("rb") as file:
        while True:
            at = file.tell()
            size, kind = struct.unpack(">I4s", file.read(8))
            if kind == b"sidx":
                return _indexed(at, file.read(size - 8), path.stat().st_size)
            file.seek(at + size)


def _indexed(at: int, sidx: bytes, most: int) -> dict[str, Any]:
    """ISO 14496-12, 8.16.3, in its version 1."""
    timescale, _, offset, count = struct.unpack_from(">8xIQQ2xH", sidx)
    begins = at + 8 + len(sidx) + offset
    segments = []
    for number in range(count):
        length, ticks = struct.unpack_from(">II", sidx, 32 + 12 * number)
        segments.append((begins, length & 0x7FFFFFFF, round(ticks * 1000 / timescale)))
        begins += length & 0x7FFFFFFF
    assert begins <= most
    return {"init": at, "segments": segments, "size": most}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
