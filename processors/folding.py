"""Folding in memory: from rows and events to what must be written and what must be parked."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from processors.parking import Failed
from processors.recorded_stream import Incoming
from processors.stores.port import Change, Held
from projections.projection import Projection
from schemas.positions import TopicPartition
from schemas.recorded import Recorded, UndecodableError


class Keyed(NamedTuple):
    """An event and the row it changes. `place` and `offset` are what the row remembers of it."""

    incoming: Incoming
    recorded: Recorded[Any]
    key: str
    place: TopicPartition
    offset: int


@dataclass
class Parked:
    """The streams that wait and the records that join them; grows while a batch is folded."""

    streams: Collection[str]
    failed: list[Failed] = field(default_factory=list)
    _failing: set[str] = field(default_factory=set)

    def follows(self, incoming: Incoming) -> bool:
        """Whether this one's stream waits; if so it has joined."""
        if incoming.stream_id not in self.streams and incoming.stream_id not in self._failing:
            return False
        self.failed.append(Failed(incoming))
        return True

    def fails(self, incoming: Incoming, reason: str) -> None:
        """From this one on its stream waits."""
        self._failing.add(incoming.stream_id)
        self.failed.append(Failed(incoming, reason))


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

    def change(self, key: str) -> Change | None:
        """What to write; None when nothing has changed.

        What such a row has seen need not be stored: until another event changes it, seeing the
        same one again changes nothing either.
        """
        if self.row is self.held.row or self.row == self.held.row:
            return None
        return Change(key, Held(self.row, self.held.version + 1, self.applied))


_NO_ROW = Held(None)


def folded(
    projection: Projection[Any],
    events: Sequence[Keyed],
    held: Mapping[str, Held],
    parked: Parked,
    refused: Mapping[str, str],
) -> list[Change]:
    """The changes that these events make; what fails goes to `parked`.

    `refused`: rows, by key, that the store will not take, and why.
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
        try:
            row.row = fold(row.row, each.recorded)
        except Exception as error:  # noqa: BLE001 - whatever it is, this stream waits for it
            parked.fails(each.incoming, reason_of(error))
        else:
            row.applied[each.place] = each.offset
    return [change for key, row in rows.items() if (change := row.change(key)) is not None]


def reason_of(error: Exception) -> str:
    """Why an event can't be folded, without a word of its data: that may be personal."""
    if isinstance(error, UndecodableError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
