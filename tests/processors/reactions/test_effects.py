"""Effects: at least once, waiting for the outside, held up by no poison."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from infra.kafka import aio_consumer, aio_producer, ensure_topics
from infra.mail import MailDeferredError, MailRefusedError, MailUnavailableError
from infra.metrics import EFFECTS
from infra.settings import Settings
from infra.vault import VaultUnavailableError
from processors.reactions import effect_runner, offsets
from processors.reactions.commands import Commands
from processors.reactions.effect_runner import Lane, open_tools
from processors.reactions.effects import (
    Effect,
    EffectRefusedError,
    OutsideDownError,
    Tools,
    effect_id_of,
)
from processors.reactions.offsets import Offsets
from processors.reactions.reactor import EFFECTS as RUNNING
from processors.reactions.reactor import REACTIONS, run_reactor
from schemas.contexts import Topic
from schemas.identity import UserRegistered, user_stream
from schemas.messages import Language, Market, Role
from schemas.recorded import (
    CommandEnvelope,
    Record,
    Recorded,
    event_id_of,
    headers_of_event,
    value_of,
)
from tests.infra.test_mail import settings_with
from tests.partitions import partition_of_stream
from tests.waiting import eventually

Run = Callable[[Recorded[Any], Tools], Awaitable[None]]


def registered(user_id: UUID) -> UserRegistered:
    return UserRegistered(
        user_id=user_id,
        email_sealed="1e",
        email_hash=user_id.hex * 2,
        name_sealed="1n",
        role=Role.BUYER,
        market=Market.EXOTICS,
        language=Language.ENGLISH,
        registered_at=datetime.now(UTC),
    )


def record_of(
    user_id: UUID, *, topic: str = "events.test", command_id: str = "", age: timedelta | None = None
) -> Record:
    """Somebody registers: the record of it."""
    event = registered(user_id)
    command = command_of(user_id)
    headers = headers_of_event(
        event,
        index=0,
        count=1,
        version=1,
        envelope=CommandEnvelope(command, command_id or str(uuid4()), "c", "c", ""),
        writer_epoch=1,
        recorded_at=datetime.now(UTC) - (age or timedelta()),
    )
    return Record(topic, 0, 7, b"", value_of(event), headers)


def command_of(user_id: UUID) -> Any:
    class Anything:
        stream_id = user_stream(user_id)
        asked_by = "somebody"

    return Anything()


def lane(run: Run, **how: Any) -> Lane:
    """A lane without Kafka: what it would do with one record."""
    effect = Effect("test", (UserRegistered,), run, **how)
    nothing: Any = None
    return Lane(effect, nothing, nothing, TopicPartition("events.test", 0), nothing, nothing)


def lanes_of(effect: Effect, consumer: Any, count: int) -> list[Lane]:
    """The lanes of so many partitions, on a consumer of which they only need to commit."""
    nothing: Any = None
    shared = Offsets(consumer, effect.name)
    places = [TopicPartition("events.test", number) for number in range(count)]
    return [Lane(effect, nothing, consumer, place, nothing, shared) for place in places]


def failing(*errors: Exception) -> tuple[Run, list[str]]:
    """An effect that raises these, one a try, and then succeeds; and its tries."""
    tries: list[str] = []

    async def run(recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(recorded.event_id)
        if len(tries) <= len(errors):
            raise errors[len(tries) - 1]

    return run, tries


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effect_runner, "PAUSE_FIRST_S", 0.0001)
    monkeypatch.setattr(effect_runner, "PAUSE_MAX_S", 0.001)


def test_an_effect_has_one_id_however_often_it_runs() -> None:
    record = record_of(uuid4(), command_id=str(uuid4()))
    event_id = dict(record.headers)["ce_id"].decode()
    recorded = effect_runner.decode_event(record, effect_runner.EVENT_TYPES)
    assert effect_id_of(recorded, "greet") == uuid5(UUID(event_id), "greet")
    assert effect_id_of(recorded, "greet") != effect_id_of(recorded, "warn")


def test_every_effect_has_a_name_and_a_group_of_its_own() -> None:
    settings = settings_with()
    groups = [each.group(settings) for each in RUNNING] + [each.group for each in REACTIONS]
    assert len(set(groups)) == len(groups)


@pytest.mark.parametrize(
    "error",
    [
        OutsideDownError(),
        MailUnavailableError(),
        VaultUnavailableError(),
        KafkaConnectionError(),
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.UndefinedTableError(),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_while_the_outside_is_down_the_event_waits_for_as_long_as_it_takes(
    quick: None, error: Exception
) -> None:
    run, tries = failing(*[error] * 3 * effect_runner.TRIES_MAX)
    assert await lane(run).outcome_of(record_of(uuid4())) == "done"
    assert len(tries) == 3 * effect_runner.TRIES_MAX + 1
    assert len(set(tries)) == 1


@pytest.mark.parametrize(
    "error",
    [EffectRefusedError(), MailRefusedError(), KeyError(), TypeError(), ZeroDivisionError()],
    ids=lambda each: type(each).__name__,
)
async def test_what_is_certain_to_fail_again_is_passed_over_at_once(
    quick: None, error: Exception
) -> None:
    run, tries = failing(error)
    assert await lane(run).outcome_of(record_of(uuid4())) == "poisoned"
    assert len(tries) == 1


@pytest.mark.parametrize("error", [RuntimeError(), MailDeferredError()], ids=["unknown", "mail"])
async def test_what_may_be_over_soon_is_tried_again_but_not_for_ever(
    quick: None, error: Exception
) -> None:
    run, tries = failing(error, error)
    assert await lane(run).outcome_of(record_of(uuid4())) == "done"
    run, tries = failing(*[error] * 100)
    assert await lane(run).outcome_of(record_of(uuid4())) == "poisoned"
    assert len(tries) == effect_runner.TRIES_MAX


async def test_an_outside_that_hangs_counts_as_down(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effect_runner, "RUN_TIMEOUT_S", 0.01)
    tries = []

    async def run(_recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(1)
        if len(tries) < 3:
            await asyncio.Event().wait()

    assert await lane(run).outcome_of(record_of(uuid4())) == "done"
    assert len(tries) == 3


async def test_a_record_that_cannot_be_read_is_poisoned() -> None:
    run, tries = failing()
    assert await lane(run).outcome_of(record_of(uuid4())._replace(value=b"{")) == "poisoned"
    assert tries == []


async def test_an_effect_with_a_term_is_not_done_after_it() -> None:
    run, tries = failing()
    tried = lane(run, within=timedelta(days=3))
    assert await tried.outcome_of(record_of(uuid4(), age=timedelta(days=4))) == "late"
    assert tries == []
    assert await tried.outcome_of(record_of(uuid4(), age=timedelta(days=2))) == "done"


async def test_one_that_waits_ends_at_once_when_told_to() -> None:
    run, tries = failing(*[OutsideDownError()] * 1000)
    waiting = lane(run)
    task = asyncio.create_task(waiting.outcome_of(record_of(uuid4())))
    await eventually(lambda: len(tries) >= 2)
    waiting.ending.set()
    assert await asyncio.wait_for(task, 0.1) is None


async def test_logs_tell_of_poison_without_the_text_of_foreign_errors(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = failing(KeyError("nimal@example.org"))
    assert await lane(run).outcome_of(record_of(uuid4())) == "poisoned"
    told = "".join(capsys.readouterr()) + caplog.text
    assert "effect_poisoned" in told
    assert "nimal" not in told


# On real Kafka.


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

    settings: Settings
    producer: AIOKafkaProducer
    name: str
    taken: list[tuple[UUID, UUID]] = field(default_factory=list)  # effect id, user
    tried: list[UUID] = field(default_factory=list)
    down_for: set[UUID] = field(default_factory=set)
    poisoned: set[UUID] = field(default_factory=set)

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

    def effect(self, name: str | None = None) -> Elsewhere:
        """The effect of this name, by default the bench's."""
        group = name or self.name

        async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
            user_id = recorded.event.user_id
            self.tried.append(user_id)
            if user_id in self.down_for and group == self.name:
                raise OutsideDownError
            if user_id in self.poisoned:
                raise EffectRefusedError
            self.taken.append((effect_id_of(recorded, group), user_id))

        return Elsewhere(group, (UserRegistered,), run, topic=f"events.{self.name}")

    def took(self, user_id: UUID, times: int = 1) -> Callable[[], bool]:
        return lambda: [user for _, user in self.taken].count(user_id) >= times


