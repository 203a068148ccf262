"""What a mail says where an admin has said it otherwise, and the test that they send themselves."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from infra.channels.mail import EFFECT_HEADER
from infra.metrics import MAIL_TEMPLATES_FAILED
from processors.reacting.effects import effect_id_of
from processors.reactions.mailing.mails import verify_email, welcome
from processors.reactions.mailing.trying import TRY_TEMPLATE, send_test
from processors.reactions.reactor import EFFECTS
from schemas.identity import EmailVerificationRequested, UserStatus
from schemas.log.messages import Language, Role
from schemas.templates import TemplateName, TemplateTested
from tests.outbox import Outbox, text_of
from tests.processors.reactions.mailing.test_mails import (
    ADDRESS,
    LINK,
    NAME,
    NOW,
    Person,
    recorded,
    tools,
)

OURS = "Our welcome\n\nDear {{ name }},\n\ngood to see you."


def saying(text: str | None, template: str = "welcome.en", **more: Any) -> Person:
    person = Person(**more)
    person.templates[template] = {"text": text}
    return person


async def welcomed(person: Person) -> Any:
    outbox = Outbox()
    await welcome(person.registered(), tools(person, outbox))
    (mail,) = outbox.sent
    return mail


async def test_NO_13_mails_say_what_an_admin_has_written() -> None:
    mail = await welcomed(saying(OURS))
    assert mail["Subject"] == "Our welcome"
    assert text_of(mail) == f"Dear {NAME},\n\ngood to see you.\n"
    assert f"<p>Dear {NAME},</p>" in text_of(mail, "html")


async def test_NO_13_another_language_says_what_is_shipped() -> None:
    mail = await welcomed(saying(OURS, language=Language.TAMIL))
    assert "Our welcome" not in mail["Subject"]
    assert mail["Content-Language"] == "ta"


async def test_NO_13_what_was_taken_back_is_not_said() -> None:
    assert (await welcomed(saying(None)))["Subject"] == "Welcome to Marketmesh"


@pytest.mark.parametrize(
    "broken",
    [
        "Hi\n\n{{ name.__class__ }}",
        "Hi\n\n{{ nothing }}",
        "Hi\n\n{{ name[99] }}",
        "Hi\n\n{{",
        "Hi\n\n{% for a in [" + "1," * 50 + "] %}" + "x" * 1_500 + "{% endfor %}",
        "{{ '' }}\n\nText",
    ],
)
async def test_NO_13_a_mail_goes_out_whatever_was_made_of_its_template(broken: str) -> None:
    """The shipped one then, with a count and a line in the log that names nobody."""
    counted = MAIL_TEMPLATES_FAILED.labels("welcome", "en")
    before = counted._value.get()
    with capture_logs() as lines:
        mail = await welcomed(saying(broken))
    assert mail["Subject"] == "Welcome to Marketmesh"
    assert counted._value.get() == before + 1
    (line,) = [each for each in lines if each["event"] == "mail_template_failed"]
    assert (line["mail"], line["language"]) == ("welcome", "en")
    assert NAME not in str(lines)
    assert ADDRESS not in str(lines)


async def test_NO_13_a_mail_that_would_lose_its_link_says_what_is_shipped() -> None:
    """An older rule may have let it in: it is looked at each time."""
    person, outbox = saying("Hi\n\nNo link here", "verify_email.en"), Outbox()
    given = tools(person, outbox)
    await verify_email(person.asked(EmailVerificationRequested), given)
    (mail,) = outbox.sent
    assert LINK.search(text_of(mail)) is not None


def asked_by(person: Person, text: str | None = None) -> Any:
    event = TemplateTested(
        name=TemplateName.MESSAGES,
        language=Language.SINHALA,
        user_id=person.user_id,
        text=text,
        tested_at=NOW,
    )
    return recorded(event, version=9)


def admin(**changes: Any) -> Person:
    person = Person()
    assert person.row is not None
    person.row |= {"status": UserStatus.ACTIVE, "role": Role.ADMIN, **changes}
    return person


async def test_NO_13_a_test_goes_to_whoever_asked_and_names_nobody_who_is() -> None:
    person, outbox = admin(), Outbox()
    text = "Try {{ count }}\n\nDear {{ name }},\n\n{{ unsubscribe }}"
    await send_test(asked_by(person, text), tools(person, outbox))
    (mail,) = outbox.sent
    assert [each.addr_spec for each in mail["To"].addresses] == [ADDRESS]
    assert (mail["Subject"], mail["Content-Language"]) == ("Try 6", "si")
    assert "Dear Example Person," in text_of(mail)
    assert NAME not in text_of(mail)
    assert mail["List-Unsubscribe"] is None


async def test_NO_13_without_a_text_the_shipped_one_is_tried() -> None:
    person, outbox = admin(), Outbox()
    await send_test(asked_by(person), tools(person, outbox))
    (mail,) = outbox.sent
    assert "Example Roadster" in text_of(mail)


async def test_NO_13_a_test_that_is_sent_again_after_a_crash_is_the_same_mail() -> None:
    person, outbox = admin(), Outbox()
    event = asked_by(person)
    for _ in range(2):
        await send_test(event, tools(person, outbox))
    wanted = str(effect_id_of(event, "template_test_mail"))
    assert [each[EFFECT_HEADER] for each in outbox.sent] == [wanted, wanted]


@pytest.mark.parametrize(
    "changes",
    [{"role": Role.SELLER}, {"status": UserStatus.BANNED}, {"status": UserStatus.DELETED}],
)
async def test_NO_13_whoever_is_no_admin_any_more_is_sent_no_test(changes: Any) -> None:
    person, outbox = admin(**changes), Outbox()
    await send_test(asked_by(person), tools(person, outbox))
    assert outbox.sent == []


async def test_NO_13_of_the_erased_nobody_is_sent_a_test() -> None:
    person, outbox = admin(), Outbox()
    person.key = None
    await send_test(asked_by(person), tools(person, outbox))
    assert outbox.sent == []


def test_NO_13_tests_are_sent_by_the_reactor_and_not_when_they_are_old() -> None:
    assert TRY_TEMPLATE in EFFECTS
    assert TRY_TEMPLATE.within is not None
