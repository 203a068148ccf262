"""What mails of alerts have told. Kept as soon as the server has taken a mail: whoever tries again
goes straight on to noting it in the log, however long that is away.

What lies between the server's yes and this row can't be known: a crash there, Postgres lost there,
or a try given up there sends the same mail again, with the same Message-ID. So does a server whose
yes was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from processors.feeding.generations import one_at_a_time
from schemas.log.recorded import Recorded
from schemas.registry import kind_of
from schemas.searches import DigestDue

# Of so many seconds ago another's try is one that has died: longer than a lane's may take.
_TAKEN_S = 120

_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS mesh;

    -- Mails of alerts: who is about to send one, and what it told once it was sent. `rest_until`:
    -- it told in one number of more than it has room for here, all that was found until then.
    CREATE TABLE IF NOT EXISTS mesh.alert_mails (
        mail_id uuid PRIMARY KEY,
        user_id text NOT NULL,
        mail text NOT NULL,
        taken_by uuid NOT NULL,
        taken_at timestamptz NOT NULL DEFAULT now(),
        sent_at timestamptz,
        match_ids text[] NOT NULL DEFAULT '{}',
        versions bigint[] NOT NULL DEFAULT '{}',
        rest_until timestamptz
    );
    CREATE INDEX IF NOT EXISTS alert_mails_of_user ON mesh.alert_mails (user_id, sent_at);
    CREATE INDEX IF NOT EXISTS alert_mails_by_age ON mesh.alert_mails (taken_at);
"""
_OF = "SELECT * FROM mesh.alert_mails WHERE mail_id = $1 AND sent_at IS NOT NULL"
_TAKE = """
    INSERT INTO mesh.alert_mails AS known (mail_id, user_id, mail, taken_by)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (mail_id) DO UPDATE SET taken_by = excluded.taken_by, taken_at = now()
    WHERE known.sent_at IS NULL
      AND (known.taken_by = excluded.taken_by
           OR known.taken_at < now() - make_interval(secs => $5))
    RETURNING true
"""
_KEEP = """
    INSERT INTO mesh.alert_mails
        (mail_id, user_id, mail, taken_by, sent_at, match_ids, versions, rest_until)
    VALUES ($1, $2, $3, $4, now(), $5, $6, $7)
    ON CONFLICT (mail_id) DO UPDATE SET sent_at = excluded.sent_at,
        match_ids = excluded.match_ids, versions = excluded.versions,
        rest_until = excluded.rest_until
"""
_TOLD = """
    SELECT coalesce(max(told.version), 0)
    FROM mesh.alert_mails AS mail
    CROSS JOIN LATERAL unnest(mail.match_ids, mail.versions) AS told (match_id, version)
    WHERE mail.user_id = $1 AND mail.sent_at IS NOT NULL AND told.match_id = $2
"""
_SENT = """
    SELECT count(*) FROM mesh.alert_mails WHERE user_id = $1 AND mail = $2 AND sent_at > $3
"""
_FORGET = "DELETE FROM mesh.alert_mails WHERE taken_at < $1"
_NEWER = """
    SELECT EXISTS (
        SELECT FROM reads.journal
        WHERE stream_id = $1 AND version > $2 AND kind = $3
          AND data::json ->> 'frequency' = $4
    )
"""


@dataclass(frozen=True)
class Told:
    """What one mail told: matches, each up to its version, and perhaps all that was found for it
    until a moment.
    """

    marks: Sequence[tuple[str, int]]
    rest_until: datetime | None = None
    by: UUID | None = None


@dataclass(frozen=True)
class Post:
    """One mail that is to be sent; `effect_id` is that of whoever wants to."""

    mail_id: UUID
    user_id: UUID
    mail: str
    effect_id: UUID


async def create_schema(pool: asyncpg.Pool) -> None:
    """Make the table; harmless when it is there."""
    async with pool.acquire() as connection, connection.transaction():
        await one_at_a_time(connection, "alert_mails")
        await connection.execute(_SCHEMA)


async def told_by(pool: asyncpg.Pool, mail_id: UUID) -> Told | None:
    """What a mail told; None when it has not been sent, as far as that is known."""
    row = await pool.fetchrow(_OF, mail_id)
    if row is None:
        return None
    marks = list(zip(row["match_ids"], row["versions"], strict=True))
    return Told(marks, row["rest_until"], row["taken_by"])


async def take(pool: asyncpg.Pool, post: Post) -> bool:
    """Whether the mail is this one's to send: several want to that tell of the same, and one may.
    Whoever took it and died is waited for two minutes.
    """
    values = (post.mail_id, str(post.user_id), post.mail, post.effect_id, _TAKEN_S)
    return bool(await pool.fetchval(_TAKE, *values))


async def keep(pool: asyncpg.Pool, post: Post, told: Told) -> None:
    """Keep that it has been sent, and what it told."""
    match_ids, versions = [each for each, _ in told.marks], [each for _, each in told.marks]
    values = (post.mail_id, str(post.user_id), post.mail, post.effect_id)
    await pool.execute(_KEEP, *values, match_ids, versions, told.rest_until)


async def told_version(pool: asyncpg.Pool, user_id: UUID, match_id: UUID) -> int:
    """Up to which version somebody's mails have told of a match, as far as they are kept."""
    return int(await pool.fetchval(_TOLD, str(user_id), str(match_id)))


async def sent_since(pool: asyncpg.Pool, user_id: UUID, mail: str, since: datetime) -> int:
    """How many mails of a kind somebody has been sent since."""
    return int(await pool.fetchval(_SENT, str(user_id), mail, since))


async def forget_told(pool: asyncpg.Pool, before: datetime) -> None:
    """Forget mails that old."""
    await pool.execute(_FORGET, before)


async def has_newer(pool: asyncpg.Pool, recorded: Recorded[Any]) -> bool:
    """Whether a later digest of this frequency is due to the same person."""
    kind, frequency = kind_of(DigestDue), recorded.event.frequency.value
    found = await pool.fetchval(_NEWER, recorded.stream_id, recorded.version, kind, frequency)
    return bool(found)
