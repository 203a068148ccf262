"""The tail of a partition: what is committed in the log behind given offsets.

An owner reads it once it has opened the partition, when no earlier owner can add to it any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra.clients.kafka import committed_reader_config
from infra.settings import Settings
from schemas.log import positions
from schemas.log.recorded import Record, header

STALL_TIMEOUT_S = 15.0
RECORDS_MAX = 2_000
_POLL_S = 0.5
_LAST_STEP = 16  # records; a commit leaves one marker behind its last record


class TailUnavailableError(Exception):
    """The tail could not be read to its end in time; open the partition again."""


class LogTruncatedError(Exception):
    """The log ends before a watermark: it is not the log that Postgres was built from."""


class End(NamedTuple):
    """The end of one partition: the offset that the next record will get, and the headers of
    the last committed record (none when there is no record).
    """

    next_offset: int
    headers: Sequence[tuple[str, bytes]]

    @property
    def epoch(self) -> int:
        """The last record's writer epoch, 0 when there is none."""
        said = header(self.headers, "writer_epoch") or ""
        return int(said) if said.isdecimal() else 0

    @property
    def recorded_at(self) -> datetime | None:
        """When the last record says that it was written; None where it does not, or is no one's."""
        try:
            at = datetime.fromisoformat(header(self.headers, "ce_time") or "")
        except ValueError:
            return None
        return at if at.tzinfo is not None else None


class TailReader:
    """A consumer of a few partitions, without a group, for one reading. Its calls block."""

    def __init__(self, settings: Settings) -> None:
        config = committed_reader_config(settings, "mesh-writer-tail")
        self._consumer = Consumer(
            config
            | {
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                # How long the broker holds a question at the end, which is where we learn of it.
                "fetch.wait.max.ms": 10,
            }
        )

    def read(self, starts: Mapping[positions.TopicPartition, int]) -> Iterator[Record]:
        """Every committed record from each start to the end; each partition in order."""
        self._refuse_beyond_end(starts)
        yield from self._read(starts)

    def _read(self, starts: Mapping[positions.TopicPartition, int]) -> Iterator[Record]:
        self._consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])
        waiting = set(starts)
        for message in self._messages():
            error = message.error()
            if error is None:
                yield record_of(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name
                waiting.discard(_place(message))
                if not waiting:
                    return
            elif not error.retriable():
                raise TailUnavailableError(error.str())

    def ends(
        self, places: Iterable[positions.TopicPartition]
    ) -> dict[positions.TopicPartition, End]:
        """The partitions' ends. Looks back as far as it must for each last record: markers of
        transactions and records of aborted ones come after it.
        """
        bounds = self.bounds(places)
        last: dict[positions.TopicPartition, Record] = {}
        behind = {place: low for place, (low, high) in bounds.items() if low < high}
        step = _LAST_STEP
        while behind:
            starts = {place: max(low, bounds[place][1] - step) for place, low in behind.items()}
            for record in self._read(starts):
                last[positions.TopicPartition(record.topic, record.partition)] = record
            behind = {
                place: low
                for place, low in behind.items()
                if place not in last and low < starts[place]
            }
            step *= 8
        return {
            place: End(high, last[place].headers if place in last else [])
            for place, (_, high) in bounds.items()
        }

    def bounds(
        self, places: Iterable[positions.TopicPartition]
    ) -> dict[positions.TopicPartition, tuple[int, int]]:
        """The first offset of each partition, and the one that its next record will get."""
        return {place: self._bounds(place) for place in places}

    def close(self) -> None:
        """End the consumer."""
        self._consumer.close()

    def _messages(self) -> Iterator[Message]:
        stalled_at = time.monotonic() + STALL_TIMEOUT_S
        while time.monotonic() < stalled_at:
            messages = self._consumer.consume(RECORDS_MAX, 0)
            if not messages:
                first = self._consumer.poll(_POLL_S)
                messages = [] if first is None else [first]
            if messages:
                stalled_at = time.monotonic() + STALL_TIMEOUT_S
            yield from messages
        message = f"the log gave nothing for {STALL_TIMEOUT_S:.0f} s"
        raise TailUnavailableError(message)

    def _bounds(self, place: positions.TopicPartition) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=STALL_TIMEOUT_S, cached=False
            )
        except KafkaException as error:
            raise TailUnavailableError(error.args[0].str()) from error
        return low, high

    def _refuse_beyond_end(self, starts: Mapping[positions.TopicPartition, int]) -> None:
        for place, start in starts.items():
            _, high = self._bounds(place)
            if start > high:
                message = (
                    f"{place.topic}/{place.partition} ends at {high}, but Postgres has read up to "
                    f"{start}: this is another log than the one the journal was built from"
                )
                raise LogTruncatedError(message)


def record_of(message: Message) -> Record:
    """A confluent message as a plain record; absent headers are an empty list."""
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.key(),
        message.value(),
        message.headers() or [],  # type: ignore[arg-type]  # a list of pairs, as we wrote them
    )


def _place(message: Message) -> positions.TopicPartition:
    return positions.TopicPartition(message.topic() or "", message.partition() or 0)
