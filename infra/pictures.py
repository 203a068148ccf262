"""Pictures that strangers send: decoded within bounds, and always made anew.

What leaves here has been drawn pixel by pixel into an empty picture, so that nothing of the
sent file survives but what can be seen: no EXIF, no profile, no second file behind the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP")
SIDE_MAX = 10_000
PIXELS_MAX = 25_000_000  # as stated by the file; a 24-megapixel camera's JPEG is welcome
DECODED_PIXELS_MAX = 15_000_000  # held in memory: a JPEG is shrunk while it is decoded
# libjpeg walks the whole picture once a scan, and a scan costs an attacker some 50 bytes.
# A progressive JPEG has about ten.
JPEG_SCANS_MAX = 64
QUALITY = 82
WAITING_MAX = 8
TOO_LARGE = (
    f"is too large: at most {SIDE_MAX:,} pixels a side and {DECODED_PIXELS_MAX:,} in all,"
    f" {PIXELS_MAX:,} in a JPEG"
)

_JPEG_SCAN = b"\xff\xda"
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(Exception):
    """The bytes are no picture that we take; the text says why and how to mend it."""


class PicturesBusyError(Exception):
    """Too many pictures wait to be drawn; try again soon."""


class Pictures:
    """Draws one picture at a time, away from the event loop: that bounds memory, too."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "pictures")
        self._waiting = 0

    async def squares(self, data: bytes, sides: Sequence[int]) -> Mapping[int, bytes]:
        """WebP squares of the picture's middle, by side. Raises PictureError and
        PicturesBusyError.
        """
        if self._waiting >= WAITING_MAX:
            raise PicturesBusyError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, squares, data, tuple(sides))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Take no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def squares(data: bytes, sides: Sequence[int]) -> Mapping[int, bytes]:
    """The same, at once."""
    largest = _largest_square(data, max(sides))
    return {side: _webp(largest, side) for side in sides}


def _largest_square(data: bytes, side: int) -> Image.Image:
    if data.count(_JPEG_SCAN) > JPEG_SCANS_MAX and data.startswith(b"\xff\xd8"):
        message = "is drawn in too many passes: save it as an ordinary JPEG"
        raise PictureError(message)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            return _decoded(opened, side)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(TOO_LARGE) from error
    except Exception as error:
        # Decoders fail in many ways on hostile bytes, and their texts may quote them.
        message = "is no picture that can be read: send a JPEG, PNG or WebP"
        raise PictureError(message) from error


def _decoded(opened: Image.Image, side: int) -> Image.Image:
    width, height = opened.size
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise PictureError(TOO_LARGE)
    opened.draft("RGB", (2 * side, 2 * side))
    if opened.width * opened.height > DECODED_PIXELS_MAX:
        raise PictureError(TOO_LARGE)
    turn = _TURNS.get(opened.getexif().get(_ORIENTATION, 1))
    square = _flat(ImageOps.fit(_resizable(opened), (side, side), Image.Resampling.LANCZOS))
    return square if turn is None else square.transpose(turn)


def _resizable(opened: Image.Image) -> Image.Image:
    """Palettes and 16-bit greys can't be shrunk smoothly as they are."""
    if opened.mode in {"RGB", "RGBA", "L", "LA", "CMYK"}:
        return opened
    if opened.mode.startswith("I"):
        return opened.point(lambda value: value / 256).convert("L")
    return opened.convert("RGBA")


def _flat(square: Image.Image) -> Image.Image:
    """On white, and free of whatever else the file said."""
    flat = Image.new("RGB", square.size, "white")
    if square.mode in {"RGBA", "LA"}:
        square = square.convert("RGBA")
        flat.paste(square, mask=square.getchannel("A"))
    else:
        flat.paste(square.convert("RGB"))
    return flat


def _webp(square: Image.Image, side: int) -> bytes:
    drawn = (
        square if square.width == side else square.resize((side, side), Image.Resampling.LANCZOS)
    )
    out = BytesIO()
    drawn.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()
