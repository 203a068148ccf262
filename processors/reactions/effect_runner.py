"""Runs effects: at least once each, in order within a partition, as long as it takes.

Every effect is a consumer group of its own, and every partition has a lane of its own. An
event's offset is committed when its effect has been taken by the outside, so a crash repeats
one event a lane at most (of effects that are said to be repeatable, some). What an error leads to:

- the outside is down        the lane waits, pauses growing to PAUSE_MAX_S; the others go on
- certain to come again      told, counted, passed over: it stays in the log
- anything else              tried TRIES_MAX times, half a minute in all, then like the above
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog
from aiokafka import (
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.errors import KafkaError

from infra import postgres
from infra.kafka import Gathering, aio_consumer, membership, start_client
from infra.mail import MailDeferredError, MailRefusedError, MailUnavailableError, SmtpMailer
from infra.metrics import EFFECT_WAITS, EFFECTS
from infra.pictures import Pictures
from infra.process import first_of
from infra.settings import Settings
from infra.vault import Vault, VaultUnavailableError
from processors.reactions.commands import Commands
from processors.reactions.effects import Effect, EffectRefusedError, OutsideDownError, Tools
from processors.reactions.offsets import Offsets
from schemas.recorded import Recorded, UndecodableError, decode_event, header
from schemas.topics import EVENT_TYPES

BATCH_MAX = 100
POLL_MS = 2_000
CONNECTIONS_MAX = 4  # to Postgres, of all effects together
RUN_TIMEOUT_S = 60.0  # of one try: whatever an effect talks to, it must not hang for ever
PAUSE_FIRST_S, PAUSE_MAX_S = 0.2, 5.0
TRIES_MAX = 10  # pauses of 0.2, 0.4 … 5 s between them
# Nobody waits for what follows from an event: where many come, the broker may hold them back
# until a fetch is worth it.
GATHER_MS = 500
STOP_S = 5.0  # what runs may end within so long, then it is cancelled and repeated later
# A lane that waits for its outside asks for no records. Heartbeats tell that it lives.
POLL_INTERVAL_MAX_MS = 24 * 3_600_000
REBALANCE_TIMEOUT_MS = 30_000

_DOWN = (
    OutsideDownError,
    VaultUnavailableError,
    MailUnavailableError,
    KafkaError,
    asyncpg.UndefinedTableError,  # not set up yet
    asyncpg.InvalidSchemaNameError,
)
# Code that met data it can't work with will meet the same data again.
_CERTAIN = (
    EffectRefusedError,
    MailRefusedError,
    UndecodableError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

# Their texts are our own, and so known to hold nothing personal.
_OURS = (
    EffectRefusedError,
    OutsideDownError,
    UndecodableError,
    MailRefusedError,
    MailDeferredError,
    MailUnavailableError,
)

log = structlog.get_logger()


@asynccontextmanager
async def open_tools(settings: Settings, commands: Commands) -> AsyncIterator[Tools]:
    """What effects may use; connects nowhere before its first use."""
    pictures = Pictures()
    try:
        async with await postgres.open_pool(settings, size_min=0, size_max=CONNECTIONS_MAX) as pool:
            yield Tools(
                settings=settings,
                postgres=pool,
                vault=Vault(pool, settings),
                mailer=SmtpMailer(settings),
                commands=commands,
                pictures=pictures,
            )
    finally:
        pictures.close()


async def run_effect(
    effect: Effect, tools: Tools, started: asyncio.Event, stop: asyncio.Event
) -> None:
    """Run one effect until `stop` is set; raises when the broker turns the consumer away."""
    settings = tools.settings
    consumer = aio_consumer(
        settings,
        f"mesh-{effect.name}",
        group_id=effect.group(settings),
        max_poll_interval_ms=POLL_INTERVAL_MAX_MS,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        **membership(settings),
        **Gathering.options(),
    )
    lanes = _Lanes(effect, tools, consumer)
    consumer.subscribe(effect.topics, listener=lanes)
    await start_client(consumer)
    started.set()
    try:
        await first_of(stop.wait(), asyncio.shield(lanes.failed))
    finally:
        await lanes.end()
        await consumer.stop()


class _Lanes(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The lanes of the partitions that are ours now. `failed` gets what ended one of them."""

    def __init__(self, effect: Effect, tools: Tools, consumer: AIOKafkaConsumer) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._effect = effect
        self._tools = tools
        self._consumer = consumer
        self._gathering = Gathering(consumer, GATHER_MS)
        self._lanes: dict[asyncio.Task[None], Lane] = {}

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """End the lanes: each partition comes back with its own, here or elsewhere."""
        del revoked
        await self.end()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Open a lane for each partition."""
        offsets = Offsets(self._consumer, self._effect.name)
        for place in assigned:
            lane = Lane(self._effect, self._tools, self._consumer, place, self._gathering, offsets)
            task = asyncio.create_task(lane.work(), name=f"{self._effect.name}/{place.partition}")
            task.add_done_callback(self._note)
            self._lanes[task] = lane

    def _note(self, task: asyncio.Task[None]) -> None:
        self._lanes.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def end(self) -> None:
        """End every lane, letting what is under way finish if it is quick."""
        tasks = list(self._lanes)
        for task, lane in self._lanes.items():
            lane.ending.set()
            if lane.idle:
                task.cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


@dataclass
class Lane:
    """One partition of one effect: an event at a time."""

    effect: Effect
    tools: Tools
    consumer: AIOKafkaConsumer
    place: TopicPartition
    gathering: Gathering
    offsets: Offsets  # all lanes'
    idle: bool = False  # it waits for records
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        """Take events until told to end, or until the partition is another process's."""
        while not self.ending.is_set():
            if not await self._take(await self._records()):
                return

    async def _records(self) -> list[ConsumerRecord]:
        self.idle = True
        try:
            got = await self.consumer.getmany(self.place, timeout_ms=POLL_MS, max_records=BATCH_MAX)
        finally:
            self.idle = False
        self.gathering.took(some=bool(got))
        records: list[ConsumerRecord] = got.get(self.place, [])
        return records

    async def _take(self, records: list[ConsumerRecord]) -> bool:
        for record in records:
            if header(record.headers, "ce_type") in self.effect.kinds:
                outcome = await self.outcome_of(record)
                if outcome is None:
                    return False
                EFFECTS.labels(self.effect.name, outcome).inc()
                self.offsets.done(self.place, record.offset)
                if not self.effect.repeatable and not await self.offsets.commit():
                    return False
            else:
                self.offsets.done(self.place, record.offset)
        return await self.offsets.commit_seldom()

    async def outcome_of(self, record: ConsumerRecord) -> str | None:
        """What became of an event: done, late or poisoned; None when told to end before."""
        tries = 0
        while True:
            try:
                recorded = decode_event(record, EVENT_TYPES)
                if self._late(recorded):
                    return "late"
                async with asyncio.timeout(RUN_TIMEOUT_S):
                    await self.effect.run(recorded, self.tools)
            except Exception as error:  # noqa: BLE001 - every kind leads somewhere: see above
                tries += 1
                if _certain(error) or (not _down(error) and tries >= TRIES_MAX):
                    self._tell("effect_poisoned", record, error)
                    return "poisoned"
                EFFECT_WAITS.labels(self.effect.name).inc()
                if tries == 1:
                    self._tell("effect_waits", record, error)
                if await self._ended_within(tries):
                    return None
            else:
                return "done"

    def _late(self, recorded: Recorded[Any]) -> bool:
        within = self.effect.within
        return within is not None and datetime.now(UTC) - recorded.recorded_at > within

    def _tell(self, what: str, record: ConsumerRecord, error: Exception) -> None:
        poisoned = what == "effect_poisoned"
        (log.error if poisoned else log.warning)(
            what,
            effect=self.effect.name,
            kind=header(record.headers, "ce_type"),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=type(error).__name__,
            reason=str(error) if isinstance(error, _OURS) else "",
        )

    async def _ended_within(self, tries: int) -> bool:
        pause = min(PAUSE_FIRST_S * 2 ** min(tries - 1, 30), PAUSE_MAX_S)
        pause *= random.uniform(0.75, 1)  # noqa: S311 - a pause
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self.ending.wait()
        return self.ending.is_set()


def _down(error: Exception) -> bool:
    return isinstance(error, _DOWN) or postgres.means_down(error)


def _certain(error: Exception) -> bool:
    # OSError's and Postgres' families overlap with the plain ones: being down comes first.
    return isinstance(error, _CERTAIN) and not _down(error)
