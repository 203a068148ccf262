"""People: their role and standing, e-mail and name sealed. Postgres, one row per person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import (
    EmailVerificationRequested,
    EmailVerified,
    IdentityLinked,
    IdentityUnlinked,
    LoggedOutEverywhere,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RegistrationAbandoned,
    RoleGranted,
    TokenLapsed,
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserEvent,
    UserReactivated,
    UserRegistered,
    UserStatus,
    UserUnbanned,
)
from schemas.log.messages import Language, Market, Role
from schemas.log.recorded import Recorded


@dataclass(frozen=True, slots=True)
class User:
    """A person. The password's hash is in the vault and nowhere else.

    Versions are the person's own: a session begun below `sessions_since` is over, an access
    token issued below `tokens_since` is void. `kept_session` is spared by the former, and its
    tokens need only be of `kept_tokens_since`.
    """

    email_sealed: str
    email_hash: str
    email_domain: str | None
    name_sealed: str
    role: Role
    status: UserStatus
    email_verified: bool
    market: Market
    language: Language
    version: int
    created_at: datetime
    updated_at: datetime
    sessions_since: int = 0
    tokens_since: int = 0
    kept_tokens_since: int = 0
    kept_session: str | None = None
    cut_at: datetime | None = None  # when any of these four last changed
    credential_change: str | None = None  # the hash in the vault that is, or waits to be, theirs
    credential_version: int = 0
    email_as_typed: bool = False  # what is sealed; earlier it was folded


def key(recorded: Recorded[UserEvent]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: User | None, recorded: Recorded[UserEvent]) -> User | None:
    """The person after the event; whoever never registered has no row."""
    event = recorded.event
    match event:
        case UserRegistered():
            return _registered(event, recorded.version)
        case RegistrationAbandoned():
            return row
        case _:
            return row and replace(_changed(row, event, recorded.version), version=recorded.version)


def _registered(event: UserRegistered, version: int) -> User:
    return User(
        email_sealed=event.email_sealed,
        email_hash=event.email_hash,
        email_domain=event.email_domain,
        name_sealed=event.name_sealed,
        role=event.role,
        status=UserStatus.PENDING,
        email_verified=False,
        market=event.market,
        language=event.language,
        version=version,
        created_at=event.registered_at,
        updated_at=event.registered_at,
        email_as_typed=event.email_as_typed,
    )


_Unseen = (
    EmailVerificationRequested
    | PasswordResetRequested
    | TokenLapsed
    | IdentityLinked
    | IdentityUnlinked
)
_Standing = EmailVerified | UserReactivated | UserUnbanned
_Cut = (
    RoleGranted
    | PasswordReset
    | PasswordChanged
    | LoggedOutEverywhere
    | UserDeactivated
    | UserBanned
    | UserDeleted
)


def _changed(row: User, event: _Unseen | _Standing | _Cut, version: int) -> User:
    match event:
        case (
            EmailVerificationRequested()
            | PasswordResetRequested()
            | TokenLapsed()
            | IdentityLinked()
            | IdentityUnlinked()
        ):
            return row
        case EmailVerified(status=status, verified_at=at):
            return replace(row, status=status, email_verified=True, updated_at=at)
        case (
            UserReactivated(status=status, reactivated_at=at)
            | UserUnbanned(status=status, unbanned_at=at)
        ):
            return replace(row, status=status, updated_at=at)
        case _:
            return _cut(row, event, version)


def _cut(row: User, event: _Cut, version: int) -> User:
    """What ends sessions, or at least voids their access tokens."""
    match event:
        case RoleGranted(role=role, granted_at=at):
            return replace(_new_tokens(row, version, at), role=role)
        case PasswordChanged(session_id=kept, changed_at=at):
            return replace(
                row,
                sessions_since=version,
                tokens_since=version,
                kept_session=str(kept),
                updated_at=at,
                cut_at=at,
                credential_change=str(event.change_id),
                credential_version=version,
            )
        case PasswordReset(change_id=change, reset_at=at):
            ended = _logged_out(row, version, at)
            return replace(ended, credential_change=str(change), credential_version=version)
        case LoggedOutEverywhere(logged_out_at=at):
            return _logged_out(row, version, at)
        case UserDeactivated(deactivated_at=at):
            return replace(_logged_out(row, version, at), status=UserStatus.DEACTIVATED)
        case UserBanned(banned_at=at):
            return replace(_logged_out(row, version, at), status=UserStatus.BANNED)
        case UserDeleted(deleted_at=at):
            return _deleted(_logged_out(row, version, at))
        case _:
            assert_never(event)


def _new_tokens(row: User, version: int, at: datetime) -> User:
    return replace(row, tokens_since=version, kept_tokens_since=version, updated_at=at, cut_at=at)


def _logged_out(row: User, version: int, at: datetime) -> User:
    return replace(_new_tokens(row, version, at), sessions_since=version, kept_session=None)


def _deleted(row: User) -> User:
    """Nothing that points at a person is left; the row stays, so that ids still resolve."""
    return replace(
        row,
        email_sealed="",
        email_hash="",
        email_domain=None,
        name_sealed="",
        status=UserStatus.DELETED,
    )


table = Table("users", MetaData(), *columns_of(User))
Index("email", table.c.email_hash)
Index("cut", table.c.cut_at, table.c.key, postgresql_where=table.c.cut_at.is_not(None))

users = Projection(
    name="users",
    version=3,
    hears=get_args(UserEvent),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=User,
    target=PostgresTable(table),
)

_COLUMNS = (
    "key, email_sealed, email_hash, email_domain, name_sealed, role, status, email_verified,"
    " market, language, version, created_at, updated_at, sessions_since, tokens_since,"
    " kept_tokens_since, kept_session, credential_change, credential_version,"
    " email_as_typed"
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


async def cut_since(
    reads: Reads, moment: datetime, after: str, limit: int
) -> Sequence[Mapping[str, Any]]:
    """People whose sessions or tokens were cut later than `moment`, or then with an id past
    `after`; in that order.
    """
    return await reads.fetch(
        "SELECT key, cut_at, tokens_since, kept_tokens_since, sessions_since, kept_session"
        " FROM reads.users WHERE (cut_at, key) > ($1, $2) ORDER BY cut_at, key LIMIT $3",
        moment,
        after,
        limit,
    )