@pytest.fixture
async def bench(kafka_settings: Settings) -> AsyncIterator[Bench]:
    name = f"test_{uuid4().hex[:12]}"
    await ensure_topics(kafka_settings)
    await ensure_topics(kafka_settings, [Topic(f"events.{name}", -1)])
    producer = aio_producer(kafka_settings, name)
    await producer.start()
    try:
        yield Bench(kafka_settings, producer, name)
    finally:
        await producer.stop()


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


def same_partition(of: UUID) -> UUID:
    """Somebody else in the same lane."""
    wanted = partition_of_stream(user_stream(of))
    return next(
        each for each in iter(uuid4, None) if partition_of_stream(user_stream(each)) == wanted
    )


def other_partition(of: UUID) -> UUID:
    """Somebody in another lane."""
    taken = partition_of_stream(user_stream(of))
    return next(
        each for each in iter(uuid4, None) if partition_of_stream(user_stream(each)) != taken
    )


async def committed(bench: Bench, user_id: UUID) -> int:
    """How far the group has come in this person's partition."""
    place = TopicPartition(f"events.{bench.name}", partition_of_stream(user_stream(user_id)))
    consumer = aio_consumer(
        bench.settings, "test-look", group_id=bench.effect().group(bench.settings)
    )
    await consumer.start()
    try:
        consumer.assign([place])
        return await consumer.committed(place) or 0
    finally:
        await consumer.stop()


