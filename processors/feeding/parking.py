"""Parked events: what a projection could not fold waits here, in order, with all that follows
it in its stream, while other streams flow.

A stream is parked for one generation. Parking and everything that changes what is parked hold
the stream's lock, so that a worker never parks behind a retry that has just emptied the stream,
and a retry never misses what a worker parks meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import orjson

from infra.clients.postgres import means_down
from processors.feeding.recorded_stream import Incoming
from processors.stores.port import Connection, Generation, StoreUnavailableError
from projections.journal.journal import NAME as JOURNAL
from schemas.log.positions import Position
from schemas.log.recorded import Headers, Record, header

STREAMS_SHARE = 0.01  # of all streams; more than that parked is not bad data but bad code
STREAMS_MIN, STREAMS_MAX = 10, 1_000
LISTED_MAX = 1_000
_COUNT_KEPT_S = 60.0


class TooManyParkedError(Exception):
    """So many streams of a generation are parked that its code must be wrong."""


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """One record that waits, and why: the first of a stream has failed, the others follow."""

    record: Record
    stream_id: str
    version: int
    kind: str
    reason: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """One stream that waits, for lists: the reason is that of its first event."""

    projection: str
    generation: int
    stream_id: str
    events: int
    topic: str
    partition: int
    position_offset: int
    kind: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """A record to park, and the rows that it would change. `reason` is empty when it only follows
    a parked one of its stream.
    """

    incoming: Incoming
    reason: str = ""
    row_keys: tuple[str, ...] = ()


@contextmanager
def _errors_of_the_port() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not means_down(error):
            raise
        message = f"parking: {type(error).__name__}"
        raise StoreUnavailableError(message) from error


class Parking:
    """The parked events of all generations. Methods raise StoreUnavailableError."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._streams_max = 0
        self._streams_counted_at = 0.0

    @asynccontextmanager
    async def transaction(self, own: Connection | None = None) -> AsyncIterator[Connection]:
        """A transaction on `own`, where it runs one already, else on a pooled connection."""
        if own is not None:
            yield own
            return
        with _errors_of_the_port():
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                yield connection

    async def streams(self, generation: Generation) -> dict[str, Position]:
        """The streams that are parked, each with the first event that waits."""
        with _errors_of_the_port():
            records = await self._pool.fetch(
                "SELECT DISTINCT ON (stream_id) stream_id, topic, partition, position_offset"
                " FROM mesh.parked WHERE projection = $1 AND generation = $2"
                " ORDER BY stream_id, topic, partition, position_offset",
                generation.projection.name,
                generation.number,
            )
        return {stream: Position(*place) for stream, *place in records}

    async def park(
        self, generation: Generation, failed: Sequence[Failed], own: Connection | None
    ) -> frozenset[str]:
        """Park these records; harmless for those parked already. `own` is the transaction of
        their round, if it has one.

        Returns streams of which no record has failed here and none is parked any more: theirs
        are not parked, they can be folded now. Raises TooManyParkedError past the cap.
        """
        starting = {each.incoming.stream_id for each in failed if each.reason}
        following = {each.incoming.stream_id for each in failed} - starting
        async with self.transaction(own) as connection:
            await self.lock(connection, generation, starting | following)
            freed = following - await self._still_parked(connection, generation, following)
            await self._insert(
                connection,
                generation,
                [each for each in failed if each.incoming.stream_id not in freed],
            )
            if starting:
                await self._check_cap(connection, generation)
        return frozenset(freed)

    async def lock(
        self, connection: Connection, generation: Generation, streams: Collection[str]
    ) -> None:
        """Nobody else changes what is parked of these streams until the transaction ends."""
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0))"
            " FROM (SELECT name FROM unnest($1::text[]) AS name ORDER BY name) AS ordered",
            [f"parked {generation.name} {stream}" for stream in streams],
        )

    async def _still_parked(
        self, connection: Connection, generation: Generation, streams: Collection[str]
    ) -> set[str]:
        if not streams:
            return set()
        records = await connection.fetch(
            "SELECT DISTINCT stream_id FROM mesh.parked"
            " WHERE projection = $1 AND generation = $2 AND stream_id = ANY($3)",
            generation.projection.name,
            generation.number,
            list(streams),
        )
        return {record["stream_id"] for record in records}

    async def _insert(
        self, connection: Connection, generation: Generation, failed: Sequence[Failed]
    ) -> None:
        await connection.executemany(
            "INSERT INTO mesh.parked (projection, generation, topic, partition, position_offset,"
            " stream_id, version, kind, headers, value, reason, row_keys)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
            [
                (
                    generation.projection.name,
                    generation.number,
                    each.incoming.place.topic,
                    each.incoming.place.partition,
                    each.incoming.offset,
                    each.incoming.stream_id,
                    _version_of(each.incoming),
                    each.incoming.kind,
                    _packed(each.incoming.record.headers),
                    each.incoming.record.value,
                    each.reason or "follows a parked event of its stream",
                    [key.replace("\0", "") for key in each.row_keys],
                )
                for each in failed
            ],
        )

    async def _check_cap(self, connection: Connection, generation: Generation) -> None:
        parked: int = await connection.fetchval(
            "SELECT count(DISTINCT stream_id) FROM mesh.parked"
            " WHERE projection = $1 AND generation = $2",
            generation.projection.name,
            generation.number,
        )
        if parked <= STREAMS_MIN:
            return
        cap = await self._cap()
        if parked > cap:
            message = f"{parked} streams of {generation.name} are parked, more than {cap}"
            raise TooManyParkedError(message)

    async def _cap(self) -> int:
        """1 % of all streams, within bounds. Counted no further than the upper one needs."""
        if time.monotonic() - self._streams_counted_at > _COUNT_KEPT_S or not self._streams_max:
            with _errors_of_the_port():
                known = await self._pool.fetchval("SELECT to_regclass($1)", f"reads.{JOURNAL}")
                streams = known and await self._pool.fetchval(
                    f"SELECT count(*) FROM (SELECT 1 FROM reads.{JOURNAL}"  # noqa: S608
                    " WHERE version = 1 LIMIT $1) AS counted",
                    int(STREAMS_MAX / STREAMS_SHARE),
                )
            share = int((streams or 0) * STREAMS_SHARE)
            self._streams_max = min(max(share, STREAMS_MIN), STREAMS_MAX)
            self._streams_counted_at = time.monotonic()
        return self._streams_max

    async def events(
        self,
        connection: Connection,
        generation: Generation,
        stream_id: str,
        most: int = LISTED_MAX,
    ) -> list[ParkedEvent]:
        """The first parked records of a stream, in order."""
        records = await connection.fetch(
            "SELECT * FROM mesh.parked"
            " WHERE projection = $1 AND generation = $2 AND stream_id = $3"
            " ORDER BY topic, partition, position_offset LIMIT $4",
            generation.projection.name,
            generation.number,
            stream_id,
            most,
        )
        return [_parked(record) for record in records]

    async def forget(
        self, connection: Connection, generation: Generation, events: Iterable[ParkedEvent]
    ) -> None:
        """Take events out of the car park: they have been folded, or never shall be."""
        await connection.executemany(
            "DELETE FROM mesh.parked WHERE projection = $1 AND generation = $2"
            " AND topic = $3 AND partition = $4 AND position_offset = $5",
            [
                (
                    generation.projection.name,
                    generation.number,
                    each.record.topic,
                    each.record.partition,
                    each.record.offset,
                )
                for each in events
            ],
        )

    async def note_skipped(
        self, connection: Connection, generation: Generation, events: Iterable[ParkedEvent]
    ) -> None:
        """Remember that these events never shall be folded, for whoever compares the rows."""
        await connection.executemany(
            "INSERT INTO mesh.skipped (projection, generation, topic, partition,"
            " position_offset, stream_id, kind, reason)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            [
                (
                    generation.projection.name,
                    generation.number,
                    each.record.topic,
                    each.record.partition,
                    each.record.offset,
                    each.stream_id,
                    each.kind,
                    each.reason,
                )
                for each in events
            ],
        )

    async def explain(
        self, connection: Connection, generation: Generation, event: ParkedEvent, reason: str
    ) -> None:
        """Note why an event still can't be folded."""
        await connection.execute(
            "UPDATE mesh.parked SET reason = $6 WHERE projection = $1 AND generation = $2"
            " AND topic = $3 AND partition = $4 AND position_offset = $5",
            generation.projection.name,
            generation.number,
            event.record.topic,
            event.record.partition,
            event.record.offset,
            reason,
        )


