"""Share links' texts: made here, shown once, known by their hash ever after. 256 bits in 43 characters."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from infra.settings import Settings

SECRET_BYTES = 32
TEXT_LENGTH = 43  # in base64, without padding


@dataclass(frozen=True, slots=True)
class LinkText:
    """What stands in a link. Only its hash may be told."""

    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the text, in hex; enough for 256 random bits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __repr__(self) -> str:
        return "LinkText(…)"


def link_text(settings: Settings, share_id: UUID, *, repeatable: bool) -> LinkText:
    """A link's text: chance that nobody can make again, or the same each time for a link that may
    be asked for again under an Idempotency-Key.
    """
    if not repeatable:
        return _packed(secrets.token_bytes(SECRET_BYTES))
    lookup = b64decode(settings.lookup_key.get_secret_value())
    return _packed(hmac.digest(lookup, b"share link" + share_id.bytes, hashlib.sha256))


def _packed(secret: bytes) -> LinkText:
    return LinkText(urlsafe_b64encode(secret).decode().rstrip("="))
