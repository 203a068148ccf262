"""`mesh worker <group>`: one Faust app that feeds a group's projections.

Faust subscribes, shares the partitions among the group's workers and hands over batches. All
that makes it correct lies elsewhere: where to begin, what counts and what is stored is decided
by the stores (processors.feeding.feeder and .runner). Whatever fails ends the process, and its
supervisor starts it anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg
import faust
import structlog
from mode import CrashingSupervisor

from infra.clients.kafka import membership
from infra.clients.postgres import means_down, open_pool
from infra.metrics import LAG_EVENTS
from infra.process import Main, announce_ready, first_of, stopped_within
from infra.settings import Settings
from processors.feeding.feeder import Feeder
from processors.feeding.groups import GROUPS, Group
from processors.feeding.reading import Log, LogUnavailableError, open_log
from processors.feeding.transport import CommittedConsumer, CommittedTransport
from processors.stores.opening import opened_stores
from processors.stores.port import Store, StoreUnavailableError
from schemas.log.positions import TopicPartition

REFRESH_S = 1.0  # how soon a worker learns of a new generation
RETRY_S = 0.5
LOOK_S = 5.0  # between two looks at the lag
STUCK_S = 30.0  # records to read and no step forward for so long: the process ends
STOP_S = 10.0
# Faust's Kafka client has a thread of its own. After each system call one thread may wait this
# long for the other to let go of the interpreter; the default, 5 ms, made p50 a third worse.
SWITCH_S = 0.0005
# Faust gives its first steps so long; a store that is down holds them up.
PATIENCE_S = 3_600.0

log = structlog.get_logger()


class StuckError(Exception):
    """There are records to read, no store is waited for, and nothing moves."""


def run_worker(group: str) -> Main:
    """The main of this group's workers, for infra.process.run_process."""

    async def main(settings: Settings, stop: asyncio.Event) -> None:
        sys.setswitchinterval(SWITCH_S)
        await work(GROUPS[group], settings, stop)

    return main


async def work(group: Group, settings: Settings, stop: asyncio.Event) -> None:
    """Feed a group's projections until `stop` is set; raises whatever makes that impossible."""
    async with _opened(group, settings, stop) as opened:
        if opened is None:
            return
        pool, stores = opened
        feeder = Feeder(settings, group.projections, pool, stores)
        while not await feeder.refresh():
            if await stopped_within(stop, RETRY_S):
                return
        app = make_app(group, settings, feeder)
        try:
            await _run(app, group, settings, feeder, stop)
        except Exception as error:
            log.critical(
                "worker_ends", group=group.name, error=type(error).__name__, text=str(error)
            )
            raise
        finally:
            await _stop_app(app)


@asynccontextmanager
async def _opened(
    group: Group, settings: Settings, stop: asyncio.Event
) -> AsyncIterator[tuple[asyncpg.Pool, Mapping[str, Store]] | None]:
    """The pool for registry and parking, and the group's stores; None when told to stop."""
    async with contextlib.AsyncExitStack() as stack:
        while True:
            try:
                pool = await stack.enter_async_context(await open_pool(settings, size_max=4))
                stores = await stack.enter_async_context(opened_stores(settings, group.projections))
                break
            except Exception as error:
                if not means_down(error) and not isinstance(error, StoreUnavailableError):
                    raise
                log.warning("stores_waited_for", group=group.name, error=type(error).__name__)
            if await stopped_within(stop, RETRY_S):
                yield None
                return
        yield pool, stores


class _Rootless(faust.App):
    """Without a folder: that is for Faust's tables, and a killed process would leave it behind."""

    def _create_directories(self) -> None:
        pass


