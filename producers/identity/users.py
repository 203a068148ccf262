"""What may happen to a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from producers.decider import Decider, Rejected
from schemas.identity import (
    AbandonRegistration,
    EmailVerificationRequested,
    GrantRole,
    RegisterUser,
    RegistrationAbandoned,
    RoleGranted,
    UserCommand,
    UserEvent,
    UserRegistered,
)
from schemas.messages import Fault, Role

OPEN_ROLES = frozenset({Role.BUYER, Role.SELLER, Role.DEALER})
GRANTERS = frozenset({Role.ADMIN, Role.SYSTEM})


@dataclass(frozen=True)
class Unknown:
    """Nobody yet."""


@dataclass(frozen=True)
class Registered:
    """Somebody."""

    role: Role


@dataclass(frozen=True)
class Abandoned:
    """Nobody, and never will be."""


User: TypeAlias = Unknown | Registered | Abandoned


def decide(command: UserCommand, user: User) -> Sequence[UserEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case RegisterUser():
            return register(command, user)
        case AbandonRegistration():
            return abandon(command, user)
        case GrantRole():
            return grant_role(command, user)
        case _:
            assert_never(command)


def register(command: RegisterUser, user: User) -> Sequence[UserEvent]:
    """Once, in a role that is open to everyone."""
    if command.role not in OPEN_ROLES:
        allowed = ", ".join(sorted(OPEN_ROLES))
        fault = Fault(pointer="/role", detail=f"choose one of {allowed}")
        raise Rejected("role_not_open", 422, [fault])
    match user:
        case Unknown():
            return [
                UserRegistered(
                    user_id=command.user_id,
                    email_sealed=command.email_sealed,
                    email_hash=command.email_hash,
                    name_sealed=command.name_sealed,
                    role=command.role,
                    market=command.market,
                    registered_at=command.asked_at,
                ),
                EmailVerificationRequested(user_id=command.user_id, requested_at=command.asked_at),
            ]
        case Registered():
            raise Rejected("already_registered")
        case Abandoned():
            raise Rejected("registration_abandoned", 410)
        case _:
            assert_never(user)


def abandon(command: AbandonRegistration, user: User) -> Sequence[UserEvent]:
    """Before registration only: it frees an e-mail, so nobody registered may lose theirs."""
    match user:
        case Unknown():
            return [RegistrationAbandoned(user_id=command.user_id, abandoned_at=command.asked_at)]
        case Registered():
            raise Rejected("already_registered")
        case Abandoned():
            return []
        case _:
            assert_never(user)


def grant_role(command: GrantRole, user: User) -> Sequence[UserEvent]:
    """By an admin or our own tools, to somebody registered."""
    if command.asked_role not in GRANTERS:
        raise Rejected("role_not_allowed", 403)
    if command.role is Role.SYSTEM:
        fault = Fault(pointer="/role", detail="no person is the system")
        raise Rejected("role_not_open", 422, [fault])
    match user:
        case Registered(role=role) if role is command.role:
            return []
        case Registered(role=role):
            return [
                RoleGranted(
                    user_id=command.user_id,
                    role=command.role,
                    previous=role,
                    granted_at=command.asked_at,
                )
            ]
        case Unknown() | Abandoned():
            raise Rejected("user_unknown", 404)
        case _:
            assert_never(user)


def evolve(user: User, event: UserEvent) -> User:
    """The person after the event."""
    match event:
        case UserRegistered(role=role) | RoleGranted(role=role):
            return Registered(role)
        case EmailVerificationRequested():
            return user
        case RegistrationAbandoned():
            return Abandoned()
        case _:
            assert_never(event)


users: Decider[UserCommand, User, UserEvent] = Decider(
    initial=Unknown(), decide=decide, evolve=evolve
)
