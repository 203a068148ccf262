"""Tokens: refreshed, ended, verified and waited for, against a mesh at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NoReturn
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr

from api.wire.problems import WriteUnavailableError
from projections.identity import sessions
from tests.api.running import (
    PASSWORD,
    Account,
    Mesh,
    api,
    claims_of,
    new_email,
    problem,
)
from tests.waiting import eventually


@pytest.mark.asvs("V7.4.1")
async def test_ID_06_both_tokens_are_dead_after_logging_out(mesh: Mesh) -> None:
    account = await mesh.account()
    out = await mesh.client.post("/api/auth/logout", headers=account.headers)
    assert (out.status_code, out.content) == (204, b"")
    again = await mesh.client.get("/api/auth/session", headers=account.headers)
    assert problem(again) == (401, "session_ended")
    refresh = await mesh.client.post(
        "/api/auth/refresh", json={"refresh_token": account.refresh_token}
    )
    assert problem(refresh) == (401, "refresh_invalid")


async def test_ID_06_other_devices_stay_logged_in(mesh: Mesh) -> None:
    first = await mesh.account()
    second = (await mesh.log_in(first.email)).json()["access_token"]
    await mesh.client.post("/api/auth/logout", headers=first.headers)
    answer = await mesh.client.get(
        "/api/auth/session", headers={"Authorization": f"Bearer {second}"}
    )
    assert answer.status_code == 200


CLOSED_PORT = "redis://127.0.0.1:1/0"


@pytest.mark.asvs("V7.2.4")
async def test_logging_in_anew_ends_the_session_that_it_was_asked_in(mesh: Mesh) -> None:
    account, other = await mesh.account(), await mesh.account()
    elsewhere = (await mesh.log_in(account.email)).json()
    body = {"email": account.email, "password": PASSWORD}

    async def logged_in(headers: dict[str, str]) -> dict[str, str]:
        answer = await mesh.client.post("/api/auth/login", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def live(headers: dict[str, str]) -> int:
        return (await mesh.client.get("/api/auth/session", headers=headers)).status_code

    new = await logged_in(account.headers)
    assert [await live(each) for each in (account.headers, new)] == [401, 200]
    refreshed = await mesh.client.post(
        "/api/auth/refresh", json={"refresh_token": account.refresh_token}
    )
    assert refreshed.status_code == 401
    # What somebody else holds, and what was begun elsewhere, goes on.
    await logged_in(other.headers)
    assert await live(other.headers) == 200
    assert await live({"Authorization": f"Bearer {elsewhere['access_token']}"}) == 200


async def test_ID_06_without_redis_the_read_model_tells(mesh: Mesh) -> None:
    settings = mesh.settings.model_copy(update={"redis_url": SecretStr(CLOSED_PORT)})
    async with api(settings) as other:
        await eventually(lambda: other.machines.writes.started, 20)
        account = await other.account()
        before = await other.client.get("/api/auth/session", headers=account.headers)
        out = await other.client.post("/api/auth/logout", headers=account.headers)
        after = await other.client.get("/api/auth/session", headers=account.headers)
    assert (before.status_code, out.status_code) == (200, 204)
    assert problem(after) == (401, "session_ended")


async def test_ID_06_what_another_process_ended_without_redis_is_found(mesh: Mesh) -> None:
    """A denial that Redis never took reaches it from the read model."""
    settings = mesh.settings.model_copy(update={"redis_url": SecretStr(CLOSED_PORT)})
    account = await mesh.account()
    async with api(settings) as other:
        await eventually(lambda: other.machines.writes.started, 20)
        await other.client.post("/api/auth/logout", headers=account.headers)

    async def refused() -> bool:
        answer = await mesh.client.get("/api/auth/session", headers=account.headers)
        return answer.status_code == 401

    assert await eventually(refused, 15)


@pytest.mark.asvs("V7.4.1")
async def test_RD_12_a_flushed_redis_lets_nobody_back_in(mesh: Mesh) -> None:
    account = await mesh.account()
    out = await mesh.client.post("/api/auth/logout", headers=account.headers)
    await mesh.until_read(out)
    await mesh.machines.redis.flushdb()
    answer = await mesh.client.get("/api/auth/session", headers=account.headers)
    assert problem(answer) == (401, "session_ended")


@pytest.mark.asvs("V16.5.2", "V16.5.3")
async def test_ID_06_without_redis_and_postgres_nobody_gets_in(mesh: Mesh) -> None:
    account = await mesh.account()
    down = {
        "redis_url": SecretStr(CLOSED_PORT),
        "database_url": SecretStr("postgresql://mesh@127.0.0.1:1/none"),
    }
    async with api(mesh.settings.model_copy(update=down)) as other:
        # Its keys are known already, as they are in a process that has served for a while.
        other.machines.tokens._keys = dict(mesh.machines.tokens._keys)
        answer = await other.client.get("/api/auth/session", headers=account.headers)
    assert problem(answer) == (503, "store_unavailable")


async def refresh(mesh: Mesh, token: str) -> httpx.Response:
    return await mesh.client.post("/api/auth/refresh", json={"refresh_token": token})


async def test_ID_07_a_refresh_token_gives_the_next_pair(mesh: Mesh) -> None:
    account = await mesh.account()
    first = await refresh(mesh, account.refresh_token)
    assert first.status_code == 200, first.text
    second = await refresh(mesh, first.json()["refresh_token"])
    assert second.status_code == 200
    tokens = {account.refresh_token, *(each.json()["refresh_token"] for each in (first, second))}
    assert len(tokens) == 3
    headers = {"Authorization": f"Bearer {second.json()['access_token']}"}
    answer = await mesh.client.get("/api/auth/session", headers=headers)
    assert answer.json()["session_id"] == account.session_id


@asynccontextmanager
async def without_grace(mesh: Mesh) -> AsyncIterator[Mesh]:
    """The API where a spent token is stolen from the first moment on."""
    async with api(mesh.settings.model_copy(update={"refresh_leeway_s": 0})) as strict:
        await eventually(lambda: strict.machines.writes.started, 20)
        yield strict


async def assert_dead(mesh: Mesh, account: Account, following: Any) -> None:
    """Nothing of this family of tokens opens anything any more."""
    assert problem(await refresh(mesh, following["refresh_token"])) == (401, "refresh_invalid")
    for token in (account.access_token, following["access_token"]):
        answer = await mesh.client.get(
            "/api/auth/session", headers={"Authorization": f"Bearer {token}"}
        )
        assert problem(answer) == (401, "session_ended")


@pytest.mark.asvs("V10.4.5")
async def test_ID_07_a_second_use_kills_the_whole_family(mesh: Mesh) -> None:
    async with without_grace(mesh) as strict:
        account = await strict.account()
        following = (await refresh(strict, account.refresh_token)).json()
        assert problem(await refresh(strict, account.refresh_token)) == (401, "refresh_invalid")
        await assert_dead(strict, account, following)


@pytest.mark.asvs("V10.4.5")
async def test_ID_07_many_at_once_get_the_same_next_token(mesh: Mesh) -> None:
    """V10.4.5: tabs of one browser."""
    account = await mesh.account()
    answers = await asyncio.gather(*(refresh(mesh, account.refresh_token) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    (following,) = {answer.json()["refresh_token"] for answer in answers}
    assert following != account.refresh_token
    for answer in answers[:3]:
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        read = await mesh.client.get("/api/auth/session", headers=headers)
        assert read.json()["session_id"] == account.session_id
    assert (await refresh(mesh, following)).status_code == 200


@pytest.mark.asvs("V10.4.5")
async def test_ID_07_the_token_before_the_last_has_no_grace(mesh: Mesh) -> None:
    account = await mesh.account()
    second = (await refresh(mesh, account.refresh_token)).json()
    third = (await refresh(mesh, second["refresh_token"])).json()
    assert problem(await refresh(mesh, account.refresh_token)) == (401, "refresh_invalid")
    await assert_dead(mesh, account, third)


@pytest.mark.asvs("V10.4.5")
async def test_ID_07_after_the_grace_a_spent_token_kills(mesh: Mesh) -> None:
    async with api(mesh.settings.model_copy(update={"refresh_leeway_s": 1})) as brief:
        await eventually(lambda: brief.machines.writes.started, 20)
        account = await brief.account()
        following = (await refresh(brief, account.refresh_token)).json()

        async def refused() -> bool:
            return (await refresh(brief, account.refresh_token)).status_code == 401

        await eventually(refused)
        await assert_dead(brief, account, following)


async def test_ID_07_a_lost_answer_is_given_again(mesh: Mesh, monkeypatch) -> None:
    """Killed between the rotation and the answer: the client's repeat finds the next token."""
    account = await mesh.account()
    send = mesh.machines.writes.gateway.send

    async def send_and_die(envelope: object) -> None:
        await send(envelope)
        raise WriteUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(mesh.machines.writes.gateway, "send", send_and_die)
        assert problem(await refresh(mesh, account.refresh_token)) == (503, "write_unavailable")
    answer = await refresh(mesh, account.refresh_token)
    assert answer.status_code == 200
    assert (await refresh(mesh, answer.json()["refresh_token"])).status_code == 200


