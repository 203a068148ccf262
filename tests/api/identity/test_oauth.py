"""Logging in through a provider, against a real one on loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from api.identity import oauth, oauth_state
from projections.identity import identities, users
from schemas.identity import DeleteUser
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope
from tests.api.conftest import Running
from tests.api.running import Account, Mesh, api, new_email
from tests.provider import Provider, provider_at_work
from tests.waiting import eventually

START, CALLBACK, LINK = (f"/api/auth/oauth/test/{each}" for each in ("start", "callback", "link"))
Back = dict[str, str]


@pytest.fixture(scope="module")
def at_work() -> Iterator[Provider]:
    with provider_at_work() as found:
        yield found


@pytest.fixture
def provider(at_work: Provider) -> Provider:
    at_work.be_honest()
    return at_work


@pytest.fixture(scope="module")
async def mesh(running: Running, at_work: Provider) -> AsyncIterator[Mesh]:
    own = {"issuer": at_work.issuer, "client_id": "mesh", "client_secret": "s3cret"}
    settings = {
        "oidc_providers": SecretStr(json.dumps({"test": own, "other": own})),
        "write_timeout_s": 20.0,
        "read_wait_s": 20.0,
    }
    async with api(running.settings.model_copy(update=settings)) as started:
        await eventually(lambda: started.machines.writes.started, 20, "the gateway has started")
        yield started


class Browser:
    """A browser of its own: its cookies are nobody else's."""

    def __init__(self, mesh: Mesh, provider: Provider) -> None:
        self.provider = provider
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(mesh.app), base_url="http://127.0.0.1:8000"
        )

    async def leave(self, **asked: str) -> str:
        """Begin; where the provider is."""
        answer = await self.client.get(START, params=asked)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def let_in(self, subject: str, **claims: Any) -> Back:
        """Begin and log in there; what the provider sends one back with."""
        address = await self.leave()
        await self.provider.knows(subject, **claims)
        return await self.provider.let_in(address, subject)

    async def come_back(self, back: Back) -> httpx.Response:
        return await self.client.get(CALLBACK, params=back)

    async def log_in(self, subject: str, **claims: Any) -> httpx.Response:
        return await self.come_back(await self.let_in(subject, **claims))

    async def link(self, account: Account, subject: str, **claims: Any) -> httpx.Response:
        """Link an identity to an account that is signed in."""
        begun = await self.client.post(LINK, headers=account.headers)
        assert begun.status_code == 200, begun.text
        await self.provider.knows(subject, **claims)
        back = await self.provider.let_in(begun.json()["authorization_url"], subject)
        return await self.come_back(back)


@pytest.fixture
def browser(mesh: Mesh, provider: Provider) -> Browser:
    return Browser(mesh, provider)


async def reads_session(mesh: Mesh, tokens: httpx.Response) -> None:
    """The session that these tokens are of has begun, and is that person's."""
    headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    read = await mesh.client.get("/api/auth/session", headers=headers)
    assert read.status_code == 200, read.text
    assert read.json()["user"]["id"] == tokens.json()["user"]["id"]


def somebody(**more: Any) -> tuple[str, dict[str, Any]]:
    """A subject that nobody has, and what the provider tells of them."""
    return uuid4().hex, {"email": new_email(), "email_verified": True, "name": "Nimal", **more}


async def test_ID_20_a_new_user_is_created_once_and_the_second_login_reuses_it(
    mesh: Mesh, browser: Browser
) -> None:
    subject, told = somebody()
    first = await browser.log_in(subject, **told)
    assert first.status_code == 200, first.text
    user = first.json()["user"]
    await reads_session(mesh, first)
    assert (user["email"], user["name"], user["email_verified"]) == (told["email"], "Nimal", True)
    second = await Browser(mesh, browser.provider).log_in(subject, **told)
    assert second.json()["user"]["id"] == user["id"]
    await reads_session(mesh, second)


