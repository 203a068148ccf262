"""One generation beside the pure fold of what it hears; see verification.py for how and why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import asyncpg

from processors.feeding.generations import GenerationStatus, list_generations
from processors.feeding.reading import Log, Stretch, kind_of_record
from processors.feeding.recorded_stream import COUNTS, Guard
from processors.replay.leftovers import Leftovers, leftovers
from processors.replay.limits import Limits
from processors.stores.port import Generation, Store
from processors.stores.rows import plain_row, row_hash
from projections.projection import ClickHouseTable, Projection
from schemas.log.positions import Position, TopicPartition
from schemas.log.recorded import RawRecord, Recorded, UndecodableError, decode_event, header
from schemas.registry import kind_of
from schemas.topics import EVENT_TYPES

DIFFERENCES_MAX = 50  # told one by one; all are counted
ROUNDS_MAX = 8
SETTLE_TIMEOUT_S = 30.0
_LOAD_KEYS = 500
_POLL_S = 0.05
# Rows about to be too old to be kept may go at any moment of the comparison.
_ABOUT_TO_GO = timedelta(hours=6)


@dataclass(frozen=True)
class Difference:
    """One row that is not what the log says: missing, extra, different, unsettled (it never
    stood still), unreadable (its event can't be folded and is not parked) or out of turn (its
    event was folded, though one before it in its stream waits).

    `expected` and `found` hold the fields that differ; None: no such row.
    """

    key: str
    what: str
    expected: Mapping[str, Any] | None
    found: Mapping[str, Any] | None


@dataclass
class Verdict:
    """What comparing one generation came to."""

    projection: str
    generation: int
    store: str
    events: int = 0  # heard, folded and compared with
    rows_expected: int = 0
    rows_found: int = 0
    rechecked: int = 0  # rows that moved on during the comparison
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)  # streams that stand still since an event
    skipped: int = 0  # events that were given up
    # Streams that the live generation does not park or skip alike; None: this is the live one.
    unlike_live: list[str] | None = None

    @property
    def rows_equal(self) -> bool:
        """Whether every row is what the log says without what is parked and skipped."""
        return not self.differing

    @property
    def whole(self) -> bool:
        """Whether nothing of the log is left out."""
        return not self.parked and not self.skipped

    @property
    def ok(self) -> bool:
        """Whether readers may be shown this generation: its rows are what the log says, all of it
        or all but what the live generation leaves out as well.
        """
        return self.rows_equal and (self.whole or self.unlike_live == [])

    def note(self, difference: Difference) -> None:
        """Count a difference, and keep it while there is room."""
        self.differing += 1
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(difference)


class Comparison:
    """The fold of one share of a generation's keys, and what became of it in the store."""

    def __init__(self, generation: Generation, limits: Limits, store: Store) -> None:
        self.generation = generation
        self.marks: dict[TopicPartition, int] = {}  # the fold's end: next offset by partition
        self.verdict = Verdict(generation.projection.name, generation.number, store.name)
        self.kinds = frozenset(kind_of(each).encode() for each in generation.projection.hears)
        self._projection = generation.projection
        self._erasing = frozenset(each.encode() for each in generation.projection.erasing)
        self._limits = limits
        self._store = store
        self._too_old = _too_old(generation.projection)
        self._left_out = Leftovers()
        self._stopped: set[str] = set()  # parked streams of which the fold has met the first event
        self._began: Mapping[TopicPartition, int] = {}
        self._share = (0, 1)
        # By key: the row or, where each event has a row of its own, only the row's hash.
        self._rows: dict[str, Any] = {}
        self._open: dict[str, Any] = {}  # by key: what the store holds in place of it

    async def begin(self, pool: asyncpg.Pool, number: int = 0, of: int = 1) -> None:
        """Begin with the `number`-th of so many shares of the keys: the fold ends at the present
        watermarks and leaves out what is parked.
        """
        self._share = (number, of)
        self._rows, self._open = {}, {}
        marks = await self._store.watermarks(self.generation)
        self.marks = {place: each.next_offset for place, each in marks.items()}
        self._began = dict(self.marks)
        self._left_out = await leftovers(pool, self.generation)
        self._stopped = set()
        self.verdict.parked = sorted(self._left_out.parked)
        self.verdict.skipped = len(self._left_out.skipped)
        live = await self._live(pool)
        if live is not None:
            others = await leftovers(pool, live)
            self.verdict.unlike_live = self._left_out.unlike(others)

    async def _live(self, pool: asyncpg.Pool) -> Generation | None:
        """The live generation beside this one."""
        found = await list_generations(
            pool, projections=[self._projection.name], statuses=[GenerationStatus.LIVE]
        )
        return next(
            (each.of(self._projection) for each in found if each.number != self.generation.number),
            None,
        )

    def wants(self, kind: bytes, record: RawRecord) -> bool:
        """Whether the record is part of this fold."""
        return (
            kind in self.kinds
            and record.offset < self.marks.get(TopicPartition(record.topic, record.partition), 0)
            and self._limits.admits(record)
            and (self._left_out.none or not self._leaves_out(record))
        )

    def _leaves_out(self, record: RawRecord) -> bool:
        """Whether the event is parked or was skipped. One that is neither, but comes behind a
        parked one of its stream, was folded out of turn.
        """
        place = Position(record.topic, record.partition, record.offset)
        stream = header(record.headers, "ce_subject") or ""
        if place in self._left_out.positions:
            self._stopped.add(stream)
            erases = kind_of_record(record) in self._erasing
            return self._left_out.parked.get(stream) == place or not erases
        if place in self._left_out.skipped:
            return True
        if stream not in self._stopped:
            return False
        if record.offset >= self._began.get(place.topic_partition, 0):
            return True  # parked since
        if not self._share[0]:
            reason = {"reason": "its stream is parked since an event before it"}
            self.verdict.note(Difference(str(place), "out of turn", reason, None))
        return False

    def fold(self, recorded: Recorded[Any]) -> None:
        """Let one event count."""
        key = self._projection.key(recorded)
        number, of = self._share
        if of > 1 and crc32(key.encode()) % of != number:
            return
        if recorded.position in self._left_out.positions:
            self._erase(key, recorded)
            return
        self.verdict.events += 1
        if self._projection.insert_only:
            # The first one counts, as unique keys have it in the stores.
            made = self._projection.fold(None, recorded) if key not in self._rows else None
            if made is not None and not self._too_old(made):
                self._rows[key] = row_hash(key, made)
            return
        self._set(key, self._projection.fold(self._rows.get(key), recorded))

    def _erase(self, key: str, recorded: Recorded[Any]) -> None:
        """An event that waits, and that takes away what the row says all the same."""
        if not self._projection.insert_only and key in self._rows:
            with suppress(
                Exception
            ):  # as in processors.feeding.folding: then nothing is taken away
                self._set(key, self._projection.fold(self._rows[key], recorded))

    def _set(self, key: str, row: Any) -> None:
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row

    async def compare(self, report: Callable[[int, int], None]) -> None:
        """Hold every row of the store against the fold; forget what is equal."""
        expected = len(self._rows)
        self.verdict.rows_expected += expected
        number, of = self._share
        found = 0
        await self._store.settle(self.generation)
        async for key, row in self._store.scan(self.generation):
            if (of > 1 and crc32(key.encode()) % of != number) or self._too_old(row):
                continue
            found += 1
            if self._is(key, row):
                del self._rows[key]
            else:
                self._open[key] = row
            if found % 1_000 == 0:
                report(found, expected)
        self.verdict.rows_found += found
        for key in self._rows:
            self._open.setdefault(key, None)

    def _is(self, key: str, row: Any) -> bool:
        """Whether the fold's present state of this key is that row (None: no row)."""
        return self._hash_now(key) == (None if row is None else row_hash(key, row))

    def _hash_now(self, key: str) -> bytes | None:
        state = self._rows.get(key)
        if state is None or isinstance(state, bytes):
            return state
        return row_hash(key, state)

    async def settle(self, log: Log) -> None:
        """Follow the log until every open row is found right, or wrong for good."""
        rounds = 0
        while self._open and rounds < ROUNDS_MAX:
            rounds += 1
            await self._judge_open(log)
            if not self._open or not await self._reached():
                break
            await self._look_again()
        for key, row in list(self._open.items()):
            self._wrong(key, row, "unsettled")

    async def _judge_open(self, log: Log) -> None:
        """Close the rows of which the log tells now whether they were right at their moment."""
        passed = await self._go_on(log) if self._limits.whole else {}
        for key, row in list(self._open.items()):
            if key not in passed:
                self._wrong(key, row)
            elif (None if row is None else row_hash(key, row)) in passed[key]:
                self._right(key)

    async def _go_on(self, log: Log) -> dict[str, set[bytes | None]]:
        """Fold what the log has got since, for open keys; each one's states on the way."""
        ahead = {
            place: Stretch(max(bound.start, self.marks.get(place, 0)), bound.end)
            for place, bound in (await log.bounds(self._projection.topics)).items()
        }
        guards = {place: Guard(start=each.start) for place, each in ahead.items()}
        passed: dict[str, set[bytes | None]] = {}
        async with aclosing(log.read(ahead)) as batches:
            async for batch in batches:
                for record in batch.records:
                    self.marks[batch.place] = record.offset + 1
                    counts = guards[batch.place].judge(dict(record.headers)) == COUNTS
                    recorded = self._heard(record) if counts else None
                    key = "" if recorded is None else self._projection.key(recorded)
                    if recorded is not None and key in self._open:
                        states = passed.setdefault(key, {self._hash_now(key)})
                        self.fold(recorded)
                        states.add(self._hash_now(key))
        return passed

    def _heard(self, record: RawRecord) -> Recorded[Any] | None:
        kind = (header(record.headers, "ce_type") or "").encode()
        if not self.wants(kind, record):
            return None
        try:
            return decode_event(record, EVENT_TYPES)
        except UndecodableError:
            return None  # parked in the meantime, or found by the next verification

    async def _reached(self) -> bool:
        """Wait until the store has read as far as the fold, a while at most."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while True:
            held = await self._store.watermarks(self.generation)
            if all(
                place in held and held[place].next_offset >= mark
                for place, mark in self.marks.items()
                if mark
            ):
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)

    async def _look_again(self) -> None:
        """Read the open rows once more."""
        keys = list(self._open)
        for start in range(0, len(keys), _LOAD_KEYS):
            part = keys[start : start + _LOAD_KEYS]
            async with self._store.session(self.generation) as session:
                held = await session.load(part)
            for key in part:
                self._open[key] = held[key].row if key in held else None
                if self._is(key, self._open[key]):
                    self._right(key)

    def _right(self, key: str) -> None:
        self.verdict.rechecked += 1
        del self._open[key]

    def _wrong(self, key: str, row: Any, what: str = "") -> None:
        del self._open[key]
        state = self._rows.get(key)
        found = None if row is None else plain_row(row)
        if isinstance(state, bytes):
            expected: dict[str, Any] | None = {"row_hash": state.hex()}
            found = found and {"row_hash": row_hash(key, row).hex(), **found}
        else:
            expected = None if state is None else plain_row(state)
        if expected is not None and found is not None and not isinstance(state, bytes):
            differing = [name for name in expected if expected[name] != found.get(name)]
            expected = {name: expected[name] for name in differing}
            found = {name: found.get(name) for name in differing}
        what = what or (
            "missing" if found is None else "extra" if expected is None else "different"
        )
        self.verdict.note(Difference(key, what, expected, found))

    def unreadable(self, record: RawRecord, reason: str) -> None:
        """An event that can't be folded though nobody has parked it."""
        if Position(record.topic, record.partition, record.offset) in self._left_out.positions:
            return
        place = f"{record.topic}:{record.partition}:{record.offset}"
        self.verdict.note(Difference(place, "unreadable", {"reason": reason}, None))


def _too_old(projection: Projection[Any]) -> Callable[[Any], bool]:
    """Says of a row whether the store may have taken it away for its age."""
    target = projection.target
    if not isinstance(target, ClickHouseTable) or target.kept is None:
        return lambda _row: False
    column, days = target.kept
    oldest = datetime.now(UTC) - timedelta(days=days) + _ABOUT_TO_GO

    def too_old(row: Any) -> bool:
        at: datetime = getattr(row, column)
        return at < oldest

    return too_old


def ends_of(comparisons: Iterable[Comparison]) -> dict[TopicPartition, int]:
    """How far the log must be read for all of them."""
    ends: dict[TopicPartition, int] = {}
    for each in comparisons:
        for place, mark in each.marks.items():
            ends[place] = max(mark, ends.get(place, 0))
    return ends
