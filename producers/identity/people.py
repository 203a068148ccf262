"""Who somebody is to the rules: the situations of a person, and how events change them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Rejected
from schemas.identity import (
    EmailVerificationRequested,
    EmailVerified,
    IdentityLinked,
    IdentityUnlinked,
    LoggedOutEverywhere,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RegistrationAbandoned,
    RoleGranted,
    TokenLapsed,
    TokenPurpose,
    UserBanned,
    UserCommand,
    UserDeactivated,
    UserDeleted,
    UserEvent,
    UserReactivated,
    UserRegistered,
    UserStatus,
    UserUnbanned,
)
from schemas.log.messages import Role

STAFF = frozenset({Role.ADMIN, Role.SYSTEM})


@dataclass(frozen=True)
class Unknown:
    """Nobody yet."""


@dataclass(frozen=True)
class OneTimeToken:
    """A token that is out and has not been used."""

    token_id: UUID
    token_hash: str
    expires_at: datetime
    requested_at: datetime


@dataclass(frozen=True)
class Registered:
    """Somebody. Sessions begun at a version below `ended_below` are over, but `kept_session`."""

    role: Role
    email_hash: str
    version: int = 0
    email_verified: bool = False
    deactivated: bool = False
    banned: bool = False
    banned_until: datetime | None = None
    verification: OneTimeToken | None = None
    reset: OneTimeToken | None = None
    identities: frozenset[tuple[str, str]] = frozenset()
    ended_below: int = 0
    kept_session: UUID | None = None

    @property
    def status(self) -> UserStatus:
        """Where the person stands."""
        if self.banned:
            return UserStatus.BANNED
        if self.deactivated:
            return UserStatus.DEACTIVATED
        return UserStatus.ACTIVE if self.email_verified else UserStatus.PENDING


@dataclass(frozen=True)
class Abandoned:
    """Nobody, and never will be."""


@dataclass(frozen=True)
class Deleted:
    """Somebody once."""


User: TypeAlias = Unknown | Registered | Abandoned | Deleted


def somebody(user: User) -> Registered:
    """The person, who must be there."""
    match user:
        case Registered():
            return user
        case Deleted():
            raise Rejected("user_deleted")
        case Unknown() | Abandoned():
            raise Rejected("user_unknown", 404)
        case _:
            assert_never(user)


def require_self_or_staff(command: UserCommand) -> None:
    """One's own account is one's own business, an admin's and our tools'."""
    if command.asked_by != str(command.user_id) and command.asked_role not in STAFF:
        raise Rejected("not_yours", 403)


def evolve(user: User, event: UserEvent) -> User:
    """The person after the event."""
    match event:
        case UserRegistered(role=role, email_hash=email_hash):
            return Registered(role, email_hash, version=1)
        case RegistrationAbandoned():
            return Abandoned()
        case UserDeleted():
            return Deleted()
        case _ if isinstance(user, Registered):
            return replace(_changed(user, event), version=user.version + 1)
        case _:
            return user


_Change: TypeAlias = (
    EmailVerificationRequested
    | EmailVerified
    | RoleGranted
    | PasswordResetRequested
    | PasswordReset
    | PasswordChanged
    | LoggedOutEverywhere
    | UserDeactivated
    | UserReactivated
    | UserBanned
    | UserUnbanned
    | IdentityLinked
    | IdentityUnlinked
    | TokenLapsed
)


def _changed(user: Registered, event: _Change) -> Registered:
    match event:
        case EmailVerificationRequested():
            return replace(user, verification=_token(event))
        case PasswordResetRequested():
            return replace(user, reset=_token(event))
        case TokenLapsed():
            return _lapsed(user, event)
        case EmailVerified():
            return replace(user, email_verified=True, verification=None)
        case RoleGranted(role=role):
            return replace(user, role=role)
        case IdentityLinked():
            added = user.identities | {(event.provider, event.subject_hash)}
            return replace(user, identities=added)
        case IdentityUnlinked():
            left = user.identities - {(event.provider, event.subject_hash)}
            return replace(user, identities=left)
        case UserReactivated():
            return replace(user, deactivated=False)
        case UserUnbanned():
            return replace(user, banned=False, banned_until=None)
        case _:
            return _logged_out(user, event)


def _lapsed(user: Registered, event: TokenLapsed) -> Registered:
    match event.purpose:
        case TokenPurpose.VERIFY_EMAIL:
            return replace(user, verification=None)
        case TokenPurpose.RESET_PASSWORD:
            return replace(user, reset=None)
        case _:
            assert_never(event.purpose)


_LogOut: TypeAlias = (
    PasswordReset | PasswordChanged | LoggedOutEverywhere | UserDeactivated | UserBanned
)


def _logged_out(user: Registered, event: _LogOut) -> Registered:
    """Every session is over from this event's version on."""
    ended = replace(user, ended_below=user.version + 1, kept_session=None)
    match event:
        case PasswordReset():
            return replace(ended, reset=None)
        case PasswordChanged(session_id=kept):
            return replace(ended, kept_session=kept)
        case UserDeactivated():
            return replace(ended, deactivated=True)
        case UserBanned(until=until):
            return replace(ended, banned=True, banned_until=until)
        case LoggedOutEverywhere():
            return ended
        case _:
            assert_never(event)


def _token(event: EmailVerificationRequested | PasswordResetRequested) -> OneTimeToken:
    return OneTimeToken(event.token_id, event.token_hash, event.expires_at, event.requested_at)
