"""Sessions: who is logged in since when, and which have ended. Postgres, one row per session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import (
    ReuseDetected,
    SessionEnded,
    SessionRefreshed,
    SessionRevoked,
    SessionsExpired,
    SessionStarted,
)
from schemas.log.recorded import Recorded

Heard = (
    SessionStarted
    | SessionRefreshed
    | ReuseDetected
    | SessionEnded
    | SessionRevoked
    | SessionsExpired
)


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in on one device. `token` is the SHA-256 of the refresh token that is valid now.
    It is over at `until` (its end, or unused for too long), when `ended_at` is set, or when its
    person has cut off all of them: see `users.sessions_since`.
    """

    user_id: str
    user_version: int
    token: str
    started_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    idle_s: int
    until: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None  # logout, reuse, revoked


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
                user_version=event.user_version,
                token=event.refresh_hash,
                started_at=at,
                refreshed_at=at,
                expires_at=event.expires_at,
                idle_s=event.idle_s,
                until=min(event.expires_at, at + timedelta(seconds=event.idle_s)),
            )
        case SessionRefreshed():
            return row and _refreshed(row, event)
        case ReuseDetected(detected_at=at):
            return row and _ended(row, at, "reuse")
        case SessionEnded(ended_at=at):
            return row and _ended(row, at, "logout")
        case SessionRevoked(revoked_at=at):
            return row and _ended(row, at, "revoked")
        case SessionsExpired():
            return None
        case _:
            assert_never(event)


def _refreshed(row: Session, event: SessionRefreshed) -> Session:
    at = event.refreshed_at
    until = min(row.expires_at, at + timedelta(seconds=row.idle_s))
    return replace(row, token=event.refresh_hash, refreshed_at=at, until=until)


def _ended(row: Session, at: datetime, by: str) -> Session:
    """Kept until it would have expired, for the denylist."""
    return replace(row, ended_at=at, ended_by=by, until=row.expires_at)


table = Table("sessions", MetaData(), *columns_of(Session))
Index("of_user", table.c.user_id, table.c.started_at.desc())
Index("until", table.c.until, table.c.key)
Index("ended", table.c.ended_at, table.c.key, postgresql_where=table.c.ended_at.is_not(None))

sessions = Projection(
    name="sessions",
    version=2,
    hears=get_args(Heard),
    key=key,
    fold=fold,
    row=Session,
    target=PostgresTable(table),
)


async def by_id(reads: Reads, session_id: str) -> Mapping[str, Any] | None:
    """One session."""
    return await reads.fetchrow(
        "SELECT key, user_id, user_version, started_at, refreshed_at, expires_at, until,"
        " ended_at, ended_by FROM reads.sessions WHERE key = $1",
        session_id,
    )


async def running_of(
    reads: Reads, user_id: str, now: datetime, limit: int
) -> Sequence[Mapping[str, Any]]:
    """A person's sessions that are not over at `now`, the newest first."""
    return await reads.fetch(
        "SELECT s.key, started_at, refreshed_at, until"
        " FROM reads.sessions AS s JOIN reads.users AS u ON u.key = s.user_id"
        " WHERE s.user_id = $1 AND ended_at IS NULL AND until > $2"
        " AND (user_version >= sessions_since OR s.key = kept_session)"
        " ORDER BY started_at DESC, s.key LIMIT $3",
        user_id,
        now,
        limit,
    )


async def past_their_time(reads: Reads, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Ids of sessions past `after`, in order, that are to be cleared away."""
    rows = await reads.fetch(
        "SELECT key FROM reads.sessions WHERE until <= $1 AND key > $2 ORDER BY key LIMIT $3",
        now,
        after,
        limit,
    )
    return [row["key"] for row in rows]


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
