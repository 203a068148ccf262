"""Templates over HTTP: how admins look at them, say them otherwise, try that out and take it back."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from markupsafe import escape

from infra.channels.mail import EFFECT_HEADER
from infra.channels.texts import shipped
from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX, Mail
from schemas.log.messages import Language
from schemas.templates import TEXT_LENGTH_MAX, TemplateName
from tests.api.acting.selling import Seller, pointers_of, token_of
from tests.api.gate.test_injections import STRINGS
from tests.api.running import Mesh, problem
from tests.stack import session_state
from tests.waiting import eventually

ALL = "/api/templates"
DIGEST = f"{ALL}/digest.si"
SHIPPED = shipped("digest", Language.SINHALA)
STOP = "{{ unsubscribe }}"


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("admin"))


def text(subject: str = "", body: str = "Hello {{ name }},", end: str = STOP) -> str:
    """A digest's; with a subject that no other has, unless one is given."""
    return f"{subject or uuid4().hex}\n\n{body}\n\n{end}"


async def override(admin: Seller, sent: str, path: str = DIGEST, **more: str) -> httpx.Response:
    return await admin.ask("PUT", path, json={"text": sent}, headers=more)


async def done(admin: Seller, sent: str, path: str = DIGEST) -> httpx.Response:
    answer = await override(admin, sent, path)
    assert answer.status_code == 200, answer.text
    return answer


def mails_to(who: Seller, subject: str) -> list[Mail]:
    return [
        each
        for each in mailbox(session_state()).newest(SHOWN_MAX)
        if each.recipients == who.account.email and each.message["Subject"] == subject
    ]


async def test_NO_13_every_mail_is_listed_in_every_language(admin: Seller) -> None:
    answer = await admin.ask("GET", ALL)
    assert answer.status_code == 200, answer.text
    found = {each["id"]: each for each in answer.json()["items"]}
    assert {*found} == {f"{name}.{spoken}" for name in TemplateName for spoken in Language}
    assert found["messages.en"]["variables"]["found"] == ["count", "kind", "link", "name", "title"]
    assert found["reset_password.ta"]["must_have"] == ["link"]


async def test_NO_13_what_is_said_otherwise_is_shown_and_taken_back(
    mesh: Mesh, admin: Seller
) -> None:
    ours = text()
    answer = await done(admin, ours)
    one = (await admin.read(DIGEST, answer)).json()
    assert (one["text"], one["shipped_text"], one["is_overridden"]) == (ours, SHIPPED, True)
    assert one["version"] == answer.json()["version"]
    listed = (await admin.read(ALL, answer)).json()["items"]
    assert [each["is_overridden"] for each in listed if each["id"] == "digest.si"] == [True]
    row = await mesh.machines.postgres.fetchrow(
        "SELECT * FROM reads.email_templates WHERE id = $1", "digest.si"
    )
    assert row is not None
    assert (row["name"], row["language"]) == ("digest", "si")
    assert f"{row['subject']}\n\n{row['body']}" == ours
    gone = await admin.ask("DELETE", DIGEST)
    assert gone.status_code == 204, gone.text
    back = (await admin.read(DIGEST, gone)).json()
    assert (back["text"], back["is_overridden"], back["changed_at"]) == (SHIPPED, False, None)
    assert await mesh.machines.postgres.fetchrow(
        "SELECT * FROM reads.email_templates WHERE id = $1", "digest.si"
    ) is None  # fmt: skip


async def test_NO_13_whoever_has_not_seen_the_last_change_does_not_undo_it(admin: Seller) -> None:
    path = f"{ALL}/alert.si"
    ours = text(body="Hello {{ title }}")
    first = await done(admin, ours, path)
    seen = first.headers["ETag"]
    await done(admin, text(), path)
    assert problem(await override(admin, ours, path, **{"If-Match": seen})) == (
        412,
        "version_mismatch",
    )


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (text("Hi", "{{ name.__class__ }}"), "line 3: `__class__` is out of bounds"),
        (text("Hi", "{{ password }}"), "line 3: there is no variable `password`"),
        (text("Hi", "{% if name %}"), "line 5: "),
        (text("Hi", end=""), "{{ unsubscribe }} is missing"),
        (text("{{ '' }}"), "line 1: the subject is empty"),
        (text("Hi\nthere"), "line 2: the subject has more than one line"),
    ],
)
async def test_NO_13_a_text_that_can_be_no_mail_is_refused_with_its_line(
    admin: Seller, sent: str, told: str
) -> None:
    before = (await admin.ask("GET", DIGEST)).json()
    for method, path in (
        ("PUT", DIGEST),
        ("POST", f"{DIGEST}/preview"),
        ("POST", f"{DIGEST}/test"),
    ):
        answer = await admin.ask(method, path, json={"text": sent})
        assert problem(answer) == (422, "template_invalid")
        assert pointers_of(answer) == ["/text"]
        assert answer.json()["errors"][0]["detail"].startswith(told)
    assert (await admin.ask("GET", DIGEST)).json()["version"] == before["version"]


