"""Commands that follow from events: their ids are derived, so asking twice is asking once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaProducer

from schemas.messages import Command
from schemas.recorded import CommandEnvelope, Recorded, headers_of_command, value_of
from schemas.topics import context_of_command, partition_of_stream


def following(
    name: str, recorded: Recorded[Any], commands: Iterable[Command]
) -> list[CommandEnvelope]:
    """What `name` asks for after an event, with ids that are the same whenever it is heard."""
    return [
        CommandEnvelope(
            command=command,
            command_id=str(uuid5(UUID(recorded.event_id), f"{name}/{index}")),
            correlation_id=recorded.correlation_id,
            causation_id=recorded.event_id,
            fingerprint="",  # its id is derived, so it is never another command's
        )
        for index, command in enumerate(commands)
    ]


async def send_command(
    producer: AIOKafkaProducer, envelope: CommandEnvelope
) -> asyncio.Future[object]:
    """Hand a command to the producer; the future is done when the broker has it."""
    stream_id = envelope.command.stream_id
    acknowledged: asyncio.Future[object] = await producer.send(
        context_of_command(envelope.command).commands_topic,
        value_of(envelope.command),
        key=stream_id.encode(),
        partition=partition_of_stream(stream_id),
        headers=headers_of_command(envelope),
    )
    return acknowledged


class Commands:
    """The way from an effect to the writers."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, name: str, recorded: Recorded[Any], commands: Iterable[Command]) -> None:
        """Return when the broker has every command; raises KafkaError when it takes none."""
        envelopes = following(name, recorded, commands)
        sent = [await send_command(self._producer, each) for each in envelopes]
        await asyncio.gather(*sent)
