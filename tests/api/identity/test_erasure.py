"""Going away for a while, coming back, and going for good, against a mesh at work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.api.acting.selling import Seller, path_of, token_of
from tests.api.running import Account, Mesh, journalled, problem
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")


@pytest.fixture
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Account:
    return await mesh.account("admin")


async def ask(mesh: Mesh, who: Account, method: str, path: str) -> httpx.Response:
    return await mesh.client.request(method, path, headers=who.headers)


def mine(seller: Seller, word: str = "") -> str:
    return f"/api/users/{seller.account.user_id}" + (f"/{word}" if word else "")


async def offered(seller: Seller, count: int = 1) -> tuple[str, list[httpx.Response]]:
    """Listings for everyone to see, and the make that only they have."""
    make = f"make{uuid4().hex[:12]}"
    answers = [await seller.offer(make=make) for _ in range(count)]
    await eventually(lambda: found_are(seller.mesh, make, count), 20, "they are found")
    return make, answers


async def found_are(mesh: Mesh, make: str, count: int) -> bool:
    answer = await mesh.client.get("/api/search", params={"make": make})
    return answer.status_code == 200 and len(answer.json()["hits"]) == count


async def status_of(mesh: Mesh, listing: httpx.Response, admin: Account) -> str:
    answer = await ask(mesh, admin, "GET", path_of(listing))
    return answer.json().get("status") or answer.json()["reason"]


async def test_PR_09_listings_leave_the_search_and_come_back(
    mesh: Mesh, seller: Seller, admin: Account
) -> None:
    make, listings = await offered(seller, 3)
    draft = await seller.create(make=make)
    assert (await seller.ask("POST", mine(seller, "deactivate"))).status_code == 204
    await eventually(lambda: found_are(mesh, make, 0), 20, "none is found")
    hidden = await mesh.client.get(path_of(listings[0]))
    assert problem(hidden) == (404, "listing_unknown")
    assert await status_of(mesh, listings[0], admin) == "hidden"
    back = await ask(mesh, admin, "POST", mine(seller, "reactivate"))
    assert back.status_code == 204
    await eventually(lambda: found_are(mesh, make, 3), 20, "all are found again")
    assert await status_of(mesh, draft, admin) == "draft"


async def test_PR_09_a_listing_shown_while_the_seller_is_away_is_hidden_too(
    mesh: Mesh, seller: Seller, admin: Account
) -> None:
    draft = await seller.create()
    assert (await seller.ask("POST", mine(seller, "deactivate"))).status_code == 204
    shown = await ask(mesh, admin, "POST", f"{path_of(draft)}/publish")
    assert shown.status_code == 200

    async def is_hidden() -> bool:
        return await status_of(mesh, draft, admin) == "hidden"

    await eventually(is_hidden, 20, "what an admin publishes is hidden")


async def test_PR_09_whoever_rests_is_logged_out_at_once(mesh: Mesh, seller: Seller) -> None:
    other = (await mesh.log_in(seller.account.email)).json()
    assert (await seller.ask("POST", mine(seller, "deactivate"))).status_code == 204
    assert problem(await seller.ask("GET", "/api/auth/session"))[0] == 401
    refreshed = await mesh.client.post(
        "/api/auth/refresh", json={"refresh_token": other["refresh_token"]}
    )
    assert refreshed.status_code == 401


@pytest.mark.parametrize("word", ["deactivate", "reactivate", ""])
async def test_PR_09_PR_10_nobody_puts_anybody_elses_account_away(
    mesh: Mesh, seller: Seller, word: str
) -> None:
    stranger = await mesh.account("moderator")
    method = "POST" if word else "DELETE"
    answer = await ask(mesh, stranger, method, mine(seller, word))
    assert problem(answer) == (403, "not_yours")


async def test_PR_09_whoever_rests_acts_for_themselves_alone(mesh: Mesh, seller: Seller) -> None:
    """Staff, too: an admin who was put to rest in a hurry undoes nothing to others."""
    account = await mesh.account("admin")
    own = f"/api/users/{account.user_id}"
    for path in (mine(seller), own):
        assert (await ask(mesh, account, "POST", f"{path}/deactivate")).status_code == 204
    other = await mesh.account()
    tokens = (await mesh.log_in(account.email)).json()
    assert tokens["user"]["status"] == "deactivated"
    resting = replace(account, access_token=tokens["access_token"])
    for method, path, wanted in (
        ("POST", mine(seller, "reactivate"), (403, "not_yours")),
        ("DELETE", mine(seller), (403, "not_yours")),
        ("DELETE", f"/api/auth/sessions/{other.session_id}", (404, "session_unknown")),
        ("POST", f"/api/users/{other.user_id}/deactivate", (403, "account_deactivated")),
    ):
        assert problem(await ask(mesh, resting, method, path)) == wanted
    assert (await ask(mesh, other, "GET", "/api/auth/session")).status_code == 200
    back = await ask(mesh, resting, "POST", f"{own}/reactivate")
    assert back.status_code == 204
    await mesh.until_read(back)
    awake = (
        await mesh.client.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    ).json()
    again = replace(account, access_token=awake["access_token"])
    assert (await ask(mesh, again, "POST", mine(seller, "reactivate"))).status_code == 204


async def gone(mesh: Mesh, account: Account) -> bool:
    return await mesh.machines.vault.person(UUID(account.user_id)) is None


async def test_PR_10_deleting_destroys_the_key_and_withdraws_the_listings(
    mesh: Mesh, seller: Seller
) -> None:
    make, listings = await offered(seller, 2)
    draft = await seller.create(make=make)
    deleted = await seller.ask("DELETE", mine(seller))
    assert deleted.status_code == 204
    await eventually(lambda: gone(mesh, seller.account), 20, "the key is destroyed")
    assert await mesh.machines.vault.password_hash(UUID(seller.account.user_id)) is None
    await eventually(lambda: found_are(mesh, make, 0), 20, "none is found")
    for listing in (*listings, draft):
        await journalled(mesh, f"listing/{listing.json()['id']}", "listing.deleted")


@pytest.mark.asvs("V7.4.2")
async def test_PR_10_whoever_is_deleted_is_logged_out_and_stays_out(
    mesh: Mesh, seller: Seller
) -> None:
    account = seller.account
    assert (await seller.ask("DELETE", mine(seller))).status_code == 204
    assert problem(await seller.ask("GET", "/api/auth/session"))[0] == 401
    refreshed = await mesh.client.post(
        "/api/auth/refresh", json={"refresh_token": account.refresh_token}
    )
    assert refreshed.status_code == 401
    await eventually(lambda: gone(mesh, account), 20, "the key is destroyed")
    assert problem(await mesh.log_in(account.email)) == (401, "credentials_invalid")


async def test_PR_10_no_row_shows_the_person_any_more(mesh: Mesh, seller: Seller) -> None:
    deleted = await seller.ask("DELETE", mine(seller))
    await mesh.until_read(deleted)
    row = await mesh.machines.postgres.fetchrow(
        "SELECT * FROM reads.users WHERE key = $1", seller.account.user_id
    )
    assert row is not None
    assert row["status"] == "deleted"
    assert (row["email_sealed"], row["email_hash"], row["name_sealed"]) == ("", "", "")


async def test_PR_10_the_email_may_register_anew_as_somebody_else(
    mesh: Mesh, seller: Seller
) -> None:
    account = seller.account
    assert (await seller.ask("DELETE", mine(seller))).status_code == 204
    await eventually(lambda: gone(mesh, account), 20, "the key is destroyed")

    async def joined() -> Any:
        answer = await mesh.register(account.email)
        return answer.status_code == 201 and answer

    again = await eventually(joined, 20, "the e-mail is free again")
    assert again.json()["user"]["id"] != account.user_id


async def test_PR_10_a_repeat_of_the_registration_brings_nobody_back(mesh: Mesh) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    email = f"{uuid4().hex}@example.org"
    joined = await mesh.register(email, headers=key)
    user_id = joined.json()["user"]["id"]
    tokens = (await mesh.log_in(email)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await mesh.client.delete(f"/api/users/{user_id}", headers=headers)).status_code == 204
    await eventually(lambda: no_key(mesh, user_id), 20, "the key is destroyed")
    again = await mesh.register(email, headers=key)
    assert problem(again) == (410, "user_deleted")
    assert await no_key(mesh, user_id)


async def no_key(mesh: Mesh, user_id: str) -> bool:
    return await mesh.machines.vault.person(UUID(user_id)) is None


async def test_PR_10_deleting_twice_is_deleting_once(
    mesh: Mesh, seller: Seller, admin: Account
) -> None:
    first = await ask(mesh, admin, "DELETE", mine(seller))
    second = await ask(mesh, admin, "DELETE", mine(seller))
    assert (first.status_code, second.status_code) == (204, 204)
    kinds = await journalled(mesh, f"user/{seller.account.user_id}", "user.deleted")
    assert kinds.count("user.deleted") == 1


async def test_PR_10_an_unknown_person_is_not_found(mesh: Mesh, admin: Account) -> None:
    answer = await ask(mesh, admin, "DELETE", f"/api/users/{uuid4()}")
    assert problem(answer) == (404, "user_unknown")


async def test_X_41_a_deleted_listing_says_so_and_tells_nothing_more(
    mesh: Mesh, seller: Seller
) -> None:
    _, (listing,) = await offered(seller)
    deleted = await seller.ask("DELETE", mine(seller))

    async def is_gone() -> bool:
        answer = await mesh.client.get(path_of(listing), headers=token_of(deleted))
        return answer.status_code == 410 and answer.json()["reason"] == "listing_deleted"

    await eventually(is_gone, 20, "the page is gone")
