"""Clips for tests, made here: a red and a blue half that change as they go, with silence."""

from __future__ import annotations

import struct
from functools import cache
from io import BytesIO

import av
from PIL import Image

RATE = 48_000


@cache
def clip(
    seconds: float = 2,
    size: tuple[int, int] = (320, 240),
    *,
    fps: int = 25,
    between_keys: int = 25,
    coded: str = "libx264",
    pixels: str = "yuv420p",
    sound: str | None = "aac",
    container: str = "mp4",
    told: str = "",
) -> bytes:
    """So many seconds of video; `told` is what the file says of where it was taken."""
    out = BytesIO()
    with av.open(out, "w", format=container) as written:
        if told:
            written.metadata.update({"title": told, "location": told})
        shown = written.add_stream(coded, rate=fps)
        shown.width, shown.height = size
        shown.pix_fmt = pixels
        shown.codec_context.gop_size = between_keys
        shown.codec_context.thread_count = 1
        if coded == "libx264":
            shown.options = {"preset": "ultrafast", "bf": "2"}
        heard = None
        if sound is not None:
            heard = written.add_stream(sound, rate=RATE)
            heard.layout = "mono"
        for number in range(round(seconds * fps)):
            frame = av.VideoFrame.from_image(_picture(size, number))
            frame.pts = number
            written.mux(shown.encode(frame))
        written.mux(shown.encode(None))
        if heard is not None:
            _be_silent(written, heard, seconds)
    return out.getvalue()


def turned(video: bytes) -> bytes:
    """The same, held upright: to be shown a quarter turn with the clock."""
    at = video.index(b"tkhd") + 4 + 4 + 20 + 16  # the first track's matrix
    return video[:at] + struct.pack(">8i", 0, 65536, 0, -65536, 0, 0, 0, 0) + video[at + 32 :]


def _picture(size: tuple[int, int], number: int) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, (10, 10, 240 - number % 100))
    picture.paste((240 - number % 100, 10, 10), (0, 0, size[0] // 2, size[1]))
    return picture


def _be_silent(
    written: av.container.OutputContainer, heard: av.AudioStream, seconds: float
) -> None:
    for number in range(int(seconds * RATE / 1024)):
        frame = av.AudioFrame(format=heard.format.name, layout="mono", samples=1024)
        frame.rate, frame.pts = RATE, number * 1024
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        written.mux(heard.encode(frame))
    written.mux(heard.encode(None))
