"""A repeat under its Idempotency-Key gets its first answer, whatever the read models say by then."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.acting.deeds import DEEDS, NEVER_REPEATED, Deed, Shop, create_review
from tests.api.acting.selling import Seller
from tests.api.documented import IDLE, is_as_documented
from tests.api.operations import OPERATIONS
from tests.api.parking import all_parked
from tests.api.running import Mesh, held_back, problem

# Without one of the two nobody knows with whom a buyer talks, and so which stream it is.
KNOWN_BY = {
    "open_conversation": "conversations",
    # Nor without the booking which item it is of.
    **dict.fromkeys(
        ("accept_booking", "reject_booking", "cancel_booking", "complete_booking"), "bookings"
    ),
}
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BY_ID = {each.id: each for each in OPERATIONS}
KEYED = {
    each.id
    for each in OPERATIONS
    if any(
        found["name"].lower() == "idempotency-key" for found in each.document.get("parameters", [])
    )
}


@pytest.fixture(scope="module")
async def shop(mesh: Mesh) -> Shop:
    return Shop(mesh, Seller(mesh, await mesh.account("admin")))


def otherwise_spelt(path: str) -> str:
    """The path with its ids in another form that the router takes."""
    return re.sub(
        f"(?<=/){ID.pattern}",
        lambda found: found[0].replace("-", "").upper(),
        path,
    )


def test_every_operation_that_takes_a_key_has_its_deed() -> None:
    assert set(DEEDS) | set(NEVER_REPEATED) == KEYED
    assert not set(DEEDS) & set(NEVER_REPEATED)


@pytest.mark.parametrize("operation", DEEDS)
async def test_a_repeat_gets_its_first_answer_whatever_is_parked_or_gone(
    shop: Shop, operation: str
) -> None:
    """While what it names waits to be mended, and when it could not be done any more."""
    deed, key = await DEEDS[operation](shop), uuid4().hex
    first = await deed.done(key)
    assert first.status_code < 300, first.text
    if operation not in IDLE:
        is_as_documented(BY_ID[operation], first)
    named = {*ID.findall(f"{deed.path} {deed.more.get('json', '')} {first.text}")}
    if token := deed.headers.get("Authorization", "").removeprefix("Bearer "):
        named.add((await shop.mesh.machines.tokens.verify(token)).user_id)
    async with all_parked(shop.mesh, named, first, but=KNOWN_BY.get(operation)) as names:
        await same_again(deed, key, first, names)
    await deed.spoil()
    for each in (deed, replace(deed, path=otherwise_spelt(deed.path))):
        await same_again(each, key, first)


async def same_again(deed: Deed, key: str, first: httpx.Response, parked: Any = None) -> None:
    again = await deed.done(key)
    assert (again.status_code, again.text) == (first.status_code, first.text), parked
    assert again.headers.get("ETag") == first.headers.get("ETag")


async def test_a_repeat_gets_its_first_answer_while_the_journal_stands_still(shop: Shop) -> None:
    deed, key = await create_review(shop), uuid4().hex
    async with held_back(shop.mesh, "journal"), held_back(shop.mesh, "outcomes"):
        first = await deed.done(key)
        assert first.status_code == 201, first.text
        await deed.spoil()
        again = await deed.done(key)
    assert (again.status_code, again.text) == (first.status_code, first.text)


async def test_what_never_came_is_judged_as_things_stand(shop: Shop) -> None:
    deed = await create_review(shop)
    await deed.spoil()
    assert problem(await deed.done(uuid4().hex)) == (410, "listing_deleted")


async def test_another_body_under_the_key_is_no_repeat(shop: Shop) -> None:
    deed, key = await create_review(shop), uuid4().hex
    assert (await deed.done(key)).status_code == 201
    await deed.spoil()
    deed.more["json"]["rating"] = 1
    assert problem(await deed.done(key)) == (422, "idempotency_key_reused")


async def test_somebody_elses_key_is_another_key(shop: Shop) -> None:
    deed, key = await create_review(shop), uuid4().hex
    assert (await deed.done(key)).status_code == 201
    await deed.spoil()
    stranger = await shop.person("buyer")
    other = shop.deed(stranger, deed.method, deed.path, **deed.more)
    assert problem(await other.done(key)) == (410, "listing_deleted")
