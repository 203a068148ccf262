"""The links by which mails are turned off without a log-in: their text is derived, so nothing of
them is stored anywhere, and they work for as long as the alert is there.

    text = base64url(user id ‖ alert id ‖ the first 16 bytes of HMAC-SHA-256(key, the ids))

Whoever has one can turn these mails off and do nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infra.settings import Settings

PATH: Final = "/api/search/alerts/unsubscribe"
_ALL = UUID(int=0)  # stands for every alert that comes in a digest
_ID, _MAC = 16, 16  # bytes: 48 together, a multiple of 3, so that nothing is padded


@dataclass(frozen=True)
class Subscription:
    """Whose mails, and of which alert; None: of all that come in a digest."""

    user_id: UUID
    alert_id: UUID | None


class Unsubscribing:
    """Derives links and knows its own."""

    def __init__(self, settings: Settings) -> None:
        lookup = b64decode(settings.lookup_key.get_secret_value())
        self._key = hmac.digest(lookup, b"unsubscribing", hashlib.sha256)
        self._base = settings.public_url.rstrip("/")

    def url(self, subscription: Subscription) -> str:
        """Where a mail program posts to, and a person goes."""
        return f"{self._base}{PATH}/{self.text(subscription)}"

    def text(self, subscription: Subscription) -> str:
        """What stands in the link: the same at every call."""
        ids = subscription.user_id.bytes + (subscription.alert_id or _ALL).bytes
        return urlsafe_b64encode(ids + self._mac(ids)).decode()

    def meant(self, text: str) -> Subscription | None:
        """What a link is about; None for a text that is none of ours."""
        try:
            packed = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            return None
        ids, mac = packed[: 2 * _ID], packed[2 * _ID :]
        if len(packed) != 2 * _ID + _MAC or not hmac.compare_digest(mac, self._mac(ids)):
            return None
        alert_id = UUID(bytes=ids[_ID:])
        return Subscription(UUID(bytes=ids[:_ID]), None if alert_id == _ALL else alert_id)

    def _mac(self, ids: bytes) -> bytes:
        return hmac.digest(self._key, ids, hashlib.sha256)[:_MAC]
