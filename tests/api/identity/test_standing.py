"""Bans, roles and sessions ended from elsewhere: in force when the answer arrives."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from api.identity.ending import cut_off
from cli.people import send_grant
from schemas.identity import DeactivateUser, user_stream
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope
from tests.api.mailbox import look, refresh
from tests.api.running import Account, Mesh, api, claims_of, journalled, problem
from tests.waiting import eventually

CLOSED_PORT = "redis://127.0.0.1:1/0"


async def ask(mesh: Mesh, who: Account, method: str, path: str, body=None) -> httpx.Response:
    return await mesh.client.request(method, path, json=body, headers=who.headers)


async def ban(mesh: Mesh, by: Account, who: Account) -> httpx.Response:
    return await ask(mesh, by, "POST", f"/api/users/{who.user_id}/ban", {"reason": "fraud"})


async def grant(mesh: Mesh, by: Account, who: Account, role: str) -> httpx.Response:
    return await ask(mesh, by, "PUT", f"/api/users/{who.user_id}/role", {"role": role})


@pytest.mark.asvs("V7.4.2")
async def test_ID_25_a_ban_holds_at_once_for_every_token(mesh: Mesh) -> None:
    """V7.4.2: access and refresh tokens alike, and no new log-in."""
    moderator, account = await mesh.account("moderator"), await mesh.account()
    banned = await ban(mesh, moderator, account)
    assert banned.status_code == 200, banned.text
    assert problem(await look(mesh, account.access_token)) == (401, "session_ended")
    assert problem(await refresh(mesh, account.refresh_token)) == (401, "refresh_invalid")
    await mesh.until_read(banned)
    assert problem(await mesh.log_in(account.email)) == (403, "account_banned")
    assert problem(await mesh.log_in(account.email, "wrong password")) == (
        401,
        "credentials_invalid",
    )


async def test_ID_25_the_unbanned_log_in_again_but_no_old_session_revives(mesh: Mesh) -> None:
    moderator, account = await mesh.account("moderator"), await mesh.account()
    await ban(mesh, moderator, account)
    free = await ask(mesh, moderator, "POST", f"/api/users/{account.user_id}/unban")
    assert free.status_code == 200, free.text
    assert problem(await refresh(mesh, account.refresh_token)) == (401, "refresh_invalid")
    again = await mesh.log_in(account.email)
    assert again.status_code == 200, again.text
    assert (await look(mesh, again.json()["access_token"])).status_code == 200


async def test_ID_25_forbidden_moves_are_told(mesh: Mesh) -> None:
    moderator, admin = await mesh.account("moderator"), await mesh.account("admin")
    assert problem(await ban(mesh, moderator, admin)) == (403, "role_not_allowed")
    assert problem(await ban(mesh, moderator, moderator)) == (403, "not_oneself")
    nobody = await ask(mesh, admin, "POST", f"/api/users/{uuid4()}/ban", {"reason": "spam"})
    assert problem(nobody) == (404, "user_unknown")


@pytest.mark.asvs("V8.3.2")
async def test_ID_24_another_role_holds_at_once(mesh: Mesh) -> None:
    """V8.3.2: no token tells of the old role any more; a refresh brings the new one."""
    admin, account = await mesh.account("admin"), await mesh.account("admin")
    assert (await grant(mesh, admin, account, "buyer")).status_code == 200
    refused = await grant(mesh, account, admin, "buyer")
    assert problem(refused) == (401, "session_ended")
    following = await refresh(mesh, account.refresh_token)
    assert following.status_code == 200, following.text
    assert claims_of(following.json()["access_token"])["role"] == "buyer"
    assert (await look(mesh, following.json()["access_token"])).status_code == 200


async def test_ID_24_a_role_given_and_taken_within_a_second_leaves_no_token(mesh: Mesh) -> None:
    admin, account = await mesh.account("admin"), await mesh.account()
    await grant(mesh, admin, account, "moderator")
    raised = (await refresh(mesh, account.refresh_token)).json()
    assert claims_of(raised["access_token"])["role"] == "moderator"
    await grant(mesh, admin, account, "buyer")
    assert problem(await look(mesh, raised["access_token"])) == (401, "session_ended")
    lowered = (await refresh(mesh, raised["refresh_token"])).json()
    assert claims_of(lowered["access_token"])["role"] == "buyer"


async def test_ID_24_a_refresh_beside_the_change_never_keeps_the_old_role(mesh: Mesh) -> None:
    """Whichever is first: a token that is taken afterwards tells of the new role."""
    admin, account = await mesh.account("admin"), await mesh.account("admin")
    granted, refreshed = await asyncio.gather(
        grant(mesh, admin, account, "buyer"), refresh(mesh, account.refresh_token)
    )
    assert granted.status_code == 200
    token = refreshed.json()["access_token"]
    taken = (await look(mesh, token)).status_code == 200
    assert not taken or claims_of(token)["role"] == "buyer"


@pytest.mark.parametrize("closed", ["of whom one asks", "of whom one tells"])
async def test_ID_25_without_redis_a_ban_holds_at_once_too(mesh: Mesh, closed: str) -> None:
    settings = mesh.settings.model_copy(update={"redis_url": SecretStr(CLOSED_PORT)})
    moderator, account = await mesh.account("moderator"), await mesh.account()
    async with api(settings) as without:
        await eventually(lambda: without.machines.writes.started, 20)
        banned = await ban(without, moderator, account)
        assert banned.status_code == 200, banned.text
        if closed == "of whom one tells":
            assert problem(await look(without, account.access_token)) == (401, "session_ended")
            assert problem(await refresh(without, account.refresh_token))[0] == 401
            return

    async def refused() -> bool:
        return (await look(mesh, account.access_token)).status_code == 401

    assert await eventually(refused, 15)
    assert problem(await refresh(mesh, account.refresh_token))[0] == 401


async def test_ID_25_an_account_at_rest_may_only_look_leave_and_come_back(mesh: Mesh) -> None:
    account = await mesh.account("seller")
    asked = {
        "asked_at": datetime.now(UTC),
        "asked_by": account.user_id,
        "asked_role": Role.SELLER,
    }
    command = DeactivateUser(user_id=UUID(account.user_id), **asked)
    reply = await mesh.machines.writes.send(
        CommandEnvelope(command, str(uuid4()), uuid4().hex, "test", "")
    )
    await cut_off(mesh.machines, UUID(account.user_id), reply)
    assert problem(await look(mesh, account.access_token)) == (401, "session_ended")
    back = (await mesh.log_in(account.email)).json()
    assert back["user"]["status"] == "deactivated"
    assert (await look(mesh, back["access_token"])).status_code == 200
    headers = {"Authorization": f"Bearer {back['access_token']}"}
    mine = await mesh.client.get("/api/listings/mine", headers=headers)
    assert problem(mine) == (403, "account_deactivated")
    out = await mesh.client.post("/api/auth/logout", headers=headers)
    assert out.status_code == 204


@pytest.mark.asvs("V10.4.9")
async def test_ID_14_two_devices_are_listed_and_one_is_revoked(mesh: Mesh) -> None:
    """V7.5.2 and V10.4.9: only the revoked one gets 401."""
    here = await mesh.account()
    login = await mesh.log_in(here.email)
    there = login.json()
    headers = {**here.headers, "Consistency-Token": login.headers["Consistency-Token"]}
    listed = await mesh.client.get("/api/auth/sessions", headers=headers)
    items = listed.json()["items"]
    assert [item["current"] for item in items] == [False, True]
    other = items[0]["id"]
    assert other == claims_of(there["access_token"])["sid"]
    gone = await ask(mesh, here, "DELETE", f"/api/auth/sessions/{other}")
    assert gone.status_code == 204, gone.text
    assert problem(await look(mesh, there["access_token"])) == (401, "session_ended")
    assert problem(await refresh(mesh, there["refresh_token"])) == (401, "refresh_invalid")
    assert (await look(mesh, here.access_token)).status_code == 200
    headers = {**here.headers, "Consistency-Token": gone.headers["Consistency-Token"]}
    left = (await mesh.client.get("/api/auth/sessions", headers=headers)).json()["items"]
    assert [item["id"] for item in left] == [here.session_id]


async def test_ID_14_the_session_of_another_is_as_unknown_as_none(mesh: Mesh) -> None:
    mine, theirs = await mesh.account(), await mesh.account()
    ended = (await mesh.log_in(theirs.email)).json()["access_token"]
    headers = {"Authorization": f"Bearer {ended}"}
    assert (await mesh.client.post("/api/auth/logout", headers=headers)).status_code == 204
    for session_id in (theirs.session_id, claims_of(ended)["sid"], str(uuid4())):
        refused = await ask(mesh, mine, "DELETE", f"/api/auth/sessions/{session_id}")
        assert problem(refused) == (404, "session_unknown")
    assert (await look(mesh, theirs.access_token)).status_code == 200


@pytest.mark.asvs("V10.4.9")
async def test_ID_14_logging_out_everywhere_ends_every_session(mesh: Mesh) -> None:
    """V7.4.4 and V7.4.5."""
    here = await mesh.account()
    there = (await mesh.log_in(here.email)).json()
    out = await ask(mesh, here, "DELETE", "/api/auth/sessions")
    assert out.status_code == 204, out.text
    for access in (here.access_token, there["access_token"]):
        assert problem(await look(mesh, access)) == (401, "session_ended")
    for token in (here.refresh_token, there["refresh_token"]):
        assert problem(await refresh(mesh, token)) == (401, "refresh_invalid")
    assert (await mesh.log_in(here.email)).status_code == 200


@pytest.mark.asvs("V7.4.5")
async def test_ID_14_an_admin_ends_one_session_or_all(mesh: Mesh) -> None:
    """V7.4.5."""
    admin, account = await mesh.account("admin"), await mesh.account()
    other = (await mesh.log_in(account.email)).json()
    one = await ask(mesh, admin, "DELETE", f"/api/auth/sessions/{account.session_id}")
    assert one.status_code == 204, one.text
    assert problem(await look(mesh, account.access_token)) == (401, "session_ended")
    assert (await look(mesh, other["access_token"])).status_code == 200
    every = await ask(mesh, admin, "DELETE", f"/api/users/{account.user_id}/sessions")
    assert every.status_code == 200, every.text
    assert problem(await look(mesh, other["access_token"])) == (401, "session_ended")
    assert problem(await refresh(mesh, other["refresh_token"])) == (401, "refresh_invalid")


async def test_ID_24_a_role_taken_from_the_command_line_is_gone_at_once(mesh: Mesh) -> None:
    account = await mesh.account("admin")
    await send_grant(mesh.settings, account.email, Role.BUYER)
    assert problem(await look(mesh, account.access_token)) == (401, "session_ended")
    following = (await refresh(mesh, account.refresh_token)).json()
    assert claims_of(following["access_token"])["role"] == "buyer"


async def banned_until(mesh: Mesh, who: Account, until: object) -> httpx.Response:
    return await banned_by(mesh, await mesh.account("moderator"), who, until)


async def banned_by(mesh: Mesh, moderator: Account, who: Account, until: object) -> httpx.Response:
    body = {"reason": "fraud", "until": until}
    return await ask(mesh, moderator, "POST", f"/api/users/{who.user_id}/ban", body)


async def test_MO_07_a_ban_lifts_itself_when_its_end_has_come(mesh: Mesh) -> None:
    account, moderator = await mesh.account(), await mesh.account("moderator")
    end = datetime.now(UTC) + timedelta(seconds=4)
    answer = await banned_by(mesh, moderator, account, end.isoformat())
    assert answer.status_code == 200, answer.text
    assert (await look(mesh, account.access_token)).status_code == 401

    async def back() -> bool:
        return (await mesh.log_in(account.email)).status_code == 200

    assert not await back()
    await eventually(back)
    assert datetime.now(UTC) >= end
    kinds = await journalled(mesh, user_stream(account.user_id), "user.unbanned")
    assert kinds.count("user.unbanned") == 1


async def test_MO_07_the_end_of_a_ban_lies_in_the_future(mesh: Mesh) -> None:
    account = await mesh.account()
    answer = await banned_until(mesh, account, "2026-03-01T12:00:00Z")
    assert problem(answer) == (422, "until_past")
    assert answer.json()["errors"][0]["pointer"] == "/until"
    assert (await look(mesh, account.access_token)).status_code == 200


@pytest.mark.parametrize(
    "until",
    [
        4_102_444_800,
        "4102444800",
        "2126-03-01T12:00:00",
        "tomorrow",
        True,
        [],
        "9999-12-31T23:59:59-10:00",
    ],
    ids=str,
)
async def test_MO_07_what_is_no_moment_is_refused(mesh: Mesh, until: object) -> None:
    answer = await banned_until(mesh, await mesh.account(), until)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/until"
