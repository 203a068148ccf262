"""Proving an e-mail, forgotten and changed passwords, against a mesh at work."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from schemas.identity import user_stream
from tests.api.acting.selling import token_of
from tests.api.mailbox import (
    NEW_PASSWORD,
    RESET,
    VERIFY,
    forget,
    look,
    mailed,
    refresh,
    reset,
    verify,
)
from tests.api.running import (
    PASSWORD,
    Account,
    Mesh,
    api,
    held_back,
    journalled,
    new_email,
    problem,
)
from tests.waiting import eventually


async def change(mesh: Mesh, account: Account, current: str, following: str):
    body = {"current_password": current, "new_password": following}
    return await mesh.client.post("/api/auth/change-password", json=body, headers=account.headers)


async def test_ID_08_the_token_from_the_mail_proves_the_email_once(mesh: Mesh) -> None:
    account = await mesh.account()
    token = await mailed(mesh, account.user_id, VERIFY)
    done = await verify(mesh, token)
    assert done.status_code == 204, done.text
    await mesh.until_read(done)
    user = (await look(mesh, account.access_token)).json()["user"]
    assert (user["email_verified"], user["status"]) == (True, "active")
    assert problem(await verify(mesh, token)) == (410, "token_spent")


@pytest.mark.parametrize("way", ["login", "refresh"])
async def test_ID_08_no_tokens_are_given_from_before_what_was_seen(
    mesh: Mesh, hasty: Mesh, way: str
) -> None:
    account = await mesh.account()
    asked = {
        "login": {"email": account.email, "password": PASSWORD},
        "refresh": {"refresh_token": account.refresh_token},
    }[way]
    proof = await mailed(mesh, account.user_id, VERIFY)
    async with held_back(mesh, "users"):
        done = await verify(mesh, proof)
        seen = {"Consistency-Token": done.headers["Consistency-Token"]}
        early = await hasty.client.post(f"/api/auth/{way}", json=asked, headers=seen)
        assert problem(early) == (503, "store_unavailable")
    found = await mesh.client.post(f"/api/auth/{way}", json=asked, headers=seen)
    assert found.json()["user"]["email_verified"] is True


async def test_ID_08_a_token_expires(mesh: Mesh) -> None:
    async with api(mesh.settings.model_copy(update={"verify_email_s": 1})) as brief:
        await eventually(lambda: brief.machines.writes.started, 20)
        account = await brief.account()
    token = await mailed(mesh, account.user_id, VERIFY)

    async def lapsed() -> bool:
        row = await mesh.machines.postgres.fetchrow(
            "SELECT expires_at FROM reads.verification_tokens WHERE key = $1",
            f"{account.user_id}/{VERIFY}",
        )
        return row["expires_at"] < datetime.now(UTC)

    await eventually(lapsed)
    assert problem(await verify(mesh, token)) == (410, "token_expired")


async def test_ID_23_a_token_is_stored_as_its_hash_alone(mesh: Mesh) -> None:
    account = await mesh.account()
    await forget(mesh, account.email)
    for purpose in (VERIFY, RESET):
        token = await mailed(mesh, account.user_id, purpose)
        stored = await mesh.machines.postgres.fetch(
            "SELECT t::text AS row FROM reads.verification_tokens AS t"
            " UNION ALL SELECT data::text FROM reads.journal WHERE stream_id = $1",
            user_stream(account.user_id),
        )
        assert len(stored) >= 2  # of the table and of the journal
        assert not any(token in row["row"] for row in stored)


@pytest.mark.parametrize("token", ["x", "A" * 64])
async def test_ID_08_made_up_tokens_prove_nothing(mesh: Mesh, token: str) -> None:
    assert problem(await verify(mesh, token)) == (410, "token_spent")


async def test_ID_08_what_no_token_can_hold_is_told(mesh: Mesh) -> None:
    answer = await verify(mesh, "ü" * 64)
    assert problem(answer) == (422, "invalid")
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/token"]


async def test_ID_08_a_token_for_one_thing_is_no_good_for_another(mesh: Mesh) -> None:
    account = await mesh.account()
    token = await mailed(mesh, account.user_id, VERIFY)
    assert problem(await reset(mesh, token)) == (410, "token_spent")


async def test_ID_08_the_mail_is_sent_again_on_request(mesh: Mesh) -> None:
    account = await mesh.account()
    again = await mesh.client.post("/api/auth/resend-verification", headers=account.headers)
    assert (again.status_code, again.json()) == (202, {"accepted": True})
    await verify(mesh, await mailed(mesh, account.user_id, VERIFY))
    late = await mesh.client.post("/api/auth/resend-verification", headers=account.headers)
    assert problem(late) == (409, "email_already_verified")


@pytest.mark.asvs("V6.3.8")
async def test_ID_09_known_and_unknown_emails_get_the_same_202(mesh: Mesh) -> None:
    """V6.3.8: neither text nor code nor headers tell whether somebody has this e-mail."""
    account = await mesh.account()
    known, unknown = await forget(mesh, account.email), await forget(mesh, new_email())
    assert (known.status_code, unknown.status_code) == (202, 202)
    assert known.content == unknown.content
    assert known.headers.keys() == unknown.headers.keys()


async def test_ID_09_only_somebody_known_gets_a_token(mesh: Mesh) -> None:
    account = await mesh.account()
    await forget(mesh, account.email)
    assert await mailed(mesh, account.user_id, RESET)
    kinds = await journalled(mesh, user_stream(account.user_id), "password_reset.requested")
    assert kinds.count("password_reset.requested") == 1


@pytest.mark.asvs("V7.4.3")
async def test_ID_10_a_reset_ends_every_earlier_session_at_once(mesh: Mesh) -> None:
    """V7.4.3."""
    first = await mesh.account()
    second = (await mesh.log_in(first.email)).json()
    await forget(mesh, first.email)
    done = await reset(mesh, await mailed(mesh, first.user_id, RESET))
    assert done.status_code == 204, done.text
    for access in (first.access_token, second["access_token"]):
        assert problem(await look(mesh, access)) == (401, "session_ended")
    for token in (first.refresh_token, second["refresh_token"]):
        assert problem(await refresh(mesh, token)) == (401, "refresh_invalid")


async def test_ID_10_after_a_reset_the_new_password_alone_logs_in(mesh: Mesh) -> None:
    account = await mesh.account()
    await forget(mesh, account.email)
    token = await mailed(mesh, account.user_id, RESET)
    await reset(mesh, token)
    assert problem(await mesh.log_in(account.email)) == (401, "credentials_invalid")
    fresh = await mesh.log_in(account.email, NEW_PASSWORD)
    assert fresh.status_code == 200
    assert (await look(mesh, fresh.json()["access_token"])).status_code == 200
    assert (await refresh(mesh, fresh.json()["refresh_token"])).status_code == 200


async def test_ID_10_a_reset_works_once(mesh: Mesh) -> None:
    account = await mesh.account()
    await forget(mesh, account.email)
    token = await mailed(mesh, account.user_id, RESET)
    assert (await reset(mesh, token)).status_code == 204
    assert problem(await reset(mesh, token, "a third horse staple")) == (410, "token_spent")
    assert (await mesh.log_in(account.email, NEW_PASSWORD)).status_code == 200


async def test_ID_10_a_reset_that_died_before_the_vault_is_finished_by_the_log_in(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        """As if the process had been killed after the commit."""

    account = await mesh.account()
    await forget(mesh, account.email)
    changes = type(mesh.machines.password_changes)
    with monkeypatch.context() as patch:
        patch.setattr(changes, "apply", dies)
        done = await reset(mesh, await mailed(mesh, account.user_id, RESET))
    await mesh.until_read(done)
    assert problem(await mesh.log_in(account.email)) == (401, "credentials_invalid")
    assert (await mesh.log_in(account.email, NEW_PASSWORD)).status_code == 200


@pytest.mark.asvs("V7.4.3")
async def test_ID_11_a_change_ends_the_other_sessions_and_spares_this_one(mesh: Mesh) -> None:
    """V7.4.3."""
    here = await mesh.account()
    there = (await mesh.log_in(here.email)).json()
    done = await change(mesh, here, PASSWORD, NEW_PASSWORD)
    assert done.status_code == 204, done.text
    assert problem(await look(mesh, there["access_token"])) == (401, "session_ended")
    assert problem(await refresh(mesh, there["refresh_token"])) == (401, "refresh_invalid")
    assert (await look(mesh, here.access_token)).status_code == 200
    following = await refresh(mesh, here.refresh_token)
    assert following.status_code == 200, following.text
    assert (await look(mesh, following.json()["access_token"])).status_code == 200
    assert problem(await mesh.log_in(here.email)) == (401, "credentials_invalid")
    assert (await mesh.log_in(here.email, NEW_PASSWORD)).status_code == 200


async def test_ID_11_a_wrong_current_password_is_403_and_changes_nothing(mesh: Mesh) -> None:
    account = await mesh.account()
    refused = await change(mesh, account, "wrong password", NEW_PASSWORD)
    assert problem(refused) == (403, "password_wrong")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/current_password"]
    assert (await mesh.log_in(account.email)).status_code == 200


async def test_ID_11_twice_in_a_row_each_change_counts(mesh: Mesh) -> None:
    account = await mesh.account()
    third = "a third horse staple"
    assert (await change(mesh, account, PASSWORD, NEW_PASSWORD)).status_code == 204
    assert (await change(mesh, account, NEW_PASSWORD, third)).status_code == 204
    assert problem(await mesh.log_in(account.email, NEW_PASSWORD))[0] == 401
    assert (await mesh.log_in(account.email, third)).status_code == 200


async def test_ID_11_no_hash_waits_once_it_is_decided(mesh: Mesh) -> None:
    account = await mesh.account()
    await change(mesh, account, PASSWORD, NEW_PASSWORD)
    left = await mesh.machines.postgres.fetchval(
        "SELECT count(*) FROM vault.password_changes WHERE user_id = $1", UUID(account.user_id)
    )
    assert left == 0


@pytest.mark.parametrize("password", ["password1", "Qwerty123!", "12345678", "Sh0rt-x"])
@pytest.mark.asvs("V6.2.1")
async def test_V6_2_4_no_common_or_short_password_is_taken_anywhere(
    mesh: Mesh, password: str
) -> None:
    """V6.2.1 and V6.2.4."""
    account = await mesh.account()
    joined = await mesh.register(password=password)
    changed = await change(mesh, account, PASSWORD, password)
    anew = await reset(mesh, "A" * 64, password)
    pointers = [each.json()["errors"][0]["pointer"] for each in (joined, changed, anew)]
    assert {each.status_code for each in (joined, changed, anew)} == {422}
    assert pointers == ["/password", "/new_password", "/password"]
    assert not any(password in each.text for each in (joined, changed, anew))


@pytest.mark.asvs("V6.2.5", "V6.2.8")
async def test_V6_2_9_a_long_password_of_any_characters_is_taken_as_it_is(mesh: Mesh) -> None:
    """V6.2.5, V6.2.8 and V6.2.9: 256 characters, none cut, trimmed or folded."""
    long = " " + "ක" * 100 + uuid4().hex * 4 + "Z é\t" + "x" * 22 + " "
    email = new_email()
    assert len(long) == 256
    assert (await mesh.register(email, password=long)).status_code == 201
    assert (await mesh.log_in(email, long)).status_code == 200
    for almost in (long[:-1], long.strip(), long.lower(), long[:72]):
        assert problem(await mesh.log_in(email, almost)) == (401, "credentials_invalid")


async def test_of_many_sessions_the_newest_are_listed_and_that_there_are_more_is_said(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.identity.account.SESSIONS_MAX", 2)
    person = await mesh.account()
    for complete in (True, False):
        last = await mesh.log_in(person.email)
        headers = {"Authorization": f"Bearer {last.json()['access_token']}", **token_of(last)}
        listed = await mesh.client.get("/api/auth/sessions", headers=headers)
        assert (len(listed.json()["items"]), listed.json()["complete"]) == (2, complete)
        assert listed.json()["items"][0]["current"]
