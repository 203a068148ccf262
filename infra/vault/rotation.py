"""Another master key takes over, row by row, while everything goes on.

1. Name the new key in OTHER_MASTER_KEYS of every process: all can read what it will wrap.
2. Make it MASTER_KEY everywhere, the earlier one moves to OTHER_MASTER_KEYS.
3. `mesh vault rotate` wraps every row anew. 4. When it says that no row needs the earlier key,
   take it out of the settings; whatever it alone could open, old backups too, is noise then.

Every row says which key wraps it, so a rotation may be killed and started again, or run twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from infra.vault.vault import (
    MasterKeyMissingError,
    UnsealError,
    Wrapping,
    person_owner,
    signing_owner,
)

BATCH = 500


@dataclass(frozen=True)
class WrappedTable:
    """A table of the vault whose rows hold a wrapped key; `first` sorts before every id."""

    name: str
    id_column: str
    id_type: str
    first: UUID | str
    owner: Callable[[str], str]


WRAPPED: tuple[WrappedTable, ...] = (
    WrappedTable("people", "user_id", "uuid", UUID(int=0), person_owner),
    WrappedTable("signing_keys", "kid", "text", "", signing_owner),
)


@dataclass
class Rotation:
    """What a rotation did. `damaged` are rows that their own master key does not open."""

    rewrapped: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)  # rows by a key we were not given


async def rows_by_master_key(pool: asyncpg.Pool) -> Mapping[str, int]:
    """How many rows each master key wraps."""
    found: Counter[str] = Counter()
    for table in WRAPPED:
        rows = await pool.fetch(
            f"SELECT master_key_id, count(*) AS rows FROM vault.{table.name} GROUP BY 1"  # noqa: S608 - our own names
        )
        found.update({row["master_key_id"]: row["rows"] for row in rows})
    return found


async def rotate(
    pool: asyncpg.Pool, wrapping: Wrapping, told: Callable[[int], None] = lambda _rows: None
) -> Rotation:
    """Wrap every row by the present master key, in short transactions; `told` hears of each
    batch how many rows were looked at. Repeats until a pass finds nothing more to do: a process
    with older settings may be adding rows.
    """
    rotation = Rotation()
    while True:
        before = rotation.rewrapped
        rotation.damaged.clear()
        rotation.missing.clear()
        for table in WRAPPED:
            await _rotate_table(pool, table, wrapping, rotation, told)
        if rotation.rewrapped == before:
            return rotation


async def _rotate_table(
    pool: asyncpg.Pool,
    table: WrappedTable,
    wrapping: Wrapping,
    rotation: Rotation,
    told: Callable[[int], None],
) -> None:
    query = (
        f"SELECT {table.id_column} AS id, wrapped_key, master_key_id"  # noqa: S608 - our own names
        f" FROM vault.{table.name} WHERE {table.id_column} > $1 AND master_key_id <> $2"
        f" ORDER BY {table.id_column} LIMIT $3"
    )
    last = table.first
    while rows := await pool.fetch(query, last, wrapping.master_key_id, BATCH):
        last = rows[-1]["id"]
        rotation.rewrapped += await _rewrap(pool, table, wrapping, rows, rotation)
        told(len(rows))


async def _rewrap(
    pool: asyncpg.Pool,
    table: WrappedTable,
    wrapping: Wrapping,
    rows: Sequence[asyncpg.Record],
    rotation: Rotation,
) -> int:
    """How many of these rows are wrapped anew. Rows erased meanwhile stay away, for this is an
    update; and one that somebody else has just wrapped anew is left as it is.
    """
    fresh: list[tuple[UUID | str, bytes, bytes]] = []
    for row in rows:
        owner = table.owner(row["id"])
        try:
            key = wrapping.unwrap(row["wrapped_key"], owner, row["master_key_id"])
        except MasterKeyMissingError as error:
            rotation.missing[error.master_key_id] += 1
        except UnsealError:
            rotation.damaged.append(owner)
        else:
            fresh.append((row["id"], row["wrapped_key"], wrapping.wrap(key, owner)))
    done: str = await pool.execute(
        f"UPDATE vault.{table.name} AS kept"  # noqa: S608 - our own names
        " SET wrapped_key = fresh.wrapped, master_key_id = $4"
        f" FROM unnest($1::{table.id_type}[], $2::bytea[], $3::bytea[])"
        " AS fresh(id, old, wrapped)"
        f" WHERE kept.{table.id_column} = fresh.id AND kept.wrapped_key = fresh.old",
        *([each[place] for each in fresh] for place in range(3)),
        wrapping.master_key_id,
    )
    return int(done.rpartition(" ")[2])