async def test_ID_07_under_one_key_another_token_is_no_repeat(mesh: Mesh) -> None:
    account, headers = await mesh.account(), {"Idempotency-Key": uuid4().hex}
    body = {"refresh_token": account.refresh_token}
    first, again = [
        await mesh.client.post("/api/auth/refresh", json=body, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (200, 200)
    following = first.json()["refresh_token"]
    assert again.json()["refresh_token"] == following
    other = await mesh.client.post(
        "/api/auth/refresh", json={"refresh_token": following}, headers=headers
    )
    assert problem(other) == (422, "idempotency_key_reused")
    assert (await refresh(mesh, following)).status_code == 200


async def test_ID_07_no_key_outlives_the_grace(mesh: Mesh) -> None:
    account, headers = await mesh.account(), {"Idempotency-Key": uuid4().hex}
    body = {"refresh_token": account.refresh_token}
    first = await mesh.client.post("/api/auth/refresh", json=body, headers=headers)
    async with without_grace(mesh) as strict:
        again = await strict.client.post("/api/auth/refresh", json=body, headers=headers)
        assert problem(again) == (401, "refresh_invalid")
        await assert_dead(strict, account, first.json())


@pytest.mark.asvs("V7.3.1")
async def test_ID_07_a_session_that_lies_idle_is_over(mesh: Mesh) -> None:
    """V7.3.1."""
    async with api(mesh.settings.model_copy(update={"session_idle_s": 1})) as brief:
        await eventually(lambda: brief.machines.writes.started, 20)
        account = await brief.account()

        async def idle() -> bool:
            row = await sessions.by_id(brief.machines.postgres, account.session_id)
            return row is not None and row["until"] < datetime.now(UTC)

        await eventually(idle)
        assert problem(await refresh(brief, account.refresh_token)) == (401, "refresh_invalid")


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        ("x", (401, "refresh_invalid")),
        ("A" * 84, (401, "refresh_invalid")),
        ("ü" * 84, (422, "invalid")),  # no token can hold it
        ("=" * 84, (401, "refresh_invalid")),
    ],
)
async def test_ID_07_made_up_tokens_never_become_commands(
    mesh: Mesh, token, refusal, monkeypatch
) -> None:
    sent = []

    async def send(envelope: object) -> None:
        sent.append(envelope)

    monkeypatch.setattr(mesh.machines.writes.gateway, "send", send)
    assert problem(await refresh(mesh, token)) == refusal
    assert sent == []


