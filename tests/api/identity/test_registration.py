"""Joining, and the roles one may have, against a mesh at work."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from api.entry.commands import command_id_of
from cli.running.prepare import prepare
from infra.credentials.passwords import PasswordsBusyError
from infra.settings import Settings
from projections.identity import users
from schemas.identity import RegisterUser, ReserveEmail, email_claim_stream, user_stream
from schemas.log.messages import Market, Role
from schemas.log.positions import parse_token
from schemas.log.recorded import CommandEnvelope
from tests.api.alone import settings_of_nothing
from tests.api.running import (
    Mesh,
    claims_of,
    journal_kinds,
    journalled,
    new_email,
    problem,
)
from tests.waiting import eventually
from tests.worlds import world


async def test_ID_01_whoever_joins_is_there(mesh: Mesh) -> None:
    email = new_email()
    answer = await mesh.register(email, name="Anna Silva", role="seller", market="campus")
    assert answer.status_code == 201, answer.text
    user = answer.json()["user"]
    assert {**user, "id": ""} == {
        "id": "",
        "email": email,
        "name": "Anna Silva",
        "role": "seller",
        "status": "pending",
        "email_verified": False,
        "market": "campus",
        "email_domain": "example.org",
        "tokens": 2,
    }
    assert answer.headers["ETag"] == '"2"'
    assert parse_token(answer.headers["Consistency-Token"])[0].topic == "events.identity"


async def test_ID_01_joining_asks_for_a_verified_email(mesh: Mesh) -> None:
    user_id = (await mesh.register()).json()["user"]["id"]
    kinds = await journalled(mesh, user_stream(user_id), "email_verification.requested")
    assert kinds == ["user.registered", "email_verification.requested"]


async def test_ID_01_an_email_is_taken_once_in_any_case(mesh: Mesh) -> None:
    email = new_email()
    assert (await mesh.register(email)).status_code == 201
    for same in (email, email.upper(), email.title()):
        answer = await mesh.register(same)
        assert problem(answer) == (409, "email_taken")
        assert answer.json()["errors"][0]["pointer"] == "/email"


@pytest.mark.asvs("V2.3.4", "V15.4.2")
async def test_ID_01_twenty_at_once_make_one_person(mesh: Mesh) -> None:
    email = new_email()
    answers = await asyncio.gather(*(mesh.register(email) for _ in range(20)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * 19
    claim = email_claim_stream(mesh.machines.vault.wrapping.lookup_hash(email))
    await eventually(lambda: confirmed(mesh, claim))
    registered = await mesh.machines.postgres.fetchval(
        "SELECT count(*) FROM reads.journal WHERE kind = 'user.registered'"
        " AND data::jsonb ->> 'email_hash' = $1",
        claim.rpartition("/")[2],
    )
    assert registered == 1


async def confirmed(mesh: Mesh, claim: str) -> bool:
    return await journal_kinds(mesh, claim) == ["email_claim.reserved", "email_claim.confirmed"]


async def test_ID_01_a_reaction_confirms_the_claim(mesh: Mesh) -> None:
    email = new_email()
    await mesh.register(email)
    claim = email_claim_stream(mesh.machines.vault.wrapping.lookup_hash(email))
    assert await eventually(lambda: confirmed(mesh, claim))


async def test_ID_01_a_repeat_with_the_same_key_is_the_same_person(mesh: Mesh) -> None:
    email, key = new_email(), {"Idempotency-Key": uuid4().hex}
    first = await mesh.register(email, headers=key)
    again = await mesh.register(email, headers=key)
    assert again.status_code == first.status_code == 201
    assert again.json() == first.json()
    assert again.headers["ETag"] == first.headers["ETag"]
    user_id = first.json()["user"]["id"]
    await mesh.until_read(again)
    assert len(await journal_kinds(mesh, user_stream(user_id))) == 2


async def test_ID_01_a_repeat_never_changes_the_password(mesh: Mesh) -> None:
    email, key = new_email(), {"Idempotency-Key": uuid4().hex}
    await mesh.register(email, headers=key)
    await mesh.register(email, headers=key, password="another password")
    assert (await mesh.log_in(email)).status_code == 200
    assert (await mesh.log_in(email, "another password")).status_code == 401


async def test_ID_01_the_same_key_for_something_else_is_422(mesh: Mesh) -> None:
    email, key = new_email(), {"Idempotency-Key": uuid4().hex}
    await mesh.register(email, headers=key)
    answer = await mesh.register(email, headers=key, name="Somebody Else")
    assert problem(answer) == (422, "idempotency_key_reused")
    assert (await mesh.log_in(email)).status_code == 200


async def test_ID_01_the_same_key_of_somebody_else_is_another_person(mesh: Mesh) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = await mesh.register(headers=key)
    second = await mesh.register(headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["user"]["id"] != second.json()["user"]["id"]


@pytest.mark.parametrize("role", ["moderator", "admin", "ops", "system"])
async def test_ID_24_nobody_joins_in_a_role_of_trust(mesh: Mesh, role: str) -> None:
    answer = await mesh.register(role=role)
    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "/role"


async def test_ID_01_an_unfinished_registration_gives_way_after_its_time(mesh: Mesh) -> None:
    email = new_email()
    other = await unfinished(mesh, email, lapsed=True)
    answer = await mesh.register(email)
    assert answer.status_code == 201, answer.text
    expected = ["user.registration_abandoned"]
    assert await eventually(lambda: journal_kinds(mesh, user_stream(other))) == expected


async def test_ID_01_an_unfinished_registration_holds_its_time(mesh: Mesh) -> None:
    email = new_email()
    await unfinished(mesh, email, lapsed=False)
    assert problem(await mesh.register(email)) == (409, "email_taken")


@pytest.mark.parametrize("lapsed", [True, False])
async def test_ID_04_whoever_has_not_finished_registering_is_unknown(
    mesh: Mesh, *, lapsed: bool
) -> None:
    """Whatever they wait for will not come; and nobody is told that they have begun."""
    email = new_email()
    await unfinished(mesh, email, lapsed=lapsed)
    assert problem(await mesh.log_in(email)) == (401, "credentials_invalid")


async def test_ID_01_who_is_refused_as_too_many_register_holds_no_email(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = new_email()

    async def busy(_password: str) -> str:
        raise PasswordsBusyError

    with monkeypatch.context() as crowded:
        crowded.setattr(mesh.machines.passwords, "hash", busy)
        assert problem(await mesh.register(email)) == (503, "busy")
    assert (await mesh.register(email)).status_code == 201


async def test_ID_01_a_lapsed_reservation_of_somebody_registered_is_taken(mesh: Mesh) -> None:
    """The reaction that confirms may be late by any time: it must not cost anybody their e-mail."""
    email = new_email()
    other = await unfinished(mesh, email, lapsed=True)
    await finish(mesh, email, other)
    assert problem(await mesh.register(email)) == (409, "email_taken")


async def unfinished(mesh: Mesh, email: str, *, lapsed: bool) -> UUID:
    """An API process died after reserving: the person's id."""
    user_id, vault = uuid4(), mesh.machines.vault
    email_hash = vault.wrapping.lookup_hash(email)
    await vault.new_person(user_id, email_hash)
    now = datetime.now(UTC)
    command = ReserveEmail(
        email_hash=email_hash,
        owner_id=user_id,
        until=now + timedelta(seconds=-1 if lapsed else 60),
        asked_at=now,
        asked_by=str(user_id),
        asked_role=Role.BUYER,
    )
    reply = await mesh.machines.writes.send(
        CommandEnvelope(command, str(uuid4()), uuid4().hex, "test", "")
    )
    assert reply.outcome == "accepted"
    return user_id


