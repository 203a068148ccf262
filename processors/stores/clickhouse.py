"""Read models in ClickHouse: one block of rows, watermark after.

ClickHouse has no transactions and no conditional writes, so repeating must be harmless: a row
replaces the older one of its key (ReplacingMergeTree), it carries the offsets it has seen, and
its version grows with them. Whoever writes the same events twice, even in other batches, leaves
the row that has seen most. That order exists within one partition only, so a row of which
events of two partitions are folded is refused; figures over many streams are made when asked,
from rows of one event (`insert_only`) or of one stream each.

The start position is the stored watermark and not also the table's greatest offset: a replay
writes rows in another order than the log's, and one that was killed half-way would then go on
behind rows it never wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

from clickhouse_driver import errors as clickhouse_errors

from infra.clients.clickhouse import ClickHouse, means_clickhouse_down
from infra.settings import Settings
from processors.stores.clickhouse_tables import WATERMARKS, PhysicalTable
from processors.stores.port import (
    NOTHING_WITHHELD,
    RETRIED,
    Change,
    Connection,
    Generation,
    GenerationGoneError,
    Held,
    RowsRefusedError,
    StoreUnavailableError,
    Watermark,
    Watermarks,
    Withheld,
)
from schemas.log.positions import TopicPartition

SCAN_ROWS = 10_000
KEYS_MAX = 5_000  # in one query

_REFUSED = (
    clickhouse_errors.TypeMismatchError,
    clickhouse_errors.CannotParseUuidError,
    clickhouse_errors.TooLargeStringSize,
)
# What the server itself says of values that it never takes. The driver has no name for the first.
VIOLATED_CONSTRAINT = 469
_REFUSED_CODES = frozenset(
    {
        VIOLATED_CONSTRAINT,
        clickhouse_errors.ErrorCodes.ARGUMENT_OUT_OF_BOUND,
        clickhouse_errors.ErrorCodes.CANNOT_CONVERT_TYPE,
        clickhouse_errors.ErrorCodes.INCORRECT_DATA,
        clickhouse_errors.ErrorCodes.TOO_LARGE_STRING_SIZE,
        clickhouse_errors.ErrorCodes.VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE,
    }
)


@contextmanager
def _errors_of_the_port() -> Iterator[None]:
    try:
        yield
    except clickhouse_errors.ServerException as error:
        if error.code == clickhouse_errors.ErrorCodes.UNKNOWN_TABLE:
            raise GenerationGoneError(str(error.code)) from error
        if not means_clickhouse_down(error):
            raise
        message = f"clickhouse: code {error.code}"
        raise StoreUnavailableError(message) from error
    except Exception as error:
        if not means_clickhouse_down(error):
            raise
        message = f"clickhouse: {type(error).__name__}"
        raise StoreUnavailableError(message) from error


def open_clickhouse_store(settings: Settings) -> ClickHouseStore:
    """The store on clients of its own; connects at the first call."""
    return ClickHouseStore(ClickHouse(settings))


class ClickHouseStore:
    """Fulfils processors.stores.port.Store. Closes its clients."""

    name = "clickhouse"

    def __init__(self, clients: ClickHouse) -> None:
        self._clients = clients
        self._tables: dict[tuple[str, int], PhysicalTable] = {}

    def table(self, generation: Generation) -> PhysicalTable:
        """The SQL of a generation's table, made once."""
        identity = (generation.projection.name, generation.number)
        table = self._tables.get(identity)
        if table is None or table.generation.projection is not generation.projection:
            table = self._tables[identity] = PhysicalTable(generation)
        return table

    async def create(self, generation: Generation) -> None:
        """Make the empty table; harmless when it is there."""
        with _errors_of_the_port():
            await self._clients.execute(self.table(generation).ddl)
            await self._clients.execute(WATERMARKS)

    @asynccontextmanager
    async def session(self, generation: Generation) -> AsyncIterator[ClickHouseSession]:
        """A round; what it has written stays when the block ends in an error."""
        yield ClickHouseSession(self._clients, self.table(generation))

    async def watermarks(self, generation: Generation) -> Watermarks:
        """Every stored watermark of a generation."""
        try:
            return await _watermarks(self._clients, generation)
        except GenerationGoneError:
            return {}  # no generation was ever made here

    async def scan(self, generation: Generation) -> AsyncIterator[tuple[str, Any]]:
        """Every (key, row), each once."""
        table = self.table(generation)
        with _errors_of_the_port():
            async with aclosing(self._clients.stream(table.scan, SCAN_ROWS)) as chunks:
                async for chunk in chunks:
                    for values in chunk:
                        yield values[0], table.row(values[1:])

    async def publish(
        self, generations: Sequence[Generation], withheld: Withheld = NOTHING_WITHHELD
    ) -> None:
        """Let the public views show these generations. Each changes at once; one after another,
        for ClickHouse can't change two at the same moment.
        """
        with _errors_of_the_port():
            for generation in generations:
                without = withheld.get(generation.name, ())
                await self._clients.execute(self.table(generation).view(without))

    async def drop(self, generation: Generation) -> None:
        """Remove the table and its watermarks; harmless when gone."""
        with _errors_of_the_port():
            await self._clients.execute(f"DROP TABLE IF EXISTS `{generation.name}` SYNC")
            await self._clients.execute(WATERMARKS)
            await self._clients.execute(
                "ALTER TABLE mesh_watermarks DELETE WHERE `projection` = %(projection)s"
                " AND generation = %(generation)s SETTINGS mutations_sync = 1",
                {"projection": generation.projection.name, "generation": generation.number},
            )

    async def settle(self, generation: Generation) -> None:
        """Nothing to do: an inserted block is visible."""

    async def close(self) -> None:
        """Disconnect."""
        await self._clients.close()


