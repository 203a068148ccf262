"""Pictures that strangers send: decoded within bounds, and always made anew.

What leaves here has been drawn pixel by pixel into an empty picture, so that nothing of the
sent file survives but what can be seen: no EXIF, no profile, no second file behind the first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from itertools import pairwise
from typing import TypeVar

from PIL import Image, ImageOps

from infra.social_cards import social_card

FORMATS = ("JPEG", "PNG", "WEBP")
SIDE_MAX = 10_000
PIXELS_MAX = 25_000_000  # as stated by the file; a 24-megapixel camera's JPEG is welcome
DECODED_PIXELS_MAX = 15_000_000  # held in memory: a JPEG is shrunk while it is decoded
# libjpeg walks the whole picture once a scan, and a scan costs an attacker some 50 bytes.
# A progressive JPEG has about ten.
JPEG_SCANS_MAX = 64
QUALITY = 82  # of squares
FITTED_QUALITY = 85
EFFORT = 4
WAITING_MAX = 8
CARDS_KEPT = 200  # of some 20 kB each
TOO_LARGE = (
    f"is too large: at most {SIDE_MAX:,} pixels a side and {DECODED_PIXELS_MAX:,} in all,"
    f" {PIXELS_MAX:,} in a JPEG"
)

_JPEG_SCAN = b"\xff\xda"
_LOOK = 8
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
_LYING = frozenset({5, 6, 7, 8})  # width and height change places when it is turned
_SIGNATURES = (
    (b"\xff\xd8\xff", b"", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", b"", "image/png"),
    (b"RIFF", b"WEBP", "image/webp"),  # with four bytes of length between the two
)


class PictureFormat(StrEnum):
    """What a picture may be drawn as, by the ends of files' names."""

    WEBP = "webp"
    JPEG = "jpeg"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """As it is told in headers."""
        return f"image/{self.value}"


# AVIF's own figures: half the bytes of a WebP that looks as good, in as much time.
_DRAWN_AS: Mapping[PictureFormat, Mapping[str, int | bool]] = {
    PictureFormat.WEBP: {"quality": FITTED_QUALITY, "method": EFFORT},
    PictureFormat.JPEG: {"quality": FITTED_QUALITY, "progressive": True},
    PictureFormat.AVIF: {"quality": 60, "speed": 9, "max_threads": 1},
}

K = TypeVar("K")
D = TypeVar("D")
Size = tuple[int, int]  # width and height in pixels
Card = tuple[str, str, str]  # title, price and facts


class PictureError(Exception):
    """The bytes are no picture that we take; the text says why and how to mend it."""


class PictureTooLargeError(PictureError):
    """It has more pixels than we draw."""

    def __init__(self) -> None:
        super().__init__(TOO_LARGE)


class PicturesBusyError(Exception):
    """Too many pictures wait to be drawn; try again soon."""


@dataclass(frozen=True)
class Fitted:
    """A WebP, its size, and what it looks like: alike are those that differ in few of these bits."""

    data: bytes
    size: Size
    look: str


class _Turns:
    """Draws so few things at a time, away from the event loop: that bounds memory, too."""

    def __init__(self, name: str, at_once: int = 1) -> None:
        self._pool = ThreadPoolExecutor(at_once, name)
        self._waiting = 0

    async def drawn(self, draw: Callable[[], D]) -> D:
        """What is drawn. Raises PicturesBusyError."""
        if self._waiting >= WAITING_MAX:
            raise PicturesBusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, draw)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Take no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Pictures:
    """Draws pictures that people send, cards, and other sizes of pictures, each in turns of their own:
    what is drawn for anybody must not keep those who send pictures waiting. One card or size is
    drawn once for all who ask for it. `jobs` is what background work takes its turns by, so that no more originals are in
    memory than are drawn at once.
    """

    def __init__(self, at_once: int = 1) -> None:
        self.jobs = asyncio.Semaphore(at_once)
        self._sent = _Turns("pictures", at_once)
        self._cards = _Turns("cards")
        self._resizing = _Turns("resized")
        self._resized: dict[str, asyncio.Future[bytes]] = {}
        self._kept: OrderedDict[Card, asyncio.Future[bytes]] = OrderedDict()

    async def squares(self, data: bytes, sides: Sequence[int]) -> Mapping[int, bytes]:
        """WebP squares of the picture's middle, by side. Raises PictureError and
        PicturesBusyError.
        """
        return await self._sent.drawn(lambda: squares(data, tuple(sides)))

    async def fitted(self, data: bytes, boxes: Mapping[K, Size]) -> Mapping[K, Fitted]:
        """The whole picture as WebPs that fit inside these boxes and are never larger than it
        is. Raises PictureError and PicturesBusyError.
        """
        return await self._sent.drawn(lambda: fitted(data, boxes))

    async def resized(self, key: str, data: bytes, box: Size, form: PictureFormat) -> bytes:
        """The picture so that it fits inside the box, never larger than it is, in this format; `key`
        names all of that. Raises PictureError and PicturesBusyError.
        """
        drawing = self._resized.get(key)
        if drawing is None:
            drawn = self._resizing.drawn(lambda: resized(data, box, form))
            drawing = asyncio.ensure_future(drawn)
            self._resized[key] = drawing
            drawing.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(drawing)

    def _forget(self, key: str, done: asyncio.Future[bytes]) -> None:
        if not done.cancelled():
            done.exception()  # who asked has been told, or is gone
        del self._resized[key]

    async def card(self, title: str, price: str, facts: str) -> bytes:
        """A PNG with this title and price (infra.social_cards). Raises PicturesBusyError."""
        card = (title, price, facts)
        drawing = self._kept.get(card)
        if drawing is None:
            drawing = asyncio.ensure_future(self._cards.drawn(lambda: social_card(*card)))
            self._keep(card, drawing)
        self._kept.move_to_end(card)
        # Who goes away must not take it from the others who wait for it.
        return await asyncio.shield(drawing)

    def _keep(self, card: Card, drawing: asyncio.Future[bytes]) -> None:
        """By all that is drawn on it, so that what is kept is never an old one."""
        self._kept[card] = drawing
        if len(self._kept) > CARDS_KEPT:
            self._kept.popitem(last=False)

        def done(drawing: asyncio.Future[bytes]) -> None:
            if (drawing.cancelled() or drawing.exception()) and self._kept.get(card) is drawing:
                del self._kept[card]

        drawing.add_done_callback(done)

    def close(self) -> None:
        """Take no more work."""
        self._sent.close()
        self._cards.close()
        self._resizing.close()


