"""From a request to the mail in somebody's box and back by its link, through real SMTP."""

from __future__ import annotations

import re

import pytest

from infra.channels.mail import EFFECT_HEADER
from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX, Mail
from tests.api.running import Mesh, new_email, problem
from tests.stack import session_state
from tests.waiting import eventually

SUBJECTS = {
    "welcome": {"Welcome to Marketmesh", "Marketmesh වෙත සාදරයෙන් පිළිගනිමු"},
    "verify": {"Please confirm your e-mail address", "ඔබේ විද්\u200dයුත් තැපැල් ලිපිනය තහවුරු කරන්න"},
    "reset": {"Set a new password", "නව මුරපදයක් සකසන්න"},
}
LINK = re.compile(r"^(\S+)/(verify-email|reset-password)#token=(\S+)$", re.MULTILINE)
NEW_PASSWORD = "another horse staple"


def mails_to(email: str, kind: str) -> list[Mail]:
    return [
        each
        for each in mailbox(session_state()).newest(SHOWN_MAX)
        if each.recipients == email and each.message["Subject"] in SUBJECTS[kind]
    ]


async def token_for(email: str, kind: str) -> str:
    """The token of the newest link in somebody's box."""
    (mail, *_) = await eventually(lambda: mails_to(email, kind), 60, f"a mail: {kind}")
    found = LINK.search(mail.text())
    assert found is not None
    assert found[0] in mail.text("html")
    return found[3]


@pytest.mark.parametrize(("language", "hello"), [("en", "Hello"), ("si", "ආයුබෝවන්")])
async def test_NO_04_EV_03_whoever_registers_gets_one_welcome_in_their_language(
    mesh: Mesh, language: str, hello: str
) -> None:
    email = new_email()
    joined = await mesh.register(email, language=language)
    assert joined.status_code == 201, joined.text
    await token_for(email, "verify")
    (mail,) = await eventually(lambda: mails_to(email, "welcome"), 60)
    assert mail.message["Content-Language"] == language
    assert hello in mail.text()
    assert len({each.message[EFFECT_HEADER] for each in mails_to(email, "welcome")}) == 1


async def test_NO_05_the_link_proves_the_email_once(mesh: Mesh) -> None:
    email = new_email()
    await mesh.register(email)
    token = await token_for(email, "verify")
    proved = await mesh.client.post("/api/auth/verify-email", json={"token": token})
    assert proved.status_code < 300, proved.text
    await mesh.until_read(proved)
    assert (await mesh.log_in(email)).json()["user"]["email_verified"] is True
    again = await mesh.client.post("/api/auth/verify-email", json={"token": token})
    assert problem(again) == (410, "token_spent")


async def test_NO_06_the_link_sets_another_password_once(mesh: Mesh) -> None:
    email = new_email()
    joined = await mesh.register(email)
    await mesh.until_read(joined)
    asked = await mesh.client.post("/api/auth/forgot-password", json={"email": email})
    assert asked.status_code == 202, asked.text
    body = {"token": await token_for(email, "reset"), "password": NEW_PASSWORD}
    done = await mesh.client.post("/api/auth/reset-password", json=body)
    assert done.status_code < 300, done.text
    assert (await mesh.log_in(email, NEW_PASSWORD)).status_code == 200
    assert (await mesh.log_in(email)).status_code == 401
    again = await mesh.client.post("/api/auth/reset-password", json=body)
    assert again.status_code == 410


async def test_NO_06_an_email_that_nobody_has_gets_no_mail(mesh: Mesh) -> None:
    nobody, somebody = new_email(), new_email()
    await mesh.until_read(await mesh.register(somebody))
    for email in (nobody, somebody):
        asked = await mesh.client.post("/api/auth/forgot-password", json={"email": email})
        assert asked.status_code == 202
    await token_for(somebody, "reset")
    assert mails_to(nobody, "reset") == []


@pytest.mark.asvs("V1.3.3")
async def test_NS_06_a_script_in_a_name_is_inert_in_the_mail(mesh: Mesh) -> None:
    email = new_email()
    joined = await mesh.register(email, name="<script>alert(1)</script>")
    assert joined.status_code == 201, joined.text
    (mail,) = await eventually(lambda: mails_to(email, "welcome"), 60)
    assert "<script" not in mail.text("html")
    assert mail.message["Bcc"] is None
