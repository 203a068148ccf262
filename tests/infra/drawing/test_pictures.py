"""Pictures from strangers: what is drawn, what is refused, and what a file may cost."""

from __future__ import annotations

import asyncio
import random
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infra import pictures
from infra.pictures import (
    Fitted,
    PictureError,
    PictureFormat,
    Pictures,
    PicturesBusyError,
    resized,
    squares,
)
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
SIDES = (512, 128)
RED, BLUE = (200, 30, 30), (30, 30, 200)
GPS = {1: "N", 2: (6.0, 55.0, 37.0), 3: "E", 4: (79.0, 51.0, 43.0)}


def written(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = (300, 200)) -> Image.Image:
    return Image.new("RGB", size, RED).convert(mode)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def near(found: Any, wanted: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 25 for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_PR_03_a_picture_becomes_two_webp_squares(kind: str) -> None:
    drawn = squares(written(plain(), kind), SIDES)
    assert {side: (opened(data).size, opened(data).format) for side, data in drawn.items()} == {
        512: ((512, 512), "WEBP"),
        128: ((128, 128), "WEBP"),
    }
    assert near(opened(drawn[128]).getpixel((64, 64)), RED)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
def test_PR_03_every_way_to_store_colours_is_read(mode: str) -> None:
    if mode == "I;16":
        picture, wanted = Image.new("I;16", (300, 200), 40_000), (156, 156, 156)
    else:
        picture = plain(mode)
        wanted = picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    data = written(picture, "JPEG" if mode == "CMYK" else "PNG")
    assert near(opened(squares(data, SIDES)[128]).getpixel((64, 64)), wanted)


def test_PR_03_what_can_be_seen_through_is_drawn_on_white() -> None:
    clear = Image.new("RGBA", (300, 300), (*RED, 0))
    assert near(opened(squares(written(clear), SIDES)[128]).getpixel((64, 64)), (255, 255, 255))


def test_PR_03_of_an_animation_the_first_picture_is_shown() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE, BLUE)]
    data = written(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=10)
    assert near(opened(squares(data, SIDES)[128]).getpixel((64, 64)), RED)


