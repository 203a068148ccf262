"""Wallets, against a mesh at work: tokens come with joining campus, and go one by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from processors.reactions.reactor import REACTIONS
from projections.wallet import wallets
from schemas.identity import UserRegistered
from schemas.log.messages import Market
from schemas.log.positions import format_token
from schemas.log.recorded import CommandEnvelope, Recorded, Reply
from schemas.wallet import WalletCommand
from tests.api.items.test_campus import campus_email
from tests.api.running import Mesh, problem
from tests.producers.tokens import debit, grant, refund
from tests.projections.history import recorded
from tests.waiting import eventually


@dataclass(frozen=True)
class Student:
    """Somebody on campus, logged in."""

    mesh: Mesh
    joined: dict[str, Any]

    @property
    def user_id(self) -> str:
        found: str = self.joined["user"]["id"]
        return found

    async def get(self, path: str, after: Reply | None = None, **params: Any) -> Any:
        """A read that sees the entry which `after` answered."""
        headers = {"Authorization": f"Bearer {self.joined['token']}"}
        if after is not None and after.position is not None:
            headers["Consistency-Token"] = format_token([after.position])
        answer = await self.mesh.client.get(path, headers=headers, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def wallet(self, after: Reply | None = None) -> Any:
        return await self.get("/api/wallet", after)

    async def entries(self, after: Reply | None = None, **params: Any) -> Any:
        return await self.get("/api/wallet/entries", after, **params)

    async def enter(self, command: WalletCommand) -> Reply:
        """The writer's answer to a command about this student's wallet."""
        asked = command.model_copy(update={"user_id": UUID(self.user_id)})
        command_id = str(uuid4())
        envelope = CommandEnvelope(asked, command_id, command_id, command_id, "")
        return await self.mesh.machines.writes.send(envelope)


def about() -> str:
    return f"item/{uuid4()}"


async def new_student(mesh: Mesh) -> Student:
    """A student who has what everybody gets."""
    joined = await mesh.register(campus_email(), market="campus")
    assert joined.status_code == 201, joined.text
    student = Student(mesh, joined.json())

    async def granted() -> bool:
        return bool((await student.wallet())["version"])

    await eventually(granted, 20, "the grant")
    return student


@pytest.fixture(scope="module")
async def student(mesh: Mesh) -> Student:
    """Somebody whose wallet nothing but joining has touched."""
    return await new_student(mesh)


async def test_WA_02_whoever_joins_campus_is_given_two_tokens(student: Student) -> None:
    assert await student.wallet() == {"tokens": 2, "version": 1}
    (entry,) = (await student.entries())["items"]
    told = {"version": 1, "kind": "credit", "change": 2, "reason": "signup"}
    assert told.items() <= entry.items()
    assert entry["reference"] == f"user/{student.user_id}"


async def test_WA_02_hearing_the_registration_again_grants_nothing(
    mesh: Mesh, student: Student
) -> None:
    """Neither when the reaction hears the very event again, nor when another tells the same."""
    (reaction,) = [each for each in REACTIONS if each.name == "grant_signup_tokens"]
    registered = await recorded_registration(mesh, student)
    replies = []
    for heard in (registered, replace(registered, event_id=str(uuid4()))):
        (envelope,) = reaction.envelopes(heard)
        replies.append(await mesh.machines.writes.send(envelope))
    first, other = replies
    assert (first.outcome, first.version, first.event_count) == ("accepted", 1, 1)
    assert (other.outcome, other.version, other.event_count) == ("accepted", 1, 0)
    assert await student.wallet(other) == {"tokens": 2, "version": 1}
    assert len((await student.entries(other))["items"]) == 1


async def recorded_registration(mesh: Mesh, student: Student) -> Recorded[UserRegistered]:
    """The event as the reactor heard it, as far as the journal tells."""
    stream = f"user/{student.user_id}"
    row = await eventually(
        lambda: mesh.machines.postgres.fetchrow(
            "SELECT key, version, data FROM reads.journal WHERE stream_id = $1 AND kind = $2",
            stream,
            "user.registered",
        )
    )
    event = UserRegistered.model_validate_json(row["data"])
    return replace(recorded(stream, row["version"], event), event_id=row["key"])


async def test_WA_02_off_campus_nobody_is_given_any(mesh: Mesh) -> None:
    account = await mesh.account("seller")
    found = await mesh.client.get("/api/wallet", headers=account.headers)
    assert (found.json(), found.headers["ETag"]) == ({"tokens": 0, "version": 0}, '"0"')
    entries = await mesh.client.get("/api/wallet/entries", headers=account.headers)
    assert entries.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(("market", "tokens"), [(Market.CAMPUS, 2), (Market.EXOTICS, 0)])
async def test_ID_02_before_the_grant_can_be_read_the_rule_tells_of_it(
    mesh: Mesh, market: Market, tokens: int
) -> None:
    nobody = str(uuid4())
    found = await wallets.by_owner(mesh.machines.postgres, nobody, market)
    assert found == wallets.Wallet(halves=2 * tokens, version=0)


@pytest.mark.asvs("V2.3.4", "V15.4.2")
async def test_WA_01_fifty_debits_at_once_take_no_more_than_there_is(mesh: Mesh) -> None:
    student = await new_student(mesh)
    await student.enter(grant(18, about()))
    replies = await asyncio.gather(*(student.enter(debit(1, about())) for _ in range(50)))
    outcomes = Counter((each.outcome, each.reason, each.status) for each in replies)
    assert outcomes == {("accepted", "", 200): 20, ("refused", "balance_too_low", 409): 30}
    last = max(replies, key=lambda reply: reply.version)
    assert await student.wallet(last) == {"tokens": 0, "version": 22}
    items = (await student.entries(last, limit=100))["items"]
    assert [each["version"] for each in items] == list(range(22, 0, -1))
    assert sum(each["change"] for each in items) == 0


async def test_WA_01_pages_of_entries_miss_and_repeat_nothing(mesh: Mesh) -> None:
    student = await new_student(mesh)
    spent = about()
    for command in (grant(5, about()), debit(3, spent)):
        await student.enter(command)
    last = await student.enter(refund(2, spent))
    page = await student.entries(last, limit=3)
    told = [(each["kind"], each["change"], each["reference"] == spent) for each in page["items"]]
    assert told == [("refund", 2, True), ("debit", -3, True), ("credit", 5, False)]
    rest = await student.entries(last, limit=3, cursor=page["next_cursor"])
    assert [each["reason"] for each in rest["items"]] == ["signup"]
    assert rest["next_cursor"] is None
    assert (await student.entries(last, limit=3, page=2))["items"] == rest["items"]


async def test_ID_05_logging_in_tells_what_the_wallet_holds(mesh: Mesh) -> None:
    student = await new_student(mesh)
    granted = await student.enter(grant(3, about()))
    assert (await student.wallet(granted))["tokens"] == 5
    found = (await mesh.log_in(student.joined["user"]["email"])).json()
    assert found["user"]["tokens"] == 5
    for path in ("/api/auth/profile", "/api/auth/session"):
        assert (await student.get(path, granted))["user"]["tokens"] == 5


async def test_ID_18_tokens_are_sessions_to_end_and_a_wallet_to_read(mesh: Mesh) -> None:
    """The word means both: what one is logged in with, and what one spends."""
    student = await new_student(mesh)
    elsewhere = await mesh.log_in(student.joined["user"]["email"])
    await mesh.until_read(elsewhere)
    listed = (await student.get("/api/auth/sessions"))["items"]
    (other,) = [each["id"] for each in listed if not each["current"]]
    assert len(listed) == 2
    own = {"Authorization": f"Bearer {student.joined['token']}"}
    ended = await mesh.client.delete(f"/api/auth/sessions/{other}", headers=own)
    assert ended.status_code == 204
    theirs = {"Authorization": f"Bearer {elsewhere.json()['token']}"}
    shut_out = await mesh.client.get("/api/wallet", headers=theirs)
    assert problem(shut_out) == (401, "session_ended")
    assert (await student.wallet())["tokens"] == 2


async def test_PR_10_an_export_holds_the_entries_of_the_wallet(student: Student) -> None:
    async def entered() -> list[Any]:
        found = await student.get(f"/api/users/{student.user_id}/export")
        return [each for each in found["events"] if each["stream"].startswith("wallet/")]

    (entry,) = await eventually(entered, 20, "the journal has read the grant")
    assert (entry["kind"], entry["by_oneself"]) == ("wallet.credited", False)
    assert (entry["data"]["halves"], entry["data"]["reason"]) == (4, "signup")
