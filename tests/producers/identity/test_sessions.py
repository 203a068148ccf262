"""What may happen to a session, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from producers.identity.sessions import ROTATIONS_MAX, sessions
from schemas.identity import (
    EndSession,
    LoginFailed,
    RecordFailedLogin,
    ReportReuse,
    ReuseDetected,
    RotateRefresh,
    SessionEnded,
    SessionEvent,
    SessionRefreshed,
    SessionStarted,
    StartSession,
)
from schemas.messages import Role
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
ID = UUID("01980000-0000-7000-8000-0000000000c1")
USER = UUID("01980000-0000-7000-8000-00000000000a")
FIRST, SECOND, THIRD = "1a" * 32, "2b" * 32, "3c" * 32
BY_USER = {"asked_at": NOW, "asked_by": str(USER), "asked_role": Role.BUYER}

spec = Spec(sessions)
started = SessionStarted(
    session_id=ID, user_id=USER, refresh_hash=FIRST, started_at=NOW, expires_at=NOW + WEEK
)
refreshed = SessionRefreshed(session_id=ID, refresh_hash=SECOND, refreshed_at=NOW)
ended = SessionEnded(session_id=ID, ended_at=NOW)
reuse = ReuseDetected(session_id=ID, detected_at=NOW)
failed = LoginFailed(session_id=ID, email_hash="ab" * 32, failed_at=NOW)
OVER: list[tuple[SessionEvent, ...]] = [(started, ended), (started, refreshed, reuse), (failed,)]


def rotate(presented: str, following: str, at: datetime = NOW) -> RotateRefresh:
    return RotateRefresh(
        session_id=ID, presented_hash=presented, next_hash=following, **{**BY_USER, "asked_at": at}
    )


def report(presented: str) -> ReportReuse:
    return ReportReuse(session_id=ID, presented_hash=presented, **BY_USER)


def test_ID_04_a_session_starts_once() -> None:
    command = StartSession(
        session_id=ID, user_id=USER, refresh_hash=FIRST, expires_at=NOW + WEEK, **BY_USER
    )
    spec.given().when(command).then(started)
    spec.given(started).when(command).refused("session_exists")


def test_ID_04_a_failed_login_is_told_and_starts_nothing() -> None:
    command = RecordFailedLogin(session_id=ID, email_hash="ab" * 32, **BY_USER)
    spec.given().when(command).then(failed)
    spec.given(started).when(command).refused("session_exists")


def test_ID_07_the_current_token_is_exchanged() -> None:
    spec.given(started).when(rotate(FIRST, SECOND)).then(refreshed)


def test_ID_07_a_spent_token_is_refused() -> None:
    spec.given(started, refreshed).when(rotate(FIRST, THIRD)).refused("refresh_reused")


def test_ID_07_a_foreign_token_is_refused_without_harm() -> None:
    spec.given(started, refreshed).when(rotate(THIRD, FIRST)).refused("refresh_unknown")


def test_ID_07_a_token_is_refused_from_its_expiry_on() -> None:
    spec.given(started).when(rotate(FIRST, SECOND, NOW + WEEK)).refused("session_expired")


def test_ID_07_a_session_is_not_refreshed_without_end() -> None:
    spent = [
        SessionRefreshed(session_id=ID, refresh_hash=f"{each:064x}", refreshed_at=NOW)
        for each in range(ROTATIONS_MAX)
    ]
    current = spent[-1].refresh_hash
    spec.given(started, *spent).when(rotate(current, THIRD)).refused("session_worn_out")


@pytest.mark.parametrize("history", [(), *OVER])
def test_ID_07_what_is_over_is_not_refreshed(history: tuple[SessionEvent, ...]) -> None:
    spec.given(*history).when(rotate(FIRST, THIRD)).refused("session_over")


def test_ID_07_reuse_kills_the_family() -> None:
    spec.given(started, refreshed).when(report(FIRST)).then(reuse)


@pytest.mark.parametrize("presented", [SECOND, THIRD])
def test_ID_07_nobody_kills_a_session_by_guessing(presented: str) -> None:
    spec.given(started, refreshed).when(report(presented)).refused("refresh_unknown")


@pytest.mark.parametrize("history", [(), *OVER])
def test_ID_07_what_is_over_is_not_killed_again(history: tuple[SessionEvent, ...]) -> None:
    spec.given(*history).when(report(FIRST)).then()


def test_ID_06_the_owner_ends_a_session() -> None:
    spec.given(started).when(EndSession(session_id=ID, **BY_USER)).then(ended)


def test_ID_06_nobody_else_ends_a_session() -> None:
    command = EndSession(session_id=ID, **{**BY_USER, "asked_by": "somebody else"})
    spec.given(started).when(command).refused("not_yours", 403)


@pytest.mark.parametrize("history", OVER)
def test_ID_06_what_is_over_ends_without_effect(history: tuple[SessionEvent, ...]) -> None:
    spec.given(*history).when(EndSession(session_id=ID, **BY_USER)).then()


def test_ID_06_a_session_that_never_was_does_not_end() -> None:
    spec.given().when(EndSession(session_id=ID, **BY_USER)).refused("session_unknown", 404)
