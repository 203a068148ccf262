"""What a new owner must learn: the log's tail, the newest epoch, the first unanswered command.

The tail starts where Postgres stands and ends where the log ends, so the time this takes
grows with the journal's lag, never with the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import structlog
from confluent_kafka import KafkaException

from infra.metrics import EVENTS_IGNORED
from infra.settings import Settings
from producers.writer.deciders import Rulebook
from producers.writer.done import TopicIds, first_undone
from producers.writer.history import extend
from producers.writer.journal import Journal
from producers.writer.memory import Answer, Memory, Stream, Unreadable
from producers.writer.tail import End, TailReader, TailUnavailableError
from schemas.log.messages import Event
from schemas.log.positions import Position, TopicPartition
from schemas.log.recorded import (
    Record,
    Recorded,
    Reply,
    UndecodableError,
    decode_event,
)

CHUNK = 2_000

T = TypeVar("T")

log = structlog.get_logger()


class Recovered(NamedTuple):
    """The epoch for this owner's records, above every earlier one, the id of the topic that its
    commands stand in, the offset of the first of them that is not done with, and when the last
    event was recorded: an owner whose clock is behind must not date the next one before it.
    """

    epoch: int
    topic_id: str
    next_command: int
    recorded_at: datetime | None = None


class Recovery:
    """Brings a memory up to the end of the log."""

    def __init__(
        self,
        settings: Settings,
        rulebook: Rulebook,
        place: TopicPartition,
        topic_ids: TopicIds,
        journal: Journal,
        executor: Executor,
    ) -> None:
        self._settings = settings
        self._rulebook = rulebook
        self._events = TopicPartition(rulebook.context.events_topic, place.partition)
        self._replies = TopicPartition(rulebook.context.replies_topic, place.partition)
        self._parked = TopicPartition(rulebook.context.parked_topic, place.partition)
        self._commands = place
        self._topic_ids = topic_ids
        self._journal = journal
        self._executor = executor
        self._placed = False
        self._epoch = 0  # of the newest event in the tail

    async def recover(self, memory: Memory) -> Recovered:
        """Read what the memory lacks. The partition must have been opened before.

        Raises JournalUnavailableError (try again), TailUnavailableError (open again) or
        LogTruncatedError (hopeless).
        """
        if not self._placed:
            await self._place(memory)
        topic_id = await self._in_thread(self._topic_ids.of, self._commands.topic)
        ends, commands_end = await self._read_tail(memory)
        epoch = max(ends[self._events].epoch, ends[self._replies].epoch)
        answers = (ends[self._replies], ends[self._parked])
        next_command = first_undone(answers, topic_id, commands_end)
        return Recovered(epoch + 1, topic_id, next_command, ends[self._events].recorded_at)

    async def _place(self, memory: Memory) -> None:
        """Start where the live journal and outcomes stand; what lies before is in them."""
        marks = await self._journal.watermarks([self._events.topic, self._replies.topic])
        memory.events_next = marks.journal.get(self._events, 0)
        memory.replies_next = marks.outcomes.get(self._replies, 0)
        memory.trim(memory.events_next, memory.replies_next)
        self._placed = True

    async def _read_tail(self, memory: Memory) -> tuple[dict[TopicPartition, End], int]:
        """The ends of events, replies and parked commands, and of the commands themselves."""
        reader = await self._in_thread(TailReader, self._settings)
        places = [self._events, self._replies, self._parked]
        try:
            ends = await self._in_thread(reader.ends, places)
            starts = {self._events: memory.events_next, self._replies: memory.replies_next}
            records: Iterator[Record] = reader.read(starts)
            while chunk := await self._in_thread(lambda: list(islice(records, CHUNK))):
                for record in chunk:
                    self._absorb(memory, record)
            bounds = await self._in_thread(reader.bounds, [*places, self._commands])
        except KafkaException as error:
            raise TailUnavailableError(error.args[0].str()) from error
        finally:
            await self._in_thread(reader.close)
        if any(bounds[place][1] != ends[place].next_offset for place in places):
            # What stands between an end and a later one has been read by nobody.
            message = "another owner has appended meanwhile"
            raise TailUnavailableError(message)
        memory.events_next = ends[self._events].next_offset
        memory.replies_next = ends[self._replies].next_offset
        return ends, bounds[self._commands][1]

    def _absorb(self, memory: Memory, record: Record) -> None:
        if record.topic == self._replies.topic:
            self._absorb_reply(memory, record)
        else:
            self._absorb_event(memory, record)

    def _absorb_reply(self, memory: Memory, record: Record) -> None:
        recorded = decode_event(record, self._rulebook.events)
        reply: Reply = recorded.event
        if not reply.event_count and not reply.repeated:
            memory.absorb_reply(Answer(reply, record.offset, recorded.recorded_at))

    def _absorb_event(self, memory: Memory, record: Record) -> None:
        try:
            recorded = decode_event(record, _OPAQUE)
        except UndecodableError as error:
            # Not one of ours, so no stream misses it; readers pass it over as well.
            EVENTS_IGNORED.labels("writer", "undecodable").inc()
            log.warning("foreign_record", error=str(error))
            return
        if recorded.writer_epoch < self._epoch:
            EVENTS_IGNORED.labels("writer", "stale_epoch").inc()
            return
        self._epoch = recorded.writer_epoch
        memory.absorb(recorded.stream_id, self._extended(memory, record), _answer_of(recorded))

    def _extended(self, memory: Memory, record: Record) -> Stream:
        try:
            recorded = decode_event(record, self._rulebook.events)
        except UndecodableError as error:
            return Unreadable(str(error), record.offset)
        return extend(self._rulebook, memory.stream(recorded.stream_id), recorded)

    async def _in_thread(self, call: Callable[..., T], *values: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call, *values)


class _Opaque:
    """Reads no data: for what an event's headers tell, whatever its data are."""

    def decode(self, kind: str, schema: int, value: bytes) -> Event:
        """An event of which only the kind is known."""
        del schema, value
        return Event(kind=kind)


_OPAQUE = _Opaque()


def _answer_of(recorded: Recorded[Any]) -> Answer | None:
    """The first reply to the command that led to this event, told by its first event."""
    if recorded.index:
        return None
    topic, partition, offset = recorded.position
    last = offset + recorded.count - 1
    reply = Reply(
        command_id=recorded.command_id,
        outcome="accepted",
        stream_id=recorded.stream_id,
        version=recorded.version + recorded.count - 1,
        position=Position(topic, partition, last),
        event_count=recorded.count,
        fingerprint=recorded.fingerprint,
    )
    return Answer(reply, last, recorded.recorded_at)