def media_type_of(data: bytes) -> str | None:
    """What the first bytes say that the rest is: one of those that we take, or None."""
    for start, form, media_type in _SIGNATURES:
        if data.startswith(start) and data[8 : 8 + len(form)] == form:
            return media_type
    return None


def webp_key(folder: str, webp: bytes) -> str:
    """Where in the object store a picture of ours lies: its name is the hash of its bytes, so
    what is there never changes.
    """
    return f"{folder}/{hashlib.sha256(webp).hexdigest()}.webp"


def squares(data: bytes, sides: Sequence[int]) -> Mapping[int, bytes]:
    """The same as the method, at once."""
    side = max(sides)
    largest = _read(data, lambda _: (side, side))
    return {each: _webp(_at(largest, (each, each)), QUALITY) for each in sides}


def fitted(data: bytes, boxes: Mapping[K, Size]) -> Mapping[K, Fitted]:
    """The same as the method, at once."""
    most = max(width for width, _ in boxes.values()), max(height for _, height in boxes.values())
    largest = _read(data, lambda size: _inside(size, most))
    drawn = {name: _at(largest, _inside(largest.size, box)) for name, box in boxes.items()}
    return {
        name: Fitted(_webp(picture, FITTED_QUALITY), picture.size, look_of(picture))
        for name, picture in drawn.items()
    }


def resized(data: bytes, box: Size, form: PictureFormat) -> bytes:
    """The same as the method, at once."""
    out = BytesIO()
    _read(data, lambda size: _inside(size, box)).save(out, form.value.upper(), **_DRAWN_AS[form])
    return out.getvalue()


def look_of(picture: Image.Image) -> str:
    """For each of 8 x 8 places of the picture whether it is lighter than the one to its right: 64 bits
    that stay, or nearly so, when it is shrunk, compressed or made lighter.
    """
    small = picture.convert("L").resize((_LOOK + 1, _LOOK), Image.Resampling.BOX).tobytes()
    rows = [small[at : at + _LOOK + 1] for at in range(0, len(small), _LOOK + 1)]
    bits = [left > right for row in rows for left, right in pairwise(row)]
    return f"{int(''.join('01'[bit] for bit in bits), 2):016x}"


def _read(data: bytes, wanted: Callable[[Size], Size]) -> Image.Image:
    """The picture at the size that is wanted of its own, upright and free of whatever else the
    file said; of another shape, it is the middle.
    """
    if data.count(_JPEG_SCAN) > JPEG_SCANS_MAX and data.startswith(b"\xff\xd8"):
        message = "is drawn in too many passes: save it as an ordinary JPEG"
        raise PictureError(message)
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            return _decoded(opened, wanted)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureTooLargeError from error
    except Exception as error:
        # Decoders fail in many ways on hostile bytes, and their texts may quote them.
        message = "is no picture that can be read: send a JPEG, PNG or WebP"
        raise PictureError(message) from error


def _decoded(opened: Image.Image, wanted: Callable[[Size], Size]) -> Image.Image:
    width, height = opened.size
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise PictureTooLargeError
    upright, lying = wanted((width, height)), _turned(wanted((height, width)))
    opened.draft("RGB", (2 * max(upright[0], lying[0]), 2 * max(upright[1], lying[1])))
    # Before anything else is asked of it: a PNG is decoded to see which way it was held.
    if opened.width * opened.height > DECODED_PIXELS_MAX:
        raise PictureTooLargeError
    orientation = opened.getexif().get(_ORIENTATION, 1)
    size = lying if orientation in _LYING else upright
    drawn = _flat(ImageOps.fit(_resizable(opened), size, Image.Resampling.LANCZOS))
    turn = _TURNS.get(orientation)
    return drawn if turn is None else drawn.transpose(turn)


def _turned(size: Size) -> Size:
    return size[1], size[0]


def _inside(size: Size, box: Size) -> Size:
    """The largest size of the same shape that fits inside the box and is not larger than it
    is; a very narrow picture keeps a pixel.
    """
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _at(picture: Image.Image, size: Size) -> Image.Image:
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS)


def _resizable(opened: Image.Image) -> Image.Image:
    """Palettes and 16-bit greys can't be shrunk smoothly as they are."""
    if opened.mode in {"RGB", "RGBA", "L", "LA", "CMYK"}:
        return opened
    if opened.mode.startswith("I"):
        return opened.point(lambda value: value / 256).convert("L")
    return opened.convert("RGBA")


def _flat(drawn: Image.Image) -> Image.Image:
    """On white, and free of whatever else the file said."""
    flat = Image.new("RGB", drawn.size, "white")
    if drawn.mode in {"RGBA", "LA"}:
        drawn = drawn.convert("RGBA")
        flat.paste(drawn, mask=drawn.getchannel("A"))
    else:
        flat.paste(drawn.convert("RGB"))
    return flat


def _webp(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    picture.save(out, "WEBP", quality=quality, method=EFFORT)
    return out.getvalue()