async def test_ID_07_an_altered_token_is_refused_without_harm(mesh: Mesh) -> None:
    account = await mesh.account()
    token = account.refresh_token
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert problem(await refresh(mesh, altered)) == (401, "refresh_invalid")
    assert (await refresh(mesh, token)).status_code == 200


async def test_ID_07_a_late_token_is_refused(mesh: Mesh) -> None:
    async with api(mesh.settings.model_copy(update={"refresh_token_s": 1})) as brief:
        await eventually(lambda: brief.machines.writes.started, 20)
        account = await brief.account()

        async def refused() -> bool:
            # A fresh parse each time: a successful refresh would spend the token.
            row = await sessions.by_id(brief.machines.postgres, account.session_id)
            return row is not None and row["expires_at"] < datetime.now(UTC)

        await eventually(refused)
        assert problem(await refresh(brief, account.refresh_token)) == (401, "refresh_invalid")


async def test_ID_13_the_session_tells_who_is_here(mesh: Mesh) -> None:
    account = await mesh.account("seller")
    answer = await mesh.client.get("/api/auth/session", headers=account.headers)
    found = answer.json()
    assert answer.status_code == 200
    assert found["user"]["id"] == account.user_id
    assert found["user"]["email"] == account.email
    assert (found["role"], found["session_id"]) == ("seller", account.session_id)
    lifetime = datetime.fromisoformat(found["expires_at"]) - datetime.fromisoformat(
        found["started_at"]
    )
    assert lifetime.total_seconds() == mesh.settings.refresh_token_s


