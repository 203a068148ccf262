"""How far each handler has come in each partition, in Postgres.

A position only ever grows: whoever was frozen while another took a partition over can't send
its handlers back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import NamedTuple

import asyncpg

from processors.feeding.generations import one_at_a_time
from schemas.log.positions import TopicPartition

# The tables are not there yet: `mesh prepare` makes them.
UNBUILT = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)

_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS mesh;

    -- Written often, a row a handler and partition: room on the page keeps updates in place.
    CREATE TABLE IF NOT EXISTS mesh.handler_positions (
        handler text NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        next_offset bigint NOT NULL,
        PRIMARY KEY (handler, topic, partition)
    ) WITH (fillfactor = 40);

    -- Where an event stands that a handler could not handle, or that waits behind such a one in
    -- its stream: the log has the event itself. `decided` is what an operator wants done with it.
    CREATE TABLE IF NOT EXISTS mesh.handler_parked (
        handler text NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        position_offset bigint NOT NULL,
        stream_id text NOT NULL,
        kind text NOT NULL,
        reason text NOT NULL,
        tries int NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT now(),
        decided text CHECK (decided IN ('retry', 'skip')),
        PRIMARY KEY (handler, topic, partition, position_offset)
    );
    CREATE INDEX IF NOT EXISTS handler_parked_by_stream
        ON mesh.handler_parked (handler, stream_id);
    CREATE INDEX IF NOT EXISTS handler_parked_by_partition
        ON mesh.handler_parked (topic, partition);
"""
_SAVE = """
    INSERT INTO mesh.handler_positions AS known (handler, topic, partition, next_offset)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[])
    ON CONFLICT (handler, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
    WHERE known.next_offset < excluded.next_offset
"""


_FORGET = """
    DELETE FROM mesh.handler_positions WHERE handler = $1 AND topic = $2 AND partition = $3
"""
_BEGIN = """
    INSERT INTO mesh.handler_positions (handler, topic, partition, next_offset)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[])
    ON CONFLICT (handler, topic, partition) DO NOTHING
"""


class Place(NamedTuple):
    """One handler's share of one partition."""

    handler: str
    topic: str
    partition: int

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition."""
        return TopicPartition(self.topic, self.partition)


async def create_schema(pool: asyncpg.Pool) -> None:
    """Make the tables; harmless when they are there."""
    async with pool.acquire() as connection, connection.transaction():
        await one_at_a_time(connection, "handler_positions")
        await connection.execute(_SCHEMA)


class Positions:
    """The positions of all handlers. Methods raise what asyncpg does."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._reached: dict[Place, int] = {}
        self._turn = asyncio.Lock()

    async def of(self, handlers: Collection[str]) -> dict[Place, int]:
        """The next offset of every place that these handlers have one for."""
        rows = await self._pool.fetch(
            "SELECT handler, topic, partition, next_offset FROM mesh.handler_positions"
            " WHERE handler = ANY($1)",
            list(handlers),
        )
        return {Place(*place): next_offset for *place, next_offset in rows}

    async def save(self, reached: Mapping[Place, int]) -> None:
        """Keep these next offsets, and what others ask for at the same moment, in one statement."""
        self._reached.update(reached)
        # Whoever finds that another is at it waits for how that ends.
        async with self._turn:
            taken, self._reached = self._reached, {}
            if not taken:
                return
            try:
                await self._pool.execute(_SAVE, *_columns(taken))
            except BaseException:
                self._reached = taken | self._reached
                raise

    async def forget(self, places: Collection[Place]) -> None:
        """Have handlers begin anew: what their positions were of is gone."""
        for each in places:
            await self._pool.execute(_FORGET, *each)

    async def begin(self, starts: Mapping[Place, int]) -> None:
        """Keep where handlers begin, for those that have no position yet."""
        await self._pool.execute(_BEGIN, *_columns(starts))


def _columns(offsets: Mapping[Place, int]) -> tuple[list[str], list[str], list[int], list[int]]:
    places = sorted(offsets)  # everybody locks rows in one order
    return (
        [each.handler for each in places],
        [each.topic for each in places],
        [each.partition for each in places],
        [offsets[each] for each in places],
    )