async def test_ID_20_twenty_callbacks_at_once_are_one_person(
    mesh: Mesh, provider: Provider
) -> None:
    subject, told = somebody()
    browsers = [Browser(mesh, provider) for _ in range(20)]
    backs = [await each.let_in(subject, **told) for each in browsers]
    answers = await asyncio.gather(
        *(each.come_back(back) for each, back in zip(browsers, backs, strict=True))
    )
    assert {each.status_code for each in answers} == {200}, [each.text for each in answers]
    (user_id,) = {each.json()["user"]["id"] for each in answers}
    for each in answers:
        await reads_session(mesh, each)
    joined = await mesh.machines.postgres.fetchval(
        "SELECT count(*) FROM reads.users WHERE email_hash = $1",
        mesh.machines.vault.wrapping.lookup_hash(told["email"]),
    )
    assert joined == 1
    assert len(await identities.of_owner(mesh.machines.postgres, user_id)) == 1


@pytest.mark.parametrize("state", ["", "guessed", None])
async def test_ID_20_another_state_is_refused(browser: Browser, state: str | None) -> None:
    subject, told = somebody()
    back = await browser.let_in(subject, **told)
    sent = {key: value for key, value in back.items() if key != "state"}
    answer = await browser.come_back(sent if state is None else sent | {"state": state})
    assert (answer.status_code, answer.json()["reason"]) == (400, "oauth_state_mismatch")


async def test_ID_20_a_login_begun_in_another_browser_is_refused(
    mesh: Mesh, browser: Browser
) -> None:
    subject, told = somebody()
    back = await browser.let_in(subject, **told)
    victim = Browser(mesh, browser.provider)
    assert (await victim.come_back(back)).json()["reason"] == "oauth_state_mismatch"
    await victim.leave()
    assert (await victim.come_back(back)).json()["reason"] == "oauth_state_mismatch"


async def test_ID_20_a_cookie_is_good_for_one_provider_and_once(browser: Browser) -> None:
    subject, told = somebody()
    back = await browser.let_in(subject, **told)
    elsewhere = await browser.client.get("/api/auth/oauth/other/callback", params=back)
    assert elsewhere.json()["reason"] == "oauth_state_mismatch"
    assert (await browser.come_back(back)).status_code == 200
    assert (await browser.come_back(back)).json()["reason"] == "oauth_state_mismatch"


async def test_ID_20_a_cookie_lives_for_ten_minutes(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, told = somebody()
    back = await browser.let_in(subject, **told)
    later = SimpleNamespace(time=lambda: time.time() + oauth_state.LIFETIME_S + 1)
    monkeypatch.setattr(oauth, "time", later)
    assert (await browser.come_back(back)).json()["reason"] == "oauth_state_mismatch"


async def test_ID_20_the_cookie_is_out_of_scripts_and_other_sites_reach(browser: Browser) -> None:
    answer = await browser.client.get(START)
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "max-age=600", "path=/api/auth/oauth"):
        assert part in cookie
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["nonce"][0].lower() not in cookie
    assert asked["state"][0].lower() not in cookie


async def test_ID_20_a_forged_cookie_is_refused(browser: Browser) -> None:
    subject, told = somebody()
    back = await browser.let_in(subject, **told)
    (name, value) = next(iter(browser.client.cookies.items()))
    browser.client.cookies.clear()
    flipped = "A" if value[30] != "A" else "B"
    for forged in (value[:30] + flipped + value[31:], value[:-8], "x", "é" * 10):
        headers = {b"cookie": f"{name}={forged}".encode()}
        answer = await browser.client.get(CALLBACK, params=back, headers=headers)
        assert answer.json()["reason"] == "oauth_state_mismatch"


async def test_ID_20_a_stolen_code_is_refused_for_want_of_its_verifier(
    mesh: Mesh, browser: Browser
) -> None:
    subject, told = somebody()
    stolen = (await browser.let_in(subject, **told))["code"]
    thief = Browser(mesh, browser.provider)
    state = dict(parse_qsl(urlsplit(await thief.leave()).query))["state"]
    answer = await thief.come_back({"code": stolen, "state": state})
    assert (answer.status_code, answer.json()["reason"]) == (403, "code_refused")


