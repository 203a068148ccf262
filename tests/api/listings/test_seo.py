"""What others show beside a link to a listing."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageFont

from infra.social_cards import SIZE, first_writable, social_card, writable
from tests.api.acting.selling import CAR, Seller, path_of, reason_of, token_of
from tests.api.running import Mesh

METADATA = "/api/functions/seo-metadata"
IMAGE = f"{METADATA}/image"
WHITE = (255, 255, 255)
TITLE, PRICE = (0, 60, 1200, 390), (0, 395, 1200, 510)


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    assert picture.format == "PNG"
    return picture.convert("RGB")


def ink_in(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
    """How many pixels of this part are drawn upon."""
    part = picture.crop(box)
    blank = Image.new("RGB", part.size, WHITE)
    return sum(ImageChops.difference(part, blank).convert("L").histogram()[1:])


def test_ED_04_a_card_is_1200_by_630_with_title_and_price() -> None:
    card = opened(social_card("Porsche 911", "85000.00 USD", "2019"))
    assert card.size == SIZE == (1200, 630)
    assert ink_in(card, TITLE) > 1_000
    assert ink_in(card, PRICE) > 1_000


def test_ED_04_another_title_and_another_price_are_another_picture() -> None:
    cards = [
        opened(social_card(title, price, "2019"))
        for title, price in [("Porsche", "1 USD"), ("Audi", "1 USD"), ("Porsche", "2 USD")]
    ]
    title = [card.crop(TITLE).tobytes() for card in cards]
    price = [card.crop(PRICE).tobytes() for card in cards]
    assert (title[0] == title[2] != title[1], price[0] == price[1] != price[2]) == (True, True)


@pytest.mark.parametrize("title", ["W" * 160, "word " * 32, "කොළඹ", "", "Škoda Citroën"])
def test_ED_04_any_title_stays_within_the_picture(title: str) -> None:
    card = opened(social_card(title, "1000000000000.00 USD", "x" * 300))
    edge = (1121, 25, 1200, 630)
    assert (card.size, ink_in(card, edge)) == (SIZE, 0)


def test_what_the_font_has_no_letters_for_is_left_out_or_written_with_its_base() -> None:
    assert writable("කොළඹ Škoda\n \N{PILE OF POO} Citroën") == "Skoda Citroen"
    assert writable("Citroe\u0308n Straße – Øresund") == "Citroen Strasse - Oresund"


FONT = ImageFont.load_default(72)


def drawn(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = FONT.getmask(letter)
    return mask.size, bytes(mask)


BOX = drawn("\ue000")


@given(st.text(max_size=40) | st.text("ŠšéëñøÅЖбකොළඹத😀 a1", max_size=40))
def test_ED_04_nothing_that_is_written_is_a_box(text: str) -> None:
    for each in (writable(text), first_writable(text, text[::-1])):
        assert [letter for letter in each if letter != " " and drawn(letter) == BOX] == []


def test_ED_04_what_can_not_be_read_gives_way_to_what_can() -> None:
    assert first_writable("කොළඹ 2019", "Toyota Prius 2019") == "Toyota Prius 2019"
    assert first_writable("ටොයොටා Prius", "Toyota") == "Prius"
    assert first_writable("911", "Porsche") == "911"
    assert first_writable("கார் !", "කොළඹ") == ""


async def seo(mesh: Mesh, path: str, listing: httpx.Response, **headers: str) -> httpx.Response:
    params = {"listing": listing.json()["id"]}
    return await mesh.client.get(path, params=params, headers=token_of(listing) | headers)


async def test_ED_04_metadata_has_a_car_and_leads_to_the_picture(mesh, seller) -> None:
    offered = await seller.offer(description="Serviced every year. " * 40)
    found: dict[str, Any] = (await seo(mesh, METADATA, offered)).json()
    assert (found["title"], found["image_width"], found["image_height"]) == (
        CAR["title"],
        1200,
        630,
    )
    assert found["description"].startswith("85000.00 USD, 2019, 42000 km, petrol. Serviced")
    assert len(found["description"]) <= 200
    assert (found["json_ld"]["@type"], found["json_ld"]["offers"]["price"]) == ("Car", "85000.00")
    picture = await mesh.client.get(found["image"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert opened(picture.content).size == (1200, 630)


async def test_ED_04_the_picture_shows_the_price_of_today(mesh, seller) -> None:
    offered = await seller.offer()
    before = await seo(mesh, IMAGE, offered)
    changed = await seller.change(2, path_of(offered), price_minor=100)
    after = await seo(mesh, IMAGE, changed)
    assert before.content != after.content


@pytest.mark.parametrize("path", [METADATA, IMAGE])
async def test_ED_04_a_private_listing_is_not_there(mesh, seller, path: str) -> None:
    draft = await seller.create()
    assert reason_of(await seo(mesh, path, draft)) == (404, "listing_unknown")
    assert reason_of(await seo(mesh, path, draft, **seller.account.headers)) == (
        404,
        "listing_unknown",
    )
    offered = await seller.offer()
    gone = await seller.ask("POST", f"{path_of(offered)}/unpublish")
    assert reason_of(await seo(mesh, path, gone)) == (404, "listing_unknown")


@pytest.mark.parametrize("title", ["කොළඹ", "கார் 2019"])
async def test_ED_04_a_title_that_can_not_be_written_gives_way_to_the_car(
    mesh, seller, title: str
) -> None:
    drawn = [
        (await seo(mesh, IMAGE, await seller.offer(title=each, location=None))).content
        for each in (title, "Porsche 911 2019")
    ]
    assert drawn[0] == drawn[1]


PATHS = [METADATA, IMAGE, "json-ld"]


async def told(mesh: Mesh, path: str, listing: httpx.Response, **headers: str) -> httpx.Response:
    if path != "json-ld":
        return await seo(mesh, path, listing, **headers)
    return await mesh.client.get(f"{path_of(listing)}/{path}", headers=token_of(listing) | headers)


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_hidden_is_told_no_more(mesh, seller, path: str) -> None:
    offered = await seller.offer()
    before = await told(mesh, path, offered)
    assert (before.status_code, before.headers["Cache-Control"]) == (200, "no-cache")
    known = {"If-None-Match": before.headers["ETag"]}
    again = await told(mesh, path, offered, **known)
    assert (again.status_code, again.content) == (304, b"")
    mine = await told(mesh, path, offered, **seller.account.headers)
    assert mine.headers["Cache-Control"] == "private, no-cache"
    changed = await seller.change(2, path_of(offered), price_minor=100)
    assert (await told(mesh, path, changed, **known)).status_code == 200
    gone = await seller.ask("POST", f"{path_of(offered)}/unpublish")
    assert reason_of(await told(mesh, path, gone, **known)) == (404, "listing_unknown")


@pytest.mark.parametrize("path", [METADATA, "json-ld"])
async def test_no_title_ends_the_script_that_it_stands_in(mesh, seller, path: str) -> None:
    title = "</script><script>alert(1)</script>"
    answer = await told(mesh, path, await seller.offer(title=title))
    car = answer.json()["json_ld"] if path == METADATA else answer.json()
    assert (car["name"], set(answer.text) & set("<>&")) == (title, set())