async def list_parked(
    connection: Connection | asyncpg.Pool, projections: Iterable[str] | None = None
) -> list[ParkedStream]:
    """Parked streams, oldest first, at most LISTED_MAX; None: of every projection."""
    records = await connection.fetch(
        """
        SELECT DISTINCT ON (projection, generation, stream_id)
            projection, generation, stream_id, topic, partition, position_offset, kind, reason,
            parked_at AS since,
            count(*) OVER (PARTITION BY projection, generation, stream_id) AS events
        FROM mesh.parked WHERE $1::text[] IS NULL OR projection = ANY($1)
        ORDER BY projection, generation, stream_id, topic, partition, position_offset
        LIMIT $2
        """,
        None if projections is None else list(projections),
        LISTED_MAX,
    )
    return sorted((ParkedStream(**record) for record in records), key=lambda each: each.since)


def _version_of(incoming: Incoming) -> int:
    try:
        return int(header(incoming.record.headers, "stream_version") or 0)
    except ValueError:
        return 0


def _packed(headers: Iterable[tuple[str, bytes]]) -> bytes:
    """Headers as JSON, byte for byte: Latin-1 has one character for every byte."""
    return orjson.dumps([[name, value.decode("latin-1")] for name, value in headers])


def _parked(record: asyncpg.Record) -> ParkedEvent:
    headers: Headers = [
        (name, value.encode("latin-1")) for name, value in orjson.loads(record["headers"])
    ]
    return ParkedEvent(
        record=Record(
            topic=record["topic"],
            partition=record["partition"],
            offset=record["position_offset"],
            key=record["stream_id"].encode(),
            value=record["value"],
            headers=headers,
        ),
        stream_id=record["stream_id"],
        version=record["version"],
        kind=record["kind"],
        reason=record["reason"],
        parked_at=record["parked_at"],
    )
