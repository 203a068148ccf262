"""VINs: refused where a check digit is a duty, hints elsewhere, and the same one twice is shown."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from api.listings.vin_check import warnings_about
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of, token_of
from tests.api.running import Mesh

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
RIGHT = "1HGCM82633A004352"
WRONG = "1HGCM82643A004352"
EUROPEAN = "WP0ZZZ99ZTS392124"


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def rival(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def moderator(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("moderator"))


def any_vin() -> str:
    """A European VIN that no other test has."""
    return "WP0ZZZ" + "".join(LETTERS[each % len(LETTERS)] for each in uuid4().bytes)[:11]


async def test_BY_25_a_wrong_check_digit_is_refused_in_north_america(seller) -> None:
    refused = await seller.create(vin=WRONG)
    assert (reason_of(refused), pointers_of(refused)) == ((422, "invalid_field"), ["/vin"])
    listing = await seller.create(vin=RIGHT, make="Honda", year=2003)
    assert (listing.status_code, listing.json()["warnings"]) == (201, [])
    changed = await seller.change(1, path_of(listing), vin=WRONG)
    assert (reason_of(changed), pointers_of(changed)) == ((422, "invalid_field"), ["/vin"])


async def test_BY_25_elsewhere_it_is_taken_with_a_warning(seller) -> None:
    listing = await seller.create(vin=EUROPEAN)
    told = [each["pointer"] for each in listing.json()["warnings"]]
    assert (listing.status_code, told) == (201, ["/vin"])
    changed = await seller.change(1, path_of(listing), vin="WP0ZZZ99ZTS392125")
    assert [each["pointer"] for each in changed.json()["warnings"]] == ["/vin"]


@pytest.mark.parametrize(
    ("stated", "pointers"),
    [
        ({"vin": RIGHT, "make": "honda", "year": 2004}, []),
        ({"vin": RIGHT, "make": "Porsche", "year": 2003}, ["/make"]),
        ({"vin": RIGHT, "make": "Honda", "year": 2012}, ["/year"]),
        ({"vin": "VF7" + "1" * 14, "make": "Citroen"}, ["/vin"]),
        ({"vin": "WVW" + "Z" * 14, "make": "VW"}, ["/vin"]),
        ({"make": "Honda"}, []),
    ],
)
def test_BY_25_what_does_not_go_with_a_vin_is_told(
    stated: dict[str, Any], pointers: list[str]
) -> None:
    assert [each["pointer"] for each in warnings_about(stated, 2027)] == pointers


async def test_BY_25_the_seller_reads_what_a_vin_tells(seller) -> None:
    listing = await seller.offer(vin=RIGHT, make="Honda", year=2003)
    found = (await seller.read(f"{path_of(listing)}/vin", listing)).json()
    assert (found["maker"], found["model_years"]) == ("Honda", [2003])
    assert (found["check_digit_fits"], found["north_american"]) == (True, True)


async def test_what_states_no_vin_is_told_nothing_of(seller) -> None:
    listing = await seller.offer()
    found = (await seller.read(f"{path_of(listing)}/vin", listing)).json()
    assert (found["vin"], found["maker"], found["also_on"]) == (None, None, [])


async def shared(moderator: Seller, vin: str) -> list[dict[str, Any]]:
    """What moderators are shown of it, looking through every page."""
    found, cursor = [], {}
    while True:
        page = (
            await moderator.ask("GET", "/api/vins/shared", params={"limit": 1, **cursor})
        ).json()
        found += [each for each in page["items"] if each["vin"] == vin]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_BY_25_one_vin_on_two_listings_is_shown_to_both_and_to_moderators(
    seller, rival, moderator
) -> None:
    vin = any_vin()
    mine, theirs = await seller.offer(vin=vin), await rival.offer(vin=vin)
    ids = [mine.json()["id"], theirs.json()["id"]]
    of_mine = (await seller.read(f"{path_of(mine)}/vin", theirs)).json()
    of_theirs = (await rival.read(f"{path_of(theirs)}/vin", theirs)).json()
    assert [each["listing_id"] for each in of_mine["also_on"]] == [ids[1]]
    assert [each["listing_id"] for each in of_theirs["also_on"]] == [ids[0]]
    assert await shared(moderator, vin) == [{"vin": vin, "count": 2, "listing_ids": sorted(ids)}]


async def test_BY_25_what_is_no_longer_on_offer_shares_its_vin_with_nobody(
    seller, rival, moderator
) -> None:
    vin = any_vin()
    mine, theirs = await seller.offer(vin=vin), await rival.offer(vin=vin)
    gone = await rival.ask("POST", f"{path_of(theirs)}/unpublish")
    assert (await seller.read(f"{path_of(mine)}/vin", gone)).json()["also_on"] == []
    assert await shared(moderator, vin) == []


async def test_BY_25_only_its_owner_and_moderators_find_by_vin(seller, rival, moderator) -> None:
    vin = any_vin()
    draft = await seller.create(vin=vin)
    for asks, count in ((seller, 1), (rival, 0), (moderator, 1)):
        found = (await asks.read("/api/vins", draft, vin=vin)).json()["items"]
        assert [each["status"] for each in found] == ["draft"] * count
    wrong = await seller.ask("GET", "/api/vins", params={"vin": "short"})
    assert (reason_of(wrong)[0], pointers_of(wrong)) == (422, ["?vin"])


async def test_BY_25_nobody_else_reads_what_a_vin_tells(mesh, seller, rival) -> None:
    listing = await seller.offer(vin=any_vin())
    path = f"{path_of(listing)}/vin"
    assert reason_of(await rival.read(path, listing)) == (403, "not_owner")
    assert (await mesh.client.get(path, headers=token_of(listing))).status_code == 401
