"""Parked for a handler: the events that it could not handle, each with what follows it in its
stream, until an operator has decided (`mesh effects`).

Only the process that has the partition parks and takes away; an operator's decision is a mark
that it finds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from processors.reacting.positions import Place
from schemas.positions import Position, TopicPartition

LISTED_MAX = 1_000

Decision = Literal["retry", "skip"]


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """One event that waits: `reason` is empty where it only follows another of its stream."""

    place: Place
    offset: int
    stream_id: str
    kind: str
    reason: str
    tries: int
    decided: str | None = None


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """One stream that waits for a handler, for lists: told of its first event."""

    handler: str
    stream_id: str
    events: int
    topic: str
    partition: int
    position_offset: int
    kind: str
    reason: str
    tries: int
    since: datetime
    decided: str | None


class Parked:
    """What waits for handlers. Methods raise what asyncpg does."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def streams(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[Place, dict[str, bool]]:
        """The streams that wait in these partitions, and of each whether its first event has
        been decided about.
        """
        rows = await self._pool.fetch(
            "SELECT DISTINCT ON (handler, topic, partition, stream_id)"
            " handler, topic, partition, stream_id, decided IS NOT NULL AS decided"
            " FROM mesh.handler_parked JOIN unnest($1::text[], $2::int[])"
            " AS own (topic, partition) USING (topic, partition)"
            " ORDER BY handler, topic, partition, stream_id, position_offset",
            [each.topic for each in partitions],
            [each.partition for each in partitions],
        )
        found: dict[Place, dict[str, bool]] = defaultdict(dict)
        for handler, topic, partition, stream_id, decided in rows:
            found[Place(handler, topic, partition)][stream_id] = decided
        return found

    async def park(self, event: ParkedEvent) -> None:
        """Keep an event; one that is kept already is told of anew, with these tries more."""
        await self._pool.execute(
            "INSERT INTO mesh.handler_parked AS known (handler, topic, partition, position_offset,"
            " stream_id, kind, reason, tries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (handler, topic, partition, position_offset) DO UPDATE SET"
            " reason = excluded.reason, tries = known.tries + excluded.tries, decided = NULL",
            *event.place,
            event.offset,
            event.stream_id,
            event.kind,
            event.reason,
            event.tries,
        )

    async def first(self, place: Place, stream_id: str) -> ParkedEvent | None:
        """The first event of a stream that waits; None when none does."""
        row = await self._pool.fetchrow(
            "SELECT position_offset, kind, reason, tries, decided"
            " FROM mesh.handler_parked WHERE handler = $1 AND topic = $2 AND partition = $3"
            " AND stream_id = $4 ORDER BY position_offset LIMIT 1",
            *place,
            stream_id,
        )
        if row is None:
            return None
        offset, kind, reason, tries, decided = row
        return ParkedEvent(place, offset, stream_id, kind, reason, tries, decided)

    async def remove(self, event: ParkedEvent) -> None:
        """It has been handled, or given up."""
        await self._pool.execute(
            "DELETE FROM mesh.handler_parked"
            " WHERE handler = $1 AND topic = $2 AND partition = $3 AND position_offset = $4",
            *event.place,
            event.offset,
        )

    async def decide(self, handler: str, position: Position, decided: Decision) -> None:
        """Mark an event, if it waits, for the process that has its partition."""
        await self._pool.execute(
            "UPDATE mesh.handler_parked SET decided = $5"
            " WHERE handler = $1 AND topic = $2 AND partition = $3 AND position_offset = $4",
            handler,
            *position,
            decided,
        )


async def list_parked(
    pool: asyncpg.Pool,
    handlers: Collection[str] | None = None,
    streams: Collection[str] | None = None,
) -> list[ParkedStream]:
    """The streams that wait, oldest first, LISTED_MAX at most; None: of all handlers, any."""
    rows = await pool.fetch(
        """
        SELECT * FROM (
            SELECT DISTINCT ON (handler, stream_id)
                handler, stream_id,
                count(*) OVER (PARTITION BY handler, stream_id) AS events,
                topic, partition, position_offset, kind, reason, tries,
                parked_at AS since, decided
            FROM mesh.handler_parked
            WHERE ($1::text[] IS NULL OR handler = ANY($1))
              AND ($2::text[] IS NULL OR stream_id = ANY($2))
            ORDER BY handler, stream_id, topic, partition, position_offset
        ) AS waiting
        ORDER BY since, handler, stream_id LIMIT $3
        """,
        None if handlers is None else list(handlers),
        None if streams is None else list(streams),
        LISTED_MAX,
    )
    return [ParkedStream(**row) for row in rows]
