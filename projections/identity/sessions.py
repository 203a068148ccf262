"""Sessions: who is logged in since when, and which have ended. Postgres, one row per session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import ReuseDetected, SessionEnded, SessionRefreshed, SessionStarted
from schemas.recorded import Recorded

Heard = SessionStarted | SessionRefreshed | ReuseDetected | SessionEnded


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in on one device. `token` is the SHA-256 of the refresh token that is valid now."""

    user_id: str
    token: str
    started_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None  # logout, reuse


def key(recorded: Recorded[Heard]) -> str:
    """The session's id."""
    return str(recorded.event.session_id)


def fold(row: Session | None, recorded: Recorded[Heard]) -> Session | None:
    """The session after the event."""
    event = recorded.event
    match event:
        case SessionStarted(started_at=at):
            return Session(
                user_id=str(event.user_id),
                token=event.refresh_hash,
                started_at=at,
                refreshed_at=at,
                expires_at=event.expires_at,
            )
        case SessionRefreshed(refresh_hash=token, refreshed_at=at):
            return row and replace(row, token=token, refreshed_at=at)
        case ReuseDetected(detected_at=at):
            return row and replace(row, ended_at=at, ended_by="reuse")
        case SessionEnded(ended_at=at):
            return row and replace(row, ended_at=at, ended_by="logout")
        case _:
            assert_never(event)


table = Table("sessions", MetaData(), *columns_of(Session))
Index("of_user", table.c.user_id, table.c.started_at.desc())
Index("ended", table.c.ended_at, table.c.key, postgresql_where=table.c.ended_at.is_not(None))

sessions = Projection(
    name="sessions",
    version=1,
    hears=(SessionStarted, SessionRefreshed, ReuseDetected, SessionEnded),
    key=key,
    fold=fold,
    row=Session,
    target=PostgresTable(table),
)


async def by_id(reads: Reads, session_id: str) -> Mapping[str, Any] | None:
    """One session."""
    return await reads.fetchrow(
        "SELECT key, user_id, started_at, refreshed_at, expires_at, ended_at, ended_by"
        " FROM reads.sessions WHERE key = $1",
        session_id,
    )


async def ended_since(
    reads: Reads, moment: datetime, after: str, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Sessions that ended later than `moment`, or then with an id past `after`; in that order."""
    return await reads.fetch(
        "SELECT key, ended_at FROM reads.sessions WHERE (ended_at, key) > ($1, $2)"
        " ORDER BY ended_at, key LIMIT $3",
        moment,
        after,
        limit,
    )
