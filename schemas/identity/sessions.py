"""Sessions: one log-in on one device, and the refresh tokens that follow."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identity.values import LookupHash, TokenHash, Version
from schemas.log.messages import Command, Event


def session_stream(session_id: UUID | str) -> str:
    """The stream of one session: one log-in on one device and every token that follows."""
    return f"session/{session_id}"


class _SessionCommand(Command):
    session_id: UUID

    @property
    def stream_id(self) -> str:
        return session_stream(self.session_id)


class StartSession(_SessionCommand):
    """Somebody has shown who they are. `user_version` is the version of the person at which
    that was judged: a later ban or password change ends the session. It lasts till
    `expires_at`, and no longer than `idle_s` without a refresh.
    """

    kind: Literal["session.start"] = "session.start"
    user_id: UUID
    user_version: Version
    refresh_hash: TokenHash
    expires_at: AwareDatetime
    idle_s: Annotated[int, Field(gt=0)]


class RecordFailedLogin(_SessionCommand):
    """Somebody has not. The same for known and unknown e-mails."""

    kind: Literal["session.record_failed_login"] = "session.record_failed_login"
    email_hash: LookupHash


class RotateRefresh(_SessionCommand):
    """Exchange the refresh token for the next one. For `leeway_s` seconds its predecessor is
    refused without being taken for stolen: two tabs of one browser may ask at once.
    """

    kind: Literal["session.refresh"] = "session.refresh"
    presented_hash: TokenHash
    next_hash: TokenHash
    leeway_s: Annotated[int, Field(ge=0, le=60)] = 0


class ReportReuse(_SessionCommand):
    """A refresh token was presented a second time: one of two holders is a thief."""

    kind: Literal["session.report_reuse"] = "session.report_reuse"
    presented_hash: TokenHash


class EndSession(_SessionCommand):
    """Log out."""

    kind: Literal["session.end"] = "session.end"


class RevokeSession(_SessionCommand):
    """End one session from elsewhere: another device of its owner, an admin."""

    kind: Literal["session.revoke"] = "session.revoke"


class SweepSessions(_SessionCommand):
    """Clear away a session whose time is over."""

    kind: Literal["sessions.sweep"] = "sessions.sweep"


SessionCommand: TypeAlias = (
    StartSession
    | RecordFailedLogin
    | RotateRefresh
    | ReportReuse
    | EndSession
    | RevokeSession
    | SweepSessions
)


class SessionStarted(Event):
    """Somebody has logged in."""

    kind: Literal["session.started"] = "session.started"
    session_id: UUID
    user_id: UUID
    user_version: Version
    refresh_hash: TokenHash
    started_at: AwareDatetime
    expires_at: AwareDatetime
    idle_s: int


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


class SessionRevoked(Event):
    """A session was ended from elsewhere."""

    kind: Literal["session.revoked"] = "session.revoked"
    session_id: UUID
    user_id: UUID
    revoked_at: AwareDatetime


class SessionsExpired(Event):
    """A session's time is over, and it has been cleared away."""

    kind: Literal["sessions.expired"] = "sessions.expired"
    session_id: UUID
    expired_at: AwareDatetime


SessionEvent: TypeAlias = (
    SessionStarted
    | LoginFailed
    | SessionRefreshed
    | ReuseDetected
    | SessionEnded
    | SessionRevoked
    | SessionsExpired
)
