"""What has happened to people."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime

from schemas.identity.values import (
    BanReason,
    LookupHash,
    Provider,
    TokenHash,
    TokenPurpose,
    UserStatus,
)
from schemas.log.messages import Event, Language, Market, Role


class UserRegistered(Event):
    """A person has joined."""

    kind: Literal["user.registered"] = "user.registered"
    user_id: UUID
    email_sealed: str
    email_hash: LookupHash
    email_domain: str | None = None
    email_as_typed: bool = False
    name_sealed: str
    role: Role
    market: Market
    language: Language
    registered_at: AwareDatetime


class EmailVerificationRequested(Event):
    """A person is to prove that the e-mail is theirs, with the token of this id."""

    kind: Literal["email_verification.requested"] = "email_verification.requested"
    user_id: UUID
    token_id: UUID
    token_hash: TokenHash
    expires_at: AwareDatetime
    requested_at: AwareDatetime


class EmailVerified(Event):
    """The e-mail is theirs. `status` is where the person stands now."""

    kind: Literal["user.email_verified"] = "user.email_verified"
    user_id: UUID
    status: UserStatus
    verified_at: AwareDatetime


class RegistrationAbandoned(Event):
    """Nobody will ever register under this id."""

    kind: Literal["user.registration_abandoned"] = "user.registration_abandoned"
    user_id: UUID
    abandoned_at: AwareDatetime


class RoleGranted(Event):
    """A person has another role; access tokens issued before are void."""

    kind: Literal["user.role_granted"] = "user.role_granted"
    user_id: UUID
    role: Role
    previous: Role
    granted_at: AwareDatetime


class PasswordResetRequested(Event):
    """Somebody says they forgot their password; the token of this id sets another."""

    kind: Literal["password_reset.requested"] = "password_reset.requested"
    user_id: UUID
    token_id: UUID
    token_hash: TokenHash
    expires_at: AwareDatetime
    requested_at: AwareDatetime


class PasswordReset(Event):
    """Another password, by a token from the mail; every session is over."""

    kind: Literal["user.password_reset"] = "user.password_reset"
    user_id: UUID
    change_id: UUID
    reset_at: AwareDatetime


class PasswordChanged(Event):
    """Another password, by somebody who knew the old one; every session is over but this."""

    kind: Literal["user.password_changed"] = "user.password_changed"
    user_id: UUID
    change_id: UUID
    session_id: UUID
    changed_at: AwareDatetime


class LoggedOutEverywhere(Event):
    """Every session of a person is over."""

    kind: Literal["user.logged_out_everywhere"] = "user.logged_out_everywhere"
    user_id: UUID
    logged_out_at: AwareDatetime


class UserDeactivated(Event):
    """An account rests; every session is over."""

    kind: Literal["user.deactivated"] = "user.deactivated"
    user_id: UUID
    deactivated_at: AwareDatetime


class UserReactivated(Event):
    """An account rests no more. `status` is where the person stands now."""

    kind: Literal["user.reactivated"] = "user.reactivated"
    user_id: UUID
    status: UserStatus
    reactivated_at: AwareDatetime


class UserBanned(Event):
    """Somebody is shut out; every session is over."""

    kind: Literal["user.banned"] = "user.banned"
    user_id: UUID
    reason: BanReason
    banned_at: AwareDatetime
    until: AwareDatetime | None = None  # None: until somebody lifts it


class UserUnbanned(Event):
    """Somebody is let in again. `status` is where the person stands now."""

    kind: Literal["user.unbanned"] = "user.unbanned"
    user_id: UUID
    status: UserStatus
    unbanned_at: AwareDatetime


class UserDeleted(Event):
    """An account is gone for ever, and with it every session; the e-mail becomes free."""

    kind: Literal["user.deleted"] = "user.deleted"
    user_id: UUID
    email_hash: LookupHash
    deleted_at: AwareDatetime


class IdentityLinked(Event):
    """A person may log in through a provider."""

    kind: Literal["user.identity_linked"] = "user.identity_linked"
    user_id: UUID
    provider: Provider
    subject_hash: LookupHash
    linked_at: AwareDatetime


class IdentityUnlinked(Event):
    """A person may not log in through it any more."""

    kind: Literal["user.identity_unlinked"] = "user.identity_unlinked"
    user_id: UUID
    provider: Provider
    subject_hash: LookupHash
    unlinked_at: AwareDatetime


class TokenLapsed(Event):
    """A one-time token that was never used is void."""

    kind: Literal["one_time_token.lapsed"] = "one_time_token.lapsed"
    user_id: UUID
    purpose: TokenPurpose
    token_id: UUID
    lapsed_at: AwareDatetime


UserEvent: TypeAlias = (
    UserRegistered
    | EmailVerificationRequested
    | EmailVerified
    | RegistrationAbandoned
    | RoleGranted
    | PasswordResetRequested
    | PasswordReset
    | PasswordChanged
    | LoggedOutEverywhere
    | UserDeactivated
    | UserReactivated
    | UserBanned
    | UserUnbanned
    | UserDeleted
    | IdentityLinked
    | IdentityUnlinked
    | TokenLapsed
)