async def test_ID_13_the_session_is_401_without_token(mesh: Mesh) -> None:
    assert problem(await mesh.client.get("/api/auth/session")) == (401, "token_missing")


async def test_ID_13_a_read_with_the_writes_token_sees_the_write(mesh: Mesh) -> None:
    email = new_email()
    await mesh.register(email)
    for _ in range(5):
        login = await mesh.log_in(email)
        headers = {
            "Authorization": f"Bearer {login.json()['access_token']}",
            "Consistency-Token": login.headers["Consistency-Token"],
        }
        assert (await mesh.client.get("/api/auth/session", headers=headers)).status_code == 200


async def test_a_token_that_is_waited_for_in_vain_is_503_with_retry_after(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await mesh.account()
    token = {"Consistency-Token": "events.identity:0:999999999"}

    async def away(_: object) -> NoReturn:
        raise WriteUnavailableError

    async with api(mesh.settings.model_copy(update={"read_wait_s": 0.2})) as hasty:
        # Or it is told that the log has no such place.
        monkeypatch.setattr(hasty.machines.writes, "ends_of", away)
        answer = await hasty.client.get("/api/auth/session", headers={**account.headers, **token})
    assert problem(answer) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "1"


async def test_a_token_of_another_topic_waits_for_nothing(mesh: Mesh) -> None:
    account = await mesh.account()
    token = "events.listings:0:999999999"
    answer = await mesh.client.get(
        "/api/auth/session", headers={**account.headers, "Consistency-Token": token}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["x", "events.identity:a:1", "::", "t:1:-1", "x" * 3000])
async def test_a_token_that_is_none_is_400(mesh: Mesh, token: str) -> None:
    account = await mesh.account()
    answer = await mesh.client.get(
        "/api/auth/session", headers={**account.headers, "Consistency-Token": token}
    )
    assert problem(answer) == (400, "consistency_token_invalid")


@pytest.mark.asvs("V9.2.4")
async def test_ID_15_an_access_token_shows_its_claims(mesh: Mesh) -> None:
    account = await mesh.account("dealer")
    claims = claims_of(account.access_token)
    assert claims.keys() >= {
        "sub", "email", "email_verified", "role", "market", "jti", "iss", "aud", "iat", "exp"
    }  # fmt: skip
    assert (claims["sub"], claims["email"]) == (account.user_id, account.email)
    assert (claims["role"], claims["market"]) == ("dealer", "exotics")
    assert claims["email_verified"] is False
    assert claims["exp"] - claims["iat"] == mesh.settings.access_token_s


async def test_ID_12_anyone_can_verify_our_tokens_with_the_published_keys(mesh: Mesh) -> None:
    account = await mesh.account()
    published = await mesh.client.get("/.well-known/jwks.json")
    assert published.headers["Cache-Control"] == "public, max-age=300"
    keys = published.json()["keys"]
    assert len(keys) >= 1
    assert not any("d" in key for key in keys)
    verified = jwt.decode(account.access_token, KeySet.import_key_set({"keys": keys}))
    assert verified.claims["sub"] == account.user_id


async def test_ID_12_every_process_signs_with_the_same_key(mesh: Mesh) -> None:
    async with api(mesh.settings) as other:
        theirs = await other.client.get("/.well-known/jwks.json")
    ours = await mesh.client.get("/.well-known/jwks.json")
    assert theirs.json() == ours.json()


async def test_ID_22_a_session_keeps_the_hash_of_its_token(mesh: Mesh) -> None:
    account = await mesh.account()
    answer = await refresh(mesh, account.refresh_token)
    await mesh.until_read(answer)
    found = await mesh.machines.postgres.fetchrow(
        "SELECT token, user_id FROM reads.sessions WHERE key = $1", account.session_id
    )
    assert found is not None
    current = answer.json()["refresh_token"]
    assert found["token"] == sha256(current.encode()).hexdigest()
    assert found["user_id"] == account.user_id
