"""Whoever is kept out at the door is in the log with their id, why, and of which door."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.registry import kind_of
from schemas.topics import CONTEXTS
from tests.api.running import Account, Mesh, api

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "security-events.md").read_text("utf-8")

SESSION = "/api/auth/session"
Lines = list[dict[str, Any]]


async def lines_of(ask: Callable[[], Awaitable[object]]) -> Lines:
    with capture_logs() as lines:
        await ask()
    return [
        {name: each[name] for name in ("status", "reason", "who", "route")}
        for each in lines
        if each["event"] == "kept_out"
    ]


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Account:
    return await mesh.account("buyer")


async def asked(mesh: Mesh, path: str, headers: Mapping[str, str]) -> None:
    await mesh.client.get(path, headers=headers)


@pytest.mark.asvs("V16.3.2")
async def test_another_role_is_kept_out_by_name(mesh: Mesh, buyer: Account) -> None:
    found = await lines_of(lambda: asked(mesh, "/api/audit", buyer.headers))
    assert found == [
        {
            "status": 403,
            "reason": "role_not_allowed",
            "who": buyer.user_id,
            "route": "/api/audit",
        }
    ]


@pytest.mark.asvs("V16.3.2")
@pytest.mark.parametrize(
    ("headers", "reason"),
    [({}, "token_missing"), ({"Authorization": "Bearer forged"}, "token_invalid")],
)
async def test_nobody_is_kept_out_without_a_name(
    mesh: Mesh, headers: dict[str, str], reason: str
) -> None:
    found = await lines_of(lambda: asked(mesh, SESSION, headers))
    assert found == [{"status": 401, "reason": reason, "who": "", "route": SESSION}]


@pytest.mark.asvs("V16.3.2")
async def test_who_comes_too_often_is_kept_out_by_name(mesh: Mesh, buyer: Account) -> None:
    strict = mesh.settings.model_copy(update={"limit_default": "1 per minute"})
    path = f"/api/users/{buyer.user_id}/avatar"
    async with api(strict) as narrow:
        await narrow.client.delete(path, headers=buyer.headers)
        found = await lines_of(lambda: narrow.client.delete(path, headers=buyer.headers))
    assert [(each["status"], each["reason"], each["who"]) for each in found] == [
        (429, "rate_limited", buyer.user_id)
    ]


@pytest.mark.asvs("V16.3.2")
async def test_an_account_at_rest_is_kept_out_by_name(mesh: Mesh) -> None:
    resting = await mesh.account("buyer")
    path = f"/api/users/{resting.user_id}"
    done = await mesh.client.post(f"{path}/deactivate", headers=resting.headers)
    assert done.is_success, done.text
    again = await mesh.log_in(resting.email)
    headers = {"Authorization": f"Bearer {again.json()['access_token']}"}
    found = await lines_of(lambda: asked(mesh, f"{path}/preferences", headers))
    assert [(each["status"], each["reason"], each["who"]) for each in found] == [
        (403, "account_deactivated", resting.user_id)
    ]


@pytest.mark.asvs("V16.3.3")
def test_what_is_defined_as_a_security_event_is_there_to_be_recorded() -> None:
    rows = re.findall(r"^\| (?!what happens|---)[^|]+\| ([^|]+) \|$", DOCUMENT, re.MULTILINE)
    assert len(rows) > 10
    commands = {kind_of(each) for context in CONTEXTS for each in context.commands}
    source = "\n".join(
        file.read_text("utf-8")
        for folder in ("api", "producers", "processors")
        for file in (ROOT / folder).rglob("*.py")
    )
    logged = set(re.findall(r'log\.\w+\(\s*"(\w+)"', source))
    for row in rows:
        named = re.findall(r"`([a-z_.]+)`", row)
        if "log line" in row:
            assert set(named) <= logged, row
        elif named != ["refused"]:
            assert named, row
            assert set(named) <= commands, row


@pytest.mark.asvs("V16.3.3")
def test_every_command_about_who_may_get_in_is_a_security_event() -> None:
    about = {
        kind_of(each)
        for context in CONTEXTS
        for each in context.commands
        if kind_of(each).split(".")[0] in {"user", "session", "api_key"}
    }
    # Work of our own that follows from others, which are there.
    own = {"user.abandon_registration", "user.request_email_verification", "user.sweep_tokens"}
    assert {each for each in about - own if f"`{each}`" not in DOCUMENT} == set()
