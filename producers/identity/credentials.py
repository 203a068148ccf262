"""What may happen to somebody's proofs: one-time tokens, passwords, provider's identities.

Of each purpose one token is out at a time, the newest, and it works once. Another one is not
issued within a minute: nobody's mailbox is flooded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from producers.decider import Rejected
from producers.identity.people import (
    OneTimeToken,
    Registered,
    User,
    require_self_or_staff,
    somebody,
)
from schemas.identity import (
    ChangePassword,
    EmailVerificationRequested,
    EmailVerified,
    IdentityLinked,
    IdentityUnlinked,
    LinkIdentity,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RequestEmailVerification,
    RequestPasswordReset,
    ResetPassword,
    SweepTokens,
    TokenLapsed,
    TokenPurpose,
    UnlinkIdentity,
    UserCommand,
    UserEvent,
    UserStatus,
    VerifyEmail,
)
from schemas.log.messages import Role

MAIL_PAUSE = timedelta(seconds=60)
IDENTITIES_MAX = 10


def request_email_verification(
    command: RequestEmailVerification, user: User
) -> Sequence[UserEvent]:
    """Again, for somebody who has not proved the e-mail yet."""
    require_self_or_staff(command)
    person = somebody(user)
    if person.email_verified:
        raise Rejected("email_already_verified")
    if _just_requested(person.verification, command.asked_at):
        return []
    return [
        EmailVerificationRequested(
            user_id=command.user_id,
            token_id=command.token_id,
            token_hash=command.token_hash,
            expires_at=command.expires_at,
            requested_at=command.asked_at,
        )
    ]


def verify_email(command: VerifyEmail, user: User) -> Sequence[UserEvent]:
    """By whoever holds the token: it went to the e-mail in question."""
    person = somebody(user)
    _require_valid(command, person.verification)
    return [
        EmailVerified(
            user_id=command.user_id,
            status=UserStatus.ACTIVE if person.status is UserStatus.PENDING else person.status,
            verified_at=command.asked_at,
        )
    ]


def request_password_reset(command: RequestPasswordReset, user: User) -> Sequence[UserEvent]:
    """By the API, for whoever says so: only the mailbox's owner can do anything with it."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    if _just_requested(somebody(user).reset, command.asked_at):
        return []
    return [
        PasswordResetRequested(
            user_id=command.user_id,
            token_id=command.token_id,
            token_hash=command.token_hash,
            expires_at=command.expires_at,
            requested_at=command.asked_at,
        )
    ]


def reset_password(command: ResetPassword, user: User) -> Sequence[UserEvent]:
    """By whoever holds the token."""
    _require_valid(command, somebody(user).reset)
    return [
        PasswordReset(
            user_id=command.user_id, change_id=command.change_id, reset_at=command.asked_at
        )
    ]


def change_password(command: ChangePassword, user: User) -> Sequence[UserEvent]:
    """By oneself, in a session that nothing has ended meanwhile. A reset that is still out
    would open the account to whoever asked for it, so it lapses.
    """
    if command.asked_by != str(command.user_id):
        raise Rejected("not_yours", 403)
    person = somebody(user)
    if command.user_version < person.ended_below and command.session_id != person.kept_session:
        raise Rejected("session_over")
    changed = PasswordChanged(
        user_id=command.user_id,
        change_id=command.change_id,
        session_id=command.session_id,
        changed_at=command.asked_at,
    )
    if person.reset is None:
        return [changed]
    return [changed, _lapsed(command, TokenPurpose.RESET_PASSWORD, person.reset)]


def link_identity(command: LinkIdentity, user: User) -> Sequence[UserEvent]:
    """Once; what the provider vouches for is proved."""
    require_self_or_staff(command)
    person = somebody(user)
    events: list[UserEvent] = []
    if (command.provider, command.subject_hash) not in person.identities:
        if len(person.identities) >= IDENTITIES_MAX:
            raise Rejected("too_many_identities")
        events.append(
            IdentityLinked(
                user_id=command.user_id,
                provider=command.provider,
                subject_hash=command.subject_hash,
                linked_at=command.asked_at,
            )
        )
    if command.email_verified and not person.email_verified:
        if command.asked_role is not Role.SYSTEM:
            raise Rejected("role_not_allowed", 403)
        status = UserStatus.ACTIVE if person.status is UserStatus.PENDING else person.status
        events.append(
            EmailVerified(user_id=command.user_id, status=status, verified_at=command.asked_at)
        )
    return events


def unlink_identity(command: UnlinkIdentity, user: User) -> Sequence[UserEvent]:
    """One's own, and never the last way to log in."""
    require_self_or_staff(command)
    identities = somebody(user).identities
    this = (command.provider, command.subject_hash)
    if this not in identities:
        return []
    if identities == {this} and not command.has_password:
        raise Rejected("last_way_in")
    return [
        IdentityUnlinked(
            user_id=command.user_id,
            provider=command.provider,
            subject_hash=command.subject_hash,
            unlinked_at=command.asked_at,
        )
    ]


def sweep_tokens(command: SweepTokens, user: User) -> Sequence[UserEvent]:
    """By our own timer; only what is past its time."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    return [
        _lapsed(command, purpose, token)
        for purpose, token in tokens_out(user)
        if token.expires_at <= command.asked_at
    ]


def lapse_all(command: UserCommand, user: User) -> Sequence[UserEvent]:
    """Every token that is out is void from now on."""
    return [_lapsed(command, purpose, token) for purpose, token in tokens_out(user)]


def unlink_all(command: UserCommand, person: Registered) -> Sequence[UserEvent]:
    """No provider lets them in any more: their identities are free for another account."""
    return [
        IdentityUnlinked(
            user_id=command.user_id,
            provider=provider,
            subject_hash=subject_hash,
            unlinked_at=command.asked_at,
        )
        for provider, subject_hash in sorted(person.identities)
    ]


def tokens_out(user: User) -> Sequence[tuple[TokenPurpose, OneTimeToken]]:
    """The tokens that somebody could still use, or has let lapse."""
    if not isinstance(user, Registered):
        return []
    both = (
        (TokenPurpose.VERIFY_EMAIL, user.verification),
        (TokenPurpose.RESET_PASSWORD, user.reset),
    )
    return [(purpose, token) for purpose, token in both if token is not None]


def _just_requested(token: OneTimeToken | None, now: datetime) -> bool:
    return token is not None and now < token.requested_at + MAIL_PAUSE


def _require_valid(shown: VerifyEmail | ResetPassword, token: OneTimeToken | None) -> None:
    if token is None or (shown.token_id, shown.token_hash) != (token.token_id, token.token_hash):
        raise Rejected("token_spent", 410)
    if token.expires_at <= shown.asked_at:
        raise Rejected("token_expired", 410)


def _lapsed(command: UserCommand, purpose: TokenPurpose, token: OneTimeToken) -> TokenLapsed:
    return TokenLapsed(
        user_id=command.user_id,
        purpose=purpose,
        token_id=token.token_id,
        lapsed_at=command.asked_at,
    )
