"""The campus vocabulary: the fields that its clients look for, beside ours."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from api.entry.campus import is_campus
from tests.api.acting.offering import campus, student
from tests.api.mailbox import look
from tests.api.running import PASSWORD, Mesh, api, new_email, problem


def campus_email() -> str:
    return f"{uuid4().hex}@CS.Uni.Example.ORG"


async def test_ID_02_registering_on_campus_answers_with_the_sources_fields(mesh: Mesh) -> None:
    email = campus_email()
    joined = await mesh.register(email, market="campus")
    found = joined.json()
    assert joined.status_code == 201, joined.text
    assert found["success"] is True
    assert found["user"]["email"] == email.lower()
    assert {"id", "email", "name"} <= found["user"].keys()
    assert found["user"]["tokens"] == 2
    assert (await look(mesh, found["token"])).status_code == 200
    assert problem(await mesh.register(email, market="campus")) == (409, "email_taken")


async def test_ID_02_a_repeat_under_the_same_key_needs_the_password(mesh: Mesh) -> None:
    body = {"email": campus_email(), "market": "campus", "headers": {"Idempotency-Key": "a-1"}}
    first = await mesh.register(**body)
    again = await mesh.register(**body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["user"]["id"] == again.json()["user"]["id"]
    stolen = await mesh.register(**body, password="a guess of someone")
    assert problem(stolen) == (422, "idempotency_key_reused")


async def test_ID_03_the_email_domain_is_stored_in_lower_case(mesh: Mesh) -> None:
    joined = (await mesh.register(campus_email(), market="campus")).json()
    session = await look(mesh, joined["token"])
    assert session.json()["user"]["email_domain"] == "cs.uni.example.org"
    stored = await mesh.machines.postgres.fetchval(
        "SELECT email_domain FROM reads.users WHERE key = $1", joined["user"]["id"]
    )
    assert stored == "cs.uni.example.org"


async def test_ID_03_off_campus_nobody_keeps_the_domain(mesh: Mesh) -> None:
    joined = await mesh.register(new_email())
    await mesh.until_read(joined)
    stored = await mesh.machines.postgres.fetchval(
        "SELECT email_domain FROM reads.users WHERE key = $1", joined.json()["user"]["id"]
    )
    assert stored is None
    assert "email_domain" not in joined.json()["user"]


async def test_ID_02_off_campus_nobody_is_told_of_tokens(mesh: Mesh) -> None:
    joined = await mesh.register(new_email())
    assert "tokens" not in joined.json()["user"]
    assert "tokens" not in (await mesh.log_in(joined.json()["user"]["email"])).json()["user"]


async def test_X_29_an_address_that_anybody_can_get_is_of_no_campus(mesh: Mesh) -> None:
    email = f"{uuid4().hex}@gmail.com"
    refused = await mesh.register(email, market="campus")
    assert problem(refused) == (422, "campus_unknown")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/email"]
    assert (await mesh.register(email, market="exotics")).status_code == 201


async def test_X_29_a_campus_that_no_longer_takes_part_is_closed(mesh: Mesh) -> None:
    someone = await student(mesh, campus())
    assert (await someone.ask("GET", "/api/items")).status_code == 200
    others = mesh.settings.model_copy(update={"campus_domains": "cs.uni.edu"})
    async with api(others) as elsewhere:
        answer = await elsewhere.client.get("/api/items", headers=someone.account.headers)
    assert problem(answer) == (403, "campus_unknown")


@pytest.mark.parametrize(
    ("domains", "domain", "found"),
    [
        ("cs.uni.edu", "cs.uni.edu", True),
        ("cs.uni.edu", "uni.edu", False),
        ("cs.uni.edu", "x.cs.uni.edu", False),
        ("uni.edu, *.ac.lk", "cmb.ac.lk", True),
        ("uni.edu,*.ac.lk", "stu.cmb.ac.lk", True),
        ("*.ac.lk", "ac.lk", False),
        ("*.ac.lk", "not-ac.lk", False),
        ("", "cmb.ac.lk", False),
        ("", "", False),
    ],
)
def test_X_29_a_campus_is_a_domain_that_the_setting_names(
    domains: str, domain: str, *, found: bool
) -> None:
    assert is_campus(domains, domain) is found


async def test_ID_05_logging_in_on_campus_answers_with_the_sources_fields(mesh: Mesh) -> None:
    email = campus_email()
    await mesh.register(email, market="campus")
    found = (await mesh.log_in(email, PASSWORD)).json()
    assert found["success"] is True
    assert found["token"] == found["access_token"]
    assert {"id", "email", "name"} <= found["user"].keys()
    assert found["user"]["tokens"] == 2
    assert problem(await mesh.log_in(email, "wrong password")) == (401, "credentials_invalid")


async def test_ID_16_the_profile_shows_who_one_is_and_no_password(mesh: Mesh) -> None:
    joined = (await mesh.register(campus_email(), market="campus")).json()
    headers = {"Authorization": f"Bearer {joined['token']}"}
    found = await mesh.client.get("/api/auth/profile", headers=headers)
    assert found.json() == {"success": True, "user": joined["user"]}
    assert "argon2" not in found.text
    assert (await mesh.client.get("/api/auth/profile")).status_code == 401


async def test_ID_16_a_profile_that_is_missing_is_404(mesh: Mesh) -> None:
    account = await mesh.account()
    await mesh.machines.vault.erase(UUID(account.user_id))
    gone = await mesh.client.get("/api/auth/profile", headers=account.headers)
    assert problem(gone) == (404, "user_unknown")
