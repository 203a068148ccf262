"""Replaying part of the log, to look at a read model as it was or as one stream makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from processors.feeding.reading import Log, Stretch
from schemas.log.partitioning import partition_of
from schemas.log.positions import Position, TopicPartition, parse_token
from schemas.log.recorded import RawRecord, header


class LimitsError(ValueError):
    """`--until` or `--only-stream` can't be understood; the text says what would be."""


@dataclass(frozen=True)
class Limits:
    """What part of the log to build from. A build with limits is for looking at: it is never
    fed by workers and never switched to.

    `until`: a moment (ISO 8601, UTC when it names no zone; events of that very moment count)
    or positions `topic:partition:offset,…` (the last events that count; partitions that are
    not named end at the time of the youngest of these). `only_stream`: a stream's id.
    """

    until: str = ""
    only_stream: str = ""

    @property
    def whole(self) -> bool:
        """Whether this is all of the log."""
        return not self.until and not self.only_stream

    def __str__(self) -> str:
        parts = [f"until {self.until}" if self.until else ""]
        parts.append(f"only stream {self.only_stream}" if self.only_stream else "")
        return ", ".join(part for part in parts if part) or "the whole log"

    def detail(self) -> dict[str, Any]:
        """For the registry."""
        return {} if self.whole else {"until": self.until, "only_stream": self.only_stream}

    @staticmethod
    def of(detail: Mapping[str, Any]) -> Limits:
        """From the registry."""
        return Limits(detail.get("until", ""), detail.get("only_stream", ""))

    def check(self) -> None:
        """Raises LimitsError when `until` is neither a moment nor positions."""
        if self.until:
            _parsed(self.until)

    def applies_to(self, place: TopicPartition, partitions: int) -> bool:
        """Whether this one of so many partitions has anything to read."""
        return not self.only_stream or place.partition == partition_of(self.only_stream, partitions)

    def admits(self, record: RawRecord) -> bool:
        """Whether a record inside the stretches counts."""
        return not self.only_stream or header(record.headers, "ce_subject") == self.only_stream


def _parsed(until: str) -> datetime | list[Position]:
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        pass
    else:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return parse_token(until)
    except ValueError:
        message = (
            f"--until {until!r} is neither a moment (2026-03-01T12:00:00Z)"
            " nor positions (events.listings:3:1200)"
        )
        raise LimitsError(message) from None


async def stretches(
    log: Log, topics: Iterable[str], limits: Limits
) -> dict[TopicPartition, Stretch]:
    """What there is to read now of these topics within the limits."""
    bounds = {
        place: each
        for place, each in (await log.bounds(topics)).items()
        if limits.applies_to(place, log.partitions)
    }
    if not limits.until:
        return bounds
    until = _parsed(limits.until)
    if isinstance(until, datetime):
        ends = await _ends_after(log, bounds, until)
    else:
        ends = await _ends_at(log, bounds, until)
    return {
        place: Stretch(each.start, min(each.end, max(each.start, ends.get(place, each.end))))
        for place, each in bounds.items()
    }


async def _ends_after(
    log: Log, bounds: Mapping[TopicPartition, Stretch], moment: datetime
) -> dict[TopicPartition, int]:
    found = await log.offsets_at(list(bounds), moment + timedelta(milliseconds=1))
    return {place: offset for place, offset in found.items() if offset is not None}


async def _ends_at(
    log: Log, bounds: Mapping[TopicPartition, Stretch], positions: Iterable[Position]
) -> dict[TopicPartition, int]:
    """Named partitions end after the named event, the others at the same moment."""
    youngest = datetime.min.replace(tzinfo=UTC)
    named = {}
    for position in positions:
        named[position.topic_partition] = position.offset + 1
        youngest = max(youngest, await log.time_of(position))
    return {**await _ends_after(log, bounds, youngest), **named}
