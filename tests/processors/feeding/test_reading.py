"""The bulk reader of the log: committed records, in order, from offset to offset."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from infra.clients.kafka import ensure_topics
from infra.settings import Settings
from processors.feeding.reading import (
    Batch,
    LogUnavailableError,
    Stretch,
    kind_of_record,
    open_log,
)
from schemas.log.positions import Position, TopicPartition
from schemas.log.recorded import Record
from tests.processors.replay.shop import append, append_aborted, listings

TOPIC = "events.listings"


@pytest_asyncio.fixture(scope="module")
async def written(kafka_settings: Settings) -> AsyncIterator[tuple[Settings, Stretches, list]]:
    """What lies in the log between two looks at its ends, and what was aborted there."""
    await ensure_topics(kafka_settings)
    before = await bounds(kafka_settings)
    first, second, aborted = listings(40), listings(10), listings(5)
    await append(kafka_settings, first, per_transaction=7)
    await append_aborted(kafka_settings, aborted)
    await append(kafka_settings, second)
    after = await bounds(kafka_settings)
    stretches = {place: Stretch(before[place].end, after[place].end) for place in before}
    yield kafka_settings, stretches, [*first, *second]


Stretches = dict[TopicPartition, Stretch]


async def bounds(settings: Settings) -> Stretches:
    async with open_log(settings) as log:
        return await log.bounds([TOPIC])


async def read(settings: Settings, stretches: Stretches) -> list[Batch]:
    async with open_log(settings) as log:
        return [batch async for batch in log.read(stretches)]


def of_streams(records: Sequence[Record]) -> dict[bytes, list[bytes]]:
    """Values by stream, in order."""
    found: dict[bytes, list[bytes]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record.value)
    return found


async def test_every_committed_record_comes_in_order_and_no_aborted_one(written) -> None:
    settings, stretches, records = written
    batches = await read(settings, stretches)
    assert of_streams([each for batch in batches for each in batch.records]) == of_streams(records)


async def test_the_last_batch_of_a_partition_reaches_its_end_beyond_the_markers(written) -> None:
    settings, stretches, _ = written
    last = {batch.place: batch.next_offset for batch in await read(settings, stretches)}
    assert last == {place: each.end for place, each in stretches.items()}


async def test_offsets_grow_from_batch_to_batch(written) -> None:
    settings, stretches, _ = written
    at = {place: each.start for place, each in stretches.items()}
    for batch in await read(settings, stretches):
        first = min((each.offset for each in batch.records), default=batch.next_offset)
        assert first >= at[batch.place]
        assert batch.next_offset >= at[batch.place]
        at[batch.place] = batch.next_offset


async def test_a_read_ends_before_the_offset_it_was_given(written) -> None:
    settings, stretches, _ = written
    place, stretch = max(stretches.items(), key=lambda each: each[1].end - each[1].start)
    whole = [
        each.offset for batch in await read(settings, {place: stretch}) for each in batch.records
    ]
    end = whole[len(whole) // 2]
    half = [
        each.offset
        for batch in await read(settings, {place: Stretch(stretch.start, end)})
        for each in batch.records
    ]
    assert half == [offset for offset in whole if offset < end]


async def test_an_empty_stretch_is_one_empty_batch(written) -> None:
    settings, stretches, _ = written
    place, stretch = next(iter(stretches.items()))
    found = await read(settings, {place: Stretch(stretch.end, stretch.end)})
    assert found == [Batch(place, (), stretch.end)]


async def test_a_moment_leads_to_the_first_record_written_then_or_later(written) -> None:
    settings, stretches, _ = written
    first = next(batch for batch in await read(settings, stretches) if batch.records).records[0]
    place = TopicPartition(first.topic, first.partition)
    async with open_log(settings) as log:
        at = await log.time_of(Position(*place, first.offset))
        assert (await log.offsets_at([place], at))[place] <= first.offset
        later = datetime.now(UTC) + timedelta(days=1)
        assert await log.offsets_at([place], later) == {place: None}


async def test_a_topic_that_is_not_there_is_named(kafka_settings: Settings) -> None:
    async with open_log(kafka_settings) as log:
        with pytest.raises(LogUnavailableError, match=r"no such topic: events\.nothing"):
            await log.bounds(["events.nothing"])


async def test_a_broker_that_stays_away_ends_the_reading_within_its_bound(
    kafka_settings: Settings,
) -> None:
    nowhere = kafka_settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    with pytest.raises(LogUnavailableError, match="can't be reached"):
        async with open_log(nowhere, stall_s=0.5):
            pass


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_records_kind_is_found_wherever_its_header_stands(place: int) -> None:
    headers = [(f"h{number}", b"x") for number in range(5)]
    headers.insert(place, ("ce_type", b"listing.created"))
    assert kind_of_record(Record("t", 0, 0, None, None, headers)) == b"listing.created"


def test_a_record_without_a_kind_has_the_empty_one() -> None:
    assert kind_of_record(Record("t", 0, 0, None, None, [("a", b"b")])) == b""
