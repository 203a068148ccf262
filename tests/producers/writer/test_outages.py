"""Kafka or Postgres die under the writer and come back: nothing is lost, doubled or refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import pytest
import uuid_utils
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from confluent_kafka import Consumer

from infra.clients.kafka import aio_consumer, membership, start_client
from infra.settings import Settings
from infra.stack.state import State
from producers.writer.append import AppendUnknownError, KafkaAppender
from producers.writer.source import member_config
from schemas.log.positions import TopicPartition
from tests.producers.writer.boxes import envelope, open_box, put_in
from tests.producers.writer.own_stack import bring_up, kill, own_stack
from tests.producers.writer.room import Room, room
from tests.producers.writer.test_append import Bench
from tests.producers.writer.test_crashes import answered, counted_once, one_box_each
from tests.waiting import eventually, let_pass

MEMBERS = 40
ASYNCIO_MEMBERS = 80

state = pytest.fixture(scope="module")(own_stack)


@pytest.fixture
async def fragile(state: State) -> AsyncIterator[Room]:
    async with room(bring_up(state)) as found:
        yield found


async def test_a_transaction_that_the_broker_dies_in_leaves_nothing(
    state: State, fragile: Room
) -> None:
    bench = Bench(fragile, 0)
    appender = bench.appender()
    await appender.open()
    await appender.append(bench.batch(b"before"))
    batch = bench.batch(b"torn", next_command=2)
    appender._producer.begin_transaction()
    appender._produce(appender._producer, batch.events)
    appender._producer.flush(10)

    kill(state, "kafka")
    bring_up(state)

    await appender.drop()
    successor = bench.appender()
    await eventually(lambda: opened(successor), 60)
    assert await bench.values(fragile.rules.context.events_topic, 1) == [b"before"]
    assert bench.done() == 1
    await successor.append(bench.batch(b"after", next_command=2))
    assert await bench.values(fragile.rules.context.events_topic, 2) == [b"before", b"after"]
    await successor.drop()
    bench.close()


async def opened(appender: KafkaAppender) -> bool:
    try:
        await appender.open()
    except AppendUnknownError:
        return False
    return True


async def test_a_commit_whose_answer_the_broker_never_gave_is_unknown(
    state: State, fragile: Room
) -> None:
    executor = ThreadPoolExecutor(2)
    place = TopicPartition(fragile.rules.context.commands_topic, 1)
    appender = KafkaAppender(fragile.settings, place, executor)
    await appender.open()
    bench = Bench(fragile, 1)
    batch = bench.batch(b"never answered")
    kill(state, "kafka")

    with pytest.raises(AppendUnknownError):
        await appender.append(batch)

    bring_up(state)
    await appender.drop()
    bench.close()
    executor.shutdown()


async def test_a_broker_killed_under_load_costs_no_command(state: State, fragile: Room) -> None:
    commands = one_box_each(60)
    async with fragile.writer():
        await fragile.send(*commands[:60])
        kill(state, "kafka")
        await let_pass(1, because="the writer must notice")
        bring_up(state)
        await fragile.send(*commands[60:])
        await answered(fragile, commands)

    await counted_once(fragile, commands)


async def test_a_broker_that_is_back_before_the_session_lapses_costs_no_command(
    state: State,
) -> None:
    """The group has forgotten nobody then, so that commands come before anything is opened anew."""
    patient = bring_up(state).model_copy(update={"session_timeout_ms": 60_000})
    async with room(patient) as found:
        commands = one_box_each(20)
        async with found.writer():
            await found.ask(*commands[:20])
            kill(state, "kafka")
            bring_up(state)
            await found.ask(*commands[20:])

        await counted_once(found, commands)


async def test_a_member_that_loses_the_broker_while_it_joins_joins_once_it_is_back(
    state: State, fragile: Room
) -> None:
    """Some of many, each a little further on its way when the broker dies, meet the moment at
    which librdkafka would forget what it was about to do: it dies as soon as one has joined.
    """
    topic, joined = fragile.rules.context.commands_topic, set[int]()
    members = [
        Consumer(member_config(fragile.settings, f"{fragile.group}-{each}"))
        for each in range(MEMBERS)
    ]
    with ThreadPoolExecutor(MEMBERS) as threads:
        stopping = Event()

        def belong(number: int) -> None:
            member = members[number]
            member.subscribe([topic], on_assign=lambda *_: joined.add(number))
            while not stopping.is_set():
                member.poll(0.1)
            member.close()

        async def belong_all() -> None:
            for number in range(MEMBERS):
                threads.submit(belong, number)
                await let_pass(0.005, because="each is to be further on its way than the next")

        beginning = asyncio.ensure_future(belong_all())
        try:
            await eventually(lambda: joined or beginning.done(), what="the first has joined")
            await asyncio.to_thread(kill, state, "kafka")
            await beginning
            await asyncio.to_thread(bring_up, state)
            await eventually(lambda: len(joined) == MEMBERS, what="every member has joined")
        finally:
            stopping.set()


async def test_an_asyncio_member_that_loses_the_broker_while_it_joins_joins_once_it_is_back(
    state: State, fragile: Room
) -> None:
    """The same for aiokafka, whose members share out what they know of, and may know nothing."""
    topic, joined = fragile.rules.context.commands_topic, set[int]()

    async def belong(number: int) -> None:
        await let_pass(number * 0.004, because="each is to be further on its way than the next")
        group = f"{fragile.group}-aio-{number}"
        member = await eventually(lambda: started(fragile.settings, group, topic))
        try:
            await eventually(member.assignment, what=f"member {number} has joined")
            joined.add(number)
            await everybody.wait()
        finally:
            await member.stop()

    everybody = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(ASYNCIO_MEMBERS):
            tasks.create_task(belong(number))
        await eventually(lambda: joined, what="the first has joined")
        await asyncio.to_thread(kill, state, "kafka")
        await asyncio.to_thread(bring_up, state)
        await eventually(lambda: len(joined) == ASYNCIO_MEMBERS, what="every member has joined")
        everybody.set()


async def started(settings: Settings, group: str, topic: str) -> AIOKafkaConsumer | None:
    member = aio_consumer(settings, group, group_id=group, **membership(settings))
    member.subscribe([topic])
    try:
        await start_client(member)
    except KafkaError:
        return None
    return member


async def test_commands_wait_while_postgres_is_away_and_are_decided_when_it_is_back(
    state: State, fragile: Room
) -> None:
    commands = one_box_each(10)
    async with fragile.writer():
        await fragile.ask(*(warm := one_box_each(4)))
        kill(state, "postgres")
        await fragile.send(*commands)
        await let_pass(2, because="the outage must be seen to last")
        assert not await answers_to(fragile, commands)
        bring_up(state)
        await answered(fragile, commands)

    await counted_once(fragile, warm + commands)


async def test_a_repeat_still_in_memory_is_answered_while_postgres_is_away(
    state: State, fragile: Room
) -> None:
    opening = envelope(open_box(uuid4()))
    async with fragile.writer():
        await fragile.ask(opening)
        kill(state, "postgres")
        try:
            (again,) = await fragile.ask(opening)
        finally:
            bring_up(state)

    assert again.repeated
    assert again.outcome == "accepted"


async def test_a_fresh_command_for_a_stream_in_memory_is_decided_while_postgres_is_away(
    state: State, fragile: Room
) -> None:
    box = uuid4()
    waiting = envelope(open_box(uuid4()))
    async with fragile.writer():
        await fragile.ask(envelope(open_box(box)))
        kill(state, "postgres")
        try:
            await let_pass(5.5, because="an id must be younger than clocks may differ")
            await fragile.send(waiting)
            (reply,) = await fragile.ask(envelope(put_in(box), str(uuid_utils.uuid7())))
            assert not await answers_to(fragile, [waiting])
        finally:
            bring_up(state)
        await answered(fragile, [waiting])

    assert (reply.outcome, reply.version) == ("accepted", 2)


async def test_a_writer_started_without_postgres_waits_for_it(state: State, fragile: Room) -> None:
    commands = one_box_each(3)
    kill(state, "postgres")
    await fragile.send(*commands)
    async with fragile.writer() as task:
        await let_pass(2, because="the writer must have tried")
        assert not task.done()
        assert not await fragile.events()
        bring_up(state)
        await answered(fragile, commands)

    await counted_once(fragile, commands)


async def answers_to(room: Room, commands: list) -> set[str]:
    asked = {each.command_id for each in commands}
    return {each.command_id for each in await room.replies()} & asked
