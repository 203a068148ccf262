"""Publishing and going away at one moment: with the real writer, reactor and read models, looked
at when everything that follows has been asked for, decided and read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from processors.reacting.effects import Effect
from processors.reacting.positions import Place, Positions
from processors.reactions.standing import SETTLE_LISTING, SETTLE_SELLER
from schemas.log.positions import Position, format_token, parse_token
from tests.api.acting.selling import Seller, path_of, token_of
from tests.api.running import Mesh
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")

LISTINGS = 3
EFFECTS = (SETTLE_SELLER, SETTLE_LISTING)


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Seller:
    """Who can still publish when the seller is away."""
    return Seller(mesh, await mesh.account("admin"))


@dataclass(frozen=True)
class Shelf:
    """A seller's drafts, and the make that only they have."""

    seller: Seller
    make: str
    paths: Sequence[str]


@pytest.fixture
async def shelf(mesh: Mesh) -> Shelf:
    seller, make = Seller(mesh, await mesh.account("seller")), f"make{uuid4().hex[:12]}"
    drafts = [await seller.create(make=make) for _ in range(LISTINGS)]
    return Shelf(seller, make, [path_of(each) for each in drafts])


async def publish(admin: Seller, shelf: Shelf) -> list[httpx.Response]:
    return await asyncio.gather(*(admin.ask("POST", f"{path}/publish") for path in shelf.paths))


async def stand(admin: Seller, shelf: Shelf, word: str) -> httpx.Response:
    return await admin.ask("POST", f"/api/users/{shelf.seller.account.user_id}/{word}")


async def publish_and_leave(admin: Seller, shelf: Shelf, order: str) -> list[httpx.Response]:
    """The answers to both; in the order of their names, or as they come."""
    match order:
        case "publish, leave":
            published = await publish(admin, shelf)
            return [*published, await stand(admin, shelf, "deactivate")]
        case "leave, publish":
            left = await stand(admin, shelf, "deactivate")
            return [left, *await publish(admin, shelf)]
        case _:
            left, published = await asyncio.gather(
                stand(admin, shelf, "deactivate"), publish(admin, shelf)
            )
            return [left, *published]


async def had_their_effects(mesh: Mesh, answers: Iterable[httpx.Response]) -> None:
    """Return when all that follows from these writes has been asked of the writer."""
    for effect in EFFECTS:
        for position in places_of(answers):
            if position.topic in effect.topics:
                await eventually(lambda: passed(mesh, effect, position), 30, effect.name)  # noqa: B023


def places_of(answers: Iterable[httpx.Response]) -> list[Position]:
    return [place for each in answers for place in parse_token(token_of(each)["Consistency-Token"])]


async def passed(mesh: Mesh, effect: Effect, position: Position) -> bool:
    """Whether the effect has come past this place."""
    kept = await Positions(mesh.machines.postgres.pool).of([effect.name])
    return kept.get(Place(effect.name, *position.topic_partition), 0) > position.offset


async def what_is_read(admin: Seller, shelf: Shelf) -> tuple[list[str], int]:
    """The listings' states and how many the search finds, when both have read everything: a
    change to what is already so is decided after all that was asked before, and says where the
    listing's last event is.
    """
    headers = {"If-Match": "*"}
    idle = [
        await admin.ask("PATCH", path, json={"make": shelf.make}, headers=headers)
        for path in shelf.paths
    ]
    token = {"Consistency-Token": format_token(places_of(idle))}
    pages = [await admin.ask("GET", path, headers=token) for path in shelf.paths]
    found = await admin.ask("GET", "/api/search", params={"make": shelf.make}, headers=token)
    return [page.json()["status"] for page in pages], len(found.json()["hits"])


@pytest.mark.parametrize("order", ["publish, leave", "leave, publish", "both at once"])
@pytest.mark.parametrize("_again", range(2))
async def test_PR_09_whoever_leaves_while_listings_come_has_none_on_offer_until_they_are_back(
    mesh: Mesh, admin: Seller, shelf: Shelf, order: str, _again: int
) -> None:
    answers = await publish_and_leave(admin, shelf, order)
    assert {each.status_code for each in answers} <= {200, 204}
    await had_their_effects(mesh, answers)
    assert await what_is_read(admin, shelf) == (["hidden"] * LISTINGS, 0)
    back = await stand(admin, shelf, "reactivate")
    await had_their_effects(mesh, [back])
    assert await what_is_read(admin, shelf) == (["active"] * LISTINGS, LISTINGS)


@pytest.mark.parametrize("_again", range(2))
async def test_PR_09_whoever_leaves_and_is_back_at_one_moment_ends_as_the_log_says(
    mesh: Mesh, admin: Seller, shelf: Shelf, _again: int
) -> None:
    published, left = await asyncio.gather(publish(admin, shelf), stand(admin, shelf, "deactivate"))
    back = await stand(admin, shelf, "reactivate")
    await had_their_effects(mesh, [*published, left, back])
    assert await what_is_read(admin, shelf) == (["active"] * LISTINGS, LISTINGS)
