"""Identity: who people are and the sessions they hold. No secret and no readable personal
data is ever in a command or event: e-mails and names are sealed with the person's own key,
and of a refresh token only the SHA-256 of its 256 random bits is told.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.messages import Command, Event, Market, Role
from schemas.registry import Upcasters

Sealed = Annotated[str, StringConstraints(max_length=4_000)]  # base64 AES-GCM, see infra.vault
LookupHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # HMAC-SHA-256
TokenHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # SHA-256


class UserStatus(StrEnum):
    """Where a person stands; the last three arrive with profiles and moderation."""

    PENDING = "pending"  # has not proved the e-mail to be theirs
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    BANNED = "banned"
    DELETED = "deleted"


def user_stream(user_id: UUID | str) -> str:
    """The stream of one person."""
    return f"user/{user_id}"


def session_stream(session_id: UUID | str) -> str:
    """The stream of one session: one log-in on one device and every token that follows."""
    return f"session/{session_id}"


def email_claim_stream(email_hash: str) -> str:
    """The stream that decides whose an e-mail is."""
    return f"claim/email/{email_hash}"


# Claims: an e-mail belongs to one person at most.


class _EmailClaimCommand(Command):
    email_hash: LookupHash
    owner_id: UUID

    @property
    def stream_id(self) -> str:
        return email_claim_stream(self.email_hash)


class ReserveEmail(_EmailClaimCommand):
    """Hold an e-mail for somebody who is about to register, until `until`.

    `abandoned` names earlier holders who can be shown never to register any more: their
    registration has been abandoned, in their own stream.
    """

    kind: Literal["email_claim.reserve"] = "email_claim.reserve"
    until: AwareDatetime
    abandoned: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()


class ConfirmEmail(_EmailClaimCommand):
    """The holder has registered: the e-mail is theirs."""

    kind: Literal["email_claim.confirm"] = "email_claim.confirm"


EmailClaimCommand: TypeAlias = ReserveEmail | ConfirmEmail


class EmailReserved(Event):
    """An e-mail is held for somebody until `until`."""

    kind: Literal["email_claim.reserved"] = "email_claim.reserved"
    email_hash: LookupHash
    owner_id: UUID
    until: AwareDatetime


class EmailConfirmed(Event):
    """An e-mail is somebody's."""

    kind: Literal["email_claim.confirmed"] = "email_claim.confirmed"
    email_hash: LookupHash
    owner_id: UUID


EmailClaimEvent: TypeAlias = EmailReserved | EmailConfirmed


# Users.


class _UserCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return user_stream(self.user_id)


class RegisterUser(_UserCommand):
    """Take a person in; the e-mail's claim has been reserved before."""

    kind: Literal["user.register"] = "user.register"
    email_sealed: Sealed
    email_hash: LookupHash
    name_sealed: Sealed
    role: Role
    market: Market


class AbandonRegistration(_UserCommand):
    """Rule out that this person, who never came to register, still does."""

    kind: Literal["user.abandon_registration"] = "user.abandon_registration"


class GrantRole(_UserCommand):
    """Give a person another role."""

    kind: Literal["user.grant_role"] = "user.grant_role"
    role: Role


UserCommand: TypeAlias = RegisterUser | AbandonRegistration | GrantRole


class UserRegistered(Event):
    """A person has joined."""

    kind: Literal["user.registered"] = "user.registered"
    user_id: UUID
    email_sealed: Sealed
    email_hash: LookupHash
    name_sealed: Sealed
    role: Role
    market: Market
    registered_at: AwareDatetime


class EmailVerificationRequested(Event):
    """A person is to prove that the e-mail is theirs."""

    kind: Literal["email_verification.requested"] = "email_verification.requested"
    user_id: UUID
    requested_at: AwareDatetime


class RegistrationAbandoned(Event):
    """Nobody will ever register under this id."""

    kind: Literal["user.registration_abandoned"] = "user.registration_abandoned"
    user_id: UUID
    abandoned_at: AwareDatetime


class RoleGranted(Event):
    """A person has another role."""

    kind: Literal["user.role_granted"] = "user.role_granted"
    user_id: UUID
    role: Role
    previous: Role
    granted_at: AwareDatetime


UserEvent: TypeAlias = (
    UserRegistered | EmailVerificationRequested | RegistrationAbandoned | RoleGranted
)


# Sessions.


class _SessionCommand(Command):
    session_id: UUID

    @property
    def stream_id(self) -> str:
        return session_stream(self.session_id)


class StartSession(_SessionCommand):
    """Somebody has given the right password."""

    kind: Literal["session.start"] = "session.start"
    user_id: UUID
    refresh_hash: TokenHash
    expires_at: AwareDatetime


class RecordFailedLogin(_SessionCommand):
    """Somebody has not. The same for known and unknown e-mails."""

    kind: Literal["session.record_failed_login"] = "session.record_failed_login"
    email_hash: LookupHash


class RotateRefresh(_SessionCommand):
    """Exchange the refresh token for the next one."""

    kind: Literal["session.refresh"] = "session.refresh"
    presented_hash: TokenHash
    next_hash: TokenHash


class ReportReuse(_SessionCommand):
    """A refresh token was presented a second time: one of two holders is a thief."""

    kind: Literal["session.report_reuse"] = "session.report_reuse"
    presented_hash: TokenHash


class EndSession(_SessionCommand):
    """Log out."""

    kind: Literal["session.end"] = "session.end"


SessionCommand: TypeAlias = (
    StartSession | RecordFailedLogin | RotateRefresh | ReportReuse | EndSession
)


class SessionStarted(Event):
    """Somebody has logged in."""

    kind: Literal["session.started"] = "session.started"
    session_id: UUID
    user_id: UUID
    refresh_hash: TokenHash
    started_at: AwareDatetime
    expires_at: AwareDatetime


class LoginFailed(Event):
    """A wrong password, or an e-mail that nobody has."""

    kind: Literal["login.failed"] = "login.failed"
    session_id: UUID
    email_hash: LookupHash
    failed_at: AwareDatetime


class SessionRefreshed(Event):
    """The refresh token was exchanged; the earlier one is spent."""

    kind: Literal["session.refreshed"] = "session.refreshed"
    session_id: UUID
    refresh_hash: TokenHash
    refreshed_at: AwareDatetime


class ReuseDetected(Event):
    """A spent refresh token came back; the session and all its tokens are dead."""

    kind: Literal["session.reuse_detected"] = "session.reuse_detected"
    session_id: UUID
    detected_at: AwareDatetime


class SessionEnded(Event):
    """Somebody has logged out."""

    kind: Literal["session.ended"] = "session.ended"
    session_id: UUID
    ended_at: AwareDatetime


SessionEvent: TypeAlias = (
    SessionStarted | LoginFailed | SessionRefreshed | ReuseDetected | SessionEnded
)


IdentityCommand: TypeAlias = EmailClaimCommand | UserCommand | SessionCommand
IdentityEvent: TypeAlias = EmailClaimEvent | UserEvent | SessionEvent

UPCASTERS: Upcasters = {}
