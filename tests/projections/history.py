"""Recorded events for tests of folds: a stream's history without a log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from projections.projection import Projection
from schemas.log.messages import Event
from schemas.log.positions import Position
from schemas.log.recorded import Recorded, event_id_of, value_of
from schemas.topics import topics_of
from tests.partitions import partition_of_stream

BEGINNING = datetime(2026, 3, 1, tzinfo=UTC)
_MOMENTS = frozenset(
    f"{word}_at"
    for word in [
        "created",
        "updated",
        "changed",
        "published",
        "unpublished",
        "sold",
        "deleted",
        "hidden",
        "shown",
        "renewed",
        "expired",
        "responded",
        "voted",
        "withdrawn",
    ]
)


def recorded(stream_id: str, version: int, event: Event, *, offset: int = 0) -> Recorded[Any]:
    """One event of a stream as the log would give it."""
    command_id = f"{stream_id}/{version}/{offset}"
    topic = topics_of(type(event))[0]
    return Recorded(
        event=event,
        event_id=event_id_of(command_id, 0),
        kind=event.kind,
        stream_id=stream_id,
        version=version,
        recorded_at=_moment_of(event) or BEGINNING + timedelta(seconds=offset),
        command_id=command_id,
        index=0,
        count=1,
        correlation_id=command_id,
        causation_id=command_id,
        actor="somebody",
        fingerprint="",
        writer_epoch=0,
        position=Position(topic, partition_of_stream(stream_id), offset),
        schema_version=event.SCHEMA,
        value=value_of(event),
    )


def _moment_of(event: Event) -> datetime | None:
    """When it happened: the log takes it at once."""
    moments = (getattr(event, name) for name in type(event).model_fields if name in _MOMENTS)
    return next(moments, None)


def history(stream_id: str, *events: Event) -> list[Recorded[Any]]:
    """A stream's events, numbered 1, 2, 3 …"""
    return [
        recorded(stream_id, place + 1, event, offset=place) for place, event in enumerate(events)
    ]


def rows_of(projection: Projection[Any], events: Iterable[Recorded[Any]]) -> dict[str, Any]:
    """The rows that a projection keeps of these events, by key."""
    rows: dict[str, Any] = {}
    for each in events:
        if isinstance(each.event, projection.hears):
            key = projection.key(each)
            rows[key] = projection.fold(rows.get(key), each)
    return {key: row for key, row in rows.items() if row is not None}
