"""Whose an e-mail is: reserved, then confirmed.

A reservation that has run out is not free by itself: its holder may have registered without
the confirmation having arrived yet. Whoever wants it must show that the holder never will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.identity import (
    ConfirmEmail,
    EmailClaimCommand,
    EmailClaimEvent,
    EmailConfirmed,
    EmailReleased,
    EmailReserved,
    ReleaseEmail,
    ReserveEmail,
)
from schemas.log.messages import Role


@dataclass(frozen=True)
class Free:
    """Nobody's."""


@dataclass(frozen=True)
class Reserved:
    """Held for somebody who is registering."""

    owner_id: UUID
    until: datetime


@dataclass(frozen=True)
class Confirmed:
    """Somebody's."""

    owner_id: UUID


Claim: TypeAlias = Free | Reserved | Confirmed


def decide(command: EmailClaimCommand, claim: Claim) -> Sequence[EmailClaimEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case ReserveEmail():
            return reserve(command, claim)
        case ConfirmEmail():
            return confirm(command, claim)
        case ReleaseEmail():
            return release(command, claim)
        case _:
            assert_never(command)


def reserve(command: ReserveEmail, claim: Claim) -> Sequence[EmailClaimEvent]:
    """One holder at a time, who may ask for it again."""
    match claim:
        case Free():
            return [_reserved(command)]
        case Reserved(owner_id=owner) | Confirmed(owner_id=owner) if owner == command.owner_id:
            return []
        case Reserved(owner_id=owner) if owner in command.abandoned:
            return [_reserved(command)]
        case Reserved(until=until) if until < command.asked_at:
            raise Rejected("email_reservation_lapsed")
        case Reserved() | Confirmed():
            raise Rejected("email_taken")
        case _:
            assert_never(claim)


def _reserved(command: ReserveEmail) -> EmailReserved:
    return EmailReserved(
        email_hash=command.email_hash, owner_id=command.owner_id, until=command.until
    )


def confirm(command: ConfirmEmail, claim: Claim) -> Sequence[EmailClaimEvent]:
    """Only the holder's; however late, for time alone takes nothing away."""
    match claim:
        case Reserved(owner_id=owner) if owner == command.owner_id:
            return [EmailConfirmed(email_hash=command.email_hash, owner_id=owner)]
        case Confirmed(owner_id=owner) if owner == command.owner_id:
            return []
        case Free() | Reserved() | Confirmed():
            raise Rejected("email_not_reserved")
        case _:
            assert_never(claim)


def release(command: ReleaseEmail, claim: Claim) -> Sequence[EmailClaimEvent]:
    """By a reaction to its owner's deletion; a newer owner keeps it."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    match claim:
        case Reserved(owner_id=owner) | Confirmed(owner_id=owner) if owner == command.owner_id:
            return [EmailReleased(email_hash=command.email_hash, owner_id=owner)]
        case Free() | Reserved() | Confirmed():
            return []
        case _:
            assert_never(claim)


def evolve(_claim: Claim, event: EmailClaimEvent) -> Claim:
    """The claim after the event."""
    match event:
        case EmailReserved(owner_id=owner, until=until):
            return Reserved(owner, until)
        case EmailConfirmed(owner_id=owner):
            return Confirmed(owner)
        case EmailReleased():
            return Free()
        case _:
            assert_never(event)


claims: Decider[EmailClaimCommand, Claim, EmailClaimEvent] = Decider(
    initial=Free(), decide=decide, evolve=evolve
)