async def test_ID_20_a_token_with_another_nonce_is_refused(browser: Browser) -> None:
    browser.provider.forge = lambda claims: claims | {"nonce": "another"}
    subject, told = somebody()
    answer = await browser.log_in(subject, **told)
    assert (answer.status_code, answer.json()["reason"]) == (403, "id_token_invalid")


async def test_ID_20_who_says_no_there_is_told_so_here(browser: Browser) -> None:
    state = dict(parse_qsl(urlsplit(await browser.leave()).query))["state"]
    answer = await browser.come_back({"error": "access_denied", "state": state})
    assert (answer.status_code, answer.json()["reason"]) == (403, "provider_denied")


async def test_ID_20_an_account_is_not_taken_over_by_its_email(
    mesh: Mesh, browser: Browser
) -> None:
    account = await mesh.account()
    subject, told = somebody(email=account.email.upper())
    answer = await browser.log_in(subject, **told)
    assert (answer.status_code, answer.json()["reason"]) == (409, "account_exists")
    linked = await browser.link(account, subject, **told)
    assert linked.status_code == 200, linked.text
    assert linked.json()["provider"] == "test"
    again = await browser.log_in(subject, **told)
    assert again.json()["user"]["id"] == account.user_id


@pytest.mark.parametrize("said", [False, None, "true"])
async def test_ID_20_an_email_counts_as_verified_only_when_the_provider_says_so(
    browser: Browser, said: Any
) -> None:
    subject, told = somebody(email_verified=said)
    user = (await browser.log_in(subject, **told)).json()["user"]
    assert (user["email_verified"], user["status"]) == (False, "pending")


@pytest.mark.parametrize("email", ["", "no address", None])
async def test_ID_20_nobody_joins_without_an_email(browser: Browser, email: Any) -> None:
    subject, told = somebody(email=email)
    browser.provider.forge = lambda claims: claims | {"email": email}
    answer = await browser.log_in(subject, **told)
    assert (answer.status_code, answer.json()["reason"]) == (422, "email_missing")


async def test_ID_20_an_identity_is_linked_to_one_person_only(mesh: Mesh, browser: Browser) -> None:
    first, second = await mesh.account(), await mesh.account()
    subject, told = somebody()
    assert (await browser.link(first, subject, **told)).status_code == 200
    assert (await browser.link(first, subject, **told)).status_code == 200
    refused = await browser.link(second, subject, **told)
    assert (refused.status_code, refused.json()["reason"]) == (409, "identity_taken")
    shown = await mesh.client.get("/api/auth/oauth/identities", headers=second.headers)
    assert shown.json() == {"identities": []}
    shown = await mesh.client.get("/api/auth/oauth/identities", headers=first.headers)
    assert [each["provider"] for each in shown.json()["identities"]] == ["test"]


async def test_ID_20_an_unlinked_identity_lets_nobody_in_and_is_free_for_others(
    mesh: Mesh, browser: Browser
) -> None:
    first, second = await mesh.account(), await mesh.account()
    subject, told = somebody(email=first.email)
    await browser.link(first, subject, **told)
    gone = await mesh.client.delete(LINK, headers=first.headers)
    assert gone.status_code == 204, gone.text
    refused = await browser.log_in(subject, **told)
    assert refused.json()["reason"] == "account_exists"
    assert (await browser.link(second, subject, **told)).status_code == 200
    again = await mesh.client.delete(LINK, headers=first.headers)
    assert (again.status_code, again.json()["reason"]) == (404, "identity_unknown")


