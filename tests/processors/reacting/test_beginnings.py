"""Where handlers begin and go on: at their own place, whatever the others and the log do."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from confluent_kafka import KafkaError, KafkaException

from infra.clients.kafka import aio_consumer
from infra.metrics import HANDLED
from processors.feeding import reading
from processors.feeding.reading import Stretch
from processors.reacting import beginnings, hearing, reader
from processors.reacting.handlers import Begins
from processors.reacting.hearing import Cursors
from processors.reacting.positions import Place, Positions
from processors.reacting.reader import common_start
from schemas.identity import user_stream
from tests.partitions import partition_of_stream
from tests.processors.reacting.happening import same_partition
from tests.processors.reacting.topic_bench import Bench, running
from tests.waiting import eventually


async def test_a_handler_begins_where_it_says(bench: Bench) -> None:
    before, after = uuid4(), uuid4()
    await bench.happen(before)
    newer = bench.effect(f"{bench.name}_newer", begins=Begins.FIRST_SEEN)
    async with running(bench):
        await eventually(bench.took(before))
    async with running(bench, bench.effect(), newer):
        pass
    await bench.happen(after)  # while nobody is there
    async with running(bench, bench.effect(), newer):
        await eventually(bench.took(after, times=2))
    assert len(bench.taken) == 3


async def test_a_new_handler_hears_the_whole_log_and_holds_up_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "NEAR", 0)
    stuck = uuid4()
    people = [same_partition(stuck) for _ in range(5)]
    old = bench.effect(f"{bench.name}_old")
    for each in (stuck, *people):
        await bench.happen(each)
    async with running(bench, old):
        await eventually(bench.took(people[-1]))
    bench.down_for.add(stuck)
    async with running(bench, old, bench.effect()):
        await eventually(lambda: bench.tried.count(stuck) >= 2)
        await bench.happen(later := same_partition(stuck))
        await eventually(bench.took(later))
        bench.down_for.clear()
        await eventually(bench.took(later, times=2))
    own = HANDLED.labels(bench.name, "done")._value.get()
    assert own == len(people) + 2


async def test_what_was_a_consumer_group_goes_on_where_that_was(bench: Bench) -> None:
    before, after = uuid4(), uuid4()
    await bench.happen(before)
    place = KafkaPartition(f"events.{bench.name}", partition_of_stream(user_stream(before)))
    group = f"mesh.{bench.settings.store_prefix}effect.{bench.name}"
    former = aio_consumer(bench.settings, "test-former", group_id=group)
    await former.start()
    try:
        former.assign([place])
        await former.commit({place: 1})
    finally:
        await former.stop()
    async with running(bench):
        await bench.happen(after)
        await eventually(bench.took(after))
    assert [user for _, user in bench.taken] == [after]


async def test_a_coordinator_that_is_loading_is_not_taken_for_a_group_without_offsets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loading:
        """What confluent's client gives when the broker answers so."""

        def __init__(self, _config: object) -> None:
            pass

        def list_consumer_group_offsets(self, asked: list[Any], **_how: object) -> Any:
            answer: Future[Any] = Future()
            loading = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
            answer.set_exception(KafkaException(loading))
            return {each.group_id: answer for each in asked}

    positions = Positions(bench.mesh.pool)
    monkeypatch.setattr(beginnings, "AdminClient", Loading)
    with pytest.raises(KafkaException):
        await beginnings.begin(bench.settings, positions, [bench.effect()])
    assert await positions.of([bench.name]) == {}


async def test_positions_beyond_the_end_of_the_log_begin_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BEYOND_S", 0.05)
    user_id = uuid4()
    await bench.happen(user_id)
    place = Place(bench.name, f"events.{bench.name}", partition_of_stream(user_stream(user_id)))
    await Positions(bench.mesh.pool).begin({place: 100})
    async with running(bench):
        await eventually(bench.took(user_id))


async def test_a_broker_that_has_only_just_come_back_makes_nobody_begin_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may tell of less than it has."""
    monkeypatch.setattr(reader, "BEYOND_S", 0.05)
    user_id, later = uuid4(), uuid4()
    await bench.happen(user_id)
    async with running(bench):
        await eventually(bench.took(user_id))
    tell, told = AIOKafkaConsumer.end_offsets, []

    async def less(self: AIOKafkaConsumer, places: Any) -> Any:
        told.append(1)
        ends = await tell(self, places)
        return dict.fromkeys(ends, 0) if len(told) == 1 else ends

    with monkeypatch.context() as patched:
        patched.setattr(AIOKafkaConsumer, "end_offsets", less)
        async with running(bench):
            await bench.happen(later)
            await eventually(bench.took(later))
    assert [user for _, user in bench.taken] == [user_id, later]


@pytest.mark.parametrize(("name", "wanted"), [("user.registered", 2), ("nothing.heard", 0)])
async def test_a_cursor_makes_way_however_seldom_there_is_something_to_hear(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, wanted: int
) -> None:
    monkeypatch.setattr(hearing, "LOOKED_THROUGH_MAX", 1)
    monkeypatch.setattr(reading, "RECORDS_MAX", 2)
    first = uuid4()
    for each in (first, *(same_partition(first) for _ in range(5))):
        await bench.happen(each)
    place = Place(bench.name, f"events.{bench.name}", partition_of_stream(user_stream(first)))
    cursors = Cursors(bench.settings)
    heard, reached = await cursors.read(place, frozenset({name}), Stretch(0, 6))
    assert len(heard) >= wanted
    assert 0 < reached <= 6
    assert await cursors.one(place, 99) is None
    found = await cursors.one(place, 3)
    assert found is not None
    assert found.offset == 3


@pytest.mark.parametrize(
    ("offsets", "start"), [([0], 0), ([5_000, 4_500, 0], 4_500), ([5_000, 4_000], 4_000)]
)
def test_the_reader_begins_where_the_handlers_near_the_first_are(
    offsets: list[int], start: int
) -> None:
    assert common_start(offsets) == start
