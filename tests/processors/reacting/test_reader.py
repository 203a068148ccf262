"""The one reader: every handler hears what it wants, from where it is, held up by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError as AioKafkaError
from confluent_kafka import KafkaError, KafkaException

from infra.kafka import aio_consumer, aio_producer, ensure_topics
from infra.metrics import HANDLED, HANDLER_PARKED
from infra.settings import Settings
from processors.feeding import reading
from processors.feeding.reading import Stretch
from processors.reacting import beginnings, hearing, lanes, reader
from processors.reacting.commands import Commands, following, open_commands
from processors.reacting.effects import (
    Effect,
    EffectRefusedError,
    OutsideDownError,
    Tools,
    effect_id_of,
)
from processors.reacting.handlers import Begins
from processors.reacting.hearing import Cursors, Heard
from processors.reacting.parked import (
    Decision,
    Parked,
    ParkedEvent,
    ParkedStream,
    list_parked,
)
from processors.reacting.positions import Place, Positions
from processors.reacting.reader import Reader, common_start
from processors.reactions.reactor import open_tools, run_reactor
from schemas.contexts import Topic
from schemas.identity import DeleteUser, UserRegistered, user_stream
from schemas.messages import Role
from schemas.positions import Position
from schemas.recorded import Recorded, event_id_of
from tests.partitions import partition_of_stream
from tests.processors.reacting.happening import other_partition, record_of, same_partition
from tests.waiting import eventually
from tests.worlds import World


@dataclass(frozen=True)
class Elsewhere(Effect):
    """An effect that listens to a topic of the test's own."""

    topic: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)


@dataclass
class Bench:
    """A topic of events, and an outside that remembers what it has taken."""

    mesh: World
    producer: AIOKafkaProducer
    name: str
    taken: list[tuple[UUID, UUID]] = field(default_factory=list)  # effect id, user
    tried: list[UUID] = field(default_factory=list)
    down_for: set[UUID] = field(default_factory=set)
    refused: set[UUID] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        return self.mesh.settings

    async def happen(self, user_id: UUID) -> UUID:
        """Somebody registers; the id that the effect of it must have."""
        command_id = str(uuid4())
        record = record_of(user_id, command_id=command_id)
        stream_id = user_stream(user_id)
        await self.producer.send_and_wait(
            f"events.{self.name}",
            record.value,
            key=stream_id.encode(),
            headers=list(record.headers),
            partition=partition_of_stream(stream_id),
        )
        return uuid5(UUID(event_id_of(command_id, 0)), self.name)

    def effect(self, name: str | None = None, **how: Any) -> Elsewhere:
        """The effect of this name, by default the bench's."""
        own = name or self.name

        async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
            user_id = recorded.event.user_id
            self.tried.append(user_id)
            if user_id in self.down_for and own == self.name:
                raise OutsideDownError
            if user_id in self.refused:
                raise EffectRefusedError
            self.taken.append((effect_id_of(recorded, own), user_id))

        return Elsewhere(own, (UserRegistered,), run, topic=f"events.{self.name}", **how)

    def took(self, user_id: UUID, times: int = 1) -> Callable[[], bool]:
        return lambda: [user for _, user in self.taken].count(user_id) >= times

    async def position(self, user_id: UUID, name: str | None = None) -> int | None:
        """How far the effect has come in this person's partition; None: it has not begun."""
        own = name or self.name
        kept = await Positions(self.mesh.pool).of([own])
        return kept.get(
            Place(own, f"events.{self.name}", partition_of_stream(user_stream(user_id)))
        )

    async def waiting(self) -> list[ParkedStream]:
        return await list_parked(self.mesh.pool, [self.name])

    async def decide(self, parked: ParkedStream, decision: Decision) -> None:
        place = Position(parked.topic, parked.partition, parked.position_offset)
        await Parked(self.mesh.pool).decide(parked.handler, place, decision)


@pytest.fixture
async def bench(mesh: World) -> AsyncIterator[Bench]:
    name = f"test_{uuid4().hex[:12]}"
    await ensure_topics(mesh.settings)
    await ensure_topics(mesh.settings, [Topic(f"events.{name}", -1)])
    producer = aio_producer(mesh.settings, name)
    await producer.start()
    try:
        yield Bench(mesh, producer, name)
    finally:
        await producer.stop()


@pytest.fixture(autouse=True)
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SAVE_S", 0.1)


