from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from projections.identity.sessions import sessions
from schemas.identity import (
    ReuseDetected,
    SessionEnded,
    SessionRefreshed,
    SessionRevoked,
    SessionsExpired,
    SessionStarted,
)
from tests.projections.history import BEGINNING, history, rows_of

SESSION, USER = UUID(int=1), UUID(int=2)
KEY = str(SESSION)
LATER = BEGINNING + timedelta(hours=1)
IDLE_S = 3 * 24 * 3600
IDLE, END = timedelta(seconds=IDLE_S), BEGINNING + timedelta(days=7)
STARTED = SessionStarted(
    session_id=SESSION,
    user_id=USER,
    user_version=2,
    refresh_hash="a" * 64,
    started_at=BEGINNING,
    expires_at=END,
    idle_s=IDLE_S,
)


def after(*events):
    return rows_of(sessions, history(f"session/{SESSION}", STARTED, *events))[KEY]


def test_ID_22_a_session_knows_whose_it_is_and_holds_the_tokens_hash() -> None:
    row = after()
    assert (row.user_id, row.token, row.ended_at) == (str(USER), "a" * 64, None)


def test_ID_07_a_refresh_replaces_the_tokens_hash() -> None:
    row = after(SessionRefreshed(session_id=SESSION, refresh_hash="b" * 64, refreshed_at=LATER))
    assert (row.token, row.refreshed_at) == ("b" * 64, LATER)


def test_ID_07_a_reused_token_ends_the_session() -> None:
    row = after(ReuseDetected(session_id=SESSION, detected_at=LATER))
    assert (row.ended_at, row.ended_by) == (LATER, "reuse")


def test_ID_06_a_logout_ends_the_session() -> None:
    row = after(SessionEnded(session_id=SESSION, ended_at=LATER))
    assert (row.ended_at, row.ended_by) == (LATER, "logout")


def test_what_follows_an_unknown_start_makes_no_session() -> None:
    ended = history(f"session/{SESSION}", SessionEnded(session_id=SESSION, ended_at=LATER))
    assert rows_of(sessions, ended) == {}


def test_ID_07_a_refresh_puts_the_idle_end_off_but_never_past_the_last_one() -> None:
    assert after().until == BEGINNING + IDLE
    row = after(SessionRefreshed(session_id=SESSION, refresh_hash="b" * 64, refreshed_at=LATER))
    assert row.until == LATER + IDLE
    late = END - timedelta(hours=1)
    row = after(SessionRefreshed(session_id=SESSION, refresh_hash="b" * 64, refreshed_at=late))
    assert row.until == END


def test_ID_14_a_revoked_session_is_over() -> None:
    row = after(SessionRevoked(session_id=SESSION, user_id=USER, revoked_at=LATER))
    assert (row.ended_at, row.ended_by, row.until) == (LATER, "revoked", END)


def test_CR_01_a_swept_session_has_no_row() -> None:
    swept = SessionsExpired(session_id=SESSION, expired_at=END)
    assert rows_of(sessions, history(f"session/{SESSION}", STARTED, swept)) == {}
