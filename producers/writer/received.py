"""A command as it came from Kafka: decoded, or known to be unreadable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.log.messages import Command
from schemas.log.partitioning import partition_of
from schemas.log.recorded import CommandEnvelope, Record, UndecodableError, decode_command, header
from schemas.topics import RECORD_BYTES_MAX

COMMAND_ID_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Received:
    """One record of a commands topic. `envelope` None: it can't be read, `fault` says why;
    `command_id` is empty where not even that can be told, and nobody can be answered.
    """

    record: Record
    envelope: CommandEnvelope | None
    fault: str
    command_id: str
    fingerprint: str
    stream_id: str

    @property
    def kind(self) -> str:
        """The kind of command; empty when it can't be read."""
        return self.envelope.command.kind if self.envelope else ""

    @property
    def origin(self) -> str:
        """The network that it came from; empty when nobody said so."""
        return self.envelope.origin if self.envelope else ""


def receive(record: Record, types: Mapping[str, type[Command]], partitions: int) -> Received:
    """Decode a record; never fails."""
    try:
        envelope, stream_id = _decode(record, types, partitions)
    except UndecodableError as error:
        return Received(
            record=record,
            envelope=None,
            fault=str(error),
            command_id=(header(record.headers, "ce_id") or "")[:COMMAND_ID_LENGTH_MAX],
            fingerprint=header(record.headers, "fingerprint") or "",
            stream_id=header(record.headers, "ce_subject") or "",
        )
    return Received(
        record=record,
        envelope=envelope,
        fault="",
        command_id=envelope.command_id,
        fingerprint=envelope.fingerprint,
        stream_id=stream_id,
    )


def _decode(
    record: Record, types: Mapping[str, type[Command]], partitions: int
) -> tuple[CommandEnvelope, str]:
    size = len(record.value or b"")
    if size > RECORD_BYTES_MAX:
        message = f"{size} bytes are more than {RECORD_BYTES_MAX}"
        raise UndecodableError(message)
    envelope = decode_command(record, types)
    if not 0 < len(envelope.command_id) <= COMMAND_ID_LENGTH_MAX:
        message = "ce_id is empty or too long"
        raise UndecodableError(message)
    stream_id = envelope.command.stream_id
    if partition_of(stream_id, partitions) != record.partition:
        # Two writers would append to one stream.
        message = f"{stream_id} does not belong into partition {record.partition}"
        raise UndecodableError(message)
    return envelope, stream_id
