"""What a generation's rows do not tell: events that wait to be mended, and events given up.

A generation that leaves something out is not what the log says, however equal its other rows
are. Two generations may be exchanged all the same where both leave out the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import asyncpg

from processors.stores.port import Connection, Generation
from schemas.log.positions import Position

NAMED_MAX = 50  # of each kind; all are counted

_LEFT_OUT = """
    SELECT stream_id, topic, partition, position_offset FROM {table}
    WHERE projection = $1 AND generation = $2 ORDER BY topic, partition, position_offset
"""


@dataclass(frozen=True)
class Leftovers:
    """Parked streams, each with the first event that waits, and skipped events."""

    parked: Mapping[str, Position] = field(default_factory=dict)
    skipped: frozenset[Position] = frozenset()
    positions: frozenset[Position] = frozenset()  # of every parked event
    streams: frozenset[str] = frozenset()  # of the skipped ones

    @property
    def none(self) -> bool:
        """Whether the rows tell of everything."""
        return not self.parked and not self.skipped

    def unlike(self, other: Leftovers) -> list[str]:
        """The streams that the two treat differently."""
        differing = {
            stream
            for stream in self.parked.keys() | other.parked.keys()
            if self.parked.get(stream) != other.parked.get(stream)
        }
        if self.skipped != other.skipped:
            differing |= self.streams ^ other.streams or self.streams
        return sorted(differing)

    def __str__(self) -> str:
        told = []
        if self.parked:
            told.append(f"{_counted(len(self.parked), 'stream')} parked")
        if self.skipped:
            told.append(f"{_counted(len(self.skipped), 'event')} skipped")
        return ", ".join(told) or "nothing parked"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def named(streams: Iterable[str]) -> str:
    """Some of them in words."""
    listed = sorted(streams)
    more = len(listed) - NAMED_MAX
    return ", ".join(listed[:NAMED_MAX]) + (f" and {more:,} more" if more > 0 else "")


async def leftovers(connection: Connection | asyncpg.Pool, generation: Generation) -> Leftovers:
    """What a generation leaves out now."""
    identity = (generation.projection.name, generation.number)
    waiting = await connection.fetch(_LEFT_OUT.format(table="mesh.parked"), *identity)
    given_up = await connection.fetch(_LEFT_OUT.format(table="mesh.skipped"), *identity)
    parked: dict[str, Position] = {}
    for each in waiting:
        parked.setdefault(each["stream_id"], _position(each))
    return Leftovers(
        parked,
        frozenset(_position(each) for each in given_up),
        frozenset(_position(each) for each in waiting),
        frozenset(each["stream_id"] for each in given_up),
    )


def _position(record: asyncpg.Record) -> Position:
    return Position(record["topic"], record["partition"], record["position_offset"])
