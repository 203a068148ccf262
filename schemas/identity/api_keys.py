"""API keys: how a machine acts for a person, within the operations that the key names.

Of a key's text only the SHA-256 of its 256 random bits is told; its label may be anything that
its owner calls it, and is sealed with the owner's key.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.identity.values import Sealed, TokenHash
from schemas.log.messages import Command, Event

OPERATIONS_MAX = 100
KEYS_MAX = 20  # that open something for one person at a time
OperationId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
Operations = Annotated[tuple[OperationId, ...], Field(min_length=1, max_length=OPERATIONS_MAX)]


def api_key_stream(key_id: UUID | str) -> str:
    """The stream of one key that was issued before there were keyrings."""
    return f"api_key/{key_id}"


def keyring_stream(user_id: UUID | str) -> str:
    """The stream of all keys of one person: who counts them must see all of them."""
    return f"keyring/{user_id}"


class IssueApiKey(Command):
    """Give somebody's machine a key."""

    kind: Literal["api_key.issue"] = "api_key.issue"
    key_id: UUID
    user_id: UUID
    key_hash: TokenHash
    label_sealed: Sealed
    operations: Operations
    expires_at: AwareDatetime

    @property
    def stream_id(self) -> str:
        """The owner's keyring."""
        return keyring_stream(self.user_id)


class RevokeApiKey(Command):
    """Let the key open nothing any more. `user_id` is whose keyring it is on; None for a key that
    was issued before there were keyrings.
    """

    kind: Literal["api_key.revoke"] = "api_key.revoke"
    key_id: UUID
    user_id: UUID | None = None

    @property
    def stream_id(self) -> str:
        """The owner's keyring, or the key's own stream."""
        if self.user_id is None:
            return api_key_stream(self.key_id)
        return keyring_stream(self.user_id)


ApiKeyCommand: TypeAlias = IssueApiKey | RevokeApiKey


class ApiKeyIssued(Event):
    """A key opens these operations, as its owner, until it expires."""

    kind: Literal["api_key.issued"] = "api_key.issued"
    key_id: UUID
    user_id: UUID
    key_hash: TokenHash
    label_sealed: str
    operations: Operations
    issued_at: AwareDatetime
    expires_at: AwareDatetime


class ApiKeyRevoked(Event):
    """The key opens nothing any more."""

    kind: Literal["api_key.revoked"] = "api_key.revoked"
    key_id: UUID
    revoked_at: AwareDatetime


ApiKeyEvent: TypeAlias = ApiKeyIssued | ApiKeyRevoked
