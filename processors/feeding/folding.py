"""Folding in memory: from rows and events to what must be written and what must be parked."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from processors.feeding.parking import Failed
from processors.feeding.recorded_stream import Incoming
from processors.stores.certain import Certain
from processors.stores.port import RETRIED, Change, Held
from projections.projection import Projection
from schemas.log.positions import Position, TopicPartition
from schemas.log.recorded import Recorded, UndecodableError


class Keyed(NamedTuple):
    """An event and the row it changes. `place` and `offset` are what the row remembers of it."""

    incoming: Incoming
    recorded: Recorded[Any]
    key: str
    place: TopicPartition
    offset: int


class CutError(Exception):
    """Fold what comes before `at` first: what its row was before is for the store to judge."""

    def __init__(self, at: Incoming) -> None:
        super().__init__()
        self.at = at


@dataclass
class Parked:
    """The streams that wait and the records that join them; grows while a batch is folded.
    `erasing`: those of them that take away what their stream's row says.
    """

    projection: Projection[Any]
    streams: Mapping[str, Position]
    failed: list[Failed] = field(default_factory=list)
    erasing: list[Keyed] = field(default_factory=list)
    _failing: dict[str, Position] = field(default_factory=dict)

    def follows(self, incoming: Incoming) -> bool:
        """Whether this one's stream waits; if so it has joined. What comes before the first that
        waits does not: it may be met after that one was found unreadable, or be delivered again
        by a worker that was killed when it had parked and not yet written.
        """
        stream = incoming.stream_id
        if not any(
            _is_behind(incoming, known.get(stream)) for known in (self._failing, self.streams)
        ):
            return False
        keys = row_keys(self.projection, incoming)
        self.failed.append(Failed(incoming, row_keys=keys))
        if incoming.kind in self.projection.erasing and keys:
            with suppress(UndecodableError):  # one that can't be read takes nothing away
                self.erasing.append(_erasing(incoming, keys[0]))
        return True

    def fails(self, incoming: Incoming, reason: str) -> None:
        """From this one on its stream waits."""
        if not _is_behind(incoming, self._failing.get(incoming.stream_id)):
            self._failing[incoming.stream_id] = Position(*incoming.place, incoming.offset)
        self.failed.append(Failed(incoming, reason, row_keys(self.projection, incoming)))


def _is_behind(incoming: Incoming, first: Position | None) -> bool:
    return first is not None and (
        incoming.place != first.topic_partition or incoming.offset >= first.offset
    )


def _erasing(incoming: Incoming, key: str) -> Keyed:
    """It is folded once more when its turn comes, and so remembered under another name."""
    place = TopicPartition(f"{RETRIED}erased {incoming.stream_id}", incoming.place.partition)
    return Keyed(incoming, incoming.recorded(), key, place, incoming.offset)


def row_keys(projection: Projection[Any], incoming: Incoming) -> tuple[str, ...]:
    """The rows that a record would change. Of one that can't be read those that its stream may
    change; none where every event makes a row of its own.
    """
    if projection.insert_only:
        return ()
    try:
        return (projection.key(incoming.recorded()),)
    except Exception:  # noqa: BLE001 - whatever it is, the record is parked for it
        return projection.rows_of(incoming.stream_id)


def keyed(projection: Projection[Any], incoming: Iterable[Incoming], parked: Parked) -> list[Keyed]:
    """The events that can be read, each with its row's key."""
    found = []
    for each in incoming:
        if parked.follows(each):
            continue
        try:
            recorded = each.recorded()
            key = projection.key(recorded)
        except Exception as error:  # noqa: BLE001 - whatever it is, this stream waits for it
            parked.fails(each, reason_of(error))
        else:
            found.append(Keyed(each, recorded, key, each.place, each.offset))
    return found


