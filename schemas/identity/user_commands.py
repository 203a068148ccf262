"""What may be asked about people."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime

from schemas.identity.values import (
    BanReason,
    EmailDomain,
    LookupHash,
    Provider,
    Sealed,
    TokenHash,
    Version,
)
from schemas.log.messages import Command, Language, Market, Role


def user_stream(user_id: UUID | str) -> str:
    """The stream of one person."""
    return f"user/{user_id}"


class _UserCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return user_stream(self.user_id)


class _WithNewToken(_UserCommand):
    """Issues a one-time token: its id, the SHA-256 of its text, and its end."""

    token_id: UUID
    token_hash: TokenHash
    expires_at: AwareDatetime


class _WithToken(_UserCommand):
    """Shows a one-time token that came by mail."""

    token_id: UUID
    token_hash: TokenHash


class RegisterUser(_WithNewToken):
    """Take a person in; the e-mail's claim has been reserved before. The token is the one that
    proves the e-mail; `email_verified`: a provider has proved it already.
    """

    kind: Literal["user.register"] = "user.register"
    email_sealed: Sealed
    email_hash: LookupHash
    email_domain: EmailDomain | None = None  # on campus only: it names the campus
    email_as_typed: bool = False  # and not folded, as it was at first
    name_sealed: Sealed
    role: Role
    market: Market
    language: Language = Language.ENGLISH
    email_verified: bool = False


class AbandonRegistration(_UserCommand):
    """Rule out that this person, who never came to register, still does."""

    kind: Literal["user.abandon_registration"] = "user.abandon_registration"


class GrantRole(_UserCommand):
    """Give a person another role."""

    kind: Literal["user.grant_role"] = "user.grant_role"
    role: Role


class RequestEmailVerification(_WithNewToken):
    """Send the proof of the e-mail again; the earlier one is void."""

    kind: Literal["user.request_email_verification"] = "user.request_email_verification"


class VerifyEmail(_WithToken):
    """Prove that the e-mail is theirs."""

    kind: Literal["user.verify_email"] = "user.verify_email"


class RequestPasswordReset(_WithNewToken):
    """Somebody says they forgot their password; an earlier token is void."""

    kind: Literal["user.request_password_reset"] = "user.request_password_reset"


class ResetPassword(_WithToken):
    """Set another password without knowing the old one. `change_id` names the hash that waits
    in the vault.
    """

    kind: Literal["user.reset_password"] = "user.reset_password"
    change_id: UUID


class ChangePassword(_UserCommand):
    """Set another password, knowing the old one. `session_id` is the session that asks, its
    access token issued at `user_version`; `change_id` names the hash that waits in the vault.
    """

    kind: Literal["user.change_password"] = "user.change_password"
    change_id: UUID
    session_id: UUID
    user_version: Version


class LogOutEverywhere(_UserCommand):
    """End every session of a person."""

    kind: Literal["user.log_out_everywhere"] = "user.log_out_everywhere"


class DeactivateUser(_UserCommand):
    """Put an account to rest until its owner comes back."""

    kind: Literal["user.deactivate"] = "user.deactivate"


class ReactivateUser(_UserCommand):
    """Come back."""

    kind: Literal["user.reactivate"] = "user.reactivate"


class BanUser(_UserCommand):
    """Shut somebody out."""

    kind: Literal["user.ban"] = "user.ban"
    reason: BanReason
    until: AwareDatetime | None = None  # None: until somebody lifts it


class UnbanUser(_UserCommand):
    """Let somebody in again."""

    kind: Literal["user.unban"] = "user.unban"


class LiftBan(_UserCommand):
    """Let somebody in again whose ban is over by now."""

    kind: Literal["user.lift_ban"] = "user.lift_ban"


class DeleteUser(_UserCommand):
    """Delete an account for ever."""

    kind: Literal["user.delete"] = "user.delete"


class LinkIdentity(_UserCommand):
    """Let a person log in through a provider. `email_verified`: the provider vouches for the
    e-mail of their account here.
    """

    kind: Literal["user.link_identity"] = "user.link_identity"
    provider: Provider
    subject_hash: LookupHash
    email_verified: bool = False


class UnlinkIdentity(_UserCommand):
    """Log in through that provider no more. `has_password`: there is another way in."""

    kind: Literal["user.unlink_identity"] = "user.unlink_identity"
    provider: Provider
    subject_hash: LookupHash
    has_password: bool = False


class SweepTokens(_UserCommand):
    """Clear away one-time tokens whose time is over."""

    kind: Literal["user.sweep_tokens"] = "user.sweep_tokens"


UserCommand: TypeAlias = (
    RegisterUser
    | AbandonRegistration
    | GrantRole
    | RequestEmailVerification
    | VerifyEmail
    | RequestPasswordReset
    | ResetPassword
    | ChangePassword
    | LogOutEverywhere
    | DeactivateUser
    | ReactivateUser
    | BanUser
    | UnbanUser
    | LiftBan
    | DeleteUser
    | LinkIdentity
    | UnlinkIdentity
    | SweepTokens
)
