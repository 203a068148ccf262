"""Faust as a dispatcher only: it reads committed records, begins where the stores say, and
keeps nothing.

What differs from Faust's own transport, and why:
- its consumer reads uncommitted records unless Faust's `exactly_once` is on, which commits
  through transactions of its own; ours reads committed ones and leaves the rest alone;
- it begins at the group's committed offsets, which may be ahead of what a store has (or, after
  a restore, behind): ours begins at the stores' watermarks. The group's offsets are written
  after the stores have the records, for people's tools only;
- it may let the broker gather records for a while, where a store takes them in larger lots;
- it knows when it has handed over records that were not applied, for the liveness check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Protocol, cast

import structlog
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    Consumer,
    Transport,
    ensure_aiokafka_TP,
    server_list,
)
from faust.types import TP

from infra.clients.kafka import RETRY_BACKOFF_MS, Gathering
from schemas.log.positions import TopicPartition

log = structlog.get_logger()

REQUEST_TIMEOUT_MS = 15_000
REBALANCE_TIMEOUT_MS = 30_000
POLL_INTERVAL_MAX_MS = 600_000  # a store may be away for long, the partitions stay ours
FETCH_WAIT_MS = 500
FETCH_BYTES_MAX = 4_000_000  # of one partition at once


class Starts(Protocol):
    """Where a worker begins; see processors.feeding.feeder.Feeder."""

    async def begin(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The first offset to read of each of these partitions."""
        ...


class CommittedConsumerThread(AIOKafkaConsumerThread):
    """The thread with the Kafka client."""

    _gathering: Gathering | None = None

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        self._assignor = RoundRobinPartitionAssignor
        gathers = (
            Gathering.options() if transport.gather_ms else {"fetch_max_wait_ms": FETCH_WAIT_MS}
        )
        consumer = AIOKafkaConsumer(
            bootstrap_servers=server_list(transport.url, transport.default_port),
            client_id=self.app.conf.broker_client_id,
            group_id=self.app.conf.id,
            partition_assignment_strategy=[self._assignor],
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            **transport.member,
            max_poll_interval_ms=POLL_INTERVAL_MAX_MS,
            **gathers,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            check_crcs=False,
        )
        self._gathering = Gathering(consumer, transport.gather_ms) if transport.gather_ms else None
        return consumer

    async def _fetch_records(self, *arguments: Any, **options: Any) -> Any:
        records = await super()._fetch_records(*arguments, **options)
        if self._gathering is not None:
            self._gathering.took(some=bool(records))
        return records


class CommittedConsumer(Consumer):
    """Begins at the watermarks; `delivered` is the last offset handed over, by partition."""

    starts: Starts

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.delivered: dict[TopicPartition, int] = {}
        super().__init__(*arguments, **options)

    def _new_consumer_thread(self) -> CommittedConsumerThread:
        return CommittedConsumerThread(
            self, loop=self.loop, beacon=self.beacon, thread_loop=uvloop.new_event_loop()
        )

    async def perform_seek(self) -> None:
        """Go to where the stores are, whatever the group has committed."""
        assigned = {TopicPartition(place.topic, place.partition) for place in self.assignment()}
        offsets = await self.starts.begin(assigned)
        self.delivered.clear()
        wanted = {TP(*place): offset for place, offset in offsets.items()}
        await self.seek_wait(wanted)
        # None stands for "nothing yet": Faust takes 0 for an offset that was read.
        self._read_offset.update({place: offset or None for place, offset in wanted.items()})
        self._committed_offset.update(dict.fromkeys(wanted))

    def _to_message(self, tp: TP, record: Any) -> Any:
        self.delivered[TopicPartition(record.topic, record.partition)] = record.offset
        return super()._to_message(tp, record)

    async def note_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Write the group's offsets, for people's tools: no worker ever reads them."""
        client = self._thread._ensure_consumer()  # noqa: SLF001 - Faust has no way to commit these
        ours = self.assignment()
        wanted = {
            ensure_aiokafka_TP(TP(*place)): OffsetAndMetadata(offset, "")
            for place, offset in offsets.items()
            if TP(*place) in ours
        }
        if not wanted:
            return
        try:
            await self._thread.call_thread(client.commit, wanted)
        except KafkaError as error:
            log.warning("group_offsets_not_noted", error=type(error).__name__)

    async def reached(self, timeout_s: float) -> dict[TopicPartition, int]:
        """The client's own place in each of its partitions, markers of transactions included;
        raises TimeoutError when its thread does not answer.
        """
        assigned = self.assignment()
        async with asyncio.timeout(timeout_s):
            positions = await asyncio.gather(*(self.position(place) for place in assigned))
        return {
            TopicPartition(place.topic, place.partition): position
            for place, position in zip(assigned, positions, strict=True)
            if position is not None
        }


class CommittedTransport(Transport):
    """What a Faust app is given as its transport."""

    Consumer = CommittedConsumer

    def __init__(
        self,
        url: Any,
        app: Any,
        starts: Starts,
        gather_ms: int = 0,
        *,
        member: Mapping[str, Any],
    ) -> None:
        super().__init__(url, app)
        self.gather_ms = gather_ms
        self.member = member
        self._starts = starts

    def create_consumer(self, callback: Any, **options: Any) -> CommittedConsumer:
        """The app's consumer, told where to begin."""
        consumer = cast("CommittedConsumer", super().create_consumer(callback, **options))
        consumer.starts = self._starts
        return consumer
