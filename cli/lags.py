"""How far read models are behind the log, in events and in seconds.

Offsets alone don't tell: each transaction's marker takes one, so an idle read model would for
ever seem to be an event behind. The last COUNTED offsets of a partition are therefore read and
their events counted; further back, offsets stand for events.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from processors.feeding.reading import Log, Stretch
from processors.stores.port import Watermarks
from schemas.log.positions import TopicPartition

COUNTED = 1_000


@dataclass
class Tail:
    """The end of one partition: its events' offsets and times as far as they were read."""

    bounds: Stretch
    read_from: int
    events: list[tuple[int, float]] = field(default_factory=list)

    def lag(self, next_offset: int) -> int:
        """Events at that offset or later."""
        read = sum(1 for offset, _ in self.events if offset >= next_offset)
        return read + max(0, self.read_from - max(next_offset, self.bounds.start))

    @property
    def first_read(self) -> float | None:
        """Epoch seconds of the first event that was read."""
        return self.events[0][1] if self.events else None

    def oldest(self, next_offset: int) -> float | None:
        """Epoch seconds of the first event at that offset or later, where it was read."""
        if next_offset < self.read_from:
            return None
        return next((at for offset, at in self.events if offset >= next_offset), None)


Tails = Mapping[TopicPartition, Tail]


async def read_tails(
    log: Log, topics: Iterable[str], marks: Iterable[Watermarks]
) -> dict[TopicPartition, Tail]:
    """Every partition's bounds, and what none or not all of these watermarks have passed. Who has
    passed something of a topic hears all of it, also where nothing came yet. Of topics in which no
    watermark is, as those of commands, only the bounds are told.
    """
    bounds = await log.bounds(topics)
    lowest: dict[TopicPartition, int] = {}
    for each in marks:
        heard = {place.topic for place in each}
        for place in bounds:
            if place.topic in heard:
                passed = each[place].next_offset if place in each else bounds[place].start
                lowest[place] = min(passed, lowest.get(place, passed))
    tails = {
        place: Tail(
            each,
            min(each.end, max(lowest.get(place, each.end), each.end - COUNTED, each.start)),
        )
        for place, each in bounds.items()
    }
    ends = {place: Stretch(tail.read_from, tail.bounds.end) for place, tail in tails.items()}
    async with aclosing(log.read(ends)) as batches:
        async for batch in batches:
            tails[batch.place].events += [
                (record.offset, record.timestamp / 1000)  # type: ignore[attr-defined]  # aiokafka's
                for record in batch.records
            ]
    return tails


def lag_of(marks: Watermarks, topics: Iterable[str], tails: Tails) -> tuple[int, float]:
    """Events that a read model of these topics has not folded, and the age in seconds of the
    oldest of them (at least: of the newest one that it has folded, or of the oldest that was read).
    """
    wanted = set(topics)
    events, since = 0, time.time()
    for place, tail in tails.items():
        if place.topic not in wanted:
            continue
        mark = marks.get(place)
        next_offset = mark.next_offset if mark else 0
        behind = tail.lag(next_offset)
        if behind:
            events += behind
            folded_at = mark.recorded_at if mark else 0.0
            since = min(since, tail.oldest(next_offset) or folded_at or tail.first_read or since)
    return events, round(time.time() - since, 3) if events else 0.0
