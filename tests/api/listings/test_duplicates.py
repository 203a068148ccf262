"""Listings of one vehicle, shown with the evidence to whom it concerns."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image, ImageDraw

from tests.api.acting.picturing import Uploader, image_of
from tests.api.acting.selling import Seller, path_of, reason_of, token_of
from tests.api.running import Mesh
from tests.waiting import eventually

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Uploader:
    return Uploader(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def rival(mesh: Mesh) -> Uploader:
    return Uploader(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def moderator(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("moderator"))


def any_vin() -> str:
    return "WP0ZZZ" + "".join(LETTERS[each % len(LETTERS)] for each in uuid4().bytes)[:11]


def drawing(seed: int, form: str) -> bytes:
    chance = random.Random(seed)
    drawn = Image.new("RGB", (640, 480))
    pen = ImageDraw.Draw(drawn)
    for _ in range(40):
        x, y = chance.randrange(600), chance.randrange(440)
        box = (x, y, x + chance.randrange(30, 260), y + chance.randrange(30, 200))
        pen.rectangle(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    data = BytesIO()
    drawn.save(data, form)
    return data.getvalue()


async def duplicates(reader: Seller, listing: httpx.Response, after: httpx.Response) -> Any:
    answer = await reader.read(f"{path_of(listing)}/duplicates", after)
    assert answer.status_code == 200, answer.text
    return answer.json()["duplicates"]


async def pairs_with(moderator: Seller, listing_id: str) -> list[dict[str, Any]]:
    """What moderators are shown of it, looking through every page."""
    found, after = [], {}
    while True:
        answer = await moderator.ask("GET", "/api/duplicates", params={"limit": 50, **after})
        page = answer.json()
        found += [each for each in page["items"] if listing_id in each["listing_ids"]]
        if page["next_after"] is None:
            return found
        after = {"after": page["next_after"]}


async def test_BY_17_both_sellers_and_moderators_see_the_pair_and_its_evidence(
    seller, rival, moderator
) -> None:
    vin = any_vin()
    mine, theirs = await seller.offer(vin=vin), await rival.offer(vin=vin)
    ids = sorted([mine.json()["id"], theirs.json()["id"]])
    why = [{"kind": "vin", "similarity": 1.0, "image_ids": []}]
    for reader, listing, other in ((seller, mine, theirs), (rival, theirs, mine)):
        (found,) = await duplicates(reader, listing, theirs)
        assert (found["listing_id"], found["evidence"]) == (other.json()["id"], why)
    (pair,) = await pairs_with(moderator, ids[0])
    assert (pair["listing_ids"], pair["evidence"]) == (ids, why)


async def test_BY_17_a_picture_taken_from_another_ad_is_evidence(seller, rival) -> None:
    make = f"Make {uuid4().hex}"
    mine, theirs = await seller.offer(make=make), await rival.offer(make=make)
    seed = uuid4().int
    sent = await seller.send(drawing(seed, "PNG"), path=f"{path_of(mine)}/images")
    taken = await rival.send(("b.jpg", drawing(seed, "JPEG")), path=f"{path_of(theirs)}/images")
    told: list[Any] = []

    async def seen() -> bool:
        told[:] = await duplicates(seller, mine, taken)
        return bool(told)

    await eventually(seen, 60, "the pictures are drawn and compared")
    (evidence,) = told[0]["evidence"]
    assert (evidence["kind"], evidence["image_ids"]) == ("picture", [image_of(sent)])
    assert evidence["similarity"] > 0.9


async def test_BY_17_what_is_no_longer_on_offer_is_no_duplicate(seller, rival) -> None:
    vin = any_vin()
    mine, theirs = await seller.offer(vin=vin), await rival.offer(vin=vin)
    gone = await rival.ask("POST", f"{path_of(theirs)}/unpublish")
    assert await duplicates(seller, mine, gone) == []


async def test_BY_17_nobody_else_sees_what_is_like_a_listing(mesh, seller, rival) -> None:
    mine = await seller.offer()
    path = f"{path_of(mine)}/duplicates"
    assert reason_of(await rival.read(path, mine)) == (403, "not_owner")
    assert (await mesh.client.get(path, headers=token_of(mine))).status_code == 401
    assert reason_of(await rival.ask("GET", "/api/duplicates")) == (403, "role_not_allowed")
