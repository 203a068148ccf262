"""Read models in Postgres: rows and watermarks move in one transaction, so each event counts
exactly once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import structlog
from asyncpg import exceptions

from infra.metrics import EVENTS_IGNORED
from infra.postgres import means_down, open_pool
from infra.settings import Settings
from processors.stores.port import (
    Change,
    ConflictError,
    Connection,
    Generation,
    GenerationGoneError,
    Held,
    RowsRefusedError,
    StoreUnavailableError,
    Watermark,
    Watermarks,
)
from processors.stores.postgres_tables import SCHEMA, PhysicalTable
from schemas.positions import TopicPartition

ACQUIRE_TIMEOUT_S = 5.0
COPY_ROWS_MIN = 5_000  # from here on COPY beats arrays, temporary table included
SCAN_ROWS = 2_000
SCAN_TIMEOUT_S = 300.0  # of one fetch of a scan

_REFUSED = (
    exceptions.DataError,
    exceptions.IntegrityConstraintViolationError,
    exceptions.ProgramLimitExceededError,
)

log = structlog.get_logger()


@contextmanager
def _errors_of_the_port() -> Iterator[None]:
    try:
        yield
    except exceptions.TransactionRollbackError as error:
        raise ConflictError(type(error).__name__) from error
    except (exceptions.UndefinedTableError, exceptions.UndefinedObjectError) as error:
        raise GenerationGoneError(str(error)) from error
    except Exception as error:
        if not means_down(error):
            raise
        message = f"postgres: {type(error).__name__}"
        raise StoreUnavailableError(message) from error


async def open_postgres_store(settings: Settings, *, pool_size: int = 8) -> PostgresStore:
    """The store on a pool of its own; raises StoreUnavailableError."""
    with _errors_of_the_port():
        return PostgresStore(await open_pool(settings, size_max=pool_size, reset=_leave_as_is))


async def _leave_as_is(_connection: object) -> None:
    """Asyncpg resets a connection between borrowers with a round trip of its own; rounds
    change no session state, so there is nothing to reset.
    """


class PostgresStore:
    """Fulfils processors.stores.port.Store. Closes its pool."""

    name = "postgres"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._tables: dict[tuple[str, int], PhysicalTable] = {}

    def table(self, generation: Generation) -> PhysicalTable:
        """The SQL of a generation's table, made once."""
        identity = (generation.projection.name, generation.number)
        table = self._tables.get(identity)
        if table is None or table.generation is not generation:
            table = self._tables[identity] = PhysicalTable(generation)
        return table

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        with _errors_of_the_port():
            async with (
                self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
                connection.transaction(),
            ):
                yield connection

    async def create(self, generation: Generation) -> None:
        """Make the empty table and its indexes; harmless when they are there."""
        async with self._transaction() as connection:
            # IF NOT EXISTS alone fails when two processes create at the same moment.
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", generation.name
            )
            for statement in self.table(generation).ddl():
                await connection.execute(statement)

    @asynccontextmanager
    async def session(self, generation: Generation) -> AsyncIterator[PostgresSession]:
        """A round: one transaction, committed when the block ends well."""
        session: PostgresSession | None = None
        try:
            async with self._transaction() as connection:
                session = PostgresSession(connection, self.table(generation))
                yield session
        except _REFUSED as error:
            tried = session.tried if session else ()
            raise RowsRefusedError(await self._blame(generation, tried)) from error

    async def _blame(self, generation: Generation, changes: Sequence[Change]) -> dict[str, str]:
        """Which of these changes Postgres refuses when each is tried alone, and why."""
        reasons = {}
        for change in changes:
            try:
                async with self._transaction() as connection:
                    await PostgresSession(connection, self.table(generation)).try_out(change)
            except _RolledBack:
                continue
            except _REFUSED as error:
                # Not the error's text: it quotes the row, and the row may be personal.
                reasons[change.key] = type(error).__name__
        return reasons

    async def watermarks(self, generation: Generation) -> Watermarks:
        """Every stored watermark of a generation."""
        with _errors_of_the_port():
            records = await self._pool.fetch(
                "SELECT topic, partition, next_offset, recorded_at, writer_epoch"
                " FROM mesh.watermarks WHERE projection = $1 AND generation = $2",
                generation.projection.name,
                generation.number,
            )
        return _watermarks(records)

    async def scan(self, generation: Generation) -> AsyncIterator[tuple[str, Any]]:
        """Every (key, row) of one snapshot."""
        table = self.table(generation)
        names = ", ".join(f'"{name}"' for name in table.columns)
        with _errors_of_the_port():
            async with (
                self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                cursor = await connection.cursor(
                    f"SELECT {names} FROM {table.qualified}"  # noqa: S608 - our own names
                )
                while records := await cursor.fetch(SCAN_ROWS, timeout=SCAN_TIMEOUT_S):
                    for record in records:
                        yield record["key"], table.row(record.items())

    async def publish(self, generations: Sequence[Generation]) -> None:
        """Let the public views show these generations: all of them, or none, at once."""
        async with self._transaction() as connection:
            await self.publish_within(connection, generations)

    async def publish_within(
        self, connection: Connection, generations: Sequence[Generation]
    ) -> None:
        """The same inside a transaction of the caller."""
        tables = [self.table(each) for each in sorted(generations, key=lambda each: each.name)]
        for table in tables:
            try:
                async with connection.transaction():
                    await connection.execute(table.create_view)
            except exceptions.InvalidTableDefinitionError:
                # Other columns than before: only a new view can have them.
                await connection.execute(table.drop_view)
                await connection.execute(table.create_view)
        # After all views, for an extra may look at several of them.
        for table in tables:
            for extra in table.extras:
                await connection.execute(extra.replace("{view}", table.view))

    async def drop(self, generation: Generation) -> None:
        """Remove the table and its watermarks; harmless when gone.

        A public view over it goes with it: who drops a live generation says so before.
        """
        async with self._transaction() as connection:
            await connection.execute(
                f"DROP TABLE IF EXISTS {self.table(generation).qualified} CASCADE"
            )
            await connection.execute(
                "DELETE FROM mesh.watermarks WHERE projection = $1 AND generation = $2",
                generation.projection.name,
                generation.number,
            )

    async def settle(self, generation: Generation) -> None:
        """Nothing to do: what is committed is visible."""

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()


class _RolledBack(Exception):  # noqa: N818 - a way out, not an error
    pass


class PostgresSession:
    """Fulfils processors.stores.port.Session inside one transaction."""

    def __init__(self, connection: Connection, table: PhysicalTable) -> None:
        self.transaction: Connection | None = connection
        self.tried: Sequence[Change] = ()
        self._connection = connection
        self._table = table
        self._projection = table.generation.projection.name
        self._generation = table.generation.number

    async def watermarks(self, partitions: Iterable[TopicPartition]) -> Watermarks:
        """The stored watermarks of these partitions, locked until the round ends."""
        wanted = sorted(set(partitions))
        arguments = (
            self._projection,
            self._generation,
            [each.topic for each in wanted],
            [each.partition for each in wanted],
        )
        found = _watermarks(await self._connection.fetch(_LOCK_WATERMARKS, *arguments))
        if len(found) < len(wanted):
            # A row that is not there can't be locked: two workers would both start at 0.
            await self._connection.execute(_ADD_WATERMARKS, *arguments)
            found = _watermarks(await self._connection.fetch(_LOCK_WATERMARKS, *arguments))
        return found

    async def load(self, keys: Sequence[str]) -> Mapping[str, Held]:
        """The rows of these keys that exist, locked until the round ends."""
        if not keys:
            return {}
        records = await self._connection.fetch(self._table.load, list(keys))
        return {each["key"]: Held(self._table.row(each.items()), version=1) for each in records}

    async def write(self, changes: Sequence[Change], watermarks: Watermarks) -> None:
        """Make the changes and move the watermarks, never back; raises ConflictError."""
        self.tried = changes
        inserts, updates, deletes = _sorted_out(changes)
        if len(inserts) + len(updates) >= COPY_ROWS_MIN:
            missing = await self._copy(inserts, updates)
            inserts, updates = [], []
        else:
            missing = 0
        records = await self._connection.fetch(
            self._table.write,
            self._table.composites(inserts),
            self._table.composites(updates),
            [change.key for change in deletes],
            self._projection,
            self._generation,
            *_columns_of(watermarks),
        )
        self._judge(missing + len(inserts) - len(records))

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

    async def try_out(self, change: Change) -> None:
        """Raise what Postgres says against one change, whatever is there; else _RolledBack."""
        await self._connection.execute(
            f"DELETE FROM {self._table.qualified} WHERE key = $1",  # noqa: S608 - our own name
            change.key,
        )
        if change.held.row is not None:
            await self._connection.execute(
                self._table.insert_from(f"unnest($1::{self._table.qualified}[])"),
                self._table.composites([change]),
            )
        raise _RolledBack

    async def _copy(self, inserts: Sequence[Change], updates: Sequence[Change]) -> int:
        """Big batches; returns how many rows to insert were there already."""
        missing = await self._copy_inserts(inserts) if inserts else 0
        if updates:
            await self._copy_aside(updates)
            await self._connection.execute(self._table.update_from(_ASIDE))
        return missing

    async def _copy_inserts(self, inserts: Sequence[Change]) -> int:
        try:
            async with self._connection.transaction():
                await self._connection.copy_records_to_table(
                    self._table.name,
                    records=self._table.records(inserts),
                    columns=self._table.columns,
                    schema_name=SCHEMA,
                )
        except exceptions.UniqueViolationError:
            await self._copy_aside(inserts)
            added = await self._connection.execute(self._table.insert_from(_ASIDE))
            return len(inserts) - int(added.rpartition(" ")[2])
        return 0

    async def _copy_aside(self, changes: Sequence[Change]) -> None:
        await self._connection.execute(f"DROP TABLE IF EXISTS {_ASIDE}")
        await self._connection.execute(
            f"CREATE TEMPORARY TABLE {_ASIDE.rpartition('.')[2]}"
            f" (LIKE {self._table.qualified}) ON COMMIT DROP"
        )
        await self._connection.copy_records_to_table(
            _ASIDE.rpartition(".")[2],
            records=self._table.records(changes),
            columns=self._table.columns,
            schema_name="pg_temp",
        )


_ASIDE = "pg_temp.changes_aside"

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


def _watermarks(records: Iterable[asyncpg.Record]) -> dict[TopicPartition, Watermark]:
    return {
        TopicPartition(each["topic"], each["partition"]): Watermark(
            each["next_offset"], each["recorded_at"], each["writer_epoch"]
        )
        for each in records
    }
