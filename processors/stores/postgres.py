"""Read models in Postgres: rows and watermarks move in one transaction, so each event counts
exactly once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from asyncpg import exceptions

from infra.clients.postgres import means_down, open_pool
from infra.settings import Settings
from processors.stores.port import (
    NOTHING_WITHHELD,
    Change,
    ConflictError,
    Connection,
    Generation,
    GenerationGoneError,
    RowsRefusedError,
    StoreUnavailableError,
    Watermarks,
    Withheld,
)
from processors.stores.postgres_session import (
    PostgresSession,
    RolledBack,
    try_out,
    watermarks_of,
)
from processors.stores.postgres_tables import PhysicalTable

ACQUIRE_TIMEOUT_S = 5.0
SCAN_ROWS = 2_000
SCAN_TIMEOUT_S = 300.0  # of one fetch of a scan

_REFUSED = (
    exceptions.DataError,
    exceptions.IntegrityConstraintViolationError,
    exceptions.ProgramLimitExceededError,
)


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
        return PostgresStore(await open_pool(settings, size_max=pool_size))


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
        """A round. Once it has asked for watermarks it is one transaction, committed when the
        block ends well; else each of its calls stands alone.
        """
        session: PostgresSession | None = None
        try:
            with _errors_of_the_port():
                async with (
                    self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
                    AsyncExitStack() as stack,
                ):
                    session = PostgresSession(connection, self.table(generation), stack)
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
                    await try_out(connection, self.table(generation), change)
            except RolledBack:
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
        return watermarks_of(records)

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
                        yield record["key"], table.row(dict(record.items()))

    async def publish(
        self,
        generations: Sequence[Generation],
        withheld: Withheld = NOTHING_WITHHELD,  # noqa: ARG002 - the views look themselves
    ) -> None:
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
