"""What a booking says in the conversation of its two people, and what comes back of a token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from processors.reactions.reactor import REACTIONS
from schemas.bookings import BookingRequested, bookings_stream
from schemas.log.positions import format_token
from schemas.log.recorded import Recorded
from schemas.messaging import conversation_id_of
from tests.api.acting.booking import Booked, booked, two_students
from tests.api.acting.offering import ITEMS, Student, campus, student
from tests.api.acting.talking import OPEN
from tests.api.running import Mesh
from tests.projections.history import recorded
from tests.waiting import eventually

ANY = {"If-Match": "*"}


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture(scope="module")
async def seller(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture
async def buyer(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


def chat_of(found: Booked) -> str:
    ids = [found.item_id, found.buyer.account.user_id, found.seller.account.user_id]
    return str(conversation_id_of(*(UUID(each) for each in ids)))


async def messages_of(who: Student, chat_id: str) -> list[dict[str, Any]]:
    """What stands in a conversation, the first of it first; nothing while it can't be read."""
    answer = await who.ask("GET", f"/api/messages/{chat_id}")
    return list(reversed(answer.json()["items"])) if answer.status_code == 200 else []


async def told(who: Student, chat_id: str, *kinds: str) -> list[dict[str, Any]]:
    """The conversation once exactly these notices stand in it."""

    async def there() -> list[dict[str, Any]] | None:
        found = await messages_of(who, chat_id)
        notices = [each["notice"]["kind"] for each in found if each["notice"]]
        return found if notices == list(kinds) else None

    return await eventually(there, 30, f"{kinds} are told")


async def test_BK_03_a_request_opens_the_conversation_and_says_so(
    seller: Student, buyer: Student
) -> None:
    found = await booked(seller, buyer)
    chat_id = chat_of(found)
    (message,) = await told(seller, chat_id, "booking_requested")
    assert message["notice"]["params"] == {"booking_id": found.id, "reason": None}
    assert (message["content"], message["number"]) == (None, 1)
    assert message["sender_id"] == buyer.account.user_id
    (chat,) = (await seller.ask("GET", OPEN, params={"limit": 1})).json()["items"]
    assert (chat["id"], chat["item"]["id"], chat["unread"]) == (chat_id, found.item_id, 1)
    assert chat["last_message"]["notice"]["kind"] == "booking_requested"
    read = await seller.ask("PUT", f"/api/messages/{message['id']}/read")
    assert read.status_code == 204
    said = await buyer.ask("POST", f"/api/messages/{chat_id}", json={"content": "Is it heavy?"})
    assert said.status_code == 201, said.text
    page = await seller.read(f"/api/messages/{chat_id}", said)
    assert [each["content"] for each in page.json()["items"]] == ["Is it heavy?", None]
    assert page.json()["items"][0]["number"] == 2


async def test_BK_03_a_conversation_that_is_there_goes_on(seller: Student, buyer: Student) -> None:
    item_id = await seller.have()
    opened = await buyer.ask("POST", OPEN, json={"item_id": item_id})
    chat_id = opened.json()["id"]
    said = await buyer.ask("POST", f"/api/messages/{chat_id}", json={"content": "Good day"})
    assert said.status_code == 201, said.text
    found = await booked(seller, buyer, item_id)
    assert chat_of(found) == chat_id
    both = await told(buyer, chat_id, "booking_requested")
    assert [each["content"] for each in both] == ["Good day", None]


@pytest.mark.parametrize(
    ("deeds", "kinds", "reason"),
    [
        ([("seller", "reject")], ["booking_rejected"], "by_seller"),
        ([("buyer", "cancel")], ["booking_cancelled"], "by_buyer"),
        (
            [("seller", "accept"), ("seller", "complete")],
            ["booking_accepted", "booking_completed"],
            None,
        ),
        (
            [("seller", "accept"), ("buyer", "cancel")],
            ["booking_accepted", "booking_cancelled"],
            "by_buyer",
        ),
    ],
    ids=["rejected", "cancelled", "completed", "called off"],
)
async def test_BK_03_what_becomes_of_it_is_told_by_whoever_did_it(
    seller: Student,
    buyer: Student,
    deeds: list[tuple[str, str]],
    kinds: list[str],
    reason: str | None,
) -> None:
    found = await booked(seller, buyer)
    sides = {"seller": seller, "buyer": buyer}
    for side, deed in deeds:
        await found.done(sides[side], deed)
    _, *rest = await told(buyer, chat_of(found), "booking_requested", *kinds)
    assert [each["sender_id"] for each in rest] == [
        sides[side].account.user_id for side, _ in deeds
    ]
    assert rest[-1]["notice"]["params"] == {"booking_id": found.id, "reason": reason}


async def test_BK_03_who_lost_against_another_is_told_so(
    mesh: Mesh, seller: Student, buyer: Student, here: str
) -> None:
    first = await booked(seller, buyer)
    other = await booked(seller, await student(mesh, here), first.item_id)
    await first.done(seller, "accept")
    last = (await told(other.buyer, chat_of(other), "booking_requested", "booking_rejected"))[-1]
    assert last["notice"]["params"]["reason"] == "another_was_accepted"


