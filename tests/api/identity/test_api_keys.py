"""Keys for machines: shown once, good for what they name, dead when revoked."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from cli.people import send_grant
from schemas.log.messages import Role
from tests.api.gate.test_secrets import everything_in_kafka, everything_in_postgres
from tests.api.running import Account, Mesh, api, held_back, journal_kinds, problem
from tests.waiting import eventually, quick_once

KEYS = "/api/auth/keys"
MINE = "/api/listings/mine"


@dataclass(frozen=True)
class Key:
    """An issued key."""

    id: str
    text: str
    answer: httpx.Response

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


@pytest.fixture
async def seller(mesh: Mesh) -> Account:
    return await mesh.account("seller")


async def asked(mesh: Mesh, owner: Account, *operations: str, **more: Any) -> httpx.Response:
    body = {"label": "nightly export", "operations": list(operations), **more}
    return await mesh.client.post(KEYS, json=body, headers=owner.headers)


async def issued(mesh: Mesh, owner: Account, *operations: str, **more: Any) -> Key:
    """A key of somebody who has not issued too many yet."""
    answer = await asked(mesh, owner, *(operations or ("list_my_listings",)), **more)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    return Key(found["id"], found["api_key"], answer)


async def revoke(mesh: Mesh, who: Account, key_id: str) -> httpx.Response:
    return await mesh.client.delete(f"{KEYS}/{key_id}", headers=who.headers)


async def test_GW_13_a_key_acts_for_its_owner_at_once(mesh: Mesh, seller: Account) -> None:
    key = await issued(mesh, seller, "create_listing", "list_my_listings")
    made = await mesh.client.post("/api/listings", json={"title": "A car"}, headers=key.headers)
    assert made.status_code == 201, made.text
    token = {"Consistency-Token": made.headers["Consistency-Token"]}
    mine = await mesh.client.get(MINE, headers=seller.headers | token)
    assert made.json()["id"] in [each["id"] for each in mine.json()["items"]]


async def test_GW_13_a_key_opens_only_what_it_names(mesh: Mesh, seller: Account) -> None:
    key = await issued(mesh, seller, "list_my_listings")
    answer = await mesh.client.post("/api/listings", json={"title": "A"}, headers=key.headers)
    assert problem(answer) == (403, "operation_not_allowed")
    assert (await mesh.client.get(MINE, headers=key.headers)).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", KEYS), ("GET", KEYS), ("GET", "/api/auth/session"),
                                         ("POST", "/api/auth/logout")])  # fmt: skip
async def test_GW_13_no_key_touches_keys_or_sessions(mesh, seller, method, path) -> None:
    key = await issued(mesh, seller, "list_my_listings")
    answer = await mesh.client.request(method, path, headers=key.headers)
    assert problem(answer) == (403, "operation_not_allowed")


@pytest.mark.asvs("V10.4.9")
async def test_GW_13_a_revoked_key_is_401_within_a_second(mesh: Mesh, seller: Account) -> None:
    async with api(mesh.settings) as other:

        async def revoked() -> float:
            key = await issued(mesh, seller)
            assert (await other.client.get(MINE, headers=key.headers)).status_code == 200
            began = time.monotonic()
            assert (await revoke(mesh, seller, key.id)).status_code == 204
            for process in (mesh, other):
                answer = await process.client.get(MINE, headers=key.headers)
                assert problem(answer) == (401, "token_invalid")
            return time.monotonic() - began

        await quick_once(revoked, 1)


async def test_GW_13_a_keys_text_is_shown_once(mesh: Mesh, seller: Account) -> None:
    key = await issued(mesh, seller)
    assert key.answer.headers["Cache-Control"] == "no-store"
    listed = await mesh.client.get(KEYS, headers=seller.headers)
    shown = next(each for each in listed.json()["items"] if each["id"] == key.id)
    assert shown.keys() == {"id", "label", "operations", "issued_at", "expires_at"}
    assert key.text not in listed.text


async def test_GW_13_a_repeat_is_one_key(mesh: Mesh, seller: Account) -> None:
    """Its text is kept nowhere, but derived again."""
    headers = {**seller.headers, "Idempotency-Key": "twice"}
    body = {"label": "twice", "operations": ["search"]}
    first, second = [await mesh.client.post(KEYS, json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, second.json())
    listed = await mesh.client.get(KEYS, headers=seller.headers)
    assert len(listed.json()["items"]) == 1


async def test_GW_13_two_requests_are_two_keys(mesh: Mesh, seller: Account) -> None:
    first, second = [await issued(mesh, seller) for _ in range(2)]
    assert (first.id, first.text) != (second.id, second.text)


async def test_NS_08_of_a_key_only_the_hash_is_kept(mesh: Mesh, seller: Account) -> None:
    key = await issued(mesh, seller, label="canary label")
    await eventually(lambda: journal_kinds(mesh, f"keyring/{seller.user_id}"))
    log = await everything_in_kafka(mesh)
    tables = await everything_in_postgres(mesh, ("reads", "mesh", "vault", "public"))
    known_by = hashlib.sha256(key.text.encode()).hexdigest()
    assert known_by in tables
    assert known_by.encode() in log
    assert key.text not in tables
    assert key.text.encode() not in log
    assert "canary label" not in tables
    assert b"canary label" not in log


async def test_GW_13_a_revoked_key_is_not_listed(mesh: Mesh, seller: Account) -> None:
    key = await issued(mesh, seller)
    await revoke(mesh, seller, key.id)
    listed = await mesh.client.get(KEYS, headers=seller.headers)
    assert key.id not in [each["id"] for each in listed.json()["items"]]


async def test_GW_13_nobody_revokes_or_sees_a_foreign_key(mesh: Mesh, seller: Account) -> None:
    key = await issued(mesh, seller)
    other = await mesh.account("seller")
    assert problem(await revoke(mesh, other, key.id)) == (404, "api_key_unknown")
    assert (await mesh.client.get(KEYS, headers=other.headers)).json()["items"] == []
    assert (await mesh.client.get(MINE, headers=key.headers)).status_code == 200


async def test_GW_13_an_admin_revokes_anybodys_key(mesh: Mesh, seller: Account) -> None:
    key, admin = await issued(mesh, seller), await mesh.account("admin")
    assert (await revoke(mesh, admin, key.id)).status_code == 204
    assert (await mesh.client.get(MINE, headers=key.headers)).status_code == 401


@pytest.mark.parametrize(
    "operation", ["issue_api_key", "log_out", "read_metrics2", "grant_role", "register_user", ""]
)
async def test_GW_13_a_key_for_what_is_not_for_keys_is_refused(mesh, seller, operation) -> None:
    answer = await asked(mesh, seller, "search", operation)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/operations/1"


@pytest.mark.asvs("V8.3.3")
async def test_GW_13_a_buyers_key_does_not_sell(mesh: Mesh) -> None:
    buyer = await mesh.account("buyer")
    assert (await asked(mesh, buyer, "create_listing")).status_code == 422


@pytest.mark.asvs("V8.3.3")
async def test_GW_13_a_key_loses_what_its_owner_loses(mesh: Mesh) -> None:
    owner = await mesh.account("seller")
    key = await issued(mesh, owner, "create_listing")
    await send_grant(mesh.settings, owner.email, Role.BUYER)

    async def refused() -> bool:
        answer = await mesh.client.post("/api/listings", json={"title": "A"}, headers=key.headers)
        return problem(answer) == (403, "role_not_allowed") if answer.is_error else False

    assert await eventually(refused)


@pytest.mark.parametrize("how", ["banned", "demoted"])
async def test_GW_13_a_key_opens_nothing_by_a_right_that_its_owner_has_lost(
    mesh: Mesh, hasty: Mesh, how: str
) -> None:
    owner, staff = await mesh.account("seller"), await mesh.account("moderator")
    key = await issued(mesh, owner)
    assert (await hasty.client.get(MINE, headers=key.headers)).status_code == 200
    async with held_back(mesh, "users"):
        if how == "banned":
            path, why = f"/api/users/{owner.user_id}/ban", {"reason": "spam"}
            lost = await mesh.client.post(path, json=why, headers=staff.headers)
            assert lost.status_code == 200, lost.text
        else:
            await send_grant(mesh.settings, owner.email, Role.BUYER)
        early = await hasty.client.get(MINE, headers=key.headers)
        assert problem(early) == (503, "store_unavailable")
    late = await mesh.client.get(MINE, headers=key.headers)
    assert late.status_code == (401 if how == "banned" else 200)


@pytest.mark.parametrize("days", [0, 366, -1])
async def test_GW_13_no_key_lives_longer_than_a_year(mesh, seller, days: int) -> None:
    assert (await asked(mesh, seller, "search", days=days)).status_code == 422


@pytest.mark.asvs("V2.3.2")
async def test_GW_13_nobody_has_more_keys_than_anyone_can_watch(mesh: Mesh) -> None:
    owner = await mesh.account("seller")
    found = [(await asked(mesh, owner, "search")).status_code for _ in range(21)]
    assert found == [201] * 20 + [409]


@pytest.mark.parametrize("change", [lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
                                    lambda text: text + "A", lambda text: "mm_" + "A" * 64,
                                    lambda text: text.upper(), lambda _: "mm_"])  # fmt: skip
async def test_GW_13_a_key_that_was_made_up_is_401(mesh, seller, change) -> None:
    key = await issued(mesh, seller)
    headers = {"Authorization": f"Bearer {change(key.text)}"}
    answer = await mesh.client.get(MINE, headers=headers)
    assert problem(answer) == (401, "token_invalid")
    await revoke(mesh, seller, key.id)
