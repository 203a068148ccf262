"""Folding in memory: from rows and events to what must be written and what must be parked."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from processors.parking import Failed
from processors.recorded_stream import Incoming
from processors.stores.certain import Certain
from processors.stores.port import Change, Held
from projections.projection import Projection
from schemas.positions import Position, TopicPartition
from schemas.recorded import Recorded, UndecodableError


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
    """The streams that wait and the records that join them; grows while a batch is folded."""

    projection: Projection[Any]
    streams: Mapping[str, Position]
    failed: list[Failed] = field(default_factory=list)
    _failing: set[str] = field(default_factory=set)

    def follows(self, incoming: Incoming) -> bool:
        """Whether this one's stream waits; if so it has joined."""
        if incoming.stream_id not in self._failing and not self._waits(incoming):
            return False
        self.failed.append(Failed(incoming, row_keys=row_keys(self.projection, incoming)))
        return True

    def _waits(self, incoming: Incoming) -> bool:
        """Whether an event before this one is parked. One behind it may be, too: a worker can be
        killed after it has parked and before it has written what comes first.
        """
        first = self.streams.get(incoming.stream_id)
        return first is not None and (
            incoming.place != first.topic_partition or incoming.offset >= first.offset
        )

    def fails(self, incoming: Incoming, reason: str) -> None:
        """From this one on its stream waits."""
        self._failing.add(incoming.stream_id)
        self.failed.append(Failed(incoming, reason, row_keys(self.projection, incoming)))


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

    def change(self, key: str) -> Change | None:
        """What to write; None when nothing has changed.

        What such a row has seen need not be stored: until another event changes it, seeing the
        same one again changes nothing either.
        """
        if self.row is self.held.row or self.row == self.held.row:
            return None
        return Change(key, Held(self.row, self.held.version + 1, self.applied))


_NO_ROW = Held(None)


class Folded(NamedTuple):
    """The changes that events make, and by key the events that made them, in order."""

    changes: list[Change]
    events: Mapping[str, Sequence[Incoming]]


def folded(
    projection: Projection[Any],
    events: Sequence[Keyed],
    held: Mapping[str, Held],
    parked: Parked,
    refused: Mapping[str, str],
    certain: Certain,
) -> Folded:
    """What these events make of their rows; what fails goes to `parked`.

    `refused`: rows, by key, that the store will not take, and why. Of the states that a row
    passes through only the last one is written, so what the rows become would depend on where
    the log was cut into batches if the store refused one on the way: a second event is folded
    only onto what is `certain` to be taken. Raises CutError at the first for which it is not.
    """
    rows: dict[str, _Row] = {}
    fold = projection.fold
    for each in events:
        if parked.follows(each.incoming):
            continue
        row = rows.get(each.key)
        if row is None:
            known = held.get(each.key, _NO_ROW)
            row = rows[each.key] = _Row(known, known.row, dict(known.applied))
        if row.applied.get(each.place, -1) >= each.offset:
            continue
        if each.key in refused:
            parked.fails(each.incoming, refused[each.key])
            continue
        if row.events and not certain(row.row):
            raise CutError(each.incoming)
        try:
            row.row = fold(row.row, each.recorded)
        except Exception as error:  # noqa: BLE001 - whatever it is, this stream waits for it
            parked.fails(each.incoming, reason_of(error))
        else:
            row.applied[each.place] = each.offset
            row.events.append(each.incoming)
    changes = [change for key, row in rows.items() if (change := row.change(key)) is not None]
    return Folded(changes, {key: row.events for key, row in rows.items()})


def reason_of(error: Exception) -> str:
    """Why an event can't be folded, without a word of its data: that may be personal."""
    if isinstance(error, UndecodableError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
