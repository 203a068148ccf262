"""What may happen to a session: a log-in on one device and the refresh tokens that follow.

Each refresh token works once. One that comes back after it was spent means that two hold it,
so the session dies with everything that was issued in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from producers.decider import Decider, Rejected
from schemas.identity import (
    EndSession,
    LoginFailed,
    RecordFailedLogin,
    ReportReuse,
    ReuseDetected,
    RotateRefresh,
    SessionCommand,
    SessionEnded,
    SessionEvent,
    SessionRefreshed,
    SessionStarted,
    StartSession,
)

# Seven days of refreshing every 15 minutes come to 672. Whoever needs more logs in again,
# so that a session's state stays small.
ROTATIONS_MAX = 1_000


@dataclass(frozen=True)
class NotStarted:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class Running:
    """Somebody is logged in. `spent` holds the hashes of the tokens exchanged so far."""

    user_id: str
    current: str
    expires_at: datetime
    spent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Over:
    """Logged out, killed, or never begun because the log-in failed."""


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
            refresh_hash=command.refresh_hash,
            started_at=command.asked_at,
            expires_at=command.expires_at,
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
        case Running(spent=spent) if command.presented_hash in spent:
            raise Rejected("refresh_reused")
        case Running(current=current) if command.presented_hash != current:
            raise Rejected("refresh_unknown")
        case Running(expires_at=expires_at) if expires_at <= command.asked_at:
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
        case Running(user_id=user_id) if user_id != command.asked_by:
            raise Rejected("not_yours", 403)
        case Running():
            return [SessionEnded(session_id=command.session_id, ended_at=command.asked_at)]
        case Over():
            return []
        case NotStarted():
            raise Rejected("session_unknown", 404)
        case _:
            assert_never(session)


def evolve(session: Session, event: SessionEvent) -> Session:
    """The session after the event."""
    match event:
        case SessionStarted():
            return Running(str(event.user_id), event.refresh_hash, event.expires_at)
        case SessionRefreshed(refresh_hash=following):
            if not isinstance(session, Running):
                return session
            spent = session.spent | {session.current}
            return replace(session, current=following, spent=spent)
        case LoginFailed() | ReuseDetected() | SessionEnded():
            return Over()
        case _:
            assert_never(event)


sessions: Decider[SessionCommand, Session, SessionEvent] = Decider(
    initial=NotStarted(), decide=decide, evolve=evolve
)
