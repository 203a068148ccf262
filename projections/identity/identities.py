"""Providers' identities and whom they let in. Postgres, one row an identity; its subject only
as a keyed hash.
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
from schemas.identity import IdentityClaimed, IdentityClaimEvent, IdentityReleased
from schemas.log.recorded import Recorded

LINKS_MAX = 100  # of one person; the rules allow fewer


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity and the person it lets in."""

    owner_id: str
    provider: str
    claimed_at: datetime


def key(recorded: Recorded[IdentityClaimEvent]) -> str:
    """The identity, as a hash."""
    return recorded.event.subject_hash


def fold(_row: Identity | None, recorded: Recorded[IdentityClaimEvent]) -> Identity | None:
    """Whose the identity is after the event; one let go has no row."""
    event = recorded.event
    match event:
        case IdentityClaimed():
            return Identity(str(event.owner_id), event.provider, event.claimed_at)
        case IdentityReleased():
            return None
        case _:
            assert_never(event)


table = Table("identities", MetaData(), *columns_of(Identity))
Index("of_owner", table.c.owner_id)

identities = Projection(
    name="identities",
    version=1,
    hears=get_args(IdentityClaimEvent),
    key=key,
    fold=fold,
    row=Identity,
    target=PostgresTable(table),
)


async def by_subject(reads: Reads, subject_hash: str) -> Mapping[str, Any] | None:
    """Whom this identity lets in."""
    return await reads.fetchrow(
        "SELECT key, owner_id, provider, claimed_at FROM reads.identities WHERE key = $1",
        subject_hash,
    )


async def of_owner(reads: Reads, owner_id: str) -> Sequence[Mapping[str, Any]]:
    """The identities that let this person in, oldest first."""
    return await reads.fetch(
        "SELECT key, owner_id, provider, claimed_at FROM reads.identities"
        " WHERE owner_id = $1 ORDER BY claimed_at, key LIMIT $2",
        owner_id,
        LINKS_MAX,
    )
