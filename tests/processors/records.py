"""Records of listings as a topic gives them, for tests that need no log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from schemas.listings import ListingCreated, ListingPublished, ListingUpdated, listing_stream
from schemas.log.messages import Event, Market, iso
from schemas.log.recorded import Record, event_id_of, value_of
from schemas.values.vehicles import VehicleFields

TOPIC = "events.listings"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
_NAMES = UUID(int=7)


def listing_id(name: str) -> str:
    """A listing's id by a short name."""
    return str(uuid5(_NAMES, name))


def stream(name: str) -> str:
    """The stream of the listing with that short name."""
    return listing_stream(listing_id(name))


def titled(name: str, version: int, title: str, **fields: Any) -> Event:
    """The event that gives a listing its next title."""
    given = VehicleFields(title=title, **fields)
    if version == 1:
        return ListingCreated(
            listing_id=listing_id(name),
            seller_id="s",
            market=Market.EXOTICS,
            fields=given,
            created_at=NOW,
        )
    return ListingUpdated(listing_id=listing_id(name), fields=given, updated_at=NOW)


def published(name: str) -> Event:
    """An event of no title."""
    return ListingPublished(listing_id=listing_id(name), published_at=NOW)


def record(
    offset: int,
    name: str,
    version: int,
    event: Event | str,
    *,
    partition: int = 0,
    epoch: int = 1,
    value: bytes | None = None,
) -> Record:
    """One record; an event given as text is the next title. Records of all names share a
    partition unless it is stated."""
    if isinstance(event, str):
        event = titled(name, version, event)
    command = str(uuid4())
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id_of(command, 0),
        "ce_type": event.kind,
        "ce_source": "marketmesh",
        "ce_subject": stream(name),
        "ce_time": iso(NOW + timedelta(seconds=offset)),
        "ce_dataschema": f"{event.kind}/{event.SCHEMA}",
        "stream_version": str(version),
        "command_id": command,
        "event_index": "0",
        "event_count": "1",
        "correlation_id": command,
        "causation_id": command,
        "actor": "somebody",
        "fingerprint": "",
        "writer_epoch": str(epoch),
    }
    return Record(
        topic=TOPIC,
        partition=partition,
        offset=offset,
        key=stream(name).encode(),
        value=value_of(event) if value is None else value,
        headers=[(each, text.encode()) for each, text in headers.items()],
    )
