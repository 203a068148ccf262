"""One round on a generation in Postgres.

Two ways, the same result. A round that has asked for watermarks is a transaction: they and the
rows it loads are locked, and whatever else must be atomic can go through it. A round that has
not is two statements, one to load and one to write: the write happens only if watermarks and
rows are what they were, and is a conflict otherwise. The second way costs two round trips and
not five, which is what a worker does hundreds of times a second; the first settles conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import structlog
from asyncpg import exceptions

from infra.metrics import EVENTS_IGNORED
from processors.stores.port import (
    Change,
    ConflictError,
    Connection,
    Held,
    Watermark,
    Watermarks,
)
from processors.stores.postgres_tables import SCHEMA, PhysicalTable
from schemas.log.positions import TopicPartition

COPY_ROWS_MIN = 5_000  # from here on COPY beats arrays, temporary table included
_ASIDE = "changes_aside"

log = structlog.get_logger()


class RolledBack(Exception):  # noqa: N818 - a way out, not an error
    """A trial went well and must leave nothing behind."""


class PostgresSession:
    """Fulfils processors.stores.port.Session. `stack` ends its transaction, if it begins one."""

    locks = True

    def __init__(self, connection: Connection, table: PhysicalTable, stack: AsyncExitStack) -> None:
        self.transaction: Connection | None = None
        self.tried: Sequence[Change] = ()
        self._connection = connection
        self._table = table
        self._stack = stack
        self._projection = table.generation.projection.name
        self._generation = table.generation.number
        self._seen: dict[str, str] = {}  # the row version, by key, that was loaded

    async def _begin(self) -> None:
        if self.transaction is None:
            await self._stack.enter_async_context(self._connection.transaction())
            self.transaction = self._connection

    async def watermarks(self, partitions: Iterable[TopicPartition]) -> Watermarks:
        """The stored watermarks of these partitions, locked until the round ends."""
        await self._begin()
        wanted = sorted(set(partitions))
        arguments = (
            self._projection,
            self._generation,
            [each.topic for each in wanted],
            [each.partition for each in wanted],
        )
        found = watermarks_of(await self._connection.fetch(_LOCK_WATERMARKS, *arguments))
        if len(found) < len(wanted):
            # A row that is not there can't be locked: two workers would both start at 0.
            await self._connection.execute(_ADD_WATERMARKS, *arguments)
            found = watermarks_of(await self._connection.fetch(_LOCK_WATERMARKS, *arguments))
        return found

    async def load(self, keys: Sequence[str]) -> Mapping[str, Held]:
        """The rows of these keys that exist; in a transaction locked until the round ends."""
        if not keys:
            return {}
        query = self._table.load if self.transaction is None else self._table.load_locked
        found = {}
        for record in await self._connection.fetch(query, list(keys)):
            values = dict(record)
            self._seen[record["key"]] = values.pop("row_version")
            found[record["key"]] = Held(self._table.row(values), version=1)
        return found

    async def write(
        self,
        changes: Sequence[Change],
        watermarks: Watermarks,
        since: Watermarks | None = None,
    ) -> None:
        """Make the changes and move the watermarks, never back; raises ConflictError."""
        self.tried = changes
        inserts, updates, deletes = _sorted_out(changes)
        if len(inserts) + len(updates) >= COPY_ROWS_MIN:
            if since is not None and self.transaction is None:
                self._check(await self.watermarks(watermarks), since)
            await self._begin()
            missing = await self._copy(inserts, updates)
            inserts, updates = [], []
        else:
            missing = 0
        given = (
            self._table.composites(inserts),
            self._table.composites(updates),
            [change.key for change in deletes],
            self._projection,
            self._generation,
            *_columns_of(watermarks),
        )
        if self.transaction is not None:
            added = await self._connection.fetchval(self._table.write, *given)
        else:
            added = await self._write_checked(given, [*updates, *deletes], watermarks, since)
        self._judge(missing + len(inserts) - added)

    @staticmethod
    def _check(found: Watermarks, since: Watermarks) -> None:
        if any(found[place].next_offset != mark.next_offset for place, mark in since.items()):
            message = "watermarks moved since they were read"
            raise ConflictError(message)

    async def _write_checked(
        self,
        given: tuple[Any, ...],
        loaded: Sequence[Change],
        watermarks: Watermarks,
        since: Watermarks | None,
    ) -> int:
        """One statement that does all, or nothing where something has changed meanwhile."""
        versions = [self._seen.get(change.key, "") for change in loaded]
        seen: list[Any] = [[change.key for change in loaded], versions]
        statement = self._table.write_checked
        if since is not None:
            seen.append([since[place].next_offset for place in sorted(watermarks)])
            statement = self._table.write_since
        try:
            added: int = await self._connection.fetchval(statement, *given, *seen)
        except exceptions.DivisionByZeroError as error:
            message = f"watermarks or rows of {self._table.name} changed since the load"
            raise ConflictError(message) from error
        return added

    def _judge(self, missing: int) -> None:
        """What it means that so many rows to insert were there already."""
        if not missing:
            return
        if not self._table.generation.projection.insert_only:
            message = f"{missing} rows of {self._table.name} appeared since the load"
            raise ConflictError(message)
        # The log holds an event, or a (stream, version), twice: the first one counts.
        EVENTS_IGNORED.labels(self._projection, "repeated").inc(missing)
        log.error("event_repeated", projection=self._projection, events=missing)

    async def _copy(self, inserts: Sequence[Change], updates: Sequence[Change]) -> int:
        """Big batches; returns how many rows to insert were there already."""
        missing = await self._copy_inserts(inserts) if inserts else 0
        if updates:
            await self._copy_aside(updates)
            await self._connection.execute(self._table.update_from(f"pg_temp.{_ASIDE}"))
        return missing

    async def _copy_inserts(self, inserts: Sequence[Change]) -> int:
        try:
            async with self._connection.transaction():
                await self._copy_to(self._table.name, SCHEMA, inserts)
        except exceptions.UniqueViolationError:
            await self._copy_aside(inserts)
            added = await self._connection.execute(self._table.insert_from(f"pg_temp.{_ASIDE}"))
            return len(inserts) - int(added.rpartition(" ")[2])
        return 0

    async def _copy_aside(self, changes: Sequence[Change]) -> None:
        await self._connection.execute(f"DROP TABLE IF EXISTS pg_temp.{_ASIDE}")
        await self._connection.execute(
            f"CREATE TEMPORARY TABLE {_ASIDE} (LIKE {self._table.qualified}) ON COMMIT DROP"
        )
        await self._copy_to(_ASIDE, "pg_temp", changes)

    async def _copy_to(self, table: str, schema: str, changes: Sequence[Change]) -> None:
        try:
            await self._connection.copy_records_to_table(
                table,
                records=self._table.records(changes),
                columns=self._table.columns,
                schema_name=schema,
            )
        except (ArithmeticError, ValueError, TypeError) as error:
            # What a column can't hold; as arguments of a statement the driver says so itself.
            raise exceptions.DataError(type(error).__name__) from error


async def try_out(connection: Connection, table: PhysicalTable, change: Change) -> None:
    """Raise what Postgres says against one change, whatever is there; else RolledBack."""
    await connection.execute(
        f"DELETE FROM {table.qualified} WHERE key = $1",  # noqa: S608 - our own name
        change.key,
    )
    if change.held.row is not None:
        await connection.execute(
            table.insert_from(f"unnest($1::{table.qualified}[])"), table.composites([change])
        )
    raise RolledBack


_LOCK_WATERMARKS = """
    SELECT topic, partition, next_offset, recorded_at, writer_epoch FROM mesh.watermarks
    WHERE projection = $1 AND generation = $2
      AND (topic, partition) IN (SELECT * FROM unnest($3::text[], $4::int[]))
    ORDER BY topic, partition FOR UPDATE
