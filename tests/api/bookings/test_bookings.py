"""Bookings over HTTP, against a mesh at work: who asks, who answers, and what follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from processors.reacting.commands import Commands
from processors.reacting.scheduler import send_due
from tests.api.acting.booking import (
    BOOKINGS,
    Booked,
    booked,
    request,
    shown_as,
    two_students,
)
from tests.api.acting.offering import ITEMS, Student, campus, student
from tests.api.acting.selling import Seller, pointers_of, reason_of, token_of
from tests.api.running import Mesh
from tests.waiting import eventually

ANY = {"If-Match": "*"}
NOTE = "I can fetch it on Friday"


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture(scope="module")
async def seller(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def mate(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


async def test_BK_01_a_student_asks_for_an_item(seller: Student, buyer: Student) -> None:
    found = await booked(seller, buyer, note=NOTE)
    assert found.answer.headers["Location"] == found.path
    assert found.answer.json() == {
        "id": found.id,
        "item_id": found.item_id,
        "status": "pending",
    }
    seen = await found.seen(seller)
    assert (seen["side"], seen["status"], seen["reason"]) == ("seller", "pending", None)
    assert (seen["note"], seen["answer"]) == (NOTE, None)
    assert seen["item"] == {"id": found.item_id, "title": "Old laptop", "status": "active"}
    assert seen["other"] == {"id": buyer.account.user_id, "name": "Test Person"}
    waits = datetime.fromisoformat(seen["expires_at"]) - datetime.fromisoformat(
        seen["requested_at"]
    )
    assert waits == timedelta(days=7)
    mine = await found.seen(buyer)
    assert (mine["side"], mine["other"]["id"]) == ("buyer", seller.account.user_id)


async def test_BK_01_a_note_needs_not_be_and_is_bounded(seller: Student, buyer: Student) -> None:
    found = await booked(seller, buyer)
    assert (await found.seen(seller))["note"] is None
    item_id = await seller.have()
    for bad in ("x" * 501, "", "\u202e", 7):
        refused = await request(buyer, item_id, note=bad)
        assert (reason_of(refused), pointers_of(refused)) == ((422, "invalid"), ["/note"])
    unknown = await request(buyer, item_id, days=3)
    assert reason_of(unknown) == (422, "invalid")


async def test_BK_01_nobody_books_their_own_item(seller: Student) -> None:
    assert reason_of(await request(seller, await seller.have())) == (409, "own_item")


@pytest.mark.asvs("V2.3.4", "V15.4.2")
async def test_BK_01_of_twenty_requests_at_once_one_is_open(seller: Student, mesh: Mesh) -> None:
    buyer = await student(mesh, seller.account.email.partition("@")[2])
    item_id = await seller.have()
    answers = await asyncio.gather(*(request(buyer, item_id) for _ in range(20)))
    assert Counter(each.status_code for each in answers) == {201: 1, 409: 19}
    refused = {reason_of(each) for each in answers if each.status_code == 409}
    assert refused == {(409, "booking_exists")}
    (first,) = [each for each in answers if each.status_code == 201]
    page = await buyer.read(BOOKINGS, first, role="buyer")
    assert [each["id"] for each in page.json()["items"]] == [first.json()["id"]]
    found = Booked(seller, buyer, item_id, first.json()["id"], first)
    await found.done(buyer, "cancel")
    assert (await request(buyer, item_id)).status_code == 201


async def test_BK_01_only_the_campus_of_the_item_books_it(
    mesh: Mesh, seller: Student, here: str
) -> None:
    item_id = await seller.have()
    foreign = await student(mesh, campus())
    assert reason_of(await request(foreign, item_id)) == (404, "item_unknown")
    unverified = await student(mesh, here, verified=False)
    assert reason_of(await request(unverified, item_id)) == (403, "email_not_verified")
    dealer = Student(mesh, await mesh.account("dealer"))
    assert reason_of(await request(dealer, item_id)) == (403, "market_not_allowed")
    hidden = await seller.have(drawn=False)
    mate = await student(mesh, here)
    assert reason_of(await request(mate, hidden)) == (404, "item_unknown")


async def test_MS_08_whoever_is_blocked_books_nothing(mesh: Mesh, here: str) -> None:
    owner, other = await student(mesh, here), await student(mesh, here)
    item_id = await owner.have()
    path = f"/api/users/{other.account.user_id}/block"
    assert (await owner.ask("POST", path)).status_code == 204
    refused = await request(other, item_id)
    assert reason_of(refused) == (403, "not_reachable")
    assert (await owner.ask("DELETE", path)).status_code == 204
    assert (await request(other, item_id)).status_code == 201


async def test_BK_01_what_is_kept_sold_or_gone_nobody_can_ask_for(
    seller: Student, buyer: Student, mate: Student
) -> None:
    found = await booked(seller, buyer)
    await found.done(seller, "accept")
    assert reason_of(await request(mate, found.item_id)) == (409, "item_reserved")
    await found.done(seller, "complete")
    assert reason_of(await request(mate, found.item_id)) == (409, "item_sold")
    gone = await seller.ask("DELETE", f"{ITEMS}/{found.item_id}", headers=ANY)
    assert gone.status_code == 204
    await seller.reach_deleted(found.item_id)
    assert reason_of(await request(mate, found.item_id)) == (410, "item_deleted")


async def test_BK_01_others_than_the_two_find_no_booking(
    mesh: Mesh, seller: Student, buyer: Student, mate: Student
) -> None:
    found = await booked(seller, buyer, note=NOTE)
    await found.seen(seller)
    for who in (mate, Seller(mesh, await mesh.account("admin"))):
        assert reason_of(await who.ask("GET", found.path)) == (404, "booking_unknown")
        for deed in ("accept", "reject", "cancel", "complete"):
            answer = await who.ask("POST", f"{found.path}/{deed}")
            assert reason_of(answer) == (404, "booking_unknown")
    assert (await found.seen(buyer))["status"] == "pending"


async def test_BK_01_each_side_lists_its_bookings_page_by_page(mesh: Mesh) -> None:
    seller, buyer = await two_students(mesh)
    made = [await booked(seller, buyer) for _ in range(5)]
    await made[0].done(seller, "reject")
    expected = [each.id for each in reversed(made)]
    for who, role in ((seller, "seller"), (buyer, "buyer")):
        ids: list[str] = []
        params: dict[str, Any] = {"role": role, "limit": 2}
        while True:
            page = await who.ask("GET", BOOKINGS, params=params, headers=token_of(made[-1].answer))
            assert page.status_code == 200, page.text
            ids += [each["id"] for each in page.json()["items"]]
            if page.json()["next_cursor"] is None:
                break
            params["cursor"] = page.json()["next_cursor"]
        assert ids == expected
        other = {"buyer": "seller", "seller": "buyer"}[role]
        empty = await who.ask("GET", BOOKINGS, params={"role": other})
        assert empty.json() == {"items": [], "next_cursor": None}


async def test_BK_01_a_list_is_of_one_side_and_has_a_bound(buyer: Student) -> None:
    for params in ({}, {"role": "both"}, {"role": "buyer", "limit": 101}):
        refused = await buyer.ask("GET", BOOKINGS, params=params)
        assert reason_of(refused) == (422, "invalid")


async def test_BK_02_who_accepts_one_keeps_the_item_and_rejects_the_others(
    seller: Student, buyer: Student, mate: Student
) -> None:
    first = await booked(seller, buyer)
    other = await booked(seller, mate, first.item_id)
    accepted = await first.done(seller, "accept")
    assert accepted.json() == {"id": first.id, "status": "accepted"}
    seen = await other.seen(mate, accepted)
    assert (seen["status"], seen["reason"]) == ("rejected", "another_was_accepted")
    assert (await first.seen(buyer, accepted))["status"] == "accepted"
    await shown_as(mate, first.item_id, "reserved")
    assert first.item_id not in await mate.listed()
    assert reason_of(await other.do(seller, "accept")) == (409, "booking_over")


@pytest.mark.asvs("V2.3.4", "V15.4.2")
async def test_BK_02_of_twenty_four_accepts_at_once_exactly_one_wins(
    mesh: Mesh, seller: Student, here: str
) -> None:
    item_id = await seller.have()
    # One after another: no more than a few passwords are hashed at once.
    buyers = [await student(mesh, here) for _ in range(24)]
    asked = await asyncio.gather(*(booked(seller, each, item_id) for each in buyers))
    answers = await asyncio.gather(*(each.do(seller, "accept") for each in asked))
    assert Counter(each.status_code for each in answers) == {200: 1, 409: 23}
    (won,) = [each for each in answers if each.status_code == 200]
    lost = {reason_of(each) for each in answers if each.status_code == 409}
    assert lost == {(409, "booking_over")}
    seen = [await each.seen(seller, won) for each in asked]
    assert Counter((each["status"], each["reason"]) for each in seen) == {
        ("accepted", None): 1,
        ("rejected", "another_was_accepted"): 23,
    }
    (kept,) = [each for each in seen if each["status"] == "accepted"]
    assert kept["id"] == won.json()["id"]


async def test_BK_02_the_seller_says_no_with_a_word_to_it(seller: Student, buyer: Student) -> None:
    found = await booked(seller, buyer)
    rejected = await found.done(seller, "reject", json={"note": "My brother takes it"})
    seen = await found.seen(buyer, rejected)
    assert (seen["status"], seen["reason"]) == ("rejected", "by_seller")
    assert seen["answer"] == "My brother takes it"
    assert reason_of(await found.do(buyer, "cancel")) == (409, "booking_over")


async def test_BK_02_only_the_seller_answers_and_only_the_buyer_takes_back(
    seller: Student, buyer: Student
) -> None:
    found = await booked(seller, buyer)
    for who, deed in ((buyer, "accept"), (buyer, "reject"), (seller, "cancel")):
        assert reason_of(await found.do(who, deed)) == (403, "not_yours")
    assert reason_of(await found.do(seller, "complete")) == (409, "booking_pending")
    cancelled = await found.done(buyer, "cancel")
    assert (await found.seen(seller, cancelled))["reason"] == "by_buyer"


async def test_BK_02_what_was_accepted_and_called_off_is_free_again(
    seller: Student, buyer: Student, mate: Student
) -> None:
    found = await booked(seller, buyer)
    await found.done(seller, "accept")
    await shown_as(mate, found.item_id, "reserved")
    off = await found.done(seller, "cancel")
    assert (await found.seen(buyer, off))["reason"] == "by_seller"
    await shown_as(mate, found.item_id, "active")
    assert (await request(mate, found.item_id)).status_code == 201


async def test_BK_02_what_is_completed_is_sold(
    seller: Student, buyer: Student, mate: Student
) -> None:
    found = await booked(seller, buyer)
    await found.done(seller, "accept")
    assert reason_of(await found.do(buyer, "complete")) == (403, "not_yours")
    completed = await found.done(seller, "complete")
    assert (await found.seen(buyer, completed))["status"] == "completed"
    await shown_as(mate, found.item_id, "sold")
    assert found.item_id not in await mate.listed()


async def is_timed(mesh: Mesh, item_id: str) -> bool:
    return bool(
        await mesh.machines.postgres.fetchval(
            "SELECT EXISTS (SELECT FROM reads.timers WHERE key = $1)", f"bookings/{item_id}"
        )
    )


async def test_BK_02_what_nobody_answers_expires(
    mesh: Mesh, seller: Student, buyer: Student, commands: Commands
) -> None:
    found = await booked(seller, buyer)
    pool, now = mesh.machines.postgres.pool, datetime.now(UTC)
    await eventually(lambda: is_timed(mesh, found.item_id))
    early, late = now + timedelta(days=6.9), now + timedelta(days=7.1)
    await send_due(pool, commands, early, ["expire_bookings"], patient=True)
    # Judged after whatever the sweep has asked for.
    assert reason_of(await request(buyer, found.item_id)) == (409, "booking_exists")
    assert (await found.seen(buyer))["status"] == "pending"
    assert await send_due(pool, commands, late, ["expire_bookings"], patient=True) >= 1
    await found.becomes("expired")
    assert (await request(buyer, found.item_id)).status_code == 201


async def test_BK_02_with_the_item_its_bookings_end(seller: Student, buyer: Student) -> None:
    found = await booked(seller, buyer)
    gone = await seller.ask("DELETE", f"{ITEMS}/{found.item_id}", headers=ANY)
    assert gone.status_code == 204
    seen = await found.becomes("cancelled")
    assert (seen["reason"], seen["item"]["title"]) == ("item_deleted", None)


async def test_BK_02_with_either_person_their_bookings_end(mesh: Mesh) -> None:
    seller, buyer = await two_students(mesh)
    here = seller.account.email.partition("@")[2]
    mate = await student(mesh, here)
    theirs = await booked(seller, buyer, note=NOTE)
    kept = await booked(seller, buyer)
    await kept.done(seller, "accept")
    left = await buyer.ask("DELETE", f"/api/users/{buyer.account.user_id}")
    assert left.status_code == 204, left.text

    for each in (theirs, kept):
        await eventually(lambda each=each: is_reason(each, "buyer_left"), 30, "it ends")
        seen = await each.seen(seller)
        assert (seen["note"], seen["other"]["name"]) == (None, "deleted user")
    await shown_as(mate, kept.item_id, "active")
    asked = await booked(seller, mate, kept.item_id)
    left = await seller.ask("DELETE", f"/api/users/{seller.account.user_id}")
    assert left.status_code == 204, left.text
    assert (await asked.becomes("cancelled"))["reason"] == "item_deleted"


async def is_reason(found: Booked, reason: str) -> bool:
    seen: dict[str, Any] = await found.seen(found.seller)
    return bool(seen["reason"] == reason)


async def test_BK_01_the_log_holds_no_readable_note(
    mesh: Mesh, seller: Student, buyer: Student
) -> None:
    secret = f"my room is {uuid4().hex}"
    found = await booked(seller, buyer, note=secret)
    rejected = await found.done(seller, "reject", json={"note": secret[::-1]})
    assert (await found.seen(buyer, rejected))["answer"] == secret[::-1]

    async def told() -> list[str]:
        rows = await mesh.machines.postgres.fetch(
            "SELECT data FROM reads.journal WHERE stream_id = $1 ORDER BY version",
            f"bookings/{found.item_id}",
        )
        return [str(row["data"]) for row in rows] if len(rows) == 2 else []

    for data in await eventually(told, 20, "the journal has both"):
        assert secret not in data
        assert secret[::-1] not in data
        assert "note_sealed" in data
