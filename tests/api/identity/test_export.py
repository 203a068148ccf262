"""What we hold of a person, for that person alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from api.identity.export import exported
from tests.api.acting.selling import Seller, path_of, token_of
from tests.api.running import PASSWORD, Account, Mesh, api, held_back, problem
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    """Somebody with a name of their own, who sells, edits and fails to log in."""
    email, name = f"{uuid4().hex}@example.org", f"Zoë {uuid4().hex}"
    await mesh.register(email, name=name, role="seller")
    found = (await mesh.log_in(email)).json()
    claims = await mesh.machines.tokens.verify(found["access_token"])
    account = Account(
        user_id=found["user"]["id"],
        email=email,
        session_id=claims.session_id,
        access_token=found["access_token"],
        refresh_token=found["refresh_token"],
        role=name,
    )
    return Seller(mesh, account)


async def export(seller: Seller, **headers: str) -> Any:
    path = f"/api/users/{seller.account.user_id}/export"
    answer = await seller.ask("GET", path, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def test_PR_10_an_export_holds_every_event_of_the_person_readable(
    mesh: Mesh, seller: Seller
) -> None:
    offered = await seller.offer()
    found = await export(seller, **token_of(offered))
    assert found["complete"] is True
    by_kind = {event["kind"]: event for event in found["events"]}
    registered = by_kind["user.registered"]["data"]
    assert (registered["email"], registered["name"]) == (seller.account.email, seller.account.role)
    assert by_kind["listing.created"]["data"]["fields"]["make"] == "Porsche"
    assert by_kind["listing.created"]["by_oneself"] is True


async def test_an_export_waits_for_what_tells_whose_listings_they_are(
    mesh: Mesh, seller: Seller
) -> None:
    path = f"/api/users/{seller.account.user_id}/export"
    hasty = api(mesh.settings.model_copy(update={"read_wait_s": 0.2}))
    async with hasty as asked, held_back(mesh, "listing_page"):
        offered = await seller.offer()
        headers = {**seller.account.headers, **token_of(offered)}

        async def waits_for_it_alone() -> bool:
            answer = await asked.client.get(path, headers=headers)
            assert problem(answer) == (503, "store_unavailable")
            return "listing_page" in answer.json()["detail"]

        await eventually(waits_for_it_alone, 20, "all else that it waits for is there")


async def test_an_export_holds_no_secret_and_no_hash(mesh: Mesh, seller: Seller) -> None:
    text = orjson.dumps(await export(seller)).decode()
    assert "_hash" not in text
    assert "_sealed" not in text
    for secret in (PASSWORD, seller.account.refresh_token, seller.account.access_token):
        assert secret not in text


async def test_an_export_holds_what_others_did_to_the_listings(mesh: Mesh, seller: Seller) -> None:
    offered = await seller.offer()
    moderator = await mesh.account("moderator")
    taken = await mesh.client.delete(path_of(offered), headers=moderator.headers)
    assert taken.status_code == 204
    found = await export(seller, **token_of(taken))
    stream = f"listing/{offered.json()['id']}"
    last = [event for event in found["events"] if event["stream"] == stream][-1]
    assert (last["kind"], last["by_oneself"]) == ("listing.deleted", False)
    assert moderator.user_id not in orjson.dumps(found).decode()


@pytest.mark.parametrize("role", ["buyer", "moderator", "admin", "ops"])
async def test_nobody_gets_anybody_elses_export(mesh: Mesh, seller: Seller, role: str) -> None:
    other = await mesh.account(role)
    path = f"/api/users/{seller.account.user_id}/export"
    assert problem(await mesh.client.get(path, headers=other.headers)) == (403, "not_yours")


async def test_a_long_export_is_cut_off_and_says_so(mesh: Mesh, seller: Seller) -> None:
    await seller.offer()
    key = await mesh.machines.vault.person(UUID(seller.account.user_id))
    assert key is not None
    whole = b"".join([piece async for piece in exported(mesh.machines, key, 2)])
    found = orjson.loads(whole)
    assert (len(found["events"]), found["complete"]) == (2, False)
