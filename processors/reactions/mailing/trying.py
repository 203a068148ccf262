"""Sends a template to the admin who asked for it, filled in with what is made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

import structlog

from infra.channels.mail import Message
from infra.channels.overriding import TemplateFaultError, filled, override_of
from infra.channels.samples import SAMPLES
from infra.channels.texts import shipped
from infra.metrics import MAILS
from processors.reacting.effects import Effect, Tools, effect_id_of
from processors.reactions.mailing.addressees import UNREACHED, unsealed
from processors.reactions.mailing.mails import drop
from projections.identity import users
from projections.reads import Reads
from schemas.identity import UserStatus
from schemas.log.messages import Language, Role
from schemas.log.recorded import Recorded
from schemas.templates import TemplateTested

MAIL: Final = "template_test"
WITHIN: Final = timedelta(hours=1)  # whoever asked looks into their mailbox now

log = structlog.get_logger()


async def send_test(recorded: Recorded[TemplateTested], tools: Tools) -> None:
    """Send its first case to whoever asked, as long as they are an admin."""
    event = recorded.event
    row = await users.by_id(cast("Reads", tools.postgres), str(event.user_id))
    if row is None or UserStatus(row["status"]) in UNREACHED or row["role"] != Role.ADMIN:
        drop(MAIL, "unwanted")
        return
    person = await unsealed(
        tools, event.user_id, row["email_sealed"], row["name_sealed"], Language(row["language"])
    )
    if person is None:
        drop(MAIL, "erased")
        return
    text = event.text or shipped(event.name, event.language)
    try:
        written = filled(override_of(event.name, event.language, text), SAMPLES[event.name][0])
    except TemplateFaultError:  # it has been judged before it came here, by rules that are older
        drop(MAIL, "unwanted")
        return
    message = Message(
        address=person.address,
        name=person.name,
        subject=written.subject,
        text=written.text,
        html=written.html,
        language=event.language.value,
    )
    await tools.mailer.send(message, effect_id_of(recorded, f"{MAIL}_mail"))
    MAILS.labels(MAIL, "sent").inc()
    log.info("mail_sent", mail=MAIL, event_id=recorded.event_id)


TRY_TEMPLATE = Effect("template_test_mail", (TemplateTested,), send_test, WITHIN, in_order=False)
