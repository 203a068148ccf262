"""Commands that follow from events: their ids are derived, so asking twice is asking once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaProducer

from infra.kafka import aio_producer, start_client
from infra.settings import Settings
from schemas.messages import Command
from schemas.partitioning import partition_of
from schemas.recorded import CommandEnvelope, Recorded, headers_of_command, value_of
from schemas.topics import context_of_command


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


class Commands:
    """The way from what runs beside the writers to them. Its topics have so many partitions."""

    def __init__(self, producer: AIOKafkaProducer, partitions: int) -> None:
        self._producer = producer
        self._partitions = partitions

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> int:
        """Return when the broker has every command, with how many there were; raises KafkaError
        when it takes none.
        """
        sent = [await self._hand_over(each) for each in envelopes]
        await asyncio.gather(*sent)
        return len(sent)

    async def send(self, name: str, recorded: Recorded[Any], commands: Iterable[Command]) -> None:
        """Hand over what `name` asks for after an event."""
        await self.hand_over(following(name, recorded, commands))

    async def _hand_over(self, envelope: CommandEnvelope) -> asyncio.Future[object]:
        stream_id = envelope.command.stream_id
        acknowledged: asyncio.Future[object] = await self._producer.send(
            context_of_command(envelope.command).commands_topic,
            value_of(envelope.command),
            key=stream_id.encode(),
            partition=partition_of(stream_id, self._partitions),
            headers=headers_of_command(envelope),
        )
        return acknowledged


@asynccontextmanager
async def open_commands(settings: Settings, client_id: str) -> AsyncIterator[Commands]:
    """The way to the writers of these settings; raises KafkaError when the broker can't be reached."""
    producer = aio_producer(settings, client_id)
    await start_client(producer)
    try:
        yield Commands(producer, settings.topic_partitions)
    finally:
        await producer.stop()
