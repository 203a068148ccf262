"""Share links as they are kept for reading: who has opened which, and whether it still shows
something. A context declares its own in one line:

    shared_wishlists = shares("shared_wishlists", WishlistShared, WishlistUnshared)

One whose links show what was when they were opened adds its columns to `Shares`, and folds with `after`.

Postgres, one row per person: when an event about a link can't be read, all of that person's links
are withheld until it is mended, and none that was revoked stays open for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, assert_never

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.log.recorded import Recorded
from schemas.sharing import SHARES_MAX, Shared, Unshared

KEPT_MAX = 200  # links of one person, ended ones among them: of those it is told that they are

Heard: TypeAlias = Shared | Unshared
Row = TypeVar("Row", bound="Shares")


@dataclass(frozen=True, slots=True)
class Shares:
    """Somebody's links, the first opened first. `token_hashes` are the SHA-256 of their texts. They
    name nobody but by an id, so those of whoever has left stay: it is still told that they ended.
    """

    share_ids: tuple[str, ...] = ()
    token_hashes: tuple[str, ...] = ()
    shared_at: tuple[datetime, ...] = ()
    expires_at: tuple[datetime, ...] = ()
    revoked: tuple[bool, ...] = ()
    version: int = 0


def key(recorded: Recorded[Heard]) -> str:
    """The owner's id."""
    return str(recorded.event.user_id)


def fold(row: Shares | None, recorded: Recorded[Heard]) -> Shares:
    """The links after the event."""
    return after(row or Shares(), recorded.event, recorded.version)


def after(row: Row, event: Heard, version: int) -> Row:
    """The row, whatever else it tells, with its links as they are after the event."""
    match event:
        case Shared():
            row = _opened(_with_room(_without(row, str(event.share_id)), event.shared_at), event)
        case Unshared(share_id=share_id):
            ended = zip(row.share_ids, row.revoked, strict=True)
            row = replace(row, revoked=tuple(was or each == str(share_id) for each, was in ended))
        case _:
            assert_never(event)
    return replace(row, version=version)


def _opened(row: Row, event: Shared) -> Row:
    return replace(
        row,
        share_ids=(*row.share_ids, str(event.share_id)),
        token_hashes=(*row.token_hashes, event.token_hash),
        shared_at=(*row.shared_at, event.shared_at),
        expires_at=(*row.expires_at, event.expires_at),
        revoked=(*row.revoked, False),
    )


def _with_room(row: Row, moment: datetime) -> Row:
    """Room for one more: what has ended first is forgotten first, and what is open never."""
    if len(row.share_ids) < KEPT_MAX:
        return row
    links = zip(row.share_ids, row.revoked, row.expires_at, strict=True)
    ended = (share_id for share_id, revoked, until in links if revoked or until <= moment)
    return _without(row, next(ended, ""))


def _without(row: Row, share_id: str) -> Row:
    if share_id not in row.share_ids:
        return row
    place = row.share_ids.index(share_id)
    return replace(
        row,
        share_ids=row.share_ids[:place] + row.share_ids[place + 1 :],
        token_hashes=row.token_hashes[:place] + row.token_hashes[place + 1 :],
        shared_at=row.shared_at[:place] + row.shared_at[place + 1 :],
        expires_at=row.expires_at[:place] + row.expires_at[place + 1 :],
        revoked=row.revoked[:place] + row.revoked[place + 1 :],
    )


def table_of(name: str, row: type[Shares]) -> Table:
    """The table of such rows, in which a link is found by the hash of its text."""
    table = Table(name, MetaData(), *columns_of(row))
    Index("of_token", table.c.token_hashes, postgresql_using="gin")
    return table


def shares(
    name: str, shared: type[Shared], unshared: type[Unshared], *, version: int = 1
) -> Projection[Shares]:
    """The read model of the links that these events open and revoke."""
    return Projection(
        name=name,
        version=version,
        hears=(shared, unshared),
        key=key,
        fold=fold,
        row=Shares,
        target=PostgresTable(table_of(name, Shares)),
    )


_LINKS = """
    SELECT own.key AS user_id, link.* FROM reads.{name} AS own CROSS JOIN LATERAL
        unnest(own.share_ids, own.token_hashes, own.shared_at, own.expires_at, own.revoked)
        AS link (share_id, token_hash, shared_at, expires_at, revoked)
"""
_BY_HASH = f"""
    SELECT found.*, coalesce(owner.status IN ('pending', 'active'), false) AS owner_is_here
    FROM ({_LINKS} WHERE own.token_hashes @> ARRAY[$1] AND link.token_hash = $1) AS found
    LEFT JOIN reads.users AS owner ON owner.key = found.user_id
"""  # noqa: S608 - our own names
_OPEN_OF = f"""
    {_LINKS} WHERE own.key = $1 AND NOT link.revoked AND link.expires_at > $2
    ORDER BY link.shared_at DESC, link.share_id LIMIT {SHARES_MAX}
"""


async def by_hash(
    reads: Reads, links: Projection[Any], token_hash: str
) -> Mapping[str, Any] | None:
    """The link whose text has this hash, an ended one too; `owner_is_here` tells whether others see
    the owner.
    """
    return await reads.fetchrow(_BY_HASH.format(name=links.name), token_hash)


async def open_of(
    reads: Reads, links: Projection[Any], user_id: str, moment: datetime
) -> Sequence[Mapping[str, Any]]:
    """Somebody's links that still show something, the last opened first."""
    return await reads.fetch(_OPEN_OF.format(name=links.name), user_id, moment)
