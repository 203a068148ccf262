"""Whom to call about an item, for a token: over HTTP, against a mesh at work."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

from schemas.log.messages import Role
from schemas.wallet import WalletCommand
from tests.api.acting.offering import Student, campus, sent, student
from tests.api.acting.selling import reason_of, token_of
from tests.api.running import Mesh
from tests.producers.tokens import grant
from tests.waiting import eventually

PHONE = "+94771234567"


@dataclass(frozen=True)
class Deal:
    """Somebody who offers, and somebody who has two tokens."""

    seller: Student
    buyer: Student


async def tokens(who: Student, after: httpx.Response | None = None) -> float:
    headers = {} if after is None else token_of(after)
    found = await who.ask("GET", "/api/wallet", headers=headers)
    assert found.status_code == 200, found.text
    return float(found.json()["tokens"])


async def with_tokens(mesh: Mesh, here: str) -> Student:
    """A student whose two tokens have come."""
    who = await student(mesh, here)
    await who.has_tokens()
    return who


async def given(who: Student, count: float) -> None:
    """They have so many tokens more."""
    command: WalletCommand = grant(count, f"item/{uuid4()}", asked_role=Role.ADMIN)
    await sent(who.mesh, command.model_copy(update={"user_id": UUID(who.account.user_id)}))


def path_to(item_id: str) -> str:
    return f"/api/items/{item_id}/contact"


async def unlock(who: Student, item_id: str, **headers: str) -> httpx.Response:
    return await who.ask("POST", path_to(item_id), headers=headers)


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture(scope="module")
async def seller(mesh: Mesh, here: str) -> Student:
    found = await student(mesh, here)
    path = f"/api/users/{found.account.user_id}"
    told = {"json": {"phone": PHONE, "full_name": "Nimal Perera"}, "headers": {"If-Match": "*"}}
    changed = await found.ask("PATCH", path, **told)
    assert changed.status_code == 200, changed.text
    assert (await found.read(path, changed)).json()["phone"] == PHONE
    return found


@pytest.fixture
async def deal(mesh: Mesh, here: str, seller: Student) -> Deal:
    return Deal(seller, await with_tokens(mesh, here))


async def test_WA_03_a_token_tells_whom_to_call_and_a_repeat_costs_nothing(deal: Deal) -> None:
    item_id = await deal.seller.have()
    locked = await deal.buyer.ask("GET", path_to(item_id))
    assert reason_of(locked) == (402, "contact_locked")
    first, again = [await unlock(deal.buyer, item_id) for _ in range(2)]
    assert [(each.status_code, each.json()) for each in (first, again)] == [
        (200, {"item_id": item_id, "unlocked": True})
    ] * 2
    read = await deal.buyer.read(path_to(item_id), first)
    assert read.status_code == 200, read.text
    assert read.json() == {
        "item_id": item_id,
        "seller_id": deal.seller.account.user_id,
        "name": "Nimal Perera",
        "email": deal.seller.account.email,
        "phone": PHONE,
    }
    assert await tokens(deal.buyer, again) == 1


async def test_WA_03_with_an_empty_wallet_the_answer_says_what_to_do(deal: Deal) -> None:
    for _ in range(2):
        assert (await unlock(deal.buyer, await deal.seller.have())).status_code == 200
    item_id = await deal.seller.have()
    refused = await unlock(deal.buyer, item_id)
    assert reason_of(refused) == (402, "tokens_missing")
    assert "book it" in refused.json()["detail"]
    assert reason_of(await deal.buyer.ask("GET", path_to(item_id))) == (402, "contact_locked")
    assert await tokens(deal.buyer) == 0


async def test_WA_03_fifty_unlocks_of_one_item_at_once_cost_one_token(deal: Deal) -> None:
    item_id = await deal.seller.have()
    answers = await asyncio.gather(*(unlock(deal.buyer, item_id) for _ in range(50)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.text for each in answers}) == 1
    assert await tokens(deal.buyer, answers[0]) == 1


@pytest.mark.asvs("V2.3.4", "V15.4.2")
async def test_WA_03_fifty_unlocks_at_once_never_spend_more_than_there_is(deal: Deal) -> None:
    await given(deal.buyer, 8.5)
    offered = await asyncio.gather(*(deal.seller.have() for _ in range(50)))
    answers = await asyncio.gather(*(unlock(deal.buyer, each) for each in offered))
    assert Counter(each.status_code for each in answers) == {200: 10, 402: 40}
    last = max(
        (each for each in answers if each.status_code == 200),
        key=lambda each: int(each.headers["ETag"].strip('"')),
    )
    assert await tokens(deal.buyer, last) == 0.5


async def test_WA_03_nobody_pays_for_their_own_contact(deal: Deal) -> None:
    item_id = await deal.seller.have()
    assert reason_of(await unlock(deal.seller, item_id)) == (409, "own_item")
    preview = await deal.seller.ask("GET", path_to(item_id))
    assert (preview.status_code, preview.json()["phone"]) == (200, PHONE)


async def test_WA_03_of_another_campus_there_is_no_item_to_ask_about(
    mesh: Mesh, deal: Deal
) -> None:
    item_id = await deal.seller.have()
    stranger = await with_tokens(mesh, campus())
    for method in ("GET", "POST"):
        assert reason_of(await stranger.ask(method, path_to(item_id))) == (404, "item_unknown")
    unverified = await student(mesh, deal.buyer.account.email.partition("@")[2], verified=False)
    assert reason_of(await unlock(unverified, item_id)) == (403, "email_not_verified")
    assert await tokens(stranger) == 2


async def test_WA_03_unlocked_is_for_ever_and_what_is_gone_is_not_sold(deal: Deal) -> None:
    bought, missed = [await deal.seller.have() for _ in range(2)]
    first = await unlock(deal.buyer, bought)
    before = (await deal.buyer.read(path_to(bought), first)).json()
    assert before["phone"] == PHONE
    for each in (bought, missed):
        gone = await deal.seller.ask("DELETE", f"/api/items/{each}", headers={"If-Match": "*"})
        assert gone.status_code == 204
        await deal.seller.reach_deleted(each)
    read = await deal.buyer.read(path_to(bought), first)
    assert (read.status_code, read.json()) == (200, before)
    assert (await unlock(deal.buyer, bought)).json() == first.json()
    assert reason_of(await unlock(deal.buyer, missed)) == (410, "item_deleted")
    assert await tokens(deal.buyer) == 1


async def test_WA_03_who_has_left_is_told_of_no_more(mesh: Mesh, deal: Deal, here: str) -> None:
    seller = await student(mesh, here)
    item_id = await seller.have()
    assert (await unlock(deal.buyer, item_id)).status_code == 200
    left = await seller.ask("DELETE", f"/api/users/{seller.account.user_id}")
    assert left.status_code == 204, left.text

    async def is_gone() -> bool:
        answer = await deal.buyer.ask("GET", path_to(item_id))
        return answer.status_code == 410 and answer.json()["reason"] == "user_deleted"

    await eventually(is_gone, 20, "they are forgotten")
    kept = await mesh.machines.postgres.fetchrow(
        "SELECT count(*) AS entries FROM reads.wallet_entries WHERE user_id = $1",
        deal.buyer.account.user_id,
    )
    assert kept["entries"] == 2


async def test_WA_03_the_log_says_nothing_of_whom_to_call(deal: Deal) -> None:
    item_id = await deal.seller.have()
    unlocked = await unlock(deal.buyer, item_id)
    assert unlocked.status_code == 200

    async def entered() -> list[str]:
        rows = await deal.buyer.mesh.machines.postgres.fetch(
            "SELECT data FROM reads.journal WHERE stream_id = $1 AND kind = 'wallet.debited'",
            f"wallet/{deal.buyer.account.user_id}",
        )
        return [str(each["data"]) for each in rows]

    (data,) = await eventually(entered, 20, "the debit is in the journal")
    assert item_id in data
    for secret in (PHONE, deal.seller.account.email, "Nimal"):
        assert secret not in data
