"""Pictures in other sizes and formats, over HTTP, against a mesh at work."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from limits import parse
from PIL import Image

from api.entry.pictures import FOREVER
from api.media import resizing
from api.media.resizing import PATH, SIZES
from infra.pictures import PictureFormat, PicturesBusyError
from tests.api.acting.picturing import Uploader
from tests.api.acting.profiling import photo
from tests.api.acting.selling import pointers_of, reason_of
from tests.api.running import Mesh
from tests.waiting import eventually

FORMATS = {"webp": "WEBP", "jpeg": "JPEG", "avif": "AVIF"}


@pytest.fixture(scope="module")
async def person(mesh: Mesh) -> Uploader:
    return Uploader(mesh, await mesh.account("buyer"))


@pytest.fixture(scope="module")
async def drawn(person: Uploader) -> dict[str, Any]:
    out = BytesIO()
    Image.effect_noise((1600, 900), 40).convert("RGB").save(out, "JPEG")
    return await person.processed(out.getvalue())


@pytest.fixture
async def fresh(person: Uploader) -> dict[str, Any]:
    """One of which nothing else was asked for."""
    return await person.processed(photo())


def asked(url: str, **other: Any) -> dict[str, Any]:
    """The parameters of an address, some of them replaced."""
    return {**{name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}, **other}


def address(image: dict[str, Any], width: int = 320, form: str = "webp") -> str:
    (url,) = [
        each["url"] for each in image["resized"] if (each["width"], each["format"]) == (width, form)
    ]
    return str(url)


def kept(person: Uploader, image: dict[str, Any]) -> set[str]:
    return {each for each in person.kept(image["id"]) if "/resized-" in each}


async def test_ED_01_ME_24_every_size_and_format_that_is_told_is_shown(mesh, drawn) -> None:
    told = {(each["width"], each["height"], each["format"]) for each in drawn["resized"]}
    assert told == {(*size, form) for size in SIZES for form in FORMATS}
    for each in drawn["resized"]:
        got = await mesh.client.get(each["url"])
        assert (got.status_code, got.headers["Content-Type"]) == (200, f"image/{each['format']}")
        with Image.open(BytesIO(got.content)) as picture:
            assert picture.format == FORMATS[each["format"]]
            # 16 to 9, inside its box.
            assert picture.width == each["width"]
            assert picture.height == round(each["width"] * 9 / 16)


async def test_ED_01_what_is_shown_is_kept_for_a_year_by_whoever_fetches_it(mesh, drawn) -> None:
    got = await mesh.client.get(address(drawn))
    assert got.headers["Cache-Control"] == FOREVER
    assert {"public", "immutable", "max-age=31536000"} <= set(FOREVER.split(", "))


async def test_ED_01_the_second_call_draws_nothing(mesh, person, fresh, monkeypatch) -> None:
    assert kept(person, fresh) == set()
    first = await mesh.client.get(address(fresh))
    assert (first.status_code, len(kept(person, fresh))) == (200, 1)

    async def no_more(*_: Any) -> bytes:
        raise PicturesBusyError

    monkeypatch.setattr(mesh.machines.pictures, "resized", no_more)
    second = await mesh.client.get(address(fresh))
    assert (second.status_code, second.content) == (200, first.content)
    assert second.headers["Cache-Control"] == FOREVER
    assert reason_of(await mesh.client.get(address(fresh, 640))) == (503, "busy")


@pytest.mark.parametrize(
    ("other", "pointer"),
    [
        ({"w": 321}, "?w"),
        ({"h": 10_000}, "?w"),
        ({"w": 96}, "?w"),
        ({"w": 0}, "?w"),
        ({"w": "10e3"}, "?w"),
        ({"h": -1}, "?h"),
        ({"fmt": "png"}, "?fmt"),
        ({"fmt": "WEBP"}, "?fmt"),
        ({"media": "mine"}, "?media"),
        ({"sig": "0"}, "?sig"),
    ],
)
async def test_ED_01_arbitrary_sizes_and_formats_are_refused(mesh, drawn, other, pointer) -> None:
    got = await mesh.client.get(PATH, params=asked(address(drawn), **other))
    assert (got.status_code, pointers_of(got)) == (422, [pointer])


async def test_ED_01_what_is_not_signed_by_us_is_refused(mesh, person, drawn, fresh) -> None:
    before = kept(person, fresh)
    own = address(fresh)
    others: list[dict[str, Any]] = [
        {"sig": "0" * 32},
        {"sig": asked(address(drawn))["sig"]},
        {"sig": asked(address(fresh, 640))["sig"]},
        {"sig": asked(address(fresh, 320, "jpeg"))["sig"]},
        {"w": 640, "h": 480},
        {"fmt": "avif"},
        {"media": drawn["id"]},
    ]
    for other in others:
        got = await mesh.client.get(PATH, params=asked(own, **other))
        assert reason_of(got) == (403, "signature_invalid"), other
    assert kept(person, fresh) == before == set()


@pytest.mark.parametrize("name", ["media", "w", "h", "fmt", "sig"])
async def test_ED_01_each_part_of_an_address_is_needed(mesh, drawn, name) -> None:
    params = asked(address(drawn))
    del params[name]
    got = await mesh.client.get(PATH, params=params)
    assert (got.status_code, pointers_of(got)) == (422, [f"?{name}"])


async def test_ED_01_with_a_picture_all_that_was_drawn_of_it_goes(mesh, person, fresh) -> None:
    for form in FORMATS:
        assert (await mesh.client.get(address(fresh, 96, form))).status_code == 200
    assert len(kept(person, fresh)) == len(FORMATS)
    assert (await person.ask("DELETE", f"/api/media/{fresh['id']}")).status_code == 204
    await eventually(lambda: not person.kept(fresh["id"]), 30)
    for width in (96, 320):
        got = await mesh.client.get(address(fresh, width))
        assert reason_of(got) == (404, "picture_unknown")
    assert person.kept(fresh["id"]) == set()


async def test_ED_01_what_goes_while_it_is_drawn_is_not_kept(
    mesh, person, fresh, monkeypatch
) -> None:
    """The row may still be shown when the files are gone."""
    real = mesh.machines.pictures.resized

    async def meanwhile(*args: Any) -> bytes:
        folder = person.kept(fresh["id"]).pop().rpartition("/")[0]
        assert await mesh.machines.objects.delete_folder(folder)
        return await real(*args)

    monkeypatch.setattr(mesh.machines.pictures, "resized", meanwhile)
    assert reason_of(await mesh.client.get(address(fresh))) == (404, "picture_unknown")
    assert person.kept(fresh["id"]) == set()


async def test_ED_01_a_drawing_that_takes_too_long_is_given_up(
    mesh, person, fresh, monkeypatch
) -> None:
    monkeypatch.setattr(resizing, "DRAWING_TIMEOUT_S", 0.05)
    never = asyncio.Event()
    monkeypatch.setattr(mesh.machines.pictures, "resized", lambda *_: never.wait())
    got = await mesh.client.get(address(fresh))
    assert (reason_of(got), "Retry-After" in got.headers) == ((503, "busy"), True)
    assert kept(person, fresh) == set()


async def test_ED_01_when_too_many_are_drawn_others_come_again(mesh, fresh, monkeypatch) -> None:
    async def busy(*_: Any) -> bytes:
        raise PicturesBusyError

    monkeypatch.setattr(mesh.machines.pictures, "resized", busy)
    assert reason_of(await mesh.client.get(address(fresh))) == (503, "busy")


async def test_ED_01_drawings_are_counted_and_what_is_kept_is_not(
    mesh, person, fresh, monkeypatch
) -> None:
    monkeypatch.setitem(mesh.machines.rate_limits._items, "search", parse("1 per 5 minutes"))
    for _ in range(3):
        assert (await person.ask("GET", address(fresh))).status_code == 200
    refused = await person.ask("GET", address(fresh, 640))
    assert reason_of(refused) == (429, "rate_limited")
    assert len(kept(person, fresh)) == 1


async def test_ED_01_the_addresses_are_told_to_who_may_see_the_picture(mesh, drawn) -> None:
    other = Uploader(mesh, await mesh.account("buyer"))
    assert reason_of(await other.image(drawn["id"])) == (404, "media_unknown")
    staff = Uploader(mesh, await mesh.account("moderator"))
    assert (await staff.image(drawn["id"])).json()["resized"] == drawn["resized"]


async def test_ED_01_what_is_not_drawn_has_no_other_sizes(mesh, person) -> None:
    answer = await person.send(b"\x89PNG\r\n\x1a\n and no more")
    image_id = answer.json()["images"][0]["id"]
    failed = await person.until(image_id, "failed")
    assert failed["resized"] == []
    signed = resizing.signature_of(mesh.settings, image_id, 320, 240, PictureFormat.WEBP)
    params = {"media": image_id, "w": 320, "h": 240, "fmt": "webp", "sig": signed}
    assert reason_of(await mesh.client.get(PATH, params=params)) == (404, "picture_unknown")
