"""Which event leads to which mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from infra.channels.mail import Message
from infra.credentials.one_time_tokens import OneTimeTokens
from infra.metrics import MAILS
from infra.settings import Settings
from processors.reacting.effects import Effect, Tools, effect_id_of
from processors.reactions.mailing.addressees import Addressee, addressee, unsealed, wants
from processors.reactions.mailing.wording import worded
from schemas.identity import (
    EmailVerificationRequested,
    PasswordResetRequested,
    TokenPurpose,
    UserRegistered,
)
from schemas.log.recorded import Recorded

WELCOME_WITHIN = timedelta(days=3)
# Longer than any token lives: each event says itself when its token ends.
LINK_WITHIN = timedelta(days=30)

PAGES: Mapping[TokenPurpose, str] = {
    TokenPurpose.VERIFY_EMAIL: "verify-email",
    TokenPurpose.RESET_PASSWORD: "reset-password",
}

log = structlog.get_logger()


async def welcome(recorded: Recorded[UserRegistered], tools: Tools) -> None:
    """Greet whoever has joined, unless they have turned mails off meanwhile."""
    event = recorded.event
    person = await unsealed(
        tools, event.user_id, event.email_sealed, event.name_sealed, event.language
    )
    if person is None:
        drop("welcome", "erased")
        return
    if not await wants(tools, event.user_id):
        drop("welcome", "unwanted")
        return
    await send(tools, recorded, "welcome", person)


async def verify_email(recorded: Recorded[EmailVerificationRequested], tools: Tools) -> None:
    """Send the link that proves an e-mail, unless it has been proved meanwhile."""
    person = await _who_can_use(recorded, tools, "verify_email")
    if person is None:
        return
    if person.email_verified:
        drop("verify_email", "needless")
        return
    await _send_link(tools, recorded, TokenPurpose.VERIFY_EMAIL, person)


async def reset_password(recorded: Recorded[PasswordResetRequested], tools: Tools) -> None:
    """Send the link that sets another password."""
    person = await _who_can_use(recorded, tools, "reset_password")
    if person is not None:
        await _send_link(tools, recorded, TokenPurpose.RESET_PASSWORD, person)


async def _who_can_use(
    recorded: Recorded[EmailVerificationRequested] | Recorded[PasswordResetRequested],
    tools: Tools,
    mail: str,
) -> Addressee | None:
    event = recorded.event
    if event.expires_at <= datetime.now(UTC):
        drop(mail, "late")
        return None
    person = await addressee(tools, recorded, event.user_id)
    if person is None:
        drop(mail, "erased")
    return person


async def _send_link(
    tools: Tools,
    recorded: Recorded[EmailVerificationRequested] | Recorded[PasswordResetRequested],
    purpose: TokenPurpose,
    person: Addressee,
) -> None:
    event = recorded.event
    link = link_of(tools.settings, purpose, event.user_id, event.token_id)
    until = f"{event.expires_at.astimezone(UTC):%Y-%m-%d %H:%M}"
    await send(tools, recorded, purpose.value, person, link=link, until=until)


def link_of(settings: Settings, purpose: TokenPurpose, user_id: UUID, token_id: UUID) -> str:
    """Where somebody goes with their token. It stands behind the #, which browsers send to no
    server: it is in no log on the way and in no Referer.
    """
    token = OneTimeTokens(settings).derive(purpose, user_id, token_id)
    base = (settings.frontend_url or settings.public_url).rstrip("/")
    return f"{base}/{PAGES[purpose]}#token={token.text}"


async def send(
    tools: Tools,
    recorded: Recorded[Any],
    mail: str,
    person: Addressee,
    unsubscribe_url: str = "",
    mail_id: UUID | None = None,
    **values: Any,
) -> None:
    """Send one; `values` are what its template and `write` take. `mail_id`: of a mail that tells
    of several events, none of which has it alone.
    """
    written = await worded(tools, mail, person.language, name=person.name, **values)
    message = Message(
        address=person.address,
        name=person.name,
        subject=written.subject,
        text=written.text,
        html=written.html,
        language=person.language.value,
        unsubscribe_url=unsubscribe_url,
    )
    await tools.mailer.send(message, mail_id or effect_id_of(recorded, f"{mail}_mail"))
    MAILS.labels(mail, "sent").inc()
    log.info("mail_sent", mail=mail, event_id=recorded.event_id)


def drop(mail: str, reason: str) -> None:
    """Note that a mail is not sent, and why."""
    MAILS.labels(mail, reason).inc()
    log.info("mail_dropped", mail=mail, reason=reason)


# Each by itself: whose mailbox once refused a link may ask for another.
MAILING: tuple[Effect, ...] = (
    Effect("welcome_mail", (UserRegistered,), welcome, WELCOME_WITHIN, in_order=False),
    Effect(
        "verify_email_mail",
        (EmailVerificationRequested,),
        verify_email,
        LINK_WITHIN,
        in_order=False,
    ),
    Effect(
        "reset_password_mail",
        (PasswordResetRequested,),
        reset_password,
        LINK_WITHIN,
        in_order=False,
    ),
)
