"""A topic of a test's own, effects that hear it, and a reactor that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

from aiokafka import AIOKafkaProducer

from infra.settings import Settings
from processors.reacting.effects import (
    Effect,
    EffectRefusedError,
    OutsideDownError,
    Tools,
    effect_id_of,
)
from processors.reacting.parked import (
    Decision,
    Parked,
    ParkedStream,
    list_parked,
)
from processors.reacting.positions import Place, Positions
from processors.reactions.reactor import run_reactor
from schemas.identity import UserRegistered, user_stream
from schemas.log.positions import Position
from schemas.log.recorded import Recorded, event_id_of
from tests.partitions import partition_of_stream
from tests.processors.reacting.happening import record_of
from tests.worlds import World


@dataclass(frozen=True)
class Elsewhere(Effect):
    """An effect that listens to a topic of the test's own."""

    topic: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)


@dataclass
class Bench:
    """A topic of events, and an outside that remembers what it has taken."""

    mesh: World
    producer: AIOKafkaProducer
    name: str
    taken: list[tuple[UUID, UUID]] = field(default_factory=list)  # effect id, user
    tried: list[UUID] = field(default_factory=list)
    down_for: set[UUID] = field(default_factory=set)
    refused: set[UUID] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        return self.mesh.settings

    async def happen(self, user_id: UUID) -> UUID:
        """Somebody registers; the id that the effect of it must have."""
        command_id = str(uuid4())
        record = record_of(user_id, command_id=command_id)
        stream_id = user_stream(user_id)
        await self.producer.send_and_wait(
            f"events.{self.name}",
            record.value,
            key=stream_id.encode(),
            headers=list(record.headers),
            partition=partition_of_stream(stream_id),
        )
        return uuid5(UUID(event_id_of(command_id, 0)), self.name)

    def effect(self, name: str | None = None, **how: Any) -> Elsewhere:
        """The effect of this name, by default the bench's."""
        own = name or self.name

        async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
            user_id = recorded.event.user_id
            self.tried.append(user_id)
            if user_id in self.down_for and own == self.name:
                raise OutsideDownError
            if user_id in self.refused:
                raise EffectRefusedError
            self.taken.append((effect_id_of(recorded, own), user_id))

        return Elsewhere(own, (UserRegistered,), run, topic=f"events.{self.name}", **how)

    def took(self, user_id: UUID, times: int = 1) -> Callable[[], bool]:
        return lambda: [user for _, user in self.taken].count(user_id) >= times

    async def position(self, user_id: UUID, name: str | None = None) -> int | None:
        """How far the effect has come in this person's partition; None: it has not begun."""
        own = name or self.name
        kept = await Positions(self.mesh.pool).of([own])
        return kept.get(
            Place(own, f"events.{self.name}", partition_of_stream(user_stream(user_id)))
        )

    async def waiting(self) -> list[ParkedStream]:
        return await list_parked(self.mesh.pool, [self.name])

    async def decide(self, parked: ParkedStream, decision: Decision) -> None:
        place = Position(parked.topic, parked.partition, parked.position_offset)
        await Parked(self.mesh.pool).decide(parked.handler, place, decision)


@asynccontextmanager
async def running(bench: Bench, *effects: Effect) -> AsyncIterator[None]:
    """A reactor at work, stopped gently with the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_reactor(bench.settings, stop, (), effects or (bench.effect(),)))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
