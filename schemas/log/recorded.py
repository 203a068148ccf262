"""The envelope: how commands, events and replies look as Kafka records, both ways.

Headers follow CloudEvents 1.0, Kafka protocol binding, binary mode; the value is the data's
JSON. See docs/adr for why headers and not one JSON document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar
from uuid import NAMESPACE_OID, uuid5

from pydantic import BaseModel

from schemas.log.frozen import frozen
from schemas.log.messages import Command, Event, Fault, iso
from schemas.log.positions import Position

E_co = TypeVar("E_co", bound=Event, covariant=True)

SOURCE = b"marketmesh"
Headers = list[tuple[str, bytes]]


class UndecodableError(Exception):
    """A record is not what its topic promises; the text names the header or field."""


class RawRecord(Protocol):
    """What every Kafka client gives for one record."""

    @property
    def topic(self) -> str:
        """The topic's name."""
        ...

    @property
    def partition(self) -> int:
        """From 0."""
        ...

    @property
    def offset(self) -> int:
        """Place in the partition."""
        ...

    @property
    def value(self) -> bytes | None:
        """The data."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The envelope."""
        ...


class Record(NamedTuple):
    """A plain RawRecord, for clients whose own records have another form."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@frozen
class Recorded(Generic[E_co]):
    """An event as it stands in the log, with everything that is known of it."""

    event: E_co
    event_id: str
    kind: str
    stream_id: str
    version: int  # 1, 2, 3 … within the stream; 0 where order does not matter
    recorded_at: datetime
    command_id: str
    index: int  # this event's place, from 0, among the `count` events of its command
    count: int
    correlation_id: str
    causation_id: str
    actor: str
    fingerprint: str
    writer_epoch: int
    position: Position
    schema_version: int = 1  # of the data as stored; `event` is upcast to the newest
    value: bytes = b""  # the data's JSON exactly as stored


class CommandEnvelope(NamedTuple):
    """A command on its way to the writer, with what the writer must know of it."""

    command: Command
    command_id: str
    correlation_id: str
    causation_id: str
    fingerprint: str  # keyed hash of the request; the same id with another one is refused
    expected_versions: frozenset[int] | None = None  # one of them; None: whatever it is
    deadline: datetime | None = None  # the writer refuses it later than this
    traceparent: str | None = None
    origin: str = ""  # the network that the request came from, never a whole address


def uncaused(command: Command, command_id: str) -> CommandEnvelope:
    """The envelope of a command that follows from nothing in the log: it is its own cause. Its id is
    nobody else's, so that there is nothing to tell it from.
    """
    return CommandEnvelope(command, command_id, command_id, command_id, fingerprint="")


class Reply(Event):
    """The writer's answer to one command, itself a fact on `replies.<context>`: a repeated
    command gets its first answer however late it comes.
    """

    kind: Literal["command.answered"] = "command.answered"
    command_id: str
    outcome: Literal["accepted", "refused", "failed"]
    stream_id: str = ""
    version: int = 0  # of the stream, after the command
    position: Position | None = None  # of the last event appended, or the stream's last one
    event_count: int = 0
    reason: str = ""  # stable code of a refusal
    status: int = 200  # HTTP status a client should see
    faults: tuple[Fault, ...] = ()
    fingerprint: str = ""
    asked: str = ""  # the command's kind
    origin: str = ""  # the network that it came from
    repeated: bool = False  # said again, or to another request: not the command's first reply


def first_reply_of(row: Mapping[str, Any]) -> Reply:
    """What a command was told that led to events: the journal's row of its first event tells
    everything.
    """
    count = row["event_count"]
    return Reply(
        command_id=row["command_id"],
        outcome="accepted",
        stream_id=row["stream_id"],
        version=row["version"] + count - 1,
        position=Position(row["topic"], row["partition"], row["position_offset"] + count - 1),
        event_count=count,
        fingerprint=row["fingerprint"],
    )


REPLY_INDEX = -1  # a reply's place beside its command's events 0, 1, 2 …: gives it its own id


@lru_cache(maxsize=8_192)  # of one batch: each id is asked for by the look-up and by the record
def event_id_of(command_id: str, index: int) -> str:
    """The id of a command's n-th event (from 0), the same at every retry: `uuid5(command_id,
    index)`. Computed without UUID objects, which were a fifth of the writer's work.
    """
    name = _namespace(command_id) + b"%d" % index
    bits = int.from_bytes(sha1(name, usedforsecurity=False).digest()[:16], "big")
    text = f"{(bits & _UUID5_FREE) | _UUID5_MARKS:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# Of the 128 bits RFC 9562 gives four to the version (5) and two to the variant (binary 10).
_UUID5_FREE = ~(0xF << 76 | 0x3 << 62)
_UUID5_MARKS = 0x5 << 76 | 0x2 << 62
_UUID_BYTES = 16


def _namespace(command_id: str) -> bytes:
    try:
        found = bytes.fromhex(command_id.replace("-", ""))
    except ValueError:
        found = b""
    return found if len(found) == _UUID_BYTES else uuid5(NAMESPACE_OID, command_id).bytes


def headers_of_command(envelope: CommandEnvelope) -> Headers:
    """The headers of a command's record."""
    command = envelope.command
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.command_id.encode()),
        ("ce_type", command.kind.encode()),
        ("ce_source", SOURCE),
        ("ce_subject", command.stream_id.encode()),
        ("ce_time", iso(command.asked_at).encode()),
        ("correlation_id", envelope.correlation_id.encode()),
        ("causation_id", envelope.causation_id.encode()),
        ("actor", command.asked_by.encode()),
        ("fingerprint", envelope.fingerprint.encode()),
    ]
    if envelope.expected_versions is not None:
        versions = ",".join(str(each) for each in sorted(envelope.expected_versions))
        headers.append(("expected_version", versions.encode()))
    if envelope.deadline is not None:
        headers.append(("deadline", iso(envelope.deadline).encode()))
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    if envelope.origin:
        headers.append(("origin", envelope.origin.encode()))
    return headers


def value_of(message: BaseModel) -> bytes:
    """A message's JSON; absent and null are the same, so null is left out."""
    return message.model_dump_json(exclude_none=True).encode()


def headers_of_event(
    event: Event,
    *,
    index: int,
    count: int,
    version: int,
    envelope: CommandEnvelope,
    writer_epoch: int,
    recorded_at: datetime,
) -> Headers:
    """The headers of the `index`-th event that a command led to."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id_of(envelope.command_id, index).encode()),
        ("ce_type", event.kind.encode()),
        ("ce_source", SOURCE),
        ("ce_subject", envelope.command.stream_id.encode()),
        ("ce_time", iso(recorded_at).encode()),
        ("ce_dataschema", f"{event.kind}/{event.SCHEMA}".encode()),
        ("stream_version", str(version).encode()),
        ("command_id", envelope.command_id.encode()),
        ("event_index", str(index).encode()),
        ("event_count", str(count).encode()),
        ("correlation_id", envelope.correlation_id.encode()),
        ("causation_id", envelope.causation_id.encode()),
        ("actor", envelope.command.asked_by.encode()),
        ("fingerprint", envelope.fingerprint.encode()),
        ("writer_epoch", str(writer_epoch).encode()),
        *([("traceparent", envelope.traceparent.encode())] if envelope.traceparent else []),
    ]


def headers_of_reply(
    reply: Reply, *, envelope: CommandEnvelope | None, writer_epoch: int, recorded_at: datetime
) -> Headers:
    """The headers of a command's reply; `envelope` None: the command could not be read."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id_of(reply.command_id, REPLY_INDEX).encode()),
        ("ce_type", reply.kind.encode()),
        ("ce_source", SOURCE),
        ("ce_subject", reply.stream_id.encode()),
        ("ce_time", iso(recorded_at).encode()),
        ("ce_dataschema", f"{reply.kind}/{reply.SCHEMA}".encode()),
        ("stream_version", b"0"),
        ("command_id", reply.command_id.encode()),
        ("event_index", b"0"),
        ("event_count", b"1"),
        ("correlation_id", envelope.correlation_id.encode() if envelope else b""),
        ("causation_id", envelope.causation_id.encode() if envelope else b""),
        ("actor", envelope.command.asked_by.encode() if envelope else b""),
        ("fingerprint", reply.fingerprint.encode()),
        ("writer_epoch", str(writer_epoch).encode()),
    ]


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """One header's text, or None; for looking at a record without decoding it. A header that is
    null or no text counts as none: who writes such a thing is none of ours.
    """
    for found, value in headers:
        if found == name and value is not None:
            try:
                return value.decode()
            except UnicodeDecodeError:
                return None
    return None


def _said(record: RawRecord) -> dict[str, bytes]:
    """A record's headers by name; null ones count as none."""
    return {name: value for name, value in record.headers if value is not None}


def decode_event(record: RawRecord, types: EventTypes) -> Recorded[Any]:
    """A record of an events topic as a recorded event; raises UndecodableError."""
    headers = _said(record)
    try:
        kind = headers["ce_type"].decode()
        schema = int(headers["ce_dataschema"].rpartition(b"/")[2])
        return Recorded(
            event=types.decode(kind, schema, record.value or b""),
            event_id=headers["ce_id"].decode(),
            kind=kind,
            stream_id=headers["ce_subject"].decode(),
            version=int(headers["stream_version"]),
            recorded_at=datetime.fromisoformat(headers["ce_time"].decode()),
            command_id=headers["command_id"].decode(),
            index=int(headers["event_index"]),
            count=int(headers["event_count"]),
            correlation_id=headers["correlation_id"].decode(),
            causation_id=headers["causation_id"].decode(),
            actor=headers["actor"].decode(),
            fingerprint=headers["fingerprint"].decode(),
            writer_epoch=int(headers["writer_epoch"]),
            position=Position(record.topic, record.partition, record.offset),
            schema_version=schema,
            value=record.value or b"",
        )
    except KeyError as error:
        message = f"header {error} is missing at {record.topic}/{record.partition}@{record.offset}"
        raise UndecodableError(message) from error
    except (ValueError, UnicodeDecodeError) as error:
        # The error's own text may quote the data, and data may be personal.
        place = f"{record.topic}/{record.partition}@{record.offset}"
        message = f"unreadable record at {place}: {type(error).__name__}"
        raise UndecodableError(message) from error


def decode_command(record: RawRecord, types: Mapping[str, type[Command]]) -> CommandEnvelope:
    """A record of a commands topic; raises UndecodableError."""
    headers = _said(record)
    try:
        command = types[headers["ce_type"].decode()].model_validate_json(record.value or b"")
        versions, deadline = headers.get("expected_version"), headers.get("deadline")
        trace = headers.get("traceparent")
        envelope = CommandEnvelope(
            command=command,
            command_id=headers["ce_id"].decode(),
            correlation_id=headers["correlation_id"].decode(),
            causation_id=headers["causation_id"].decode(),
            fingerprint=headers["fingerprint"].decode(),
            expected_versions=None if versions is None else _versions_in(versions),
            deadline=datetime.fromisoformat(deadline.decode()) if deadline else None,
            traceparent=trace.decode() if trace else None,
            origin=headers.get("origin", b"").decode(),
        )
    except KeyError as error:
        message = f"unknown command or missing header: {error}"
        raise UndecodableError(message) from error
    except ValueError as error:
        message = f"unreadable command: {type(error).__name__}"
        raise UndecodableError(message) from error
    if headers.get("ce_subject", b"").decode(errors="replace") != command.stream_id:
        message = "ce_subject is not the command's stream"
        raise UndecodableError(message)
    return envelope


def _versions_in(header: bytes) -> frozenset[int]:
    return frozenset(int(each) for each in header.split(b",") if each)


class EventTypes(Protocol):
    """Decodes an event's data by kind and schema version; see schemas.registry."""

    def decode(self, kind: str, schema: int, value: bytes) -> Event:
        """The event; ValueError when it can't be read."""
        ...
