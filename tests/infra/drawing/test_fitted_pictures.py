"""Pictures drawn whole, into boxes; what may come in is tested with the squares."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from infra.pictures import (
    PictureError,
    PictureTooLargeError,
    fitted,
    media_type_of,
    webp_key,
)
from processors.reactions.media import BOXES
from tests.infra.drawing.test_pictures import (
    BLUE,
    EXE,
    GPS,
    NO_PICTURES,
    RED,
    near,
    opened,
    plain,
    png,
    written,
)


def sizes(drawn: Any) -> dict[str, tuple[int, int]]:
    """As the files themselves say."""
    told = {str(name): each.size for name, each in drawn.items()}
    assert told == {str(name): opened(each.data).size for name, each in drawn.items()}
    return told


@pytest.mark.parametrize(
    ("size", "thumbnail", "medium", "large"),
    [
        ((2400, 1800), (300, 225), (800, 600), (1200, 900)),
        ((1800, 2400), (225, 300), (450, 600), (675, 900)),
        ((3000, 1000), (300, 100), (800, 267), (1200, 400)),
        ((900, 900), (300, 300), (600, 600), (900, 900)),
        ((9000, 3), (300, 1), (800, 1), (1200, 1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_ME_15_each_variant_fits_inside_its_box(kind: str, size, thumbnail, medium, large) -> None:
    drawn = fitted(written(plain(size=size), kind), BOXES)
    assert sizes(drawn) == {"thumbnail": thumbnail, "medium": medium, "large": large}


@pytest.mark.parametrize("size", [(200, 100), (1, 1), (299, 300)], ids=str)
def test_ME_16_nothing_is_enlarged(size: tuple[int, int]) -> None:
    drawn = fitted(written(plain(size=size)), BOXES)
    assert sizes(drawn) == dict.fromkeys(("thumbnail", "medium", "large"), size)


def test_ME_17_variants_are_webp() -> None:
    for each in fitted(written(plain(size=(640, 480)), "JPEG"), BOXES).values():
        assert (each.data[:4], each.data[8:12]) == (b"RIFF", b"WEBP")


def test_ME_04_what_is_drawn_is_smaller_than_a_large_photo() -> None:
    noise = Image.effect_noise((4000, 3000), 60).convert("RGB")
    sent = written(noise, "JPEG", quality=90)
    assert max(len(each.data) for each in fitted(sent, BOXES).values()) < len(sent) / 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.asvs("V14.2.8")
def test_ME_04_nothing_that_can_not_be_seen_survives(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "CANARY camera"
    exif.get_ifd(0x8825).update(GPS)
    data = written(plain(), kind, exif=exif, icc_profile=b"CANARY profile") + b"CANARY behind"
    for each in fitted(data, BOXES).values():
        assert b"CANARY" not in each.data
        assert dict(opened(each.data).getexif()) == {}


@pytest.mark.parametrize(("turn", "corner"), [(1, 0), (3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_ME_04_a_picture_stands_upright_as_its_camera_was_held(kind, turn, corner) -> None:
    """Red is at the top left of what is seen; how it lies in the file is what EXIF tells."""
    lying = Image.new("RGB", (1600, 1000), BLUE)
    width, height = 400, 250
    places = [(0, 0), (1200, 0), (1200, 750), (0, 750)]
    left, top = places[corner]
    lying.paste(RED, (left, top, left + width, top + height))
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"quality": 95} if kind == "JPEG" else {}
    large = fitted(written(lying, kind, exif=exif, **options), BOXES)["large"]
    seen = opened(large.data)
    assert large.size == ((1200, 750) if turn in (1, 3) else (562, 900))
    right, bottom = seen.width - 20, seen.height - 20
    assert near(seen.getpixel((20, 20)), RED)
    assert all(near(seen.getpixel(at), BLUE) for at in ((right, 20), (20, bottom), (right, bottom)))


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_ME_15_a_picture_that_lies_fits_as_it_is_seen(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    drawn = fitted(written(plain(size=(1500, 2400)), "JPEG", exif=exif), BOXES)
    assert sizes(drawn) == {"thumbnail": (300, 188), "medium": (800, 500), "large": (1200, 750)}


def test_ME_04_a_panorama_is_shrunk_while_it_is_decoded() -> None:
    data = written(Image.new("RGB", (10_000, 2_400), RED), "JPEG", quality=20)
    assert fitted(data, BOXES)["large"].size == (1200, 288)


@pytest.mark.parametrize("name", NO_PICTURES)
@pytest.mark.asvs("V1.3.4")
def test_ME_03_what_is_no_picture_of_ours_is_refused(name: str) -> None:
    with pytest.raises(PictureError, match="send a JPEG, PNG or WebP"):
        fitted(NO_PICTURES[name], BOXES)


def test_ME_03_what_has_too_many_pixels_is_told_from_what_can_not_be_read() -> None:
    for data in (png(50_000, 50_000), png(4_000, 4_000)):
        with pytest.raises(PictureTooLargeError):
            fitted(data, BOXES)


@pytest.mark.asvs("V5.2.2")
def test_ME_01_the_bytes_say_what_a_file_is() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        assert media_type_of(written(plain(), kind)) == f"image/{kind.lower()}"
    for data in (EXE, b"", b"RIFF", b"RIFF\0\0\0\0WAVE", written(plain("P"), "GIF"), b"<svg/>"):
        assert media_type_of(data) is None


def test_ME_18_another_picture_has_another_key() -> None:
    red, blue = (fitted(written(Image.new("RGB", (9, 9), each)), BOXES) for each in (RED, BLUE))
    keys = [webp_key("media/a/b", each["large"].data) for each in (red, blue, red)]
    assert keys[0] == keys[2] != keys[1]
