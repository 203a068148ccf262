"""The contract of the transactional append, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from confluent_kafka import Producer

from infra.settings import Settings
from producers.writer import append
from producers.writer.append import (
    AppendUnknownError,
    Batch,
    DisplacedError,
    FencedError,
    KafkaAppender,
    Outgoing,
)
from producers.writer.done import DoneWith, first_undone
from producers.writer.tail import TailReader
from schemas.log.positions import TopicPartition
from tests.producers.writer.room import Room, room
from tests.waiting import eventually

PARTITIONS = 12  # one for each test
TOPIC_ID = "an-id"


class Bench:
    """One partition of a room."""

    def __init__(self, room: Room, partition: int) -> None:
        self.room = room
        context = room.rules.context
        self.place = TopicPartition(context.commands_topic, partition)
        self.events = TopicPartition(context.events_topic, partition)
        self.executor = ThreadPoolExecutor(4)
        self.reader = TailReader(room.settings)

    def appender(self) -> KafkaAppender:
        return KafkaAppender(self.room.settings, self.place, self.executor)

    def next_event(self) -> int:
        return self.reader.ends([self.events])[self.events].next_offset

    def batch(self, *values: bytes, next_command: int = 1, first: int | None = None) -> Batch:
        context = self.room.rules.context
        headers = [("writer_epoch", b"7")]
        return Batch(
            events=[Outgoing(context.events_topic, b"k", each, headers) for each in values],
            replies=[Outgoing(context.replies_topic, b"k", each, headers) for each in values],
            parked=[],
            first_event=self.next_event() if first is None else first,
            done=DoneWith(TOPIC_ID, 7, next_command),
        )

    async def values(self, topic: str, at_least: int = 0) -> list[bytes]:
        """What is to be read: a commit's marker may come a moment after its answer."""

        async def visible() -> tuple[bool, list[bytes]] | None:
            found = await self.room.records(topic)
            here = [each.value for each in found if each.partition == self.place.partition]
            return (True, here) if len(here) >= at_least else None

        return (await eventually(visible, 10, f"{at_least} records in {topic}"))[1]

    def done(self, topic_id: str = TOPIC_ID) -> int:
        """What a next owner would begin with."""
        context = self.room.rules.context
        topics = (context.replies_topic, context.parked_topic)
        places = [TopicPartition(topic, self.place.partition) for topic in topics]
        return first_undone(self.reader.ends(places).values(), topic_id, 1_000)

    def close(self) -> None:
        self.reader.close()
        self.executor.shutdown()


_partitions = iter(range(PARTITIONS))


@pytest.fixture(scope="module")
async def writer_room(servers: Settings) -> AsyncIterator[Room]:
    """One with a partition for each test."""
    async with room(servers, partitions=PARTITIONS) as found:
        yield found


@pytest.fixture
async def bench(writer_room: Room) -> AsyncIterator[Bench]:
    """A partition of its own for each test."""
    found = Bench(writer_room, next(_partitions))
    yield found
    found.close()


@pytest.mark.asvs("V2.3.3")
async def test_events_replies_and_what_is_done_with_become_visible_together(bench: Bench) -> None:
    appender = bench.appender()
    await appender.open()

    first_reply = await appender.append(bench.batch(b"one", b"two", next_command=42))

    context = bench.room.rules.context
    assert await bench.values(context.events_topic, 2) == [b"one", b"two"]
    assert await bench.values(context.replies_topic, 2) == [b"one", b"two"]
    assert bench.done() == 42
    assert bench.done("another-topic") == 0
    assert first_reply == 0
    await appender.drop()


@pytest.mark.asvs("V2.3.3")
async def test_an_append_that_was_not_committed_leaves_nothing_and_is_not_done(
    bench: Bench,
) -> None:
    appender = bench.appender()
    await appender.open()
    misplaced = bench.batch(b"never", next_command=42, first=1_000)

    with pytest.raises(DisplacedError):
        await appender.append(misplaced)

    successor = bench.appender()
    await successor.open()
    assert await bench.values(bench.room.rules.context.events_topic) == []
    assert bench.done() == 0
    await appender.drop()
    await successor.drop()


async def test_a_second_opener_fences_the_first(bench: Bench) -> None:
    first, second = bench.appender(), bench.appender()
    await first.open()
    await first.append(bench.batch(b"first"))
    await second.open()

    with pytest.raises(FencedError):
        await first.append(bench.batch(b"zombie"))

    await second.append(bench.batch(b"second", next_command=2))
    assert await bench.values(bench.room.rules.context.events_topic, 2) == [b"first", b"second"]
    await first.drop()
    await second.drop()


@pytest.mark.parametrize("after", ["begin_transaction", "flush"])
async def test_an_owner_that_is_overtaken_in_mid_append_learns_that_it_is_fenced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """The client may raise what is fatal in between its reports of deliveries."""
    first, second = bench.appender(), bench.appender()
    loop = asyncio.get_running_loop()

    def overtaken(producer: Any, *values: Any) -> Any:
        done = getattr(Producer, after)(producer, *values)
        monkeypatch.setattr(append, "Producer", Producer)
        asyncio.run_coroutine_threadsafe(second.open(), loop).result(10)
        return done

    monkeypatch.setattr(append, "Producer", type("Overtaken", (Producer,), {after: overtaken}))
    await first.open()

    with pytest.raises(FencedError):
        await first.append(bench.batch(b"one", b"two", b"three"))

    await first.drop()
    await second.append(bench.batch(b"second"))
    assert await bench.values(bench.room.rules.context.events_topic, 1) == [b"second"]
    await second.drop()


async def test_a_call_that_never_returns_ends_the_process(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some of librdkafka's may, whatever they were told."""
    returned, codes = Event(), list[int]()

    def ended(code: int) -> None:
        codes.append(code)
        returned.set()  # the test's process goes on

    monkeypatch.setattr(append, "_exit", ended)
    hanging = type("Hanging", (Producer,), {"begin_transaction": lambda _: returned.wait(20)})
    monkeypatch.setattr(append, "Producer", hanging)
    appender = bench.appender()
    await appender.open()
    monkeypatch.setattr(append, "HANGS_S", 0.2)
    with pytest.raises(AppendUnknownError):  # begun never, committed never
        await appender.append(bench.batch(b"never"))
    assert codes == [append.EXIT_HANGS]
    await appender.drop()


async def test_an_owner_that_dropped_may_open_again(bench: Bench) -> None:
    appender = bench.appender()
    await appender.open()
    await appender.append(bench.batch(b"before"))
    await appender.open()

    await appender.append(bench.batch(b"after", next_command=2))

    assert await bench.values(bench.room.rules.context.events_topic, 2) == [b"before", b"after"]
    await appender.drop()


async def test_a_dropped_appender_appends_nothing(bench: Bench) -> None:
    appender = bench.appender()
    await appender.open()
    await appender.drop()

    with pytest.raises(AppendUnknownError):
        await appender.append(bench.batch(b"never"))


async def test_the_offset_of_the_first_reply_is_told(bench: Bench) -> None:
    appender = bench.appender()
    await appender.open()
    await appender.append(bench.batch(b"one", b"two"))

    # Said, not asked for: the marker may come a moment after the commit was answered.
    first_reply = await appender.append(bench.batch(b"three", next_command=2, first=3))

    await bench.values(bench.room.rules.context.replies_topic, 3)
    replies = await bench.room.records(bench.room.rules.context.replies_topic)
    offsets = [each.offset for each in replies if each.partition == bench.place.partition]
    assert first_reply == offsets[-1] == 3  # one, two, the marker, three
    await appender.drop()