@dataclass(slots=True)
class _Row:
    held: Held
    row: Any
    applied: dict[TopicPartition, int]
    events: list[Incoming] = field(default_factory=list)
    was: Any = None
    erased: bool = False

    def fold(self, projection: Projection[Any], each: Keyed) -> None:
        self.row = projection.fold(self.row, each.recorded)
        self.applied[each.place] = each.offset
        self.events.append(each.incoming)
        if self.row is not None:
            self.was = self.row

    def erase(self, projection: Projection[Any], each: Keyed) -> None:
        """Take away what the event takes away; it still waits for its turn."""
        if self.row is None or self.applied.get(each.place, -1) >= each.offset:
            return
        with suppress(Exception):  # it will say why when its turn comes; nobody sees the row
            self.row = projection.fold(self.row, each.recorded)
            self.applied[each.place] = each.offset
            self.erased = True

    def change(self, key: str, *, remembers: bool) -> Change | None:
        """What to write; None when that would be of no use.

        A row that `remembers` what it has seen is written although it is what it was before: the
        last write of a killed worker may still arrive, with some of these events in it, and must
        find that it is too late. Where there never was a row, nobody can have written one.
        """
        if not self.events and not self.erased:
            return None
        if self.row is None and self.held.row is None and self.was is None:
            return None
        if not remembers and (self.row is self.held.row or self.row == self.held.row):
            return None
        return Change(key, Held(self.row, self.held.version + 1, self.applied), self.was)


_NO_ROW = Held(None)


@dataclass
class Refused:
    """Rows, by key, that the store will not take, and why; and those among them that it refuses
    though their events are left out, for what a waiting event takes away.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    unerased: set[str] = field(default_factory=set)

    def note(self, reasons: Mapping[str, str]) -> None:
        """The store has refused these."""
        self.unerased |= reasons.keys() & self.reasons.keys()
        self.reasons.update(reasons)


class Folded(NamedTuple):
    """The changes that events make, by key the events that made them, in order, and the rows that
    a waiting event has emptied.
    """

    changes: list[Change]
    events: Mapping[str, Sequence[Incoming]]
    erased: frozenset[str]


def folded(
    projection: Projection[Any],
    events: Sequence[Keyed],
    held: Mapping[str, Held],
    parked: Parked,
    refused: Refused,
    certain: Certain,
    *,
    remembers: bool,
) -> Folded:
    """What these events make of their rows; what fails goes to `parked`.

    `refused`: what the store will not take. Of the states that a row passes through only the last
    one is written, so what the rows become would depend on where the log was cut into batches if
    the store refused one on the way: a second event is folded only onto what is `certain` to be
    taken. Raises CutError at the first for which it is not. `remembers`: whether rows know what
    they have seen, for their watermark moves later.
    """
    rows: dict[str, _Row] = {}
    for each in events:
        if parked.follows(each.incoming):
            continue
        row = _row(rows, held, each.key)
        if row.applied.get(each.place, -1) >= each.offset:
            continue
        if each.key in refused.reasons:
            parked.fails(each.incoming, refused.reasons[each.key])
            continue
        if row.events and not certain(row.row):
            raise CutError(each.incoming)
        try:
            row.fold(projection, each)
        except Exception as error:  # noqa: BLE001 - whatever it is, this stream waits for it
            parked.fails(each.incoming, reason_of(error))
    for each in parked.erasing:
        row = _row(rows, held, each.key)
        if row.events and not certain(row.row):
            raise CutError(each.incoming)
        if each.key not in refused.unerased:
            row.erase(projection, each)
    changes = [
        change
        for key, row in rows.items()
        if (change := row.change(key, remembers=remembers)) is not None
    ]
    erased = frozenset(key for key, row in rows.items() if row.erased)
    return Folded(changes, {key: row.events for key, row in rows.items()}, erased)


def _row(rows: dict[str, _Row], held: Mapping[str, Held], key: str) -> _Row:
    row = rows.get(key)
    if row is None:
        known = held.get(key, _NO_ROW)
        row = rows[key] = _Row(known, known.row, dict(known.applied))
    return row


def reason_of(error: Exception) -> str:
    """Why an event can't be folded, without a word of its data: that may be personal."""
    if isinstance(error, UndecodableError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
