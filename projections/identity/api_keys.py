"""API keys: whose each is, what it opens and until when. Postgres, one row per key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity.api_keys import ApiKeyEvent, ApiKeyIssued, ApiKeyRevoked
from schemas.log.recorded import Recorded


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key. `hash` is the SHA-256 of its text; `operations` has a space between its names."""

    user_id: str
    hash: str
    label_sealed: str
    operations: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


def key(recorded: Recorded[ApiKeyEvent]) -> str:
    """The key's id."""
    return str(recorded.event.key_id)


def fold(row: ApiKey | None, recorded: Recorded[ApiKeyEvent]) -> ApiKey | None:
    """The key after the event."""
    event = recorded.event
    match event:
        case ApiKeyIssued():
            return ApiKey(
                user_id=str(event.user_id),
                hash=event.key_hash,
                label_sealed=event.label_sealed,
                operations=" ".join(event.operations),
                issued_at=event.issued_at,
                expires_at=event.expires_at,
            )
        case ApiKeyRevoked(revoked_at=at):
            return row and replace(row, revoked_at=at)
        case _:
            assert_never(event)


table = Table("api_keys", MetaData(), *columns_of(ApiKey))
Index("of_owner", table.c.user_id, table.c.issued_at.desc())

api_keys = Projection(
    name="api_keys",
    version=1,
    hears=get_args(ApiKeyEvent),
    key=key,
    fold=fold,
    row=ApiKey,
    target=PostgresTable(table),
)

_COLUMNS = "key, user_id, hash, label_sealed, operations, issued_at, expires_at, revoked_at"


async def by_id(reads: Reads, key_id: str) -> Mapping[str, Any] | None:
    """One key."""
    return await reads.fetchrow(
        f"SELECT {_COLUMNS} FROM reads.api_keys WHERE key = $1",  # noqa: S608 - our own names
        key_id,
    )


async def live_of(
    reads: Reads, user_id: str, moment: datetime, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Somebody's keys that still open something, the newest first."""
    return await reads.fetch(
        f"SELECT {_COLUMNS} FROM reads.api_keys"  # noqa: S608 - our own names
        " WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2"
        " ORDER BY issued_at DESC, key LIMIT $3",
        user_id,
        moment,
        limit,
    )
