"""The pure fold of a log: what every read model must equal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from projections.projection import Projection
from schemas.log.recorded import RawRecord, decode_event
from schemas.registry import kind_of
from schemas.topics import EVENT_TYPES


def pure_fold(projection: Projection[Any], records: Iterable[RawRecord]) -> dict[str, Any]:
    """Rows by key, folded one event after another with nothing in between."""
    topics = projection.topics
    kinds = {kind_of(heard) for heard in projection.hears}
    rows: dict[str, Any] = {}
    for record in records:
        kind = dict(record.headers)["ce_type"].decode()
        if record.topic in topics and kind in kinds:
            recorded = decode_event(record, EVENT_TYPES)
            key = projection.key(recorded)
            rows[key] = projection.fold(rows.get(key), recorded)
    return {key: row for key, row in rows.items() if row is not None}
