"""One-time tokens for mails: their text is derived, so nothing secret is stored anywhere.

    text = base64url(token id ‖ HMAC-SHA-256(key, purpose ‖ user id ‖ token id))

The log and the tables hold the text's SHA-256 alone. Whoever writes the mail derives the text
again from purpose, person and token id; whoever gets it sent back derives it once more and
compares.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from infra.settings import Settings
from schemas.identity import TokenPurpose

ID_BYTES, MAC_BYTES = 16, 32  # 48 together, a multiple of 3: no padding


@dataclass(frozen=True)
class OneTimeToken:
    """A token as it stands in a link. Only its hash may be told."""

    token_id: UUID
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the text, in hex; enough, for nobody guesses 256 bits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"OneTimeToken({self.token_id})"


class OneTimeTokens:
    """Derives tokens and knows its own."""

    def __init__(self, settings: Settings) -> None:
        lookup = b64decode(settings.lookup_key.get_secret_value())
        self._key = hmac.digest(lookup, b"one-time tokens", hashlib.sha256)

    def derive(self, purpose: TokenPurpose, user_id: UUID, token_id: UUID) -> OneTimeToken:
        """The token of this id: the same at every call."""
        signed = purpose.value.encode() + b"\0" + user_id.bytes + token_id.bytes
        mac = hmac.digest(self._key, signed, hashlib.sha256)
        return OneTimeToken(token_id, urlsafe_b64encode(token_id.bytes + mac).decode())

    def matches(self, text: str, purpose: TokenPurpose, user_id: UUID) -> bool:
        """Whether this is the text of one of this person's tokens for this purpose."""
        token_id = self.id_in(text)
        if token_id is None:
            return False
        return hmac.compare_digest(text, self.derive(purpose, user_id, token_id).text)

    @staticmethod
    def id_in(text: str) -> UUID | None:
        """The token id that a text claims to be of; None for what has not the form of one."""
        try:
            packed = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            return None
        if len(packed) != ID_BYTES + MAC_BYTES:
            return None
        return UUID(bytes=packed[:ID_BYTES])
