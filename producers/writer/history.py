"""From recorded events to a stream's state: the journal's rows first, then the log's tail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import structlog

from producers.writer.deciders import Rulebook
from producers.writer.memory import (
    NO_OFFSET,
    Folded,
    Partial,
    Stream,
    Unreadable,
)
from schemas.log.messages import Event, category_of
from schemas.log.recorded import Recorded

log = structlog.get_logger()


class JournalRow(NamedTuple):
    """One event as the journal has it."""

    stream_id: str
    version: int
    kind: str
    schema_version: int
    data: str
    position_offset: int


def empty(rulebook: Rulebook, stream_id: str) -> Folded:
    """A stream to which nothing has happened."""
    return Folded(rulebook.deciders[category_of(stream_id)].initial, 0, NO_OFFSET)


def fold_history(
    rulebook: Rulebook, stream_id: str, rows: Iterable[JournalRow], tail: Stream | None
) -> Stream:
    """The stream: rows by version, then the events that only the tail has. Unreadable when a
    version is missing: something is wrong then, and deciding would make it worse.
    """
    stream: Stream = empty(rulebook, stream_id)
    for row in rows:
        try:
            event = rulebook.events.decode(row.kind, row.schema_version, row.data.encode())
        except ValueError as error:
            return Unreadable(f"{row.kind}/{row.schema_version}: {type(error).__name__}")
        stream = _evolved(rulebook, stream_id, stream, event, row.version, row.position_offset)
    for recorded in tail.events if isinstance(tail, Partial) else ():
        stream = _next(rulebook, stream, recorded)
    return stream


def extend(rulebook: Rulebook, stream: Stream | None, recorded: Recorded[Any]) -> Stream:
    """A stream with one more event from the log's tail. None: nothing of it is in memory."""
    match stream:
        case Unreadable(reason=reason):
            return Unreadable(reason, recorded.position.offset)
        case Partial(events=events):
            events.append(recorded)
            return stream
        case None if recorded.version > 1:
            return Partial([recorded])
        case _:
            return _next(rulebook, stream or empty(rulebook, recorded.stream_id), recorded)


def _next(rulebook: Rulebook, stream: Stream, recorded: Recorded[Any]) -> Stream:
    return _evolved(
        rulebook,
        recorded.stream_id,
        stream,
        recorded.event,
        recorded.version,
        recorded.position.offset,
    )


def _evolved(
    rulebook: Rulebook, stream_id: str, stream: Stream, event: Event, version: int, offset: int
) -> Stream:
    if not isinstance(stream, Folded) or version <= stream.version:
        return stream  # Seen: the journal may be ahead of the tail.
    if version != stream.version + 1:
        gap = f"version {stream.version} is followed by {version} at offset {offset}"
        log.error("history_gap", stream_id=stream_id, detail=gap)
        return Unreadable(gap, offset)
    decider = rulebook.deciders[category_of(stream_id)]
    return Folded(decider.evolve(stream.state, event), version, offset)
