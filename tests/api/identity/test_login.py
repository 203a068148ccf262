"""Logging in, passwords, and who is erased, against a mesh at work."""

from __future__ import annotations

from uuid import UUID

import pytest

from infra.credentials.passwords import Passwords
from infra.vault.vault import Vault
from tests.api.running import (
    PASSWORD,
    Mesh,
    api,
    new_email,
    problem,
)
from tests.waiting import eventually


async def test_ID_04_the_right_password_gives_two_tokens(mesh: Mesh) -> None:
    email = new_email()
    await mesh.register(email)
    answer = await mesh.log_in(email.upper())
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 900)
    assert found["user"]["email"] == email
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(found["refresh_token"]) > 60


@pytest.mark.asvs("V6.3.8")
async def test_ID_04_known_and_unknown_emails_get_the_same_answer(mesh: Mesh) -> None:
    email = new_email()
    await mesh.register(email)
    known = await mesh.log_in(email, "wrong password")
    unknown = await mesh.log_in(new_email(), "wrong password")
    assert problem(known) == problem(unknown) == (401, "credentials_invalid")
    hidden = {"correlation_id": ""}
    assert {**known.json(), **hidden} == {**unknown.json(), **hidden}
    assert "WWW-Authenticate" in known.headers
    volatile = {"x-request-id"}
    assert known.headers.keys() - volatile == unknown.headers.keys() - volatile


@pytest.mark.asvs("V16.3.1")
async def test_ID_04_a_failed_login_is_told_in_the_log_without_the_address(mesh: Mesh) -> None:
    email = new_email()
    await mesh.log_in(email, "wrong password")
    email_hash = mesh.machines.vault.wrapping.lookup_hash(email)

    async def failures() -> int:
        return await mesh.machines.postgres.fetchval(
            "SELECT count(*) FROM reads.journal WHERE kind = 'login.failed'"
            " AND data::jsonb ->> 'email_hash' = $1",
            email_hash,
        )

    assert await eventually(failures) == 1


@pytest.mark.asvs("V11.4.2")
async def test_ID_19_the_stored_hash_is_argon2id_as_costly_as_the_settings_say(
    mesh: Mesh,
) -> None:
    account = await mesh.account()
    stored = await mesh.machines.vault.password_hash(UUID(account.user_id))
    assert stored is not None
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=4$")


async def test_ID_19_bcrypt_is_a_setting_and_long_passwords_are_whole(mesh: Mesh) -> None:
    long = "long pass" * 8
    assert len(long) == 72
    async with api(mesh.settings.model_copy(update={"password_scheme": "bcrypt"})) as other:
        await eventually(lambda: other.machines.writes.started, 20)
        email = new_email()
        joined = await other.register(email, password=long + "y")
        stored = await other.machines.vault.password_hash(UUID(joined.json()["user"]["id"]))
        assert stored is not None
        assert stored.startswith("$2b$12$")
        assert (await other.log_in(email, long + "y")).status_code == 200
        assert (await other.log_in(email, long)).status_code == 401
        assert (await other.log_in(email, long + "z")).status_code == 401


async def test_ID_19_a_hash_of_another_scheme_is_made_anew_at_login(mesh: Mesh) -> None:
    account = await mesh.account()
    vault, user_id = mesh.machines.vault, UUID(account.user_id)
    hashing = Passwords("bcrypt", memory_kib=64, passes=1)
    old = await vault.password_hash(user_id)
    assert old is not None
    await vault.replace_password(user_id, old, await hashing.hash(PASSWORD))
    assert (await mesh.log_in(account.email)).status_code == 200
    renewed = await vault.password_hash(user_id)
    assert renewed is not None
    assert renewed.startswith("$argon2id$")
    assert (await mesh.log_in(account.email)).status_code == 200


@pytest.mark.parametrize(("password", "fault"), [("short", "too short"), ("x" * 257, "too long")])
async def test_ID_19_a_password_has_bounds(mesh: Mesh, password: str, fault: str) -> None:
    answer = await mesh.register(password=password)
    assert problem(answer) == (422, "invalid")
    assert fault in answer.json()["errors"][0]["detail"]


async def test_erasing_the_key_makes_a_person_unreadable(mesh: Mesh) -> None:
    account = await mesh.account()
    vault: Vault = mesh.machines.vault
    assert await vault.erase(UUID(account.user_id))
    assert await vault.person(UUID(account.user_id)) is None
    assert await vault.password_hash(UUID(account.user_id)) is None
    assert (await mesh.log_in(account.email)).status_code == 401
    answer = await mesh.client.get("/api/auth/session", headers=account.headers)
    assert answer.status_code == 401
