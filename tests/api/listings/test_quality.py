"""How good an ad is: whatever is done from the list raises the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.listings.quality_rules import RULES, SCORE_MAX, quality_of
from projections.listings.listing_page import ListingPage
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from tests.api.acting.picturing import Uploader
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, path_of, reason_of, token_of
from tests.api.running import Mesh
from tests.projections.cars import SELLER, day
from tests.waiting import eventually

BLANK = asdict(ListingPage(SELLER, Market.EXOTICS, ListingStatus.DRAFT, 1, day(0), day(0)))
ITEM = "x" * 9

# What a seller does about each advice.
DEEDS: Mapping[str, dict[str, Any]] = {
    "first_image": {"image_ids": (ITEM,), "large_keys": (ITEM,)},
    "five_images": {"image_ids": (ITEM,) * 5, "large_keys": (ITEM,) * 5},
    "ten_images": {"image_ids": (ITEM,) * 10, "large_keys": (ITEM,) * 10},
    "price": {"price_minor": 1},
    "description": {"description": "x" * 150},
    "long_description": {"description": "x" * 500},
    "title": {"title": "x" * 20},
    "vin": {"vin": "WP0ZZZ99ZTS392124"},
    "make": {"make": "Porsche"},
    "model": {"model": "911"},
    "year": {"year": 2019},
    "mileage": {"mileage": 0},
    "fuel_type": {"fuel_type": "petrol"},
    "transmission": {"transmission": "manual"},
    "body_type": {"body_type": "coupe"},
    "power": {"power_kw": 331},
    "color": {"exterior_color": "Black"},
    "location": {"location": "Colombo"},
    "condition": {"condition": "good"},
    "owners": {"owners": 0},
    "accidents": {"accident_free": False},
    "features": {"features": ("A", "B", "C")},
}
# In this order: a description of 500 letters is one of 150, too.
STATES = st.sets(st.sampled_from(sorted(DEEDS)))


def stated(done: set[str]) -> dict[str, Any]:
    row = dict(BLANK)
    for rule in RULES:
        if rule.id in done:
            row |= DEEDS[rule.id]
    return row


@given(STATES)
def test_BY_16_each_to_do_done_raises_the_score(done: set[str]) -> None:
    row = stated(done)
    before = quality_of(row)
    for rule in before.to_do:
        after = quality_of(row | DEEDS[rule.id])
        assert after.score >= before.score + rule.points, rule.id
        assert {each.id for each in after.to_do} < {each.id for each in before.to_do}


def test_BY_16_a_blank_ad_has_nothing_and_a_full_one_all() -> None:
    blank, full = quality_of(BLANK), quality_of(stated(set(DEEDS)))
    assert (blank.score, len(blank.to_do), blank.done) == (0, len(RULES), ())
    assert (full.score, full.to_do) == (SCORE_MAX, ())


def test_BY_16_what_gives_most_stands_first_and_says_why() -> None:
    to_do = quality_of(BLANK).to_do
    assert to_do[0].id == "first_image"
    assert [rule.points for rule in to_do] == sorted((r.points for r in to_do), reverse=True)
    assert all(rule.reason and rule.advice for rule in to_do)


@given(st.lists(st.sampled_from(["", ITEM]), max_size=15))
def test_BY_16_a_picture_counts_once_it_is_drawn(keys: list[str]) -> None:
    """So a score does not fall by itself when one turns out to be none."""
    row = BLANK | {"image_ids": (ITEM,) * len(keys), "large_keys": tuple(keys)}
    left = [key for key in keys if key]
    drawn = row | {"image_ids": (ITEM,) * len(left), "large_keys": tuple(left)}
    assert quality_of(row).score == quality_of(drawn).score


def test_every_rule_has_a_deed() -> None:
    assert [rule.id for rule in RULES] == list(DEEDS)


@pytest.mark.parametrize("name", ["accident_free", "owners", "mileage"])
def test_BY_16_no_and_none_are_statements(name: str) -> None:
    values: Mapping[str, Any] = {"accident_free": False, "owners": 0, "mileage": 0}
    assert quality_of(BLANK | {name: values[name]}).score > 0


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


async def test_BY_16_the_seller_does_what_is_to_do_and_the_score_rises(
    mesh, seller: Seller
) -> None:
    offered = await seller.offer()
    path = path_of(offered)
    before = (await seller.read(f"{path}/quality", offered)).json()
    assert before["to_do"][0]["id"] == "first_image"
    sent = await Uploader(mesh, seller.account).send(photo(), path=f"{path}/images")
    after: dict[str, Any] = {}

    async def counted() -> bool:
        after.update((await seller.read(f"{path}/quality", sent)).json())
        return "first_image" in {each["id"] for each in after["done"]}

    await eventually(counted, 60, "the picture is drawn")
    assert after["score"] == before["score"] + before["to_do"][0]["points"]


async def test_BY_16_nobody_else_sees_how_good_an_ad_is(mesh, seller: Seller) -> None:
    offered = await seller.offer()
    path = f"{path_of(offered)}/quality"
    buyer = Seller(mesh, await mesh.account("buyer"))
    moderator = Seller(mesh, await mesh.account("moderator"))
    assert reason_of(await buyer.read(path, offered)) == (403, "not_owner")
    assert (await mesh.client.get(path, headers=token_of(offered))).status_code == 401
    assert (await moderator.read(path, offered)).status_code == 200
