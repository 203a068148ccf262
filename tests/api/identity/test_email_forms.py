"""E-mails that folding would take for others: whose they are, and where their mail goes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.identity import registration
from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX
from schemas.identity import RegisterUser
from tests.api.running import Mesh, problem
from tests.stack import session_state
from tests.waiting import eventually


@pytest.fixture
def names() -> tuple[str, str]:
    """One mailbox, and another one that it would be folded into."""
    own = uuid4().hex
    return f"straße-{own}@example.org", f"strasse-{own}@example.org"


async def folded_earlier(mesh: Mesh, email: str, patch: pytest.MonkeyPatch) -> httpx.Response:
    """Somebody who registered when e-mails were folded."""

    def as_it_was(**fields: Any) -> RegisterUser:
        return RegisterUser(**{**fields, "email_as_typed": False})

    with patch.context() as during:
        during.setattr(registration, "RegisterUser", as_it_was)
        joined = await mesh.register(email)
    assert joined.status_code == 201, joined.text
    await mesh.until_read(joined)
    return joined


async def test_two_mailboxes_are_two_people(mesh: Mesh, names: tuple[str, str]) -> None:
    joined = [await mesh.register(each) for each in names]
    assert [each.status_code for each in joined] == [201, 201]
    assert [each.json()["user"]["email"] for each in joined] == list(names)
    people = [(await mesh.log_in(each)).json()["user"]["id"] for each in names]
    assert people == [each.json()["user"]["id"] for each in joined]


async def test_mail_goes_to_the_mailbox_as_typed(mesh: Mesh, names: tuple[str, str]) -> None:
    typed, folded = names
    assert (await mesh.register(typed)).status_code == 201

    def recipients() -> list[str]:
        found = [each.recipients for each in mailbox(session_state()).newest(SHOWN_MAX)]
        return found if typed in found else []

    assert folded not in await eventually(recipients, 60, "a mail to the address as typed")


async def test_upper_case_is_the_same_person(mesh: Mesh, names: tuple[str, str]) -> None:
    assert (await mesh.register(names[0])).status_code == 201
    assert problem(await mesh.register(names[0].replace("s", "S"))) == (409, "email_taken")
    assert (await mesh.log_in(names[0].replace("t", "T"))).status_code == 200


async def test_whoever_registered_with_a_folded_email_logs_in_and_stays_one(
    mesh: Mesh, names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folded = names
    joined = await folded_earlier(mesh, folded, monkeypatch)
    for email in names:
        assert (await mesh.log_in(email)).json()["user"]["id"] == joined.json()["user"]["id"]
        assert problem(await mesh.register(email)) == (409, "email_taken")
