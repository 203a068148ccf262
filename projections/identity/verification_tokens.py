"""One-time tokens that are out: one of each purpose a person. Postgres; a used, replaced or
lapsed one has no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import (
    EmailVerificationRequested,
    EmailVerified,
    PasswordReset,
    PasswordResetRequested,
    TokenLapsed,
    TokenPurpose,
)
from schemas.log.recorded import Recorded

Heard = (
    EmailVerificationRequested
    | EmailVerified
    | PasswordResetRequested
    | PasswordReset
    | TokenLapsed
)


@dataclass(frozen=True, slots=True)
class VerificationToken:
    """A token somebody has in their mailbox; `token` is the SHA-256 of its text."""

    user_id: str
    type: TokenPurpose
    token_id: str
    token: str
    requested_at: datetime
    expires_at: datetime


def key(recorded: Recorded[Heard]) -> str:
    """Whose, and for what: a newer one takes the place of the one before."""
    return f"{recorded.event.user_id}/{_purpose(recorded.event)}"


def rows_of(stream_id: str) -> tuple[str, ...]:
    """Whatever their stream says, it is about one of these."""
    user_id = stream_id.partition("/")[2]
    return tuple(f"{user_id}/{purpose}" for purpose in TokenPurpose)


def _purpose(event: Heard) -> TokenPurpose:
    match event:
        case EmailVerificationRequested() | EmailVerified():
            return TokenPurpose.VERIFY_EMAIL
        case PasswordResetRequested() | PasswordReset():
            return TokenPurpose.RESET_PASSWORD
        case TokenLapsed(purpose=purpose):
            return purpose
        case _:
            assert_never(event)


def fold(_row: VerificationToken | None, recorded: Recorded[Heard]) -> VerificationToken | None:
    """The token that is out after the event."""
    event = recorded.event
    match event:
        case EmailVerificationRequested() | PasswordResetRequested():
            return VerificationToken(
                user_id=str(event.user_id),
                type=_purpose(event),
                token_id=str(event.token_id),
                token=event.token_hash,
                requested_at=event.requested_at,
                expires_at=event.expires_at,
            )
        case EmailVerified() | PasswordReset() | TokenLapsed():
            return None
        case _:
            assert_never(event)


table = Table("verification_tokens", MetaData(), *columns_of(VerificationToken))
Index("of_token", table.c.token_id)
Index("lapsing", table.c.expires_at)

verification_tokens = Projection(
    name="verification_tokens",
    version=1,
    hears=get_args(Heard),
    key=key,
    fold=fold,
    row=VerificationToken,
    target=PostgresTable(table),
    rows_of=rows_of,
)


async def by_token_id(reads: Reads, token_id: str) -> Mapping[str, Any] | None:
    """The token with this id."""
    return await reads.fetchrow(
        "SELECT user_id, type, token_id, token, expires_at FROM reads.verification_tokens"
        " WHERE token_id = $1",
        token_id,
    )


async def owners_of_lapsed(reads: Reads, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Ids of people past `after`, in order, who have let a token lapse."""
    rows = await reads.fetch(
        "SELECT DISTINCT user_id FROM reads.verification_tokens"
        " WHERE expires_at <= $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
        now,
        after,
        limit,
    )
    return [row["user_id"] for row in rows]
