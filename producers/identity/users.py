"""What may happen to a person: who joins, in which role; the rest is told in its own file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from producers.decider import Decider, Rejected
from producers.identity import credentials, standing
from producers.identity.people import (
    STAFF,
    Abandoned,
    Deleted,
    Registered,
    Unknown,
    User,
    evolve,
    somebody,
)
from schemas.identity import (
    AbandonRegistration,
    BanUser,
    ChangePassword,
    DeactivateUser,
    DeleteUser,
    EmailVerificationRequested,
    EmailVerified,
    GrantRole,
    LiftBan,
    LinkIdentity,
    LogOutEverywhere,
    ReactivateUser,
    RegisterUser,
    RegistrationAbandoned,
    RequestEmailVerification,
    RequestPasswordReset,
    ResetPassword,
    RoleGranted,
    SweepTokens,
    UnbanUser,
    UnlinkIdentity,
    UserCommand,
    UserEvent,
    UserRegistered,
    UserStatus,
    VerifyEmail,
)
from schemas.log.messages import Fault, Market, Role

OPEN_ROLES = frozenset({Role.BUYER, Role.SELLER, Role.DEALER})


def decide(command: UserCommand, user: User) -> Sequence[UserEvent]:  # noqa: C901, PLR0911, PLR0912 - one line a command
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case RegisterUser():
            return register(command, user)
        case AbandonRegistration():
            return abandon(command, user)
        case GrantRole():
            return grant_role(command, user)
        case RequestEmailVerification():
            return credentials.request_email_verification(command, user)
        case VerifyEmail():
            return credentials.verify_email(command, user)
        case RequestPasswordReset():
            return credentials.request_password_reset(command, user)
        case ResetPassword():
            return credentials.reset_password(command, user)
        case ChangePassword():
            return credentials.change_password(command, user)
        case LinkIdentity():
            return credentials.link_identity(command, user)
        case UnlinkIdentity():
            return credentials.unlink_identity(command, user)
        case SweepTokens():
            return credentials.sweep_tokens(command, user)
        case LogOutEverywhere():
            return standing.log_out_everywhere(command, user)
        case DeactivateUser():
            return standing.deactivate(command, user)
        case ReactivateUser():
            return standing.reactivate(command, user)
        case BanUser():
            return standing.ban(command, user)
        case UnbanUser():
            return standing.unban(command, user)
        case LiftBan():
            return standing.lift_ban(command, user)
        case DeleteUser():
            return standing.delete(command, user)
        case _:
            assert_never(command)


def register(command: RegisterUser, user: User) -> Sequence[UserEvent]:
    """Once, in a role that is open to everyone."""
    if command.role not in OPEN_ROLES:
        allowed = ", ".join(sorted(OPEN_ROLES))
        fault = Fault(pointer="/role", detail=f"choose one of {allowed}")
        raise Rejected("role_not_open", 422, [fault])
    if (command.market is Market.CAMPUS) != (command.email_domain is not None):
        raise Rejected("email_domain_misplaced", 422)  # the API's fault, no person's
    match user:
        case Unknown():
            return _registered(command)
        case Registered() | Deleted():
            raise Rejected("already_registered")
        case Abandoned():
            raise Rejected("registration_abandoned", 410)
        case _:
            assert_never(user)


def _registered(command: RegisterUser) -> Sequence[UserEvent]:
    return [_joined(command), _proof(command)]


def _joined(command: RegisterUser) -> UserRegistered:
    return UserRegistered(
        user_id=command.user_id,
        email_sealed=command.email_sealed,
        email_hash=command.email_hash,
        email_domain=command.email_domain,
        email_as_typed=command.email_as_typed,
        name_sealed=command.name_sealed,
        role=command.role,
        market=command.market,
        language=command.language,
        registered_at=command.asked_at,
    )


def _proof(command: RegisterUser) -> UserEvent:
    if command.email_verified:
        return EmailVerified(
            user_id=command.user_id, status=UserStatus.ACTIVE, verified_at=command.asked_at
        )
    return EmailVerificationRequested(
        user_id=command.user_id,
        token_id=command.token_id,
        token_hash=command.token_hash,
        expires_at=command.expires_at,
        requested_at=command.asked_at,
    )


def abandon(command: AbandonRegistration, user: User) -> Sequence[UserEvent]:
    """Before registration only: it frees an e-mail, so nobody registered may lose theirs."""
    match user:
        case Unknown():
            return [RegistrationAbandoned(user_id=command.user_id, abandoned_at=command.asked_at)]
        case Registered() | Deleted():
            raise Rejected("already_registered")
        case Abandoned():
            return []
        case _:
            assert_never(user)


def grant_role(command: GrantRole, user: User) -> Sequence[UserEvent]:
    """By an admin or our own tools, to somebody registered; never to oneself, lest nobody is left
    who may.
    """
    if command.asked_role not in STAFF:
        raise Rejected("role_not_allowed", 403)
    if command.asked_by == str(command.user_id):
        raise Rejected("not_oneself", 403)
    if command.role is Role.SYSTEM:
        fault = Fault(pointer="/role", detail="no person is the system")
        raise Rejected("role_not_open", 422, [fault])
    person = somebody(user)
    if person.role is command.role:
        return []
    return [
        RoleGranted(
            user_id=command.user_id,
            role=command.role,
            previous=person.role,
            granted_at=command.asked_at,
        )
    ]


users: Decider[UserCommand, User, UserEvent] = Decider(
    initial=Unknown(), decide=decide, evolve=evolve
)
