"""A mailer that keeps what it was given, held to the same contract as the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

from infra.channels.mail import Message, composed

SENDER = "Marketmesh <no-reply@example.org>"


@dataclass
class Outbox:
    """Mails in the order in which they were sent, as a server would have got them."""

    sent: list[EmailMessage] = field(default_factory=list)

    async def send(self, message: Message, effect_id: UUID) -> None:
        mail = composed(message, effect_id, SENDER)
        self.sent.append(message_from_bytes(mail.as_bytes(), policy=default))


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """One of a mail's two texts."""
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    text: str = part.get_content()
    return text.replace("\r\n", "\n")
