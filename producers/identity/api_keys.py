"""What may happen to an API key from before there were keyrings: it is revoked for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from producers.decider import Decider, Rejected
from schemas.identity.api_keys import (
    ApiKeyCommand,
    ApiKeyEvent,
    ApiKeyIssued,
    ApiKeyRevoked,
    IssueApiKey,
    RevokeApiKey,
)
from schemas.log.messages import Role


@dataclass(frozen=True)
class NotIssued:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class Issued:
    """Somebody's machine has it."""

    user_id: str


@dataclass(frozen=True)
class Revoked:
    """Nobody has it any more."""

    user_id: str


ApiKey: TypeAlias = NotIssued | Issued | Revoked


def decide(command: ApiKeyCommand, api_key: ApiKey) -> Sequence[ApiKeyEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case IssueApiKey():
            return issue(command, api_key)
        case RevokeApiKey():
            return revoke(command, api_key)
        case _:
            assert_never(command)


def issue(command: IssueApiKey, api_key: ApiKey) -> Sequence[ApiKeyEvent]:
    """Once, to oneself, for a time to come."""
    if not isinstance(api_key, NotIssued):
        raise Rejected("api_key_exists")
    if str(command.user_id) != command.asked_by:
        raise Rejected("not_yours", 403)
    if command.expires_at <= command.asked_at:
        raise Rejected("api_key_expired", 422)
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


def revoke(command: RevokeApiKey, api_key: ApiKey) -> Sequence[ApiKeyEvent]:
    """By its owner or an admin. Who does not own a key learns nothing of it."""
    match api_key:
        case NotIssued():
            raise Rejected("api_key_unknown", 404)
        case Issued(user_id=owner) | Revoked(user_id=owner) if not _may_revoke(command, owner):
            raise Rejected("api_key_unknown", 404)
        case Issued():
            return [ApiKeyRevoked(key_id=command.key_id, revoked_at=command.asked_at)]
        case Revoked():
            return []
        case _:
            assert_never(api_key)


def _may_revoke(command: RevokeApiKey, owner: str) -> bool:
    return command.asked_by == owner or command.asked_role is Role.ADMIN


def evolve(api_key: ApiKey, event: ApiKeyEvent) -> ApiKey:
    """The key after the event."""
    match event:
        case ApiKeyIssued(user_id=owner):
            return Issued(str(owner))
        case ApiKeyRevoked():
            return api_key if isinstance(api_key, NotIssued) else Revoked(api_key.user_id)
        case _:
            assert_never(event)


api_keys: Decider[ApiKeyCommand, ApiKey, ApiKeyEvent] = Decider(
    initial=NotIssued(), decide=decide, evolve=evolve
)
