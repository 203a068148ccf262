"""Mail through SendGrid's API: POST /v3/mail/send.

The Message-ID is ours, derived from the effect's id, as with SMTP. SendGrid has no key by which it
would know a repeat. Its own links and pixels are off: ours are secrets, and need no detour.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, Final
from uuid import UUID

import orjson

from infra.channels.mail import EFFECT_HEADER, Message, composed
from infra.channels.posting import Poster
from infra.settings import Settings

WHO: Final = "SendGrid"
_REFUSED: Final = frozenset({400, 413})
_HEADERS: Final = (
    "Message-ID",
    EFFECT_HEADER,
    "Content-Language",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
)
_UNTOUCHED: Final = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
}


class SendGridMailer:
    """Sends with one API key."""

    def __init__(self, settings: Settings, poster: Poster) -> None:
        self._from = settings.mail_from
        self._url = f"{settings.sendgrid_url}/v3/mail/send"
        self._headers = {
            "Authorization": f"Bearer {settings.sendgrid_key.get_secret_value()}",
            "Content-Type": "application/json",
        }
        self._poster = poster

    async def send(self, message: Message, effect_id: UUID) -> None:
        """See Mailer."""
        mail = composed(message, effect_id, self._from)
        body = orjson.dumps(_as_json(mail, message, self._from))
        answer = await self._poster.post(self._url, self._headers, body)
        if answer.status in _REFUSED:
            raise answer.refused(WHO)
        if not answer.is_ok:
            raise answer.unavailable(WHO)


def _as_json(mail: EmailMessage, message: Message, sender: str) -> dict[str, Any]:
    """A mail that has been checked, field by field."""
    (to,) = mail["To"].addresses
    return {
        "personalizations": [{"to": [_person(to.display_name, to.addr_spec)]}],
        "from": _person(*parseaddr(sender)),
        "subject": str(mail["Subject"]),
        "content": [
            {"type": "text/plain", "value": message.text},
            {"type": "text/html", "value": message.html},
        ],
        "headers": {name: str(mail[name]) for name in _HEADERS if name in mail},
        "tracking_settings": _UNTOUCHED,
    }


def _person(name: str, address: str) -> dict[str, str]:
    return {"email": address, "name": name} if name else {"email": address}
