"""Commands that follow from events: their ids are derived, so asking twice is asking once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.clients.kafka import aio_producer, start_client, stop_client
from infra.settings import Settings
from schemas.log.messages import Command
from schemas.log.partitioning import partition_of
from schemas.log.recorded import CommandEnvelope, Recorded, headers_of_command, value_of
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
    """The way from what runs beside the writers to them. An idempotent producer that has failed
    once stays failed, so it is replaced.
    """

    def __init__(self, settings: Settings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; raises KafkaError when the broker can't be reached."""
        await self._connected()

    async def stop(self) -> None:
        """Close the way."""
        await self._give_up(self._producer)

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> int:
        """Return when the broker has every command, with how many there were; raises KafkaError
        when it takes none now: asked again, it gets them by another way.
        """
        wanted = list(envelopes)
        if not wanted:
            return 0
        producer = await self._connected()
        try:
            sent = [await self._hand_over(producer, each) for each in wanted]
            await asyncio.gather(*sent)
        except KafkaError:
            await self._give_up(producer)
            raise
        return len(wanted)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._turn:
            if self._producer is None:
                self._producer = await _started(self._settings, self._client_id)
            return self._producer

    async def _give_up(self, producer: AIOKafkaProducer | None) -> None:
        """Close a producer, once for all whose commands it had."""
        if self._producer is producer:
            self._producer = None
            if producer is not None:
                await stop_client(producer)

    async def send(self, name: str, recorded: Recorded[Any], commands: Iterable[Command]) -> None:
        """Hand over what `name` asks for after an event."""
        await self.hand_over(following(name, recorded, commands))

    async def _hand_over(
        self, producer: AIOKafkaProducer, envelope: CommandEnvelope
    ) -> asyncio.Future[object]:
        stream_id = envelope.command.stream_id
        acknowledged: asyncio.Future[object] = await producer.send(
            context_of_command(envelope.command).commands_topic,
            value_of(envelope.command),
            key=stream_id.encode(),
            partition=partition_of(stream_id, self._settings.topic_partitions),
            headers=headers_of_command(envelope),
        )
        return acknowledged


async def _started(settings: Settings, client_id: str) -> AIOKafkaProducer:
    producer = aio_producer(settings, client_id)
    await start_client(producer)
    return producer


@asynccontextmanager
async def open_commands(settings: Settings, client_id: str) -> AsyncIterator[Commands]:
    """The way to the writers of these settings; raises KafkaError when the broker can't be reached."""
    commands = Commands(settings, client_id)
    await commands.start()
    try:
        yield commands
    finally:
        await commands.stop()
