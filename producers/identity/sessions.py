"""What may happen to a session: a log-in on one device and the refresh tokens that follow.

Each refresh token works once. One that comes back after it was spent means that two hold it,
so the session dies with everything that was issued in it. The token before the current one has
a few seconds in which it changes nothing: tabs of one browser ask at once, and answers get lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.identity import (
    EndSession,
    LoginFailed,
    RecordFailedLogin,
    ReportReuse,
    ReuseDetected,
    RevokeSession,
    RotateRefresh,
    SessionCommand,
    SessionEnded,
    SessionEvent,
    SessionRefreshed,
    SessionRevoked,
    SessionsExpired,
    SessionStarted,
    StartSession,
    SweepSessions,
)
from schemas.log.messages import Role

# Seven days of refreshing every 15 minutes come to 672. Whoever needs more logs in again,
# so that a session's state stays small.
ROTATIONS_MAX = 1_000
REVOKERS = frozenset({Role.ADMIN, Role.SYSTEM})


@dataclass(frozen=True)
class NotStarted:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class Running:
    """Somebody is logged in. `spent` holds the hashes of the tokens exchanged so far."""

    user_id: UUID
    current: str
    expires_at: datetime
    idle: timedelta
    refreshed_at: datetime
    previous: str | None = None
    spent: frozenset[str] = frozenset()

    @property
    def ends_at(self) -> datetime:
        """When it ends by itself: at its time, or unused for too long."""
        return min(self.expires_at, self.refreshed_at + self.idle)


@dataclass(frozen=True)
class Over:
    """Logged out or killed. `until` is the end it would have had; None: cleared away, or never
    begun because the log-in failed. Nobody's, if it never began.
    """

    until: datetime | None = None
    user_id: UUID | None = None


Session: TypeAlias = NotStarted | Running | Over


def decide(command: SessionCommand, session: Session) -> Sequence[SessionEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case StartSession():
            return start(command, session)
        case RecordFailedLogin():
            return record_failed_login(command, session)
        case RotateRefresh():
            return rotate(command, session)
        case ReportReuse():
            return report_reuse(command, session)
        case EndSession():
            return end(command, session)
        case RevokeSession():
            return revoke(command, session)
        case SweepSessions():
            return sweep(command, session)
        case _:
            assert_never(command)


def start(command: StartSession, session: Session) -> Sequence[SessionEvent]:
    """Once."""
    if not isinstance(session, NotStarted):
        raise Rejected("session_exists")
    return [
        SessionStarted(
            session_id=command.session_id,
            user_id=command.user_id,
            user_version=command.user_version,
            refresh_hash=command.refresh_hash,
            started_at=command.asked_at,
            expires_at=command.expires_at,
            idle_s=command.idle_s,
        )
    ]


def record_failed_login(command: RecordFailedLogin, session: Session) -> Sequence[SessionEvent]:
    """Instead of a start."""
    if not isinstance(session, NotStarted):
        raise Rejected("session_exists")
    return [
        LoginFailed(
            session_id=command.session_id,
            email_hash=command.email_hash,
            failed_at=command.asked_at,
        )
    ]


def rotate(command: RotateRefresh, session: Session) -> Sequence[SessionEvent]:
    """The current token, in time, for the next one."""
    match session:
        case Running(current=current) if _within_leeway(command, session):
            if command.next_hash != current:
                raise Rejected("refresh_superseded")
            return []
        case Running(spent=spent) if command.presented_hash in spent:
            raise Rejected("refresh_reused")
        case Running(current=current) if command.presented_hash != current:
            raise Rejected("refresh_unknown")
        case Running(ends_at=ends_at) if ends_at <= command.asked_at:
            raise Rejected("session_expired")
        case Running(spent=spent) if len(spent) >= ROTATIONS_MAX:
            raise Rejected("session_worn_out")
        case Running():
            return [
                SessionRefreshed(
                    session_id=command.session_id,
                    refresh_hash=command.next_hash,
                    refreshed_at=command.asked_at,
                )
            ]
        case NotStarted() | Over():
            raise Rejected("session_over")
        case _:
            assert_never(session)


def _within_leeway(command: RotateRefresh, session: Running) -> bool:
    """Whether this is the token before the current one, exchanged a moment ago."""
    leeway = timedelta(seconds=command.leeway_s)
    return (
        command.presented_hash == session.previous
        and command.asked_at < session.refreshed_at + leeway
    )


def report_reuse(command: ReportReuse, session: Session) -> Sequence[SessionEvent]:
    """Only with a token that was ours once: nobody kills a session by guessing."""
    match session:
        case Running(spent=spent) if command.presented_hash in spent:
            return [ReuseDetected(session_id=command.session_id, detected_at=command.asked_at)]
        case Running():
            raise Rejected("refresh_unknown")
        case NotStarted() | Over():
            return []
        case _:
            assert_never(session)


def end(command: EndSession, session: Session) -> Sequence[SessionEvent]:
    """By the one whose session it is."""
    match session:
        case Running(user_id=user_id) if str(user_id) != command.asked_by:
            raise Rejected("not_yours", 403)
        case Running():
            return [SessionEnded(session_id=command.session_id, ended_at=command.asked_at)]
        case Over():
            return []
        case NotStarted():
            raise Rejected("session_unknown", 404)
        case _:
            assert_never(session)


def revoke(command: RevokeSession, session: Session) -> Sequence[SessionEvent]:
    """By its owner or an admin. To anybody else it does not exist, nor ever did: ids tell
    nothing.
    """
    match session:
        case Running(user_id=user_id) if _may_revoke(command, user_id):
            return [
                SessionRevoked(
                    session_id=command.session_id, user_id=user_id, revoked_at=command.asked_at
                )
            ]
        case Over(user_id=user_id) if _may_revoke(command, user_id):
            return []
        case NotStarted() | Running() | Over():
            raise Rejected("session_unknown", 404)
        case _:
            assert_never(session)


def _may_revoke(command: RevokeSession, owner: UUID | None) -> bool:
    return command.asked_role in REVOKERS or (owner is not None and str(owner) == command.asked_by)


def sweep(command: SweepSessions, session: Session) -> Sequence[SessionEvent]:
    """By our own timer; only what is past its time, and once."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    match session:
        case Running(ends_at=until) | Over(until=until) if (
            until is not None and until <= command.asked_at
        ):
            return [SessionsExpired(session_id=command.session_id, expired_at=command.asked_at)]
        case NotStarted() | Running() | Over():
            return []
        case _:
            assert_never(session)


def evolve(session: Session, event: SessionEvent) -> Session:
    """The session after the event."""
    match event:
        case SessionStarted():
            return Running(
                user_id=event.user_id,
                current=event.refresh_hash,
                expires_at=event.expires_at,
                idle=timedelta(seconds=event.idle_s),
                refreshed_at=event.started_at,
            )
        case SessionRefreshed():
            return _refreshed(session, event)
        case ReuseDetected() | SessionEnded() | SessionRevoked():
            if not isinstance(session, Running):
                return session
            return Over(session.expires_at, session.user_id)
        case SessionsExpired():
            return Over() if isinstance(session, NotStarted) else Over(user_id=session.user_id)
        case LoginFailed():
            return Over()
        case _:
            assert_never(event)


def _refreshed(session: Session, event: SessionRefreshed) -> Session:
    if not isinstance(session, Running):
        return session
    return replace(
        session,
        current=event.refresh_hash,
        previous=session.current,
        spent=session.spent | {session.current},
        refreshed_at=event.refreshed_at,
    )


sessions: Decider[SessionCommand, Session, SessionEvent] = Decider(
    initial=NotStarted(), decide=decide, evolve=evolve
)