class ClickHouseSession:
    """Fulfils processors.stores.port.Session."""

    locks = False

    def __init__(self, clients: ClickHouse, table: PhysicalTable) -> None:
        self.transaction: Connection | None = None
        self._clients = clients
        self._table = table
        self._loaded: dict[str, tuple[Any, ...]] = {}

    async def watermarks(self, partitions: Iterable[TopicPartition]) -> Watermarks:
        """The stored watermarks of these partitions."""
        wanted = set(partitions)
        known = await _watermarks(self._clients, self._table.generation)
        return {place: mark for place, mark in known.items() if place in wanted}

    async def load(self, keys: Sequence[str]) -> Mapping[str, Held]:
        """The newest rows of these keys, those taken away among them."""
        found: dict[str, Held] = {}
        with _errors_of_the_port():
            for start in range(0, len(keys), KEYS_MAX):
                for record in await self._clients.fetch(
                    self._table.load, {"keys": list(keys[start : start + KEYS_MAX])}
                ):
                    found[record[0]] = self._table.held(record)
                    self._loaded[record[0]] = record
        return found

    async def write(
        self,
        changes: Sequence[Change],
        watermarks: Watermarks,
        since: Watermarks | None = None,  # noqa: ARG002 - rows remember what they have seen
    ) -> None:
        """Rows in one block, then watermarks; raises RowsRefusedError."""
        self._refuse_mixed(changes)
        block = self._table.block(changes, self._loaded)
        try:
            with _errors_of_the_port():
                if block[0]:
                    name = f"`{self._table.name}`"
                    await self._clients.insert(name, self._table.inserted, block)
                if watermarks:
                    await self._move(watermarks)
        except (*_REFUSED, clickhouse_errors.ServerException) as error:
            if not _is_refusal(error):
                raise
            raise RowsRefusedError(_blamed(changes, error)) from error

    def _refuse_mixed(self, changes: Sequence[Change]) -> None:
        if self._table.generation.projection.insert_only:
            return
        mixed = {
            change.key: "events of several partitions"
            for change in changes
            if sum(not place.topic.startswith(RETRIED) for place in change.held.applied) > 1
        }
        if mixed:
            raise RowsRefusedError(mixed)

    async def _move(self, watermarks: Watermarks) -> None:
        projection = self._table.generation.projection.name
        rows = [
            (
                projection,
                self._table.generation.number,
                place.topic,
                place.partition,
                mark.next_offset,
                mark.recorded_at,
                mark.writer_epoch,
            )
            for place, mark in watermarks.items()
        ]
        await self._clients.insert(
            "mesh_watermarks", _WATERMARK_NAMES, list(zip(*rows, strict=True))
        )


_WATERMARK_NAMES = (
    "projection",
    "generation",
    "topic",
    "partition",
    "next_offset",
    "recorded_at",
    "writer_epoch",
)


def _is_refusal(error: Exception) -> bool:
    """Whether the same rows will be refused again."""
    if isinstance(error, clickhouse_errors.ServerException):
        return isinstance(error, _REFUSED) or error.code in _REFUSED_CODES
    return True


def _blamed(changes: Sequence[Change], error: Exception) -> dict[str, str]:
    """Nobody says which row: that is known for a batch of one only. The code, and not the text,
    which quotes the row.
    """
    code = getattr(error, "code", None)
    reason = type(error).__name__ + (f" {code}" if code else "")
    return {changes[0].key: reason} if len(changes) == 1 else {}


async def _watermarks(
    clients: ClickHouse, generation: Generation
) -> dict[TopicPartition, Watermark]:
    with _errors_of_the_port():
        rows = await clients.fetch(
            "SELECT topic, partition, max(next_offset), argMax(recorded_at, next_offset),"
            " argMax(writer_epoch, next_offset) FROM mesh_watermarks"
            " WHERE `projection` = %(projection)s AND generation = %(generation)s"
            " GROUP BY topic, partition",
            {"projection": generation.projection.name, "generation": generation.number},
        )
    return {
        TopicPartition(topic, partition): Watermark(offset, recorded_at, epoch)
        for topic, partition, offset, recorded_at, epoch in rows
    }
