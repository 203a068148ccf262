"""The links by which mails are turned off without a log-in: their text is derived, so nothing of
them is stored anywhere, and they work for as long as what they are about is there.

    text = base64url(user id ‖ what, 16 bytes ‖ the first 16 bytes of HMAC-SHA-256(key, the ids))

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
from schemas.notifications import PACES, NotificationChannel, NotificationType

PATH: Final = "/api/search/alerts/unsubscribe"
TYPES_PATH: Final = "/api/notifications/unsubscribe"
_ALL = UUID(int=0)  # stands for every alert that comes in a digest
_ID, _MAC = 16, 16  # bytes: 48 together, a multiple of 3, so that nothing is padded


@dataclass(frozen=True)
class Subscription:
    """Whose mails, and of which alert; None: of all that come in a digest."""

    user_id: UUID
    alert_id: UUID | None


class _Links:
    """Derives links and knows its own. Those of another purpose are none of its."""

    def __init__(self, settings: Settings, purpose: bytes, path: str) -> None:
        lookup = b64decode(settings.lookup_key.get_secret_value())
        self._key = hmac.digest(lookup, purpose, hashlib.sha256)
        self._base = settings.public_url.rstrip("/") + path

    def url_of(self, text: str) -> str:
        return f"{self._base}/{text}"

    def pack(self, user_id: UUID, what: bytes) -> str:
        ids = user_id.bytes + what
        return urlsafe_b64encode(ids + self._mac(ids)).decode()

    def unpack(self, text: str) -> tuple[UUID, bytes] | None:
        try:
            packed = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            return None
        ids, mac = packed[: 2 * _ID], packed[2 * _ID :]
        if len(packed) != 2 * _ID + _MAC or not hmac.compare_digest(mac, self._mac(ids)):
            return None
        return UUID(bytes=ids[:_ID]), ids[_ID:]

    def _mac(self, ids: bytes) -> bytes:
        return hmac.digest(self._key, ids, hashlib.sha256)[:_MAC]


class Unsubscribing:
    """The links of alerts' mails."""

    def __init__(self, settings: Settings) -> None:
        self._links = _Links(settings, b"unsubscribing", PATH)

    def url(self, subscription: Subscription) -> str:
        """Where a mail program posts to, and a person goes."""
        return self._links.url_of(self.text(subscription))

    def text(self, subscription: Subscription) -> str:
        """What stands in the link: the same at every call."""
        return self._links.pack(subscription.user_id, (subscription.alert_id or _ALL).bytes)

    def meant(self, text: str) -> Subscription | None:
        """What a link is about; None for a text that is none of ours."""
        found = self._links.unpack(text)
        if found is None:
            return None
        user_id, alert_id = found[0], UUID(bytes=found[1])
        return Subscription(user_id, None if alert_id == _ALL else alert_id)


class TypeLinks:
    """The links of notifications: one a person, type and channel."""

    def __init__(self, settings: Settings) -> None:
        self._links = _Links(settings, b"unsubscribing from a type", TYPES_PATH)

    def url(self, user_id: UUID, kind: NotificationType, channel: NotificationChannel) -> str:
        """Where a mail program posts to, and a person goes: the same at every call."""
        return self._links.url_of(self._links.pack(user_id, _named(kind, channel)))

    def meant(self, text: str) -> tuple[UUID, NotificationType, NotificationChannel] | None:
        """What a link is about; None for a text that is none of ours."""
        found = self._links.unpack(text)
        if found is None or found[1] not in _PAIRS:
            return None
        return found[0], *_PAIRS[found[1]]


def _named(kind: NotificationType, channel: NotificationChannel) -> bytes:
    return hashlib.sha256(f"{kind}/{channel}".encode()).digest()[:_ID]


_PAIRS = {_named(*pair): pair for pair in PACES}