def make_app(group: Group, settings: Settings, feeder: Feeder) -> faust.App:
    """The group's Faust app: one agent over all topics, one batch at a time."""
    app = _Rootless(
        group.consumer_group(settings),
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap.split(",")],
        broker_request_timeout=PATIENCE_S,
        stream_wait_empty=False,
        stream_buffer_maxsize=2 * group.batch_max,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
    )
    app.transport = CommittedTransport(
        app.conf.broker_consumer, app, feeder, group.gather_ms, member=membership(settings)
    )
    # Faust's own acknowledgements cost 1.3 ms an event here: it keeps every gap in the offsets
    # (each transaction's marker is one) in a tree that it makes anew each time. They would only
    # lead to the group's offsets, which `_look` notes from what the stores have.
    topic = app.topic(*group.topics, key_serializer="raw", value_serializer="raw", acks=False)

    # More than one at a time would let a batch overtake another of the same partition.
    @app.agent(topic, concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def feed(stream: Any) -> None:
        try:
            async for messages in _gathered(stream.noack(), group.batch_max):
                # What was buffered before the partitions were shared out anew comes again.
                current = app.consumer_generation_id
                await feeder.apply([each for each in messages if each.generation_id == current])
        except Exception as error:
            if not feeder.failed.done():
                feeder.failed.set_exception(error)
            raise

    async def lose(*_: Any, **__: Any) -> None:
        feeder.lose()

    app.on_partitions_revoked.connect(cast("Any", lose))

    return app


async def _gathered(stream: Any, batch_max: int) -> AsyncIterator[list[Any]]:
    """All messages that lie ready, at most so many, as often as there are any. Faust's own
    `take` wakes up for a time limit as long as it lives: idle workers took half a core.
    """
    lie_ready = stream.channel.queue
    messages: list[Any] = []
    async for event in stream.events():
        messages.append(event.message)
        if lie_ready.empty() or len(messages) >= batch_max:
            yield messages
            messages = []


async def _run(
    app: faust.App, group: Group, settings: Settings, feeder: Feeder, stop: asyncio.Event
) -> None:
    await first_of(app.start(), _failure(feeder), stop.wait())
    if not stop.is_set():
        announce_ready()
        await first_of(
            app.wait_until_stopped(),
            _failure(feeder),
            stop.wait(),
            _refresh(feeder),
            _watch(app, group, settings, feeder),
        )
    if not stop.is_set():
        raise app.crash_reason or StuckError("Faust has ended by itself")


async def _failure(feeder: Feeder) -> None:
    await asyncio.shield(feeder.failed)


async def _refresh(feeder: Feeder) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        await feeder.refresh()


async def _stop_app(app: faust.App) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await app.stop()
    except Exception as error:  # noqa: BLE001 - the process ends either way
        log.warning("faust_not_stopped", error=type(error).__name__)


@dataclass
class Liveness:
    """Notices that a worker stands still though there is something to read."""

    steps: dict[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    moved_at: dict[TopicPartition, float] = field(default_factory=dict)

    def look(
        self,
        now: float,
        ends: Mapping[TopicPartition, int],
        reached: Mapping[TopicPartition, int],
        delivered: Mapping[TopicPartition, int],
        applied: Mapping[TopicPartition, int],
    ) -> list[TopicPartition]:
        """The partitions that have stood still for STUCK_S seconds.

        ends: the log's; reached: the client's place; delivered: the last offset handed over;
        applied: the next offset that no store has. All but `delivered` may count the markers
        of transactions, which nobody ever applies.
        """
        stuck = []
        for place, at in reached.items():
            after = applied.get(place, 0)
            waiting = at < ends.get(place, 0) or delivered.get(place, -1) >= after
            if self.steps.get(place) != (at, after) or not waiting:
                self.steps[place] = (at, after)
                self.moved_at[place] = now
            elif now - self.moved_at[place] > STUCK_S:
                stuck.append(place)
        return stuck


def lags(
    ends: Mapping[TopicPartition, int],
    reached: Mapping[TopicPartition, int],
    delivered: Mapping[TopicPartition, int],
    applied: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Records of each partition that no store has yet, at most."""
    found = {}
    for place, after in applied.items():
        # With nothing on its way, all between `after` and the client's place are markers.
        idle = delivered.get(place, -1) < after
        at = max(after, reached.get(place, 0)) if idle else after
        found[place] = max(0, ends.get(place, 0) - at)
    return found


async def _watch(app: faust.App, group: Group, settings: Settings, feeder: Feeder) -> None:
    """Measure the lag; raises StuckError when the worker stands still."""
    liveness = Liveness()
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            async with open_log(settings, stall_s=LOOK_S) as opened:
                while True:
                    await _look(app, group, feeder, opened, liveness)
                    await asyncio.sleep(LOOK_S)
        except LogUnavailableError as error:
            log.warning("lag_unknown", error=str(error))


async def _look(
    app: faust.App, group: Group, feeder: Feeder, opened: Log, liveness: Liveness
) -> None:
    if not app.started or app.rebalancing:
        return
    consumer = cast("CommittedConsumer", app.consumer)
    ends = {place: each.end for place, each in (await opened.bounds(group.topics)).items()}
    reached = await consumer.reached(STUCK_S)
    applied = dict(feeder.next_offsets)
    behind = lags(ends, reached, consumer.delivered, applied)
    for name, topics in feeder.live_topics().items():
        LAG_EVENTS.labels(name).set(
            sum(lag for place, lag in behind.items() if place.topic in topics)
        )
    await consumer.note_offsets(applied)
    stuck = liveness.look(time.monotonic(), ends, reached, consumer.delivered, applied)
    if stuck and not feeder.waiting():
        message = f"{group.name} stands still in {', '.join(f'{t}/{p}' for t, p in stuck)}"
        raise StuckError(message)