async def heard(mesh: Mesh, found: Booked) -> Recorded[BookingRequested]:
    """The request as the reactor heard it, as far as the journal tells."""
    stream = bookings_stream(found.item_id)
    row = await eventually(
        lambda: mesh.machines.postgres.fetchrow(
            "SELECT key, version, data FROM reads.journal WHERE stream_id = $1 AND version = 1",
            stream,
        )
    )
    event = BookingRequested.model_validate_json(row["data"])
    return replace(recorded(stream, row["version"], event), event_id=row["key"])


async def test_BK_03_hearing_the_request_again_says_nothing_twice(
    mesh: Mesh, seller: Student, buyer: Student
) -> None:
    found = await booked(seller, buyer)
    chat_id = chat_of(found)
    await told(buyer, chat_id, "booking_requested")
    (reaction,) = [each for each in REACTIONS if each.name == "tell_of_booking"]
    again = await heard(mesh, found)
    replies = []
    for _ in range(2):
        (envelope,) = reaction.envelopes(again)
        replies.append(await mesh.machines.writes.send(envelope))
    assert {(each.outcome, each.version, each.event_count) for each in replies} == {
        ("accepted", 2, 2)  # opened, and told: what the first time has led to
    }
    after = {"Consistency-Token": format_token([replies[-1].position])}
    page = await buyer.ask("GET", f"/api/messages/{chat_id}", headers=after)
    assert len(page.json()["items"]) == 1


async def tokens(who: Student) -> float:
    return float((await who.ask("GET", "/api/wallet")).json()["tokens"])


async def tokens_become(who: Student, count: float) -> None:
    async def there() -> bool:
        return await tokens(who) == count

    await eventually(there, 30, f"{count} tokens")


async def unlocked(who: Student, item_id: str) -> None:
    answer = await who.ask("POST", f"{ITEMS}/{item_id}/contact")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("deed", "status"),
    [("reject", "rejected"), ("cancel", "cancelled")],
    ids=["rejected", "cancelled"],
)
async def test_WA_03_half_a_token_comes_back_once_when_nothing_came_of_asking(
    seller: Student, buyer: Student, deed: str, status: str
) -> None:
    await buyer.has_tokens()
    item_id = await seller.have()
    await unlocked(buyer, item_id)
    for _ in range(2):
        found = await booked(seller, buyer, item_id)
        await found.done(seller if deed == "reject" else buyer, deed)
        await tokens_become(buyer, 1.5)
    await told(buyer, chat_of(found), *["booking_requested", f"booking_{status}"] * 2)
    assert await tokens(buyer) == 1.5
    (back, *_) = (await buyer.ask("GET", "/api/wallet/entries")).json()["items"]
    assert (back["kind"], back["change"], back["reason"]) == ("refund", 0.5, "booking_ended")
    assert (await buyer.ask("GET", f"{ITEMS}/{item_id}/contact")).status_code == 200


async def test_WA_03_what_was_accepted_gives_nothing_back(seller: Student, buyer: Student) -> None:
    await buyer.has_tokens()
    found = await booked(seller, buyer)
    await unlocked(buyer, found.item_id)
    await found.done(seller, "accept")
    await found.done(buyer, "cancel")
    kinds = ("booking_requested", "booking_accepted", "booking_cancelled")
    await told(buyer, chat_of(found), *kinds)
    # A later booking of another item, whose half does come back, has been heard after it.
    other = await booked(seller, buyer)
    await unlocked(buyer, other.item_id)
    await other.done(buyer, "cancel")
    await tokens_become(buyer, 0.5)
    entries = (await buyer.ask("GET", "/api/wallet/entries")).json()["items"]
    refunds = [each["reference"] for each in entries if each["kind"] == "refund"]
    assert refunds == [f"contact/{other.item_id}"]


async def test_WA_03_who_has_unlocked_nothing_gets_nothing_back(mesh: Mesh) -> None:
    seller, buyer = await two_students(mesh)
    await buyer.has_tokens()
    found = await booked(seller, buyer)
    await found.done(seller, "reject")
    (reaction,) = [each for each in REACTIONS if each.name == "return_half_token"]
    stream = bookings_stream(found.item_id)
    rejected = await eventually(
        lambda: mesh.machines.postgres.fetchrow(
            "SELECT key, data FROM reads.journal WHERE stream_id = $1 AND version = 2", stream
        )
    )
    (event_type,) = [each for each in reaction.hears if each.__name__ == "BookingRejected"]
    event = event_type.model_validate_json(rejected["data"])
    (envelope,) = reaction.envelopes(replace(recorded(stream, 2, event), event_id=str(uuid4())))
    reply = await mesh.machines.writes.send(envelope)
    assert (reply.outcome, reply.event_count) == ("accepted", 0)
    assert await tokens(buyer) == 2