async def test_ID_20_a_repeat_of_an_unlinking_gets_its_first_answer(
    mesh: Mesh, browser: Browser
) -> None:
    person = await mesh.account()
    subject, told = somebody()
    await browser.link(person, subject, **told)
    headers = {**person.headers, "Idempotency-Key": uuid4().hex}
    first, again = [await mesh.client.delete(LINK, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (204, 204), again.text
    assert first.headers["ETag"] == again.headers["ETag"]


async def test_ID_20_the_last_way_to_log_in_is_not_unlinked(mesh: Mesh, browser: Browser) -> None:
    subject, told = somebody()
    tokens = (await browser.log_in(subject, **told)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    refused = await mesh.client.delete(LINK, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (409, "last_way_in")
    assert (await browser.log_in(subject, **told)).status_code == 200


async def test_ID_20_a_session_that_has_ended_links_nothing(mesh: Mesh, browser: Browser) -> None:
    account = await mesh.account()
    subject, told = somebody()
    begun = await browser.client.post(LINK, headers=account.headers)
    await mesh.client.post("/api/auth/logout", headers=account.headers)
    await browser.provider.knows(subject, **told)
    back = await browser.provider.let_in(begun.json()["authorization_url"], subject)
    answer = await browser.come_back(back)
    assert (answer.status_code, answer.json()["reason"]) == (401, "session_ended")


async def test_ID_20_the_log_holds_no_subject(mesh: Mesh, browser: Browser) -> None:
    subject, told = somebody()
    answer = await browser.log_in(subject, **told)
    user_id = answer.json()["user"]["id"]
    await mesh.until_read(answer)
    rows = await mesh.machines.postgres.fetch(
        "SELECT stream_id, data::text AS data FROM reads.journal"
        " WHERE data::text LIKE '%' || $1 || '%' LIMIT 50",
        user_id,
    )
    kinds = {row["stream_id"].partition("/")[0] for row in rows}
    assert "identity_claim" in kinds
    assert [row for row in rows if subject in row["data"] or told["email"] in row["data"]] == []


async def test_ID_20_an_unknown_provider_is_unknown(mesh: Mesh, browser: Browser) -> None:
    for path in ("start", "callback?state=x&code=y"):
        answer = await browser.client.get(f"/api/auth/oauth/nobody/{path}")
        assert (answer.status_code, answer.json()["reason"]) == (404, "provider_unknown")


async def test_ID_20_a_provider_that_is_down_is_503(running: Running, provider: Provider) -> None:
    provider.down = True
    own = {"issuer": provider.issuer, "client_id": "mesh", "client_secret": "s3cret"}
    given = {"oidc_providers": SecretStr(json.dumps({"test": own}))}
    async with api(running.settings.model_copy(update=given)) as fresh:
        answer = await fresh.client.get(START)
    assert (answer.status_code, answer.json()["reason"]) == (503, "provider_unavailable")
    assert answer.headers["retry-after"]


async def test_ID_20_who_was_deleted_comes_back_as_somebody_new(
    mesh: Mesh, browser: Browser
) -> None:
    subject, told = somebody()
    gone = (await browser.log_in(subject, **told)).json()["user"]["id"]
    command = DeleteUser(
        user_id=UUID(gone), asked_at=datetime.now(UTC), asked_by=gone, asked_role=Role.BUYER
    )
    command_id = str(uuid4())
    envelope = CommandEnvelope(command, command_id, command_id, command_id, "")
    assert (await mesh.machines.writes.send(envelope)).outcome == "accepted"

    async def released() -> bool:
        free = not await identities.of_owner(mesh.machines.postgres, gone)
        row = await users.by_email(
            mesh.machines.postgres, mesh.machines.vault.wrapping.lookup_hash(told["email"])
        )
        return free and row is None

    await eventually(released, 20)

    async def back() -> str:
        # The e-mail is let go by a reaction of its own.
        answer = await browser.log_in(subject, **told)
        if answer.status_code == 409:
            return ""
        assert answer.status_code == 200, answer.text
        return str(answer.json()["user"]["id"])

    assert await eventually(back, 20) != gone