@pytest.mark.parametrize("turn", range(1, 9))
def test_PR_03_a_picture_stands_upright_as_its_camera_was_held(turn: int) -> None:
    upright = Image.new("RGB", (240, 240), BLUE)
    upright.paste(RED, (0, 0, 120, 60))  # red at the top left, in no other symmetry
    lying = upright
    if turn in pictures._TURNS:
        undo = {6: 8, 8: 6}.get(turn, turn)
        lying = upright.transpose(pictures._TURNS[undo])
    exif = Image.Exif()
    exif[0x0112] = turn
    drawn = opened(squares(written(lying, "JPEG", exif=exif, quality=95), SIDES)[512])
    assert near(drawn.getpixel((60, 30)), RED)
    assert near(drawn.getpixel((452, 30)), BLUE)
    assert near(drawn.getpixel((60, 452)), BLUE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.asvs("V14.2.8")
def test_PR_03_nothing_that_can_not_be_seen_survives(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "CANARY camera"
    exif.get_ifd(0x8825).update(GPS)
    data = written(plain(), kind, exif=exif, icc_profile=b"CANARY profile", xmp=b"<x>CANARY</x>")
    assert b"CANARY" in data
    data += b"CANARY behind the end <script>alert(1)</script>"
    for drawn in squares(data, SIDES).values():
        assert b"CANARY" not in drawn
        assert b"EXIF" not in drawn
        assert set(opened(drawn).info) <= {"background", "loop", "timestamp", "duration"}
        assert dict(opened(drawn).getexif()) == {}


EXE = b"MZ\x90\x00" + bytes(60) + b"This program cannot be run in DOS mode" + bytes(500)
NO_PICTURES = {
    "program": EXE,
    "empty": b"",
    "text": b"hello",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "gif": written(plain("P"), "GIF"),
    "bmp": written(plain(), "BMP"),
    "tiff": written(plain(), "TIFF"),
    "ico": written(plain(size=(32, 32)), "ICO"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "png-head-only": b"\x89PNG\r\n\x1a\n",
    "cut-png": written(Image.effect_noise((200, 200), 90))[:-9_000],
    "cut-jpeg": written(Image.effect_noise((200, 200), 90), "JPEG")[:-3_000],
    "cut-webp": written(Image.effect_noise((200, 200), 90), "WEBP")[:-3_000],
}


@pytest.mark.parametrize("name", NO_PICTURES)
@pytest.mark.asvs("V1.3.4")
def test_PR_03_what_is_no_picture_of_ours_is_refused(name: str) -> None:
    with pytest.raises(PictureError, match="send a JPEG, PNG or WebP"):
        squares(NO_PICTURES[name], SIDES)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, body: bytes = b"") -> bytes:
    """A PNG that says so much of itself, whatever is in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.asvs("V5.2.6")
def test_PR_03_a_picture_that_claims_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    for width, height in ((50_000, 50_000), (10_001, 1), (1, 10_001), (4_000, 4_000)):
        with pytest.raises(PictureError, match="too large"):
            squares(png(width, height), SIDES)


def test_PR_03_a_large_jpeg_is_shrunk_while_it_is_decoded() -> None:
    data = written(Image.new("RGB", (6_000, 4_000), RED), "JPEG", quality=20)
    assert near(opened(squares(data, SIDES)[128]).getpixel((64, 64)), RED)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
@pytest.mark.asvs("V5.2.3")
def test_PR_03_a_bomb_in_a_text_is_refused(kind: bytes) -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    said = b"x\0\0" + bomb if kind != b"iTXt" else b"x\0\1\0\0\0" + bomb
    with pytest.raises(PictureError):
        squares(png(10, 10, chunk(kind, said), body=bytes(310)), SIDES)


def test_PR_03_a_jpeg_of_very_many_passes_is_refused() -> None:
    """Each pass costs the decoder a walk over all pixels, and the attacker a few bytes."""
    data = written(plain(size=(2_000, 2_000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * 3_000 + data[-2:]
    with pytest.raises(PictureError, match="too many passes"):
        squares(bomb, SIDES)
    assert squares(data, SIDES)


def test_PR_03_whatever_the_bytes_there_is_a_picture_or_a_refusal() -> None:
    chance = random.Random(7)
    noise = Image.effect_noise((60, 40), 90).convert("RGB")
    seeds = [written(noise, kind) for kind in ("PNG", "JPEG", "WEBP")]
    drawn = refused = 0
    for number in range(900):
        data = bytearray(seeds[number % 3])
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            drawn += len(squares(bytes(data), (32,)))
        except PictureError:
            refused += 1
    assert drawn + refused == 900
    assert min(drawn, refused) > 50


COSTLY: dict[str, Callable[[], bytes]] = {
    "png": lambda: written(Image.new("RGBA", (3_870, 3_870), (1, 2, 3, 4))),
    "palette": lambda: written(Image.new("P", (3_870, 3_870), 3)),
    "webp": lambda: written(Image.new("RGBA", (3_870, 3_870), (1, 2, 3, 4)), "WEBP", quality=10),
    "jpeg": lambda: written(
        Image.new("RGB", (5_000, 5_000), RED), "JPEG", progressive=True, subsampling=0
    ),
}
MEASURE = """
import sys
from infra.pictures import squares
data = sys.stdin.buffer.read()
def memory():
    with open("/proc/self/status") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("VmHWM"))
open("/proc/self/clear_refs", "w").write("5")
before = memory()
squares(data, (512, 128))
print((memory() - before) // 1024)
"""


@pytest.mark.parametrize("name", COSTLY)
@pytest.mark.asvs("V5.2.1")
def test_PR_03_the_largest_picture_costs_less_than_256_megabytes(name: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=COSTLY[name](),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode()
    assert int(told.stdout) <= 256


async def test_PR_03_who_comes_when_too_many_wait_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(pictures, "squares", lambda data, sides: go_on.wait(10) and {})
    drawing = Pictures()
    try:
        waiting = [
            asyncio.ensure_future(drawing.squares(b"", SIDES)) for _ in range(pictures.WAITING_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(PicturesBusyError):
            await drawing.squares(b"", SIDES)
        go_on.set()
        await asyncio.gather(*waiting)
        assert await drawing.squares(b"", SIDES) == {}
    finally:
        go_on.set()
        drawing.close()


async def test_ME_13_so_many_are_drawn_at_once_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, together = threading.Event(), threading.Barrier(4)
    begun: list[None] = []

    def draw(_data: bytes, _boxes: object) -> dict[str, Fitted]:
        begun.append(None)
        if len(begun) <= 3:
            together.wait(10)
        go_on.wait(10)
        return {}

    monkeypatch.setattr(pictures, "fitted", draw)
    drawing = Pictures(3)
    try:
        waiting = [asyncio.ensure_future(drawing.fitted(b"", {})) for _ in range(8)]
        await asyncio.to_thread(together.wait, 10)  # three are under way at one moment
        assert len(begun) == 3
        go_on.set()
        assert await asyncio.gather(*waiting) == [{}] * 8
    finally:
        go_on.set()
        drawing.close()


@pytest.mark.parametrize("form", PictureFormat)
def test_ED_01_a_picture_fits_its_box_in_every_format_and_is_never_enlarged(form) -> None:
    out = BytesIO()
    Image.effect_noise((1200, 900), 40).convert("RGB").save(out, "WEBP")
    for box, size in {
        (320, 240): (320, 240),
        (300, 100): (133, 100),
        (2000, 2000): (1200, 900),
    }.items():
        drawn = resized(out.getvalue(), box, form)
        with Image.open(BytesIO(drawn)) as picture:
            assert (picture.size, picture.format) == (size, form.value.upper())
            assert picture.get_format_mimetype() == form.media_type


async def test_ED_01_one_is_drawn_at_a_time_once_for_all_and_keeps_no_upload_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, drawn = threading.Event(), []

    def draw(_data: bytes, box: tuple[int, int], _form: PictureFormat) -> bytes:
        drawn.append(box)
        go_on.wait(10)
        return b"drawn"

    monkeypatch.setattr(pictures, "resized", draw)
    monkeypatch.setattr(pictures, "squares", lambda data, sides: {})
    drawing = Pictures()

    def ask(key: str, side: int) -> asyncio.Future[bytes]:
        return asyncio.ensure_future(drawing.resized(key, b"", (side, side), PictureFormat.WEBP))

    try:
        alike = [ask("a", 1) for _ in range(20)]
        others = [ask(f"b{side}", side) for side in range(2, 1 + pictures.WAITING_MAX)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(PicturesBusyError):
            await ask("one too many", 99)
        assert await asyncio.wait_for(drawing.squares(b"", SIDES), 5) == {}
        await eventually(lambda: drawn == [(1, 1)])
        alike[0].cancel()  # whoever asked first goes away
        go_on.set()
        assert set(await asyncio.gather(*alike[1:], *others)) == {b"drawn"}
        assert len(drawn) == pictures.WAITING_MAX
        assert await ask("a", 1) == b"drawn"
        assert len(drawn) == pictures.WAITING_MAX + 1  # what is drawn is not kept here
    finally:
        go_on.set()
        drawing.close()


async def test_ED_04_cards_that_wait_keep_no_picture_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(pictures, "social_card", lambda *_: go_on.wait(10) and b"card")
    monkeypatch.setattr(pictures, "squares", lambda data, sides: {})
    drawing = Pictures()
    try:
        waiting = [
            asyncio.ensure_future(drawing.card(f"car {number}", "1 USD", ""))
            for number in range(pictures.WAITING_MAX)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(PicturesBusyError):
            await drawing.card("one too many", "1 USD", "")
        assert await asyncio.wait_for(drawing.squares(b"", SIDES), 5) == {}
        go_on.set()
        assert set(await asyncio.gather(*waiting)) == {b"card"}
        assert await drawing.card("one too many", "1 USD", "") == b"card"
    finally:
        go_on.set()
        drawing.close()


async def test_ED_04_a_card_is_drawn_once_and_so_many_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []

    def draw(title: str, price: str, facts: str) -> bytes:
        drawn.append(title)
        return f"{title} {price} {facts}".encode()

    monkeypatch.setattr(pictures, "social_card", draw)
    monkeypatch.setattr(pictures, "CARDS_KEPT", 2)
    drawing = Pictures()
    try:
        first = asyncio.ensure_future(drawing.card("a", "1", ""))
        others = [asyncio.ensure_future(drawing.card("a", "1", "")) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()  # whoever asked first goes away
        assert await asyncio.gather(*others) == [b"a 1 "] * 20
        assert drawn == ["a"]
        assert await drawing.card("a", "2", "") == b"a 2 "
        await drawing.card("b", "1", "")  # there is no more room for the first
        await drawing.card("a", "2", "")
        await drawing.card("a", "1", "")
        assert drawn == ["a", "a", "b", "a"]
    finally:
        drawing.close()


async def test_ED_04_a_card_that_failed_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([OSError("no memory"), b"card"])

    def draw(*_: str) -> bytes:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(pictures, "social_card", draw)
    drawing = Pictures()
    try:
        with pytest.raises(OSError, match="no memory"):
            await drawing.card("a", "1", "")
        assert await drawing.card("a", "1", "") == b"card"
    finally:
        drawing.close()
