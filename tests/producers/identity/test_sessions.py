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
    RevokeSession,
    RotateRefresh,
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
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK, IDLE = timedelta(days=7), timedelta(days=3)
IDLE_S = 3 * 24 * 3600
SECOND_LONG = timedelta(seconds=1)
ID = UUID("01980000-0000-7000-8000-0000000000c1")
USER = UUID("01980000-0000-7000-8000-00000000000a")
FIRST, SECOND, THIRD = "1a" * 32, "2b" * 32, "3c" * 32
BY_USER = {"asked_at": NOW, "asked_by": str(USER), "asked_role": Role.BUYER}

spec = Spec(sessions)
started = SessionStarted(
    session_id=ID,
    user_id=USER,
    user_version=2,
    refresh_hash=FIRST,
    started_at=NOW,
    expires_at=NOW + WEEK,
    idle_s=IDLE_S,
)
refreshed = SessionRefreshed(session_id=ID, refresh_hash=SECOND, refreshed_at=NOW)
ended = SessionEnded(session_id=ID, ended_at=NOW)
reuse = ReuseDetected(session_id=ID, detected_at=NOW)
revoked = SessionRevoked(session_id=ID, user_id=USER, revoked_at=NOW)
expired = SessionsExpired(session_id=ID, expired_at=NOW + WEEK)
failed = LoginFailed(session_id=ID, email_hash="ab" * 32, failed_at=NOW)
OVER: list[tuple[SessionEvent, ...]] = [
    (started, ended),
    (started, refreshed, reuse),
    (started, revoked),
    (started, expired),
    (failed,),
]


def rotate(presented: str, following: str, at: datetime = NOW, leeway_s: int = 0) -> RotateRefresh:
    return RotateRefresh(
        session_id=ID,
        presented_hash=presented,
        next_hash=following,
        leeway_s=leeway_s,
        **{**BY_USER, "asked_at": at},
    )


def revoke(by: str, role: Role) -> RevokeSession:
    return RevokeSession(session_id=ID, asked_at=NOW, asked_by=by, asked_role=role)


def sweep(at: datetime, role: Role = Role.SYSTEM) -> SweepSessions:
    return SweepSessions(session_id=ID, asked_at=at, asked_by="sweeper", asked_role=role)


def report(presented: str) -> ReportReuse:
    return ReportReuse(session_id=ID, presented_hash=presented, **BY_USER)


def test_ID_04_a_session_starts_once() -> None:
    command = StartSession(
        session_id=ID,
        user_id=USER,
        user_version=2,
        refresh_hash=FIRST,
        expires_at=NOW + WEEK,
        idle_s=IDLE_S,
        **BY_USER,
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
    """V7.3.2 and V10.4.8: an absolute end, however busy the session."""
    daily = [
        SessionRefreshed(
            session_id=ID, refresh_hash=f"{day:064x}", refreshed_at=NOW + timedelta(days=day)
        )
        for day in range(1, 7)
    ]
    busy = spec.given(started, *daily)
    current = daily[-1].refresh_hash
    busy.when(rotate(current, SECOND, NOW + WEEK)).refused("session_expired")
    assert busy.when(rotate(current, SECOND, NOW + WEEK - SECOND_LONG)).decided()


def test_ID_07_a_session_that_lies_idle_ends() -> None:
    """V7.3.1: an end when it is not used, counted from the last refresh."""
    spec.given(started).when(rotate(FIRST, SECOND, NOW + IDLE)).refused("session_expired")
    later = SessionRefreshed(session_id=ID, refresh_hash=SECOND, refreshed_at=NOW + SECOND_LONG)
    assert spec.given(started, later).when(rotate(SECOND, THIRD, NOW + IDLE)).decided()


@pytest.mark.asvs("V7.3.2", "V10.4.8")
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


def test_ID_07_within_the_leeway_the_token_before_is_refused_without_blame() -> None:
    """V10.4.5: two tabs of one browser ask at once; the loser is no thief."""
    given = spec.given(started, refreshed)
    given.when(rotate(FIRST, THIRD, leeway_s=10)).refused("refresh_superseded")
    late = NOW + timedelta(seconds=10)
    given.when(rotate(FIRST, THIRD, late, leeway_s=10)).refused("refresh_reused")


def test_ID_07_no_leeway_covers_the_token_before_the_last() -> None:
    last = SessionRefreshed(session_id=ID, refresh_hash=THIRD, refreshed_at=NOW)
    given = spec.given(started, refreshed, last)
    given.when(rotate(FIRST, "4d" * 32, leeway_s=60)).refused("refresh_reused")


@pytest.mark.parametrize(
    ("by", "role"), [(str(USER), Role.BUYER), ("somebody else", Role.ADMIN), ("cli", Role.SYSTEM)]
)
def test_ID_14_a_session_is_revoked_by_its_owner_or_an_admin(by: str, role: Role) -> None:
    spec.given(started).when(revoke(by, role)).then(revoked)


@pytest.mark.parametrize("role", [Role.BUYER, Role.MODERATOR, Role.OPS])
def test_ID_14_to_others_a_session_does_not_exist(role: Role) -> None:
    spec.given(started).when(revoke("somebody else", role)).refused("session_unknown", 404)
    spec.given().when(revoke(str(USER), role)).refused("session_unknown", 404)


@pytest.mark.parametrize("history", OVER)
def test_ID_14_to_others_a_session_never_existed(history: tuple[SessionEvent, ...]) -> None:
    """Else an id would tell whether somebody was once logged in under it."""
    asked = revoke("somebody else", Role.MODERATOR)
    spec.given(*history).when(asked).refused("session_unknown", 404)


def test_ID_14_what_never_began_is_nobodys() -> None:
    spec.given(failed).when(revoke(str(USER), Role.BUYER)).refused("session_unknown", 404)


@pytest.mark.parametrize("history", [each for each in OVER if each != (failed,)])
def test_ID_14_what_is_over_is_not_revoked_again(history: tuple[SessionEvent, ...]) -> None:
    spec.given(*history).when(revoke(str(USER), Role.BUYER)).then()


def test_CR_01_a_session_past_its_end_is_cleared_away() -> None:
    spec.given(started, ended).when(sweep(NOW + WEEK)).then(expired)


def test_CR_01_an_idle_session_is_cleared_away() -> None:
    at = NOW + IDLE
    spec.given(started).when(sweep(at)).then(SessionsExpired(session_id=ID, expired_at=at))


@pytest.mark.parametrize("history", [(), (started,), (started, ended), (started, reuse), (failed,)])
def test_CR_01_only_what_is_past_its_time_goes(history: tuple[SessionEvent, ...]) -> None:
    spec.given(*history).when(sweep(NOW + IDLE - SECOND_LONG)).then()


def test_CR_01_sweeping_twice_is_sweeping_once() -> None:
    spec.given(started, expired).when(sweep(NOW + 2 * WEEK)).then()


def test_CR_01_only_our_own_timer_sweeps() -> None:
    spec.given(started).when(sweep(NOW + WEEK, Role.ADMIN)).refused("role_not_allowed", 403)
