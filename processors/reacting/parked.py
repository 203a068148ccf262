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
from schemas.log.positions import Position, TopicPartition

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

    @property
    def is_due(self) -> bool:
        """Whether it is to be handled or given up: somebody has decided so, or what it waited
        behind is gone.
        """
        return self.decided is not None or self.tries == 0


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
        """The streams that wait in these partitions, and of each whether its first event is due:
        see ParkedEvent.
        """
        rows = await self._pool.fetch(
            "SELECT DISTINCT ON (handler, topic, partition, stream_id)"
            " handler, topic, partition, stream_id,"
            " decided IS NOT NULL OR tries = 0 AS is_due"
            " FROM mesh.handler_parked JOIN unnest($1::text[], $2::int[])"
            " AS own (topic, partition) USING (topic, partition)"
            " ORDER BY handler, topic, partition, stream_id, position_offset",
            [each.topic for each in partitions],
            [each.partition for each in partitions],
        )
        found: dict[Place, dict[str, bool]] = defaultdict(dict)
        for handler, topic, partition, stream_id, is_due in rows:
            found[Place(handler, topic, partition)][stream_id] = is_due
        return found

    async def park(self, event: ParkedEvent) -> None:
        """Keep an event; one that is kept already is told of anew if it was tried, with these
        tries more, and is undecided again.
        """
        await self._pool.execute(
            "INSERT INTO mesh.handler_parked AS known (handler, topic, partition, position_offset,"
            " stream_id, kind, reason, tries) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (handler, topic, partition, position_offset) DO UPDATE SET"
            " reason = excluded.reason, tries = known.tries + excluded.tries, decided = NULL"
            " WHERE excluded.tries > 0",
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
        """Mark an event, if it waits, for the process that has its partition; to try it again
        means all that has failed of its stream.
        """
        await self._pool.execute(
            "UPDATE mesh.handler_parked AS waiting SET decided = $5 FROM mesh.handler_parked AS one"
            " WHERE one.handler = $1 AND one.topic = $2 AND one.partition = $3"
            " AND one.position_offset = $4 AND waiting.handler = one.handler"
            " AND waiting.topic = one.topic AND waiting.partition = one.partition"
            " AND waiting.stream_id = one.stream_id AND (waiting.position_offset = $4"
            " OR $5 = 'retry' AND waiting.tries > 0)",
            handler,
            *position,
            decided,
        )


async def list_parked(
    pool: asyncpg.Pool,
    handlers: Collection[str] | None = None,
    streams: Collection[str] | None = None,
    limit: int = LISTED_MAX,
) -> list[ParkedStream]:
    """The streams that wait, oldest first, so many at most; None: of all handlers, any."""
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
        limit,
    )
    return [ParkedStream(**row) for row in rows]