@asynccontextmanager
async def running(bench: Bench, *effects: Effect) -> AsyncIterator[None]:
    """A reactor at work, stopped gently with the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_reactor(bench.settings, stop, (), effects or (bench.effect(),)))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_an_event_has_its_effect_and_a_gentle_restart_repeats_none(bench: Bench) -> None:
    before, after = uuid4(), uuid4()
    first = await bench.happen(before)
    async with running(bench):
        await eventually(bench.took(before))
    second = await bench.happen(after)
    async with running(bench):
        await eventually(bench.took(after))
    assert sorted(bench.taken) == sorted([(first, before), (second, after)])


async def test_while_one_waits_for_its_outside_others_go_on(bench: Bench) -> None:
    stuck = uuid4()
    behind, beside = same_partition(stuck), other_partition(stuck)
    bench.down_for.add(stuck)
    for each in (stuck, behind, beside):
        await bench.happen(each)
    async with running(bench, bench.effect(), bench.effect(f"{bench.name}_other")):
        await eventually(bench.took(beside, times=2))  # the other lanes of the same effect
        await eventually(bench.took(behind))  # the other effect has come past
        await eventually(lambda: bench.tried.count(stuck) >= 3)
        assert not bench.took(behind, times=2)()
        bench.down_for.clear()
        await eventually(bench.took(behind, times=2))
    assert bench.took(stuck, times=2)()


async def test_one_that_is_left_behind_catches_up_with_a_cursor_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "QUEUE_MAX", 2)
    stuck = uuid4()
    others = [same_partition(stuck) for _ in range(9)]
    bench.down_for.add(stuck)
    other = bench.effect(f"{bench.name}_other")
    async with running(bench, bench.effect(), other):
        await bench.happen(stuck)
        for each in others:
            await bench.happen(each)
            await eventually(bench.took(each))
        assert HANDLED.labels(bench.name, "done")._value.get() == 0
        bench.down_for.clear()
        for each in others:
            await eventually(bench.took(each, times=2))
        await bench.happen(later := same_partition(stuck))
        await eventually(bench.took(later, times=2))
    by_name = [user for effect_id, user in bench.taken]
    assert [by_name.count(each) for each in (stuck, *others, later)] == [2] * 11
    assert HANDLED.labels(bench.name, "done")._value.get() == 11


async def test_no_position_is_kept_before_the_outside_has_taken_it(bench: Bench) -> None:
    user_id = uuid4()
    bench.down_for.add(user_id)
    effect_id = await bench.happen(user_id)
    async with running(bench):
        await eventually(lambda: bench.tried.count(user_id) >= 3)
    assert await bench.position(user_id) == 0
    bench.down_for.clear()
    async with running(bench):
        await eventually(bench.took(user_id))
    assert await bench.position(user_id) == 1
    assert bench.taken == [(effect_id, user_id)]


async def test_what_a_handler_does_not_hear_moves_its_position_on(bench: Bench) -> None:
    user_id = uuid4()
    deaf = Elsewhere(f"{bench.name}_deaf", (), bench.effect().run, topic=f"events.{bench.name}")
    async with running(bench, bench.effect(), deaf):
        await bench.happen(user_id)
        await eventually(bench.took(user_id))

        async def passed() -> bool:
            return await bench.position(user_id, deaf.name) == 1

        await eventually(passed)
    assert len(bench.taken) == 1


async def test_a_crash_before_the_position_is_kept_repeats_the_effect_under_the_same_id(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = uuid4()
    effect_id = await bench.happen(user_id)

    async def crash(*_: object) -> bool:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(Positions, "save", crash)
        with pytest.raises(ExceptionGroup):
            await asyncio.wait_for(
                run_reactor(bench.settings, asyncio.Event(), (), (bench.effect(),)), 30
            )
    async with running(bench):
        await eventually(bench.took(user_id, times=2))
    assert set(bench.taken) == {(effect_id, user_id)}


@pytest.mark.parametrize("decision", ["retry", "skip"])
async def test_a_parked_stream_waits_for_a_decision_and_the_others_for_nothing(
    bench: Bench, decision: Decision
) -> None:
    refused = uuid4()
    beside = same_partition(refused)
    bench.refused.add(refused)
    ids = [await bench.happen(refused), await bench.happen(beside), await bench.happen(refused)]
    async with running(bench):
        await eventually(bench.took(beside))
    # Another process takes the partition over, and what waits with it.
    async with running(bench):
        ids.append(await bench.happen(refused))

        async def three_wait() -> bool:
            return [each.events for each in await bench.waiting()] == [3]

        await eventually(three_wait)
        await eventually(lambda: HANDLER_PARKED.labels(bench.name)._value.get() == 1)
        assert bench.tried.count(refused) == 1
        bench.refused.clear()
        (waits,) = await bench.waiting()
        await bench.decide(waits, decision)
        await eventually(bench.took(refused, times=3 if decision == "retry" else 2))
        await eventually(lambda: HANDLER_PARKED.labels(bench.name)._value.get() == 0)
        ids.append(await bench.happen(refused))
        await eventually(bench.took(refused, times=4 if decision == "retry" else 3))
    assert await bench.waiting() == []
    skipped = ids[:0] if decision == "retry" else ids[:1]
    in_order = [effect_id for effect_id, user in bench.taken if user == refused]
    assert in_order == [each for each in (ids[0], *ids[2:]) if each not in skipped]


async def test_two_processes_share_the_work_and_one_takes_over_from_the_other(
    bench: Bench,
) -> None:
    people = [uuid4() for _ in range(16)]
    async with running(bench):
        async with running(bench):
            for each in people[:8]:
                await bench.happen(each)
            for each in people[:8]:
                await eventually(bench.took(each))
        for each in people[8:]:
            await bench.happen(each)
        for each in people[8:]:
            await eventually(bench.took(each))
    assert {user for _, user in bench.taken} == set(people)


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


async def test_a_producer_that_has_failed_is_replaced(bench: Bench) -> None:
    """What a partition without a leader leads to, which a broker of one's own does not show."""
    async with open_commands(bench.settings, "test-replaced") as commands:
        envelope = following("test", Heard(record_of(uuid4())).recorded, [erasing(uuid4())])
        assert await commands.hand_over(envelope) == 1
        failed = commands._producer
        cluster = failed._sender._message_accumulator._cluster
        cluster.leader_for_partition = lambda _place: -1
        with pytest.raises(AioKafkaError):
            await commands.hand_over(envelope)
        assert await commands.hand_over(envelope) == 1
        assert commands._producer is not failed


