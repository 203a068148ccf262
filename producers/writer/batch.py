"""One batch: commands decided in order against what is known, into one transaction's records.

Nothing here touches Kafka or Postgres, and nothing is remembered until the transaction has
been committed: a batch whose append failed is decided again from nothing.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from producers.decider import Decider, Rejected
from producers.writer.append import Outgoing
from producers.writer.deciders import Rulebook
from producers.writer.knowledge import Known
from producers.writer.memory import Answer, Effect, Folded, Stream, Unreadable
from producers.writer.received import Received
from schemas.log.messages import Command, Event, category_of, iso
from schemas.log.positions import Position
from schemas.log.recorded import (
    CommandEnvelope,
    Headers,
    Reply,
    headers_of_event,
    headers_of_reply,
    value_of,
)
from schemas.topics import RECORD_BYTES_MAX

EVENTS_MAX = 500  # of one command
# What a command is told whatever version it expects: not yours, not there, gone.
BEFORE_VERSIONS = frozenset({403, 404, 410})

AnyDecider: TypeAlias = Decider[Any, Any, Any]

log = structlog.get_logger()


class UnservableStreamError(Exception):
    """The command's stream can't be read by this process, so nothing can be decided on it."""


@dataclass(frozen=True)
class Ground:
    """What a batch stands on: the partition, what is known, and where the next event comes.

    `now` is the writer's clock, by which deadlines pass; `recorded_at` the time the events get.
    """

    rulebook: Rulebook
    partition: int
    known: Known
    now: datetime
    recorded_at: datetime
    epoch: int
    first_event: int


@dataclass
class Decisions:
    """The records of one transaction and what becomes known once it is committed."""

    ground: Ground
    events: list[Outgoing] = field(default_factory=list)
    replies: list[Outgoing] = field(default_factory=list)
    parked: list[Outgoing] = field(default_factory=list)
    streams: dict[str, Folded] = field(default_factory=dict)
    commands: list[Received] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    reasons_parked: list[str] = field(default_factory=list)
    size: int = 0  # of all values, in bytes
    repeated: int = 0
    # First replies, each with its place among `replies`.
    _answers: dict[str, tuple[Reply, int]] = field(default_factory=dict)

    def effect(self, first_reply: int) -> Effect:
        """What becomes true once this is committed, the first reply standing at that offset."""
        at, first_event = self.ground.recorded_at, self.ground.first_event
        answers = [
            Answer(reply, reply.position.offset, at)
            if reply.event_count and reply.position
            else Answer(reply, first_reply + index, at)
            for reply, index in self._answers.values()
        ]
        # Behind its records a commit puts a marker, which takes an offset as well.
        events_next = first_event + len(self.events) + 1 if self.events else first_event
        replies_next = first_reply + len(self.replies) + 1 if self.replies else 0
        return Effect(self.streams, answers, events_next, replies_next)

    def decide(self, command: Received) -> None:
        """Answer one command, with its events if it has any."""
        self.commands.append(command)
        first = self._first_reply(command.command_id)
        if first is not None:
            self._repeat(command, first)
        elif command.envelope is None:
            self._park(command, "undecodable_command", command.fault, status=400)
        elif command.envelope.deadline is not None and self.ground.now > command.envelope.deadline:
            self._tell_late(command)
        else:
            self._judge(command, command.envelope)

    def _tell_late(self, command: Received) -> None:
        """Say that nothing was decided. It is no first reply: the same command sent again, with
        time left, must still be judged, or an outage would refuse it for ever.
        """
        self.outcomes.append("refused")
        late = Reply(
            command_id=command.command_id,
            outcome="refused",
            stream_id=command.stream_id,
            reason="deadline_passed",
            status=409,
            fingerprint=command.fingerprint,
            repeated=True,
        )
        self._reply(command, late)

    def _first_reply(self, command_id: str) -> Reply | None:
        decided = self._answers.get(command_id)
        if decided is not None:
            return decided[0]
        return self.ground.known.replies.get(command_id)

    def _repeat(self, command: Received, first: Reply) -> None:
        self.repeated += 1
        if first.fingerprint == command.fingerprint:
            # The journal, where an old answer may come from, does not know these two.
            again = {"repeated": True, "asked": command.kind, "origin": command.origin}
            self._reply(command, first.model_copy(update=again))
            return
        other = Reply(
            command_id=command.command_id,
            outcome="refused",
            stream_id=command.stream_id,
            reason="idempotency_key_reused",
            status=422,
            fingerprint=command.fingerprint,
            repeated=True,
        )
        self._reply(command, other)

    def _judge(self, command: Received, envelope: CommandEnvelope) -> None:
        try:
            stream = self._stream(command.stream_id)
            decider = self._decider(command.stream_id)
            events = self._decided(envelope, stream, decider)
            after = self._after(stream, events, decider)
            records = self._records(command.stream_id.encode(), envelope, events, stream.version)
        except Rejected as refusal:
            self._refuse(command, refusal)
        except UnservableStreamError as error:
            self._park(command, "stream_unreadable", str(error), status=500)
        except Exception as bug:  # noqa: BLE001 - whatever a decider does, the partition goes on
            self._park(command, "command_failed", _place_of(bug), status=500)
        else:
            self._accept(command, records, after)

    def _stream(self, stream_id: str) -> Folded:
        match self._known(stream_id):
            case Folded() as stream:
                return stream
            case Unreadable(reason=reason):
                raise UnservableStreamError(reason)
            case other:
                message = f"{stream_id} is known as {other!r} only"
                raise AssertionError(message)

    def _decider(self, stream_id: str) -> AnyDecider:
        return self.ground.rulebook.deciders[category_of(stream_id)]

    def _decided(
        self, envelope: CommandEnvelope, stream: Folded, decider: AnyDecider
    ) -> Sequence[Event]:
        expected = envelope.expected_versions
        if expected is not None and stream.version not in expected:
            raise _conflict(envelope.command, stream, decider)
        events: Sequence[Event] = decider.decide(envelope.command, stream.state)
        if len(events) > EVENTS_MAX:
            raise Rejected("too_large", 422)
        return events

    def _after(self, stream: Folded, events: Sequence[Event], decider: AnyDecider) -> Folded:
        state = stream.state
        for event in events:
            state = decider.evolve(state, event)
        last = self.ground.first_event + len(self.events) + len(events) - 1
        return Folded(state, stream.version + len(events), last) if events else stream

    def _records(
        self, key: bytes, envelope: CommandEnvelope, events: Sequence[Event], version: int
    ) -> list[Outgoing]:
        topic = self.ground.rulebook.context.events_topic
        records = []
        for index, event in enumerate(events):
            value = value_of(event)
            if len(value) > RECORD_BYTES_MAX:
                raise Rejected("too_large", 422)
            headers = headers_of_event(
                event,
                index=index,
                count=len(events),
                version=version + index + 1,
                envelope=envelope,
                writer_epoch=self.ground.epoch,
                recorded_at=self.ground.recorded_at,
            )
            records.append(Outgoing(topic, key, value, headers))
        return records

    def _accept(self, command: Received, records: list[Outgoing], after: Folded) -> None:
        self.events += records
        self.size += sum(len(record.value) for record in records)
        if records:
            self.streams[command.stream_id] = after
        position = None
        if after.version:
            topic = self.ground.rulebook.context.events_topic
            position = Position(topic, self.ground.partition, after.last_offset)
        reply = Reply(
            command_id=command.command_id,
            outcome="accepted",
            stream_id=command.stream_id,
            version=after.version,
            position=position,
            event_count=len(records),
            fingerprint=command.fingerprint,
            asked=command.kind,
            origin=command.origin,
        )
        self._answer(command, reply)

    def _refuse(self, command: Received, refusal: Rejected) -> None:
        known = self._known(command.stream_id)
        reply = Reply(
            command_id=command.command_id,
            outcome="refused",
            stream_id=command.stream_id,
            version=known.version if isinstance(known, Folded) else 0,
            reason=refusal.reason,
            status=refusal.status,
            faults=refusal.faults,
            fingerprint=command.fingerprint,
            asked=command.kind,
            origin=command.origin,
        )
        self._answer(command, reply)

    def _known(self, stream_id: str) -> Stream | None:
        return self.streams.get(stream_id) or self.ground.known.streams.get(stream_id)

    def _park(self, command: Received, reason: str, detail: str, status: int) -> None:
        """Put the command aside, bytes and headers, and answer whoever can be answered."""
        place = self.ground
        record = command.record
        log.error(
            "command_parked",
            reason=reason,
            detail=detail,
            command_id=command.command_id,
            offset=record.offset,
            topic=record.topic,
            partition=record.partition,
        )
        headers: Headers = [
            *record.headers,
            ("parked_reason", reason.encode()),
            ("parked_detail", detail.encode()[:1_000]),
            ("parked_at", iso(place.recorded_at).encode()),
            ("parked_from", f"{record.topic}:{record.partition}:{record.offset}".encode()),
        ]
        topic = place.rulebook.context.parked_topic
        self.parked.append(Outgoing(topic, record.key or b"", record.value or b"", headers))
        self.size += len(record.value or b"")
        self.reasons_parked.append(reason)
        self.outcomes.append("failed")
        if command.command_id:
            reply = Reply(
                command_id=command.command_id,
                outcome="failed",
                stream_id=command.stream_id,
                reason=reason,
                status=status,
                fingerprint=command.fingerprint,
                asked=command.kind,
                origin=command.origin,
            )
            self._answers[command.command_id] = (reply, len(self.replies))
            self._reply(command, reply)

    def _answer(self, command: Received, reply: Reply) -> None:
        self.outcomes.append(reply.outcome)
        self._answers[command.command_id] = (reply, len(self.replies))
        self._reply(command, reply)

    def _reply(self, command: Received, reply: Reply) -> None:
        headers = headers_of_reply(
            reply,
            envelope=command.envelope,
            writer_epoch=self.ground.epoch,
            recorded_at=self.ground.recorded_at,
        )
        topic = self.ground.rulebook.context.replies_topic
        key = command.stream_id.encode()
        value = value_of(reply)
        self.size += len(value)
        self.replies.append(Outgoing(topic, key, value, headers))


def _conflict(command: Command, stream: Folded, decider: AnyDecider) -> Rejected:
    """Why a command that expects another version is refused. If a stranger got a 412 for the
    wrong version and a 403 for the right one, they could count the versions of what they may
    not see.
    """
    try:
        decider.decide(command, stream.state)
    except Rejected as refusal:
        if refusal.status in BEFORE_VERSIONS:
            return refusal
    return Rejected("version_mismatch", 412)


def _place_of(bug: Exception) -> str:
    """Where a bug struck. Not its text: that may quote the command, which may be personal."""
    frames = traceback.extract_tb(bug.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(bug).__name__} at {where}"
