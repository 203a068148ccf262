from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from infra.metrics import EVENTS_IGNORED
from infra.settings import Settings
from processors.stores.port import Change, Generation, Held
from processors.stores.postgres import open_postgres_store
from projections.journal.journal import journal
from schemas.log.recorded import decode_event
from schemas.topics import CONTEXTS, EVENT_TYPES
from tests.processors.records import record, stream
from tests.projections.history import recorded
from tests.worlds import World, world


@pytest_asyncio.fixture
async def mesh(stack: Settings) -> AsyncIterator[World]:
    async with world(stack) as made:
        yield made


def decoded(**options: Any) -> Any:
    return decode_event(record(7, "a", 1, "one", partition=3, epoch=9, **options), EVENT_TYPES)


def test_every_event_of_a_context_with_commands_is_heard_and_tracking_is_not() -> None:
    wanted = {event for context in CONTEXTS if context.commands for event in context.events}
    assert set(journal.hears) == wanted
    assert not {event.__name__ for event in wanted} & {"ListingViewed"}


def test_an_events_key_is_its_own_id() -> None:
    event = decoded()
    assert journal.key(event) == event.event_id


def test_the_data_is_kept_byte_for_byte_in_the_shape_it_was_stored_in() -> None:
    old = {
        "listing_id": str(decoded().event.listing_id),
        "seller_id": "s",
        "market": "exotics",
        "fields": {"title": "Old  car", "mileage_km": 7},
        "created_at": "2026-01-01T00:00:00Z",
    }
    value = json.dumps(old, indent=1).encode()
    stored = record(7, "a", 1, "one", value=value)
    stored = stored._replace(
        headers=[
            (name, b"listing.created/1" if name == "ce_dataschema" else text)
            for name, text in stored.headers
        ]
    )
    row = journal.fold(None, decode_event(stored, EVENT_TYPES))
    assert row is not None
    assert (row.data.encode(), row.schema_version) == (value, 1)


def test_a_row_says_where_its_event_stands_in_the_log_and_in_its_stream() -> None:
    row = journal.fold(None, decoded())
    assert row is not None
    assert (row.topic, row.partition, row.position_offset) == ("events.listings", 3, 7)
    assert (row.stream_id, row.version, row.writer_epoch) == (stream("a"), 1, 9)


async def test_a_version_that_stands_in_the_log_twice_is_kept_once_and_counted(
    mesh: World,
) -> None:
    """The alarm: two writers have written the same version."""
    store = await open_postgres_store(mesh.settings)
    made = Generation(journal, 1)
    await store.create(made)
    counted = EVENTS_IGNORED.labels("journal", "repeated")
    before = counted._value.get()
    rows = [journal.fold(None, recorded(stream("a"), 1, decoded().event, offset=n)) for n in (1, 2)]
    for place, row in enumerate(rows):
        async with store.session(made) as session:
            await session.write([Change(f"event {place}", Held(row, 1))], {})
    kept = await mesh.pool.fetch("SELECT key FROM reads.journal__g1")
    await store.close()
    assert [each["key"] for each in kept] == ["event 0"]
    assert counted._value.get() == before + 1