"""
_ADD_WATERMARKS = """
    INSERT INTO mesh.watermarks (projection, generation, topic, partition, next_offset)
    SELECT $1, $2, topic, partition, 0
    FROM unnest($3::text[], $4::int[]) AS given (topic, partition)
    ORDER BY topic, partition
    ON CONFLICT DO NOTHING
"""


def _sorted_out(
    changes: Sequence[Change],
) -> tuple[list[Change], list[Change], list[Change]]:
    inserts, updates, deletes = [], [], []
    for change in changes:
        first = change.held.version <= 1
        if change.held.row is None:
            if not first:
                deletes.append(change)
        elif first:
            inserts.append(change)
        else:
            updates.append(change)
    return inserts, updates, deletes


def _columns_of(watermarks: Watermarks) -> tuple[list[Any], ...]:
    items = sorted(watermarks.items())
    return (
        [place.topic for place, _ in items],
        [place.partition for place, _ in items],
        [each.next_offset for _, each in items],
        [each.recorded_at for _, each in items],
        [each.writer_epoch for _, each in items],
    )


def watermarks_of(records: Iterable[asyncpg.Record]) -> dict[TopicPartition, Watermark]:
    """The watermarks that records of mesh.watermarks hold."""
    return {
        TopicPartition(each["topic"], each["partition"]): Watermark(
            each["next_offset"], each["recorded_at"], each["writer_epoch"]
        )
        for each in records
    }