def erasing(user_id: UUID) -> DeleteUser:
    return DeleteUser(
        user_id=user_id, asked_at=datetime.now(UTC), asked_by="test", asked_role=Role.SYSTEM
    )


async def test_positions_beyond_the_end_of_the_log_begin_anew(bench: Bench) -> None:
    user_id = uuid4()
    await bench.happen(user_id)
    place = Place(bench.name, f"events.{bench.name}", partition_of_stream(user_stream(user_id)))
    await Positions(bench.mesh.pool).begin({place: 100})
    async with running(bench):
        await eventually(bench.took(user_id))


async def test_what_another_process_has_parked_late_is_found(bench: Bench) -> None:
    user_id = uuid4()
    async with running(bench):
        await bench.happen(user_id)
        await eventually(bench.took(user_id))
        place = Place(bench.name, f"events.{bench.name}", partition_of_stream(user_stream(user_id)))
        frozen = ParkedEvent(place, 0, user_stream(user_id), "user.registered", "refused", 1)
        await Parked(bench.mesh.pool).park(frozen)
        await eventually(lambda: HANDLER_PARKED.labels(bench.name)._value.get() == 1)
        await bench.happen(user_id)

        async def two_wait() -> bool:
            return [each.events for each in await bench.waiting()] == [2]

        await eventually(two_wait)
        (waits,) = await bench.waiting()
        await bench.decide(waits, "skip")

        async def gone() -> bool:
            return await bench.waiting() == []

        await eventually(gone)


async def test_nothing_is_begun_once_the_reader_is_told_to_stop(bench: Bench) -> None:
    means: Any = SimpleNamespace(
        positions=Positions(bench.mesh.pool), parked=Parked(bench.mesh.pool)
    )
    stopping = Reader(bench.settings, [bench.effect()], means)
    stop = asyncio.Event()
    stop.set()
    await stopping.start()
    await stopping.run(stop)
    await stopping.on_partitions_assigned([])
    assert stopping._opening is None


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


async def test_tools_need_neither_postgres_nor_a_mail_server_to_be_there(
    kafka_settings: Settings,
) -> None:
    away = kafka_settings.model_copy(update={"smtp_host": ""})
    commands = Commands(away, "test-tools")
    async with open_tools(away, commands) as tools:
        assert tools.settings is away
