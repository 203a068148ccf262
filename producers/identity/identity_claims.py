"""Whose a provider's identity is: the first who claims it, until it is let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.identity import (
    ClaimIdentity,
    IdentityClaimCommand,
    IdentityClaimed,
    IdentityClaimEvent,
    IdentityReleased,
    ReleaseIdentity,
)
from schemas.log.messages import Role


@dataclass(frozen=True)
class Free:
    """Nobody's."""


@dataclass(frozen=True)
class Taken:
    """Somebody's, last claimed at that time."""

    owner_id: UUID
    claimed_at: datetime


IdentityClaim: TypeAlias = Free | Taken


def decide(command: IdentityClaimCommand, claim: IdentityClaim) -> Sequence[IdentityClaimEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    if command.asked_role is not Role.SYSTEM:  # the API has seen the provider's word for it
        raise Rejected("role_not_allowed", 403)
    match command:
        case ClaimIdentity():
            return claim_identity(command, claim)
        case ReleaseIdentity():
            return release(command, claim)
        case _:
            assert_never(command)


def claim_identity(command: ClaimIdentity, claim: IdentityClaim) -> Sequence[IdentityClaimEvent]:
    """Free, or one's own: claimed anew, so that a late release of an earlier link spares it."""
    if isinstance(claim, Taken) and claim.owner_id != command.owner_id:
        raise Rejected("identity_taken")
    return [
        IdentityClaimed(
            subject_hash=command.subject_hash,
            owner_id=command.owner_id,
            provider=command.provider,
            claimed_at=command.asked_at,
        )
    ]


def release(command: ReleaseIdentity, claim: IdentityClaim) -> Sequence[IdentityClaimEvent]:
    """Its owner's, unless claimed later than that."""
    match claim:
        case Taken(owner_id=owner, claimed_at=at) if (
            owner == command.owner_id and at <= command.as_of
        ):
            return [
                IdentityReleased(
                    subject_hash=command.subject_hash,
                    owner_id=owner,
                    released_at=command.asked_at,
                )
            ]
        case Free() | Taken():
            return []
        case _:
            assert_never(claim)


def evolve(_claim: IdentityClaim, event: IdentityClaimEvent) -> IdentityClaim:
    """The claim after the event."""
    match event:
        case IdentityClaimed(owner_id=owner, claimed_at=at):
            return Taken(owner, at)
        case IdentityReleased():
            return Free()
        case _:
            assert_never(event)


identity_claims: Decider[IdentityClaimCommand, IdentityClaim, IdentityClaimEvent] = Decider(
    initial=Free(), decide=decide, evolve=evolve
)
