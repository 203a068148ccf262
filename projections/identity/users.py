"""People: their role and standing, e-mail and name sealed. Postgres, one row per person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import (
    EmailVerificationRequested,
    RegistrationAbandoned,
    RoleGranted,
    UserEvent,
    UserRegistered,
    UserStatus,
)
from schemas.messages import Market, Role
from schemas.recorded import Recorded


@dataclass(frozen=True, slots=True)
class User:
    """A person. The password's hash is in the vault and nowhere else."""

    email_sealed: str
    email_hash: str
    name_sealed: str
    role: Role
    status: UserStatus
    email_verified: bool
    market: Market
    version: int
    created_at: datetime
    updated_at: datetime


def key(recorded: Recorded[UserEvent]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: User | None, recorded: Recorded[UserEvent]) -> User | None:
    """The person after the event; whoever never registered has no row."""
    event = recorded.event
    match event:
        case UserRegistered():
            return User(
                email_sealed=event.email_sealed,
                email_hash=event.email_hash,
                name_sealed=event.name_sealed,
                role=event.role,
                status=UserStatus.PENDING,
                email_verified=False,
                market=event.market,
                version=recorded.version,
                created_at=event.registered_at,
                updated_at=event.registered_at,
            )
        case EmailVerificationRequested():
            return row and replace(row, version=recorded.version)
        case RoleGranted(role=role, granted_at=at):
            return row and replace(row, role=role, updated_at=at, version=recorded.version)
        case RegistrationAbandoned():
            return row
        case _:
            assert_never(event)


table = Table("users", MetaData(), *columns_of(User))
Index("email", table.c.email_hash)

users = Projection(
    name="users",
    version=1,
    hears=get_args(UserEvent),
    key=key,
    fold=fold,
    row=User,
    target=PostgresTable(table),
)

_COLUMNS = (
    "key, email_sealed, email_hash, name_sealed, role, status, email_verified, market,"
    " version, created_at, updated_at"
)


async def by_id(reads: Reads, user_id: str) -> Mapping[str, Any] | None:
    """One person."""
    return await reads.fetchrow(
        f"SELECT {_COLUMNS} FROM reads.users WHERE key = $1",  # noqa: S608 - our own names
        user_id,
    )


async def by_email(reads: Reads, email_hash: str) -> Mapping[str, Any] | None:
    """The person whose e-mail has this look-up hash."""
    return await reads.fetchrow(
        f"SELECT {_COLUMNS} FROM reads.users WHERE email_hash = $1",  # noqa: S608 - our own names
        email_hash,
    )
