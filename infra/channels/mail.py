"""Mail: one port, `Mailer.send(message, effect_id)`, and SMTP behind it.

A mail is sent at least once. SMTP has no way to ask whether a message was taken when the line
dies after its last dot, so it is sent again; both copies have the same Message-ID and X-header
(derived from the effect's id), by which servers and people can tell the repeat.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol
from uuid import UUID

import aiosmtplib
from email_validator import EmailNotValidError, validate_email

from infra.channels.errors import (
    ChannelDeferredError,
    ChannelRefusedError,
    ChannelUnavailableError,
)
from infra.settings import Settings

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 20.0  # of each step of the dialogue
NAME_LENGTH_MAX = 100
EFFECT_HEADER = "X-Marketmesh-Effect"
_PERMANENT = 500  # SMTP's replies from here on mean: the same again will be refused again


@dataclass(frozen=True)
class Message:
    """One mail to one person, as text and as HTML."""

    address: str
    name: str
    subject: str
    text: str
    html: str
    language: str
    unsubscribe_url: str = ""  # where a post stops mails like this one (RFC 8058)

    def __repr__(self) -> str:
        return "Message(…)"  # it is all personal, and a repr ends up in logs


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, message: Message, effect_id: UUID) -> None:
        """Return when the server has taken it; raises one of infra.channels.errors."""
        ...


class SmtpMailer:
    """Sends through one SMTP server, a connection a mail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, message: Message, effect_id: UUID) -> None:
        """See Mailer."""
        mail = composed(message, effect_id, self._settings.mail_from)
        async with self._connected() as client:
            try:
                await client.send_message(
                    mail, sender=_plain(self._settings.mail_from), recipients=[_to(message)]
                )
            except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
                raise _translated(error) from None  # the server's text may name the person

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        settings = self._settings
        if not settings.smtp_host:
            message = "no SMTP_HOST is set"
            raise ChannelUnavailableError(message)
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user or None,
            password=settings.smtp_password.get_secret_value() or None,
            local_hostname=_plain(settings.mail_from).rpartition("@")[2],
            timeout=CONNECT_TIMEOUT_S,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
        )
        try:
            await client.connect()
            client.timeout = ANSWER_TIMEOUT_S
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            raise ChannelUnavailableError(type(error).__name__) from None
        try:
            yield client
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=CONNECT_TIMEOUT_S)
        finally:
            client.close()


def composed(message: Message, effect_id: UUID, sender: str) -> EmailMessage:
    """The mail as it goes out; raises ChannelRefusedError where a header could be broken out of."""
    mail = EmailMessage(policy=SMTP)
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    try:
        mail["From"] = sender
        local, _, domain = _to(message).rpartition("@")
        # In two parts: the library takes letters beyond ASCII in no other way.
        mail["To"] = Address(display_name=_name(message.name), username=local, domain=domain)
        mail["Subject"] = message.subject
        mail["Content-Language"] = message.language
    except (ValueError, IndexError):  # the parser of the standard library raises either
        reason = "a header of the mail is malformed"
        raise ChannelRefusedError(reason) from None
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<{effect_id}@{_plain(sender).rpartition('@')[2]}>"
    mail[EFFECT_HEADER] = str(effect_id)
    if message.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answers, please
    return mail


def _to(message: Message) -> str:
    """The one address that this mail goes to, checked again: nothing else may get through."""
    try:
        found = validate_email(message.address, check_deliverability=False)
    except EmailNotValidError:
        reason = "the address is none"
        raise ChannelRefusedError(reason) from None
    # A domain in Unicode needs nothing of the server when written in its ASCII form; a name before
    # the @ has none, and needs SMTPUTF8 (RFC 6531).
    return found.ascii_email or found.normalized


def _name(name: str) -> str:
    """A name without what only a header's syntax would care for."""
    kept = "".join(each if each.isprintable() else " " for each in name)
    return " ".join(kept.split())[:NAME_LENGTH_MAX]


def _plain(address: str) -> str:
    """`Marketmesh <mail@example.org>` without its name."""
    return address.rpartition("<")[2].rstrip(">")


def _translated(error: Exception) -> Exception:
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[refused, *_]):
            return _of_code(refused.code)
        case aiosmtplib.SMTPDataError(code=code) | aiosmtplib.SMTPRecipientRefused(code=code):
            return _of_code(code)
        case aiosmtplib.SMTPNotSupported() | UnicodeError():
            return ChannelRefusedError("the server can't write to this address")
        case _:
            return ChannelUnavailableError(type(error).__name__)


def _of_code(code: int) -> Exception:
    reason = f"the server answered {code}"
    return ChannelRefusedError(reason) if code >= _PERMANENT else ChannelDeferredError(reason)
