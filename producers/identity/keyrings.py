"""What may happen to somebody's API keys: each is issued, and revoked for good. There are so many at
a time and no more, however many are asked for at once: one stream holds all of a person's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.identity.api_keys import (
    KEYS_MAX,
    ApiKeyCommand,
    ApiKeyEvent,
    ApiKeyIssued,
    ApiKeyRevoked,
    IssueApiKey,
    RevokeApiKey,
)
from schemas.log.messages import Role


@dataclass(frozen=True)
class Keyring:
    """Until when each key opens something; None once it is revoked."""

    until: Mapping[UUID, datetime | None] = field(default_factory=dict)

    def live(self, moment: datetime) -> int:
        """How many keys open something at that moment."""
        return sum(until is not None and until > moment for until in self.until.values())


def decide(command: ApiKeyCommand, keyring: Keyring) -> Sequence[ApiKeyEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case IssueApiKey():
            return issue(command, keyring)
        case RevokeApiKey():
            return revoke(command, keyring)
        case _:
            assert_never(command)


def issue(command: IssueApiKey, keyring: Keyring) -> Sequence[ApiKeyEvent]:
    """Once, to oneself, for a time to come, while there is room."""
    if command.key_id in keyring.until:
        raise Rejected("api_key_exists")
    if str(command.user_id) != command.asked_by:
        raise Rejected("not_yours", 403)
    if command.expires_at <= command.asked_at:
        raise Rejected("api_key_expired", 422)
    if keyring.live(command.asked_at) >= KEYS_MAX:
        raise Rejected("too_many_api_keys")
    return [
        ApiKeyIssued(
            key_id=command.key_id,
            user_id=command.user_id,
            key_hash=command.key_hash,
            label_sealed=command.label_sealed,
            operations=command.operations,
            issued_at=command.asked_at,
            expires_at=command.expires_at,
        )
    ]


def revoke(command: RevokeApiKey, keyring: Keyring) -> Sequence[ApiKeyEvent]:
    """By its owner or an admin. Who does not own a key learns nothing of it."""
    theirs = command.asked_by == str(command.user_id) or command.asked_role is Role.ADMIN
    if not theirs or command.key_id not in keyring.until:
        raise Rejected("api_key_unknown", 404)
    if keyring.until[command.key_id] is None:
        return []
    return [ApiKeyRevoked(key_id=command.key_id, revoked_at=command.asked_at)]


def evolve(keyring: Keyring, event: ApiKeyEvent) -> Keyring:
    """The keyring after the event."""
    match event:
        case ApiKeyIssued(key_id=key_id, expires_at=until):
            return Keyring({**keyring.until, key_id: until})
        case ApiKeyRevoked(key_id=key_id):
            return Keyring({**keyring.until, key_id: None})
        case _:
            assert_never(event)


keyrings: Decider[ApiKeyCommand, Keyring, ApiKeyEvent] = Decider(
    initial=Keyring(), decide=decide, evolve=evolve
)