async def test_an_event_has_its_effect_and_a_gentle_restart_repeats_none(bench: Bench) -> None:
    before, after = uuid4(), uuid4()
    first = await bench.happen(before)
    async with running(bench):
        await eventually(bench.took(before), 20)
    second = await bench.happen(after)
    async with running(bench):
        await eventually(bench.took(after), 20)
    assert sorted(bench.taken) == sorted([(first, before), (second, after)])


async def test_while_one_waits_for_its_outside_others_go_on(bench: Bench) -> None:
    stuck = uuid4()
    behind, beside = same_partition(stuck), other_partition(stuck)
    bench.down_for.add(stuck)
    for each in (stuck, behind, beside):
        await bench.happen(each)
    async with running(bench, bench.effect(), bench.effect(f"{bench.name}_other")):
        await eventually(bench.took(beside, times=2), 20)  # the other lanes of the same effect
        await eventually(bench.took(behind), 20)  # the other effect has come past
        await eventually(lambda: bench.tried.count(stuck) >= 3, 20)
        assert not bench.took(behind, times=2)()
        bench.down_for.clear()
        await eventually(bench.took(behind, times=2), 20)
    assert bench.took(stuck, times=2)()


async def test_no_offset_is_committed_before_the_outside_has_taken_it(bench: Bench) -> None:
    user_id = uuid4()
    bench.down_for.add(user_id)
    effect_id = await bench.happen(user_id)
    async with running(bench):
        await eventually(lambda: user_id in bench.tried, 20)
    assert await committed(bench, user_id) == 0
    bench.down_for.clear()
    async with running(bench):
        await eventually(bench.took(user_id), 20)
    assert await committed(bench, user_id) == 1
    assert bench.taken == [(effect_id, user_id)]


async def test_what_nobody_hears_is_committed_and_seldom(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed_offsets: list[int] = []

    class Consumer:
        """What a lane needs of one."""

        async def commit(self, offsets: dict[TopicPartition, int]) -> None:
            committed_offsets.extend(offsets.values())

    def unheard(offset: int) -> Any:
        return SimpleNamespace(offset=offset, headers=(("ce_type", b"nobody.hears"),))

    consumer: Any = Consumer()
    both = lanes_of(bench.effect(), consumer, 2)
    for offset in range(5):
        for lane in both:
            assert await lane._take([unheard(offset)])
    assert committed_offsets == [1]
    monkeypatch.setattr(offsets, "SELDOM_S", 0.0)
    assert await both[0]._take([])
    assert committed_offsets == [1, 5, 5]  # for both lanes at once
    assert await both[1]._take([])
    assert committed_offsets == [1, 5, 5]


@pytest.mark.parametrize(("repeatable", "commits"), [(False, 3), (True, 1)])
async def test_an_effect_that_may_be_repeated_is_committed_seldom(
    repeatable: bool, commits: int
) -> None:
    committed: list[object] = []

    class Consumer:
        async def commit(self, offsets: object) -> None:
            committed.append(offsets)

    run, tries = failing()
    consumer: Any = Consumer()
    [at_work] = lanes_of(lane(run, repeatable=repeatable).effect, consumer, 1)
    for _ in range(3):
        assert await at_work._take([record_of(uuid4())])
    assert (len(tries), len(committed)) == (3, commits)


async def test_a_crash_before_the_commit_repeats_the_effect_under_the_same_id(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = uuid4()
    effect_id = await bench.happen(user_id)

    async def crash(*_: object) -> bool:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(Offsets, "commit", crash)
        with pytest.raises(ExceptionGroup):
            await asyncio.wait_for(
                run_reactor(bench.settings, asyncio.Event(), (), (bench.effect(),)), 30
            )
    async with running(bench):
        await eventually(bench.took(user_id, times=2), 20)
    assert set(bench.taken) == {(effect_id, user_id)}


async def test_poison_is_counted_and_holds_up_nobody(bench: Bench) -> None:
    poisoned = uuid4()
    behind = same_partition(poisoned)
    bench.poisoned.add(poisoned)
    await bench.happen(poisoned)
    await bench.happen(behind)
    async with running(bench):
        await eventually(bench.took(behind), 20)
    assert bench.tried.count(poisoned) == 1
    assert EFFECTS.labels(bench.name, "poisoned")._value.get() == 1
    assert EFFECTS.labels(bench.name, "done")._value.get() == 1


async def test_two_processes_share_the_work_and_one_takes_over_from_the_other(
    bench: Bench,
) -> None:
    people = [uuid4() for _ in range(16)]
    async with running(bench):
        async with running(bench):
            for each in people[:8]:
                await bench.happen(each)
            for each in people[:8]:
                await eventually(bench.took(each), 20)
        for each in people[8:]:
            await bench.happen(each)
        for each in people[8:]:
            await eventually(bench.took(each), 20)
    assert {user for _, user in bench.taken} == set(people)


async def test_tools_need_neither_postgres_nor_a_mail_server_to_be_there(
    kafka_settings: Settings,
) -> None:
    away = kafka_settings.model_copy(update={"smtp_host": ""})
    commands = Commands(aio_producer(away, "test-tools"), away.topic_partitions)
    async with open_tools(away, commands) as tools:
        assert tools.settings is away
