"""The vault in a file, and back. The file holds what the tables hold, wrapped keys and hashes,
sealed once more with a key derived from the master key: without that it is noise.

A restore adds what is missing and replaces nothing. Whoever has been erased since stays erased:
the caller says whom the log calls deleted, for the log outlives a lost vault, and the vault's
own list names those of whom the log says nothing. A password changed since stays away too: its
owner sets another one by e-mail, rather than a thief coming back with the old one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from infra.vault.sealed_file import ForeignFileError, SealedWriter, read_sealed
from infra.vault.vault import Wrapping

TITLE = b"Marketmesh vault backup, form 1"
PURPOSE = "vault backup"
SALT_BYTES = 32
BATCH = 1_000

# In the order in which they come back: what a row refers to stands before it.
TABLES: Mapping[str, str] = {
    "erased": "user_id",
    "people": "user_id",
    "passwords": "user_id",
    "password_changes": "change_id",
    "signing_keys": "kid",
}
_OF_SOMEBODY = "EXISTS (SELECT FROM vault.people WHERE people.user_id = row.user_id)"
# What besides must hold for a row of the file to come back.
_CONDITIONS: Mapping[str, str] = {
    "people": "NOT EXISTS (SELECT FROM vault.erased WHERE erased.user_id = row.user_id)",
    "passwords": _OF_SOMEBODY,
    "password_changes": _OF_SOMEBODY,
}


@dataclass(frozen=True)
class Since:
    """What the log knows that a backup may not: who has been deleted, and at which of their
    versions a person's password was changed last.
    """

    deleted: Collection[UUID] = frozenset()
    passwords_changed: Mapping[UUID, int] = field(default_factory=dict)


@dataclass
class Restored:
    """Rows by table: come back, there already, of those the ones that differ (and were left
    as they are), and left out because their owner is erased or the password was changed.
    """

    added: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


async def backup(pool: asyncpg.Pool, wrapping: Wrapping, path: Path) -> Counter[str]:
    """Write the vault as it is at one moment into a new file of mode 0600; rows by table.
    Raises FileExistsError, OSError; leaves no half file.
    """
    header = _Header(
        master_key_id=wrapping.master_key_id,
        salt=os.urandom(SALT_BYTES).hex(),
        made_at=datetime.now(UTC).isoformat(),
    )
    written: Counter[str] = Counter()
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        with SealedWriter(path, TITLE, orjson.dumps(header), header.key(wrapping)) as file:
            for table in TABLES:
                async for row in _rows(connection, table):
                    file.write(orjson.dumps([table, orjson.loads(row)]) + b"\n")
                    written[table] += 1
    return written


async def _rows(connection: PoolConnectionProxy, table: str) -> AsyncIterator[str]:
    query = f"SELECT row_to_json(kept)::text FROM vault.{table} AS kept"  # noqa: S608 - our own names
    async for record in connection.cursor(query, prefetch=BATCH):
        yield record[0]


async def restore(
    pool: asyncpg.Pool,
    wrapping: Wrapping,
    path: Path,
    since: Since,
    told: Callable[[int], None] = lambda _rows: None,
) -> Restored:
    """Bring back what is missing, all or nothing. Raises ForeignFileError for a file that is
    none of ours, altered or cut off, and MasterKeyMissingError where its key is not known.
    """
    pieces = read_sealed(path, TITLE, lambda text: _Header.read(text).key(wrapping))
    done = Restored()
    async with pool.acquire() as connection, connection.transaction():
        # A restore is rare and must see one state; nobody's key is missing for longer.
        await connection.execute("LOCK TABLE vault.people IN SHARE ROW EXCLUSIVE MODE")
        await connection.executemany(
            "INSERT INTO vault.erased (user_id) VALUES ($1) ON CONFLICT DO NOTHING",
            [(each,) for each in since.deleted],
        )
        for table, rows in _batches(pieces):
            await _restore_rows(connection, table, rows, since, done)
            told(len(rows))
        # Whoever came back by another way than this one goes again.
        await connection.execute(
            "DELETE FROM vault.people USING vault.erased WHERE people.user_id = erased.user_id"
        )
    return done


@dataclass(frozen=True)
class _Header:
    """The first line: what must be known before the content can be opened."""

    master_key_id: str
    salt: str
    made_at: str

    @classmethod
    def read(cls, text: bytes) -> _Header:
        try:
            header = cls(**orjson.loads(text))
            datetime.fromisoformat(header.made_at), bytes.fromhex(header.salt)
        except (ValueError, TypeError):
            message = "the file's header can't be read: it is damaged"
            raise ForeignFileError(message) from None
        return header

    def key(self, wrapping: Wrapping) -> bytes:
        return wrapping.derived_key(PURPOSE, bytes.fromhex(self.salt), self.master_key_id)


def _batches(pieces: Iterable[bytes]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of one table, some at a time."""
    table, rows = "", list[dict[str, Any]]()
    for line in _lines(pieces):
        name, row = orjson.loads(line)
        if name not in TABLES:
            message = f"the file holds rows of {name}, which this version does not know"
            raise ForeignFileError(message)
        if rows and (name != table or len(rows) == BATCH):
            yield table, rows
            rows = []
        table = name
        rows.append(row)
    if rows:
        yield table, rows


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


async def _restore_rows(
    connection: PoolConnectionProxy,
    table: str,
    rows: list[dict[str, Any]],
    since: Since,
    done: Restored,
) -> None:
    wanted = [row for row in rows if not _outdated(table, row, since)]
    given = orjson.dumps(wanted).decode()
    source = f"json_populate_recordset(null::vault.{table}, $1::json) AS row"
    id_column, condition = TABLES[table], _CONDITIONS.get(table, "true")
    (found,) = await connection.fetch(
        "SELECT count(*) AS there, count(*) FILTER (WHERE kept IS DISTINCT FROM row) AS differing"  # noqa: S608 - our own names
        f" FROM vault.{table} AS kept JOIN {source} USING ({id_column})",
        given,
    )
    # By name: a table may have got another column since.
    columns = ", ".join(f'"{name}"' for name in rows[0])
    added = await connection.execute(
        f"INSERT INTO vault.{table} ({columns}) SELECT {columns} FROM {source}"  # noqa: S608 - our own names
        f" WHERE {condition} ON CONFLICT DO NOTHING",
        given,
    )
    count = int(added.rpartition(" ")[2])
    done.added[table] += count
    done.there[table] += found["there"]
    done.differing[table] += found["differing"]
    done.left_out[table] += len(rows) - count - found["there"]


def _outdated(table: str, row: Mapping[str, Any], since: Since) -> bool:
    if table != "passwords":
        return False
    changed_at = since.passwords_changed.get(UUID(row["user_id"]), 0)
    return changed_at > int(row["version"])
