"""What a new owner knows: the journal as far as it has read, and the log's tail behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from infra.clients.kafka import client_config, ensure_topics
from infra.settings import Settings
from producers.writer import recovery
from producers.writer.done import HEADER, TopicIds
from producers.writer.journal import PostgresJournal
from producers.writer.main import WatermarkWentBackError, run_writer
from producers.writer.memory import Memory
from producers.writer.recovery import Recovery
from producers.writer.source import SourceFailedError, member_config
from producers.writer.tail import End, TailReader, TailUnavailableError
from schemas.log.positions import TopicPartition
from schemas.log.recorded import headers_of_event, value_of
from tests.partitions import partition_of_stream
from tests.producers.writer.boxes import (
    BoxOpened,
    ThingPutIn,
    envelope,
    open_box,
    put_in,
)
from tests.producers.writer.room import Room, room
from tests.producers.writer.test_append import Bench
from tests.waiting import eventually, eventually_blocking, let_pass


@pytest.fixture
async def rooms(servers: Settings) -> AsyncIterator[Room]:
    async with room(servers) as found:
        yield found


def before(offset: int):
    """Accepts records before an offset, as a journal that lags."""
    return lambda record: record.offset < offset


async def test_a_stream_wholly_in_the_journal_goes_on_at_its_next_version(rooms: Room) -> None:
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)), envelope(put_in(box, 2)))
    await rooms.note_in_journal()

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    assert (reply.outcome, reply.version) == ("accepted", 4)


async def test_a_stream_of_which_the_journal_has_nothing_goes_on_at_its_next_version(
    rooms: Room,
) -> None:
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)), envelope(put_in(box, 2)))

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    assert (reply.outcome, reply.version) == ("accepted", 4)


@pytest.mark.parametrize("read", [1, 2, 3])
async def test_a_stream_partly_in_the_journal_goes_on_at_its_next_version(
    rooms: Room, read: int
) -> None:
    box = uuid4()
    async with rooms.writer():
        # Offsets 0, then 2 and 3: a marker stands in between. One batch or two, both happen.
        await rooms.ask(envelope(open_box(box)))
        await rooms.ask(envelope(put_in(box, 2)))
    await rooms.note_in_journal(before(read))

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    events = [each.version for each in await rooms.events()]
    assert (reply.outcome, reply.version) == ("accepted", 4)
    assert events == [1, 2, 3, 4]


@pytest.mark.parametrize("read", [0, 1, 2, 3, 4, 100])
async def test_a_repeat_gets_its_first_reply_however_far_the_journal_has_read(
    rooms: Room, read: int
) -> None:
    box = uuid4()
    opening, filling = envelope(open_box(box)), envelope(put_in(box, 2))
    refused, nothing = envelope(open_box(box)), envelope(put_in(box, 0))
    async with rooms.writer():
        first = [(await rooms.ask(each))[0] for each in (opening, filling, refused, nothing)]
    await rooms.note_in_journal(before(read))

    async with rooms.writer():
        again = await rooms.ask(opening, filling, refused, nothing)

    assert again == [each.model_copy(update={"repeated": True}) for each in first]
    assert len(await rooms.events()) == 3


async def test_a_repeat_is_recognized_after_the_memory_was_trimmed(rooms: Room) -> None:
    box = uuid4()
    opening, refused = envelope(open_box(box)), envelope(open_box(box))
    async with rooms.writer():
        await rooms.ask(opening, refused)
        await rooms.note_in_journal()
        await let_pass(0.6, because="the writer trims four times a second")

        again = await rooms.ask(opening, refused)

    assert [each.outcome for each in again] == ["accepted", "refused"]
    assert len(await rooms.events()) == 1


async def test_a_new_owner_begins_behind_what_is_done_with(rooms: Room) -> None:
    box = uuid4()
    first = [envelope(open_box(box)), envelope(put_in(box)), envelope(put_in(box, 0))]
    async with rooms.writer():
        await rooms.ask(*first)
        await rooms.send_raw(partition_of_stream(f"box/{box}"), b"of nobody", [])
        await eventually(rooms.parked)

    async with rooms.writer():
        await rooms.ask(last := envelope(put_in(box)))

    replies = [each.command_id for each in await rooms.replies()]
    assert replies == [each.command_id for each in (*first, last)]
    assert len(await rooms.parked()) == 1


async def test_what_only_parked_commands_say_is_done_with_is_heard(rooms: Room) -> None:
    async with rooms.writer():
        await rooms.send_raw(0, b"of nobody", [])
        await eventually(rooms.parked)

    async with rooms.writer():
        await rooms.send_raw(0, b"of nobody else", [])
        await eventually(lambda: at_least_parked(rooms, 2))

    assert [each.value for each in await rooms.parked()] == [b"of nobody", b"of nobody else"]


@pytest.mark.parametrize("said", [b"\xff", b"5", None, b"{id}:1:999999999", b"{id}:999:0"])
async def test_nobody_but_writers_says_what_is_done_with(rooms: Room, said: bytes | None) -> None:
    """A parked command keeps what it came with, a header of that name, too."""
    topic = rooms.rules.context.commands_topic
    topic_id = TopicIds(rooms.settings).of(topic).encode()
    foreign = said and said.replace(b"{id}", topic_id)
    box = uuid4()
    place = partition_of_stream(f"box/{box}")
    async with rooms.writer():
        await rooms.send_raw(place, b"of nobody", [(HEADER, foreign)])
        await eventually(rooms.parked)

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(open_box(box)))

    assert reply.outcome == "accepted"
    assert len(await rooms.parked()) == 1


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_subject", "fingerprint", "deadline"])
async def test_a_header_that_is_null_stops_nobody(rooms: Room, name: str) -> None:
    box = uuid4()
    place = partition_of_stream(f"box/{box}")
    async with rooms.writer():
        await rooms.send_raw(place, b"{}", [(name, None)])
        (reply,) = await rooms.ask(envelope(open_box(box)))

    assert reply.outcome == "accepted"
    assert len(await rooms.parked()) == 1


async def at_least_parked(rooms: Room, count: int) -> bool:
    return len(await rooms.parked()) >= count


async def test_commands_of_a_topic_made_anew_are_judged_from_its_start(rooms: Room) -> None:
    box, topic = uuid4(), rooms.rules.context.commands_topic
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)), envelope(put_in(box)))
    admin = AdminClient(client_config(rooms.settings, "test-anew"))
    admin.delete_topics([topic])[topic].result(20)
    await eventually(lambda: topic not in admin.list_topics(timeout=10).topics)
    await ensure_topics(rooms.settings, rooms.rules.context.topics)

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    assert (reply.outcome, reply.version) == ("accepted", 3)


async def test_epochs_grow_with_every_owner_even_when_the_journal_has_read_everything(
    rooms: Room,
) -> None:
    box = uuid4()
    for command in (open_box(box), put_in(box), put_in(box)):
        async with rooms.writer():
            await rooms.ask(envelope(command))
        await rooms.note_in_journal()

    epochs = [each.writer_epoch for each in await rooms.events()]
    assert epochs == sorted(set(epochs))
    assert len(epochs) == 3


@pytest.mark.parametrize("read", [False, True], ids=["in the tail", "in the journal"])
async def test_an_owner_whose_clock_is_behind_dates_nothing_before_what_there_is(
    rooms: Room, *, read: bool
) -> None:
    box, ahead = uuid4(), datetime.now(UTC) + timedelta(hours=1)
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)))
    await append_by_hand(rooms, box, version=2, epoch=1, recorded_at=ahead)
    if read:
        await rooms.note_in_journal()

    async with rooms.writer():
        await rooms.ask(envelope(put_in(box, 2)))

    times = [each.recorded_at for each in await rooms.events()]
    assert (len(times), times) == (4, sorted(times))
    assert times[-1] == times[1] > datetime.now(UTC)


@pytest.mark.parametrize("said", [None, b"", b"\xff", b"yesterday", b"2026-03-01T12:00:00"])
def test_a_last_record_that_says_no_time_tells_none(said: bytes | None) -> None:
    headers: Any = [] if said is None else [("ce_time", said)]
    assert End(1, headers).recorded_at is None
    told = End(1, [("ce_time", b"2026-03-01T12:00:00.000000Z")]).recorded_at
    assert told == datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_an_event_of_a_fenced_epoch_in_the_tail_is_passed_over(rooms: Room) -> None:
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)))
    await append_by_hand(rooms, box, version=2, epoch=0)

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    assert reply.version == 2


async def test_an_event_that_cannot_be_read_stops_its_own_stream_only(rooms: Room) -> None:
    sick = uuid4()
    well = next(
        box
        for box in iter(uuid4, None)
        if partition_of_stream(f"box/{box}") == partition_of_stream(f"box/{sick}")
    )
    async with rooms.writer():
        await rooms.ask(envelope(open_box(sick)), envelope(open_box(well)))
    await append_by_hand(rooms, sick, version=2, epoch=1, value=b'{"kind":"box.from_the_future"}')

    async with rooms.writer():
        failed, fine = await rooms.ask(envelope(put_in(sick)), envelope(put_in(well)))

    assert (failed.outcome, failed.reason) == ("failed", "stream_unreadable")
    assert (fine.outcome, fine.version) == ("accepted", 2)


async def test_nothing_is_decided_on_a_stream_that_the_journal_has_parked(rooms: Room) -> None:
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)), envelope(put_in(box)))
    await rooms.note_in_journal()
    await rooms.pool.execute("DELETE FROM reads.journal WHERE version = 2")
    await rooms.pool.execute(
        "INSERT INTO mesh.parked (projection, generation, topic, partition, position_offset,"
        " stream_id, version, kind, headers, reason)"
        " VALUES ('journal', 1, 'events', 0, 1, $1, 2, 'box.thing_put_in', '', 'test')",
        f"box/{box}",
    )

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    assert (reply.outcome, reply.reason, reply.status) == ("failed", "stream_unreadable", 500)
    assert len(await rooms.events()) == 2


async def test_a_gap_in_the_journal_fails_the_command_instead_of_repeating_a_version(
    rooms: Room,
) -> None:
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)), envelope(put_in(box, 2)))
    await rooms.note_in_journal()
    await rooms.pool.execute("DELETE FROM reads.journal WHERE version = 2")

    async with rooms.writer():
        (reply,) = await rooms.ask(envelope(put_in(box)))

    assert (reply.outcome, reply.reason) == ("failed", "stream_unreadable")


async def test_a_writer_ends_when_the_live_journal_went_back(rooms: Room) -> None:
    stop = rooms.writer()
    task = await stop.__aenter__()
    await rooms.ask(envelope(open_box(uuid4())), envelope(open_box(uuid4())))
    await rooms.note_in_journal()
    await let_pass(0.6, because="the writer must have heard of the watermark")

    await rooms.pool.execute("UPDATE mesh.watermarks SET next_offset = 0")
    await rooms.send(envelope(open_box(uuid4())), envelope(open_box(uuid4())))

    await eventually(task.done, 10, "the writer's end")
    with pytest.raises(WatermarkWentBackError):
        await stop.__aexit__(None, None, None)


async def test_a_writer_waits_for_a_journal_that_has_fallen_too_far_behind(
    rooms: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.writer.partition.PENDING_MAX", 6)
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)))
        for _ in range(4):  # Five answers and one stream wait for the journal then.
            await rooms.ask(envelope(put_in(box)))
        late = envelope(put_in(box))
        await rooms.send(late)
        await let_pass(1, because="the writer must be seen to wait")
        assert late.command_id not in {each.command_id for each in await rooms.replies()}

        await rooms.note_in_journal()

        async def answered() -> bool:
            return late.command_id in {each.command_id for each in await rooms.replies()}

        await eventually(answered, 10)


async def append_by_hand(
    rooms: Room,
    box: UUID,
    *,
    version: int,
    epoch: int,
    value: bytes | None = None,
    recorded_at: datetime | None = None,
) -> None:
    """What only a fenced or a newer writer would put there."""
    event = ThingPutIn(number=99) if value is None else BoxOpened()
    headers = headers_of_event(
        event,
        index=0,
        count=1,
        version=version,
        envelope=envelope(put_in(box)),
        writer_epoch=epoch,
        recorded_at=recorded_at or datetime.now(UTC),
    )
    if value is not None:
        headers = [
            (name, b"box.from_the_future" if name == "ce_type" else text) for name, text in headers
        ]
    await rooms.producer.send_and_wait(
        rooms.rules.context.events_topic,
        value or value_of(event),
        key=f"box/{box}".encode(),
        partition=partition_of_stream(f"box/{box}"),
        headers=headers,
    )


async def test_a_writer_whose_name_another_one_has_taken_ends(rooms: Room) -> None:
    """Its client is of no use any more, and says so in more than one way."""
    stop = asyncio.Event()
    named = rooms.settings.model_copy(update={"instance": "the-writer"})
    task = asyncio.create_task(run_writer(named, stop, rulebooks=[rooms.rules], group=rooms.group))
    box = uuid4()
    await rooms.ask(envelope(open_box(box)))
    other = Consumer(member_config(named, rooms.group))
    other.subscribe([rooms.rules.context.commands_topic])
    try:
        await eventually(lambda: other.poll(0.1) is not None or task.done(), 30, "an end")
        with pytest.raises(SourceFailedError):
            async with asyncio.timeout(20):
                await task
    finally:
        other.close()
        stop.set()


async def test_what_another_appends_while_a_new_owner_learns_is_not_jumped_over(
    rooms: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands behind what has been read and before where the log was last seen to end."""
    box = uuid4()
    async with rooms.writer():
        await rooms.ask(envelope(open_box(box)))
    place = TopicPartition(rooms.rules.context.commands_topic, partition_of_stream(f"box/{box}"))
    bench, loop = Bench(rooms, place.partition), asyncio.get_running_loop()
    other = bench.appender()
    await other.open()
    batch = bench.batch(b"by another")._replace(replies=[])  # which nobody could read

    class Moving(TailReader):
        looks = 0

        def bounds(self, places: Any) -> Any:
            Moving.looks += 1
            seen = super().bounds(places)
            if Moving.looks == 2:  # behind the end, before the last look
                asyncio.run_coroutine_threadsafe(other.append(batch), loop).result(10)
                # The broker marks a transaction as committed a moment after it has said so.
                look = super().bounds
                seen = eventually_blocking(lambda: (now := look(places)) != seen and now)
            return seen

    monkeypatch.setattr(recovery, "TailReader", Moving)
    journal = PostgresJournal(rooms.settings)
    with ThreadPoolExecutor(4) as executor:
        ids = TopicIds(rooms.settings)
        learning = Recovery(rooms.settings, rooms.rules, place, ids, journal, executor)
        memory = Memory(datetime.now(UTC))
        with pytest.raises(TailUnavailableError, match="appended meanwhile"):
            await learning.recover(memory)
        await learning.recover(memory)
    assert memory.events_next == bench.next_event()
    await journal.close()
    await other.drop()
    bench.close()
