"""From raw records to recorded events that count: the one function every reader uses.

Committed records only (the consumers see to that), writer epochs that never go back within a
partition, and per stream each version once and in order. What breaks a rule is passed over and
counted, the same way by every reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from processors.stores.port import Watermark
from schemas.log.positions import TopicPartition
from schemas.log.recorded import RawRecord, Recorded, UndecodableError, decode_event, header
from schemas.topics import EVENT_TYPES

STREAMS_MAX = 20_000  # remembered a partition; a stream asleep for longer starts afresh

COUNTS, REPEATED, STALE_EPOCH, VERSION_GAP = "", "repeated", "stale_epoch", "version_gap"


class Guard:
    """What of one partition counts, fed with its records in order.

    A reader that began in the middle (`epoch` then is the one its watermark remembers) takes a
    stream's first version on trust. One that began at 0 with `streams_max` None misses nothing.
    """

    def __init__(
        self, *, start: int = 0, epoch: int = 0, streams_max: int | None = STREAMS_MAX
    ) -> None:
        self.epoch = epoch
        self._versions: dict[bytes, int] = {}
        self._streams_max = streams_max
        self._knows_all = start == 0

    def judge(self, headers: Mapping[str, bytes]) -> str:
        """COUNTS, or why the record does not. One that can't be read counts: it must not be
        lost unseen, so decoding it fails and parks its stream.
        """
        try:
            epoch = int(headers["writer_epoch"])
            version = int(headers["stream_version"])
            stream = headers["ce_subject"]
        except (KeyError, ValueError):
            return COUNTS
        if epoch < self.epoch:
            return STALE_EPOCH
        self.epoch = epoch
        return self._judge_version(stream, version) if version else COUNTS

    def _judge_version(self, stream: bytes, version: int) -> str:
        last = self._versions.pop(stream, 0 if self._knows_all else version - 1)
        verdict = COUNTS
        if version <= last:
            verdict = REPEATED
        elif version > last + 1:
            verdict = VERSION_GAP
        # Put back at the end: the dictionary's order is that of last use.
        self._versions[stream] = last if verdict else version
        if self._streams_max is not None and len(self._versions) > self._streams_max:
            del self._versions[next(iter(self._versions))]
            self._knows_all = False
        return verdict


@dataclass(slots=True)
class Incoming:
    """One record on its way to the folds of several projections: decoded once, when needed."""

    record: RawRecord
    place: TopicPartition
    offset: int
    kind: str
    stream_id: str
    verdict: str
    epoch: int  # the highest of the partition up to here
    _recorded: Recorded[Any] | None = None
    _error: UndecodableError | None = None

    @property
    def mark(self) -> Watermark:
        """The watermark of its partition once it has been read."""
        return Watermark(self.offset + 1, self._time(), self.epoch)

    def _time(self) -> float:
        """Epoch seconds of its ce_time; 0 when there is none that can be read."""
        try:
            return datetime.fromisoformat(header(self.record.headers, "ce_time") or "").timestamp()
        except ValueError:
            return 0.0

    def recorded(self) -> Recorded[Any]:
        """The event; raises UndecodableError."""
        if self._error is not None:
            raise self._error
        if self._recorded is None:
            try:
                self._recorded = decode_event(self.record, EVENT_TYPES)
            except UndecodableError as error:
                self._error = error
                raise
        return self._recorded


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in order within each partition, and the watermarks after them."""

    incoming: Sequence[Incoming]
    marks: Mapping[TopicPartition, Watermark]

    @staticmethod
    def of(incoming: Sequence[Incoming]) -> Batch:
        """The batch of these records."""
        last = {each.place: each for each in incoming}
        return Batch(incoming, {place: each.mark for place, each in last.items()})

    def halves(self) -> tuple[Batch, Batch]:
        """The same as two batches, to be applied one after the other."""
        return self._cut(len(self.incoming) // 2)

    def before_and_from(self, one: Incoming) -> tuple[Batch, Batch]:
        """The same as two batches, of which the second begins with this one of its records."""
        return self._cut(next(at for at, each in enumerate(self.incoming) if each is one))

    def _cut(self, at: int) -> tuple[Batch, Batch]:
        return Batch.of(self.incoming[:at]), Batch.of(self.incoming[at:])


def incoming_of(record: RawRecord, guard: Guard) -> Incoming:
    """One record, judged. Never raises: what is unreadable says so when it is decoded."""
    headers = dict(record.headers)
    place = TopicPartition(record.topic, record.partition)
    stream = headers.get("ce_subject")
    return Incoming(
        record=record,
        place=place,
        offset=record.offset,
        kind=_text(headers.get("ce_type", b"")),
        stream_id=(
            _text(stream)
            if stream
            # Of no stream: alone in one of its own, so that it holds up nobody.
            else f"unreadable/{place.topic}/{place.partition}/{record.offset}"
        ),
        verdict=guard.judge(headers),
        epoch=guard.epoch,
    )


def _text(value: bytes) -> str:
    """A header's text as every store can hold it: Postgres takes no NUL."""
    return value.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def read_batch(records: Iterable[RawRecord], guards: Mapping[TopicPartition, Guard]) -> Batch:
    """Judge records, in order within each partition; every partition has its guard."""
    return Batch.of(
        [
            incoming_of(record, guards[TopicPartition(record.topic, record.partition)])
            for record in records
        ]
    )