async def test_NO_13_a_text_has_a_bound_over_http(admin: Seller) -> None:
    answer = await override(admin, text(body="x" * TEXT_LENGTH_MAX))
    assert answer.status_code == 422
    assert pointers_of(answer) == ["/text"]


async def test_NO_13_a_preview_shows_made_up_people_and_changes_nothing(admin: Seller) -> None:
    before = (await admin.ask("GET", DIGEST)).json()
    answer = await admin.ask("POST", f"{DIGEST}/preview", json={"text": text("{{ total }} cars")})
    assert answer.status_code == 200, answer.text
    several, one, most = answer.json()["items"]
    assert (several["subject"], one["subject"], most["subject"]) == ("7 cars", "1 cars", "24 cars")
    assert several["text"].startswith("Hello Example Person,")
    assert "<p>Hello Example Person,</p>" in several["html"]
    assert 'href="https://market.example/unsubscribe/' in several["html"]
    assert (await admin.ask("GET", DIGEST)).json() == before


async def test_NO_13_without_a_text_the_preview_is_of_what_is_said_now(admin: Seller) -> None:
    path = f"{ALL}/reviews.si"
    ours = text()
    answer = await done(admin, ours, path)
    headers = token_of(answer)
    seen = await admin.ask("POST", f"{path}/preview", json={}, headers=headers)
    assert seen.json()["items"][0]["subject"] == ours.partition("\n")[0]


async def test_NO_13_a_test_is_mailed_to_whoever_asks_once(mesh: Mesh) -> None:
    who = Seller(mesh, await mesh.account("admin"))
    subject, key = uuid4().hex, {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        answer = await who.ask("POST", f"{DIGEST}/test", json={"text": text(subject)}, headers=key)
        assert answer.status_code == 202, answer.text
    (mail,) = await eventually(lambda: mails_to(who, subject), 60, "the test")
    assert "Hello Example Person," in mail.text()
    later = uuid4().hex
    answer = await who.ask("POST", f"{DIGEST}/test", json={"text": text(later)})
    assert answer.status_code == 202, answer.text
    await eventually(lambda: mails_to(who, later), 60, "another test")
    assert len({each.message[EFFECT_HEADER] for each in mails_to(who, subject)}) == 1


async def test_NO_13_a_mail_that_is_sent_says_what_an_admin_has_written(
    mesh: Mesh, admin: Seller
) -> None:
    path, subject = f"{ALL}/verify_email.en", uuid4().hex
    answer = await done(admin, f"{subject}\n\nHello,\n\n{{{{ link }}}}", path)
    assert (await admin.read(path, answer)).json()["is_overridden"]
    try:
        who = Seller(mesh, await mesh.account("buyer"))
        (mail, *_) = await eventually(lambda: mails_to(who, subject), 60, "the mail")
        assert "#token=" in mail.text()
    finally:
        assert (await admin.ask("DELETE", path)).status_code == 204


@pytest.mark.parametrize("sent", STRINGS)
async def test_NS_05_NO_13_what_attacks_something_else_is_text_or_is_refused(
    admin: Seller, sent: str
) -> None:
    path = f"{ALL}/messages.si"
    if "{{" in sent or "{%" in sent or "{#" in sent:
        answer = await override(admin, text(body=sent), path)
        assert problem(answer) == (422, "template_invalid")
        return
    answer = await done(admin, text(body=sent), path)
    kept = sent.replace("\r\n", "\n")  # lines end as in the shipped files
    assert f"\n\n{kept}\n\n" in (await admin.read(path, answer)).json()["text"]
    shown = await admin.ask("POST", f"{path}/preview", json={}, headers=token_of(answer))
    page = shown.json()["items"][0]
    assert sent.strip() in page["text"]
    assert str(escape(sent.strip())) in page["html"]


async def test_NO_13_there_is_no_other_template(admin: Seller) -> None:
    for name in ("nothing.en", "welcome.fr", "welcome", "mail.html", "..%2Fwelcome.en"):
        assert (await admin.ask("GET", f"{ALL}/{name}")).status_code == 404


@pytest.mark.parametrize("role", ["buyer", "seller", "moderator", "ops"])
async def test_NO_13_templates_are_for_admins_over_http(mesh: Mesh, role: str) -> None:
    other = Seller(mesh, await mesh.account(role))
    for method, path in (("GET", ALL), ("GET", DIGEST), ("PUT", DIGEST), ("DELETE", DIGEST)):
        body = {"json": {"text": text()}} if method == "PUT" else {}
        assert problem(await other.ask(method, path, **body)) == (403, "role_not_allowed")