async def finish(mesh: Mesh, email: str, user_id: UUID) -> None:
    """The registration arrived after all, while no reactor looked."""
    vault = mesh.machines.vault
    key = await vault.person(user_id)
    assert key is not None
    command = RegisterUser(
        user_id=user_id,
        email_sealed=key.seal("email", email),
        # Another hash: the running reactor confirms that claim, which nobody holds.
        email_hash="00" * 32,
        name_sealed=key.seal("name", "Late"),
        role=Role.BUYER,
        market=Market.EXOTICS,
        token_id=uuid4(),
        token_hash="00" * 32,
        expires_at=datetime.now(UTC),
        asked_at=datetime.now(UTC),
        asked_by=str(user_id),
        asked_role=Role.BUYER,
    )
    reply = await mesh.machines.writes.send(
        CommandEnvelope(command, str(uuid4()), uuid4().hex, "test", "")
    )
    assert reply.outcome == "accepted"


@pytest.mark.parametrize("role", ["moderator", "admin", "ops"])
async def test_ID_24_the_cli_grants_a_role_of_trust(mesh: Mesh, role: str) -> None:
    account = await mesh.account(role)
    assert claims_of(account.access_token)["role"] == role


async def test_ID_24_operators_read_metrics_from_anywhere(mesh: Mesh) -> None:
    account = await mesh.account("ops")
    transport = httpx.ASGITransport(mesh.app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://mesh.test") as client:
        assert (await client.get("/metrics", headers=account.headers)).status_code == 200


async def test_ID_21_a_person_has_a_row(mesh: Mesh) -> None:
    joined = await mesh.register(role="seller")
    await mesh.until_read(joined)
    row = await users.by_id(mesh.machines.postgres, joined.json()["user"]["id"])
    assert row is not None
    assert (row["role"], row["status"], row["email_verified"]) == ("seller", "pending", False)
    assert row["version"] == 2
    assert row["created_at"] == row["updated_at"]


async def test_ID_01_another_password_under_the_same_key_is_no_repeat(mesh: Mesh) -> None:
    email, headers = new_email(), {"Idempotency-Key": uuid4().hex}
    first = await mesh.register(email, headers=headers)
    again = await mesh.register(email, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await mesh.register(email, headers=headers, password="another horse battery")
    assert problem(other) == (422, "idempotency_key_reused")
    assert (await mesh.log_in(email)).status_code == 200


def test_a_command_id_is_scoped_to_whose_key_it_is() -> None:
    settings = settings_of_nothing()
    assert command_id_of(settings, "k", "anna") == command_id_of(settings, "k", "anna")
    assert command_id_of(settings, "k", "anna") != command_id_of(settings, "k", "ben")


def test_nobody_without_the_lookup_key_knows_a_command_id() -> None:
    other = settings_of_nothing(lookup_key=base64.b64encode(bytes(range(32))).decode())
    ids = {command_id_of(each, "k", "anna") for each in (settings_of_nothing(), other)}
    assert len(ids) == 2


@pytest.mark.asvs("V6.3.2")
async def test_nobody_is_there_before_anybody_has_joined(stack: Settings) -> None:
    async with world(stack) as fresh:
        await prepare(fresh.settings)
        assert await fresh.pool.fetchval("SELECT count(*) FROM vault.people") == 0
        assert await fresh.pool.fetchval("SELECT count(*) FROM vault.passwords") == 0
