"""A worker as a process runs it: Faust, the log and the stores, all of them real."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from infra.clients.kafka import client_config, transactional_config
from infra.settings import Settings
from processors.feeding.generations import GenerationStatus, move_generations, register_building
from processors.feeding.groups import GROUPS
from processors.feeding.parking import STREAMS_MIN
from processors.feeding.reading import Stretch, open_log
from processors.feeding.transport import REBALANCE_TIMEOUT_MS
from processors.feeding.worker import Liveness, lags, work
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation, Watermark
from projections import PROJECTIONS
from projections.listings.listing_page import listing_page
from projections.projection import Projection
from schemas.listings import ListingCreated
from schemas.log.positions import TopicPartition
from schemas.log.recorded import value_of
from tests.partitions import partition_of_stream
from tests.processors.pure import pure_fold
from tests.processors.records import published, record, titled
from tests.waiting import eventually
from tests.worlds import World, append_events, begin_at_the_end, world

PLACE = TopicPartition("events.listings", 0)


@pytest_asyncio.fixture
async def mesh(stack: Settings) -> AsyncIterator[World]:
    async with world(stack) as made:
        await begin_at_the_end(made, PROJECTIONS)
        yield made


@pytest_asyncio.fixture
async def starts(mesh: World) -> Mapping[TopicPartition, int]:
    """Where the log ended when the test began."""
    return await ends(mesh)


async def ends(mesh: World) -> dict[TopicPartition, int]:
    topics = {topic for group in GROUPS.values() for topic in group.topics}
    async with open_log(mesh.settings) as log:
        return {place: each.end for place, each in (await log.bounds(topics)).items()}


@asynccontextmanager
async def working(group: str, mesh: World) -> AsyncIterator[asyncio.Task[None]]:
    """A worker of this group in this process, stopped at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(work(GROUPS[group], mesh.settings, stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@dataclass
class WorkerProcess:
    child: asyncio.subprocess.Process

    async def ready(self) -> None:
        assert self.child.stdout is not None
        line = await asyncio.wait_for(self.child.stdout.readline(), 60)
        assert line == b"ready\n"

    async def kill(self) -> None:
        if self.child.returncode is None:
            self.child.send_signal(signal.SIGKILL)
        await self.child.wait()


@asynccontextmanager
async def process(group: str, mesh: World, **more: str) -> AsyncIterator[WorkerProcess]:
    """A worker of this group in a process of its own, killed at the end."""
    secrets = ("database_url", "clickhouse_url", "redis_url", "master_key", "lookup_key")
    plain = mesh.settings.model_dump(include={"kafka_bootstrap", "opensearch_url", "store_prefix"})
    environment = {
        **{name.upper(): str(value) for name, value in plain.items()},
        **{name.upper(): getattr(mesh.settings, name).get_secret_value() for name in secrets},
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.processors.worker_process",
        group,
        env={**os.environ, **environment, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    made = WorkerProcess(child)
    try:
        yield made
    finally:
        await made.kill()


async def append(mesh: World, streams: int, version: int = 1) -> list[str]:
    """Append one event to each of so many fresh listings; returns their ids."""
    names = [str(uuid4()) for _ in range(streams)]
    await append_events(
        mesh.settings,
        [(f"listing/{name}", [titled_id(name, version)]) for name in names],
        version=version,
    )
    return names


def titled_id(listing_id: str, version: int) -> Any:
    event = titled("", version, f"title {version}")
    return event.model_copy(update={"listing_id": UUID(listing_id)})


async def pages(mesh: World) -> set[str]:
    return {each["key"] for each in await mesh.pool.fetch("SELECT key FROM reads.listing_page")}


async def wait_for(
    mesh: World, names: list[str], task: asyncio.Task[None] | None = None, timeout_s: float = 60
) -> None:
    async def all_there() -> bool:
        if task is not None and task.done():
            task.result()
        return set(names) <= await pages(mesh)

    await eventually(all_there, timeout_s, f"{len(names)} listings on pages")


async def equal_to_the_pure_fold(
    mesh: World, projection: Projection[Any], starts: Mapping[TopicPartition, int]
) -> None:
    """Live rows are those of the log since the test began, once all of it is read."""
    records: list[Any] = []
    async with open_log(mesh.settings) as log:
        bounds = await log.bounds(projection.topics)
        ahead = {place: Stretch(starts[place], each.end) for place, each in bounds.items()}
        async with aclosing(log.read(ahead)) as batches:
            async for batch in batches:
                records += batch.records
    wanted = pure_fold(projection, records)
    assert wanted
    made = Generation(projection, 1)
    async with opened_stores(mesh.settings, [projection]) as stores:
        store = stores[store_name(projection)]

        async def rows() -> bool:
            await store.settle(made)
            async with aclosing(store.scan(made)) as found:
                return {key: row async for key, row in found} == wanted

        await eventually(rows, 60, f"{projection.name} equals the pure fold")


async def test_a_killed_worker_leaves_nothing_on_the_disk(mesh: World, tmp_path: Path) -> None:
    async with process("pages", mesh, TMPDIR=str(tmp_path)) as worker:
        await worker.ready()
        await worker.kill()
    assert await asyncio.to_thread(lambda: [*tmp_path.iterdir()]) == []


async def test_an_appended_event_becomes_a_row(mesh: World) -> None:
    async with working("pages", mesh) as task:
        await wait_for(mesh, await append(mesh, 3), task)
        listing = (await append(mesh, 1))[0]
        event = published("").model_copy(update={"listing_id": UUID(listing)})
        await append_events(mesh.settings, [(f"listing/{listing}", [event])], version=2)

        async def active() -> bool:
            found = "SELECT status = 'active' FROM reads.listing_page WHERE key = $1"
            return bool(await mesh.pool.fetchval(found, listing))

        await eventually(active, 30)


@pytest.mark.parametrize("group", sorted(GROUPS))
async def test_every_group_keeps_its_read_models_equal_to_the_pure_fold(
    mesh: World, starts: Mapping[TopicPartition, int], group: str
) -> None:
    heard = [
        each for each in GROUPS[group].projections if "events.listings" in GROUPS[group].topics
    ]
    async with working(group, mesh):
        names = await append(mesh, 12)
        events = [(f"listing/{each}", [titled_id(each, 2)]) for each in names[:6]]
        await append_events(mesh.settings, events, version=2)
        for projection in heard:
            if ListingCreated in projection.hears:
                await equal_to_the_pure_fold(mesh, projection, starts)


async def test_a_worker_begins_at_the_watermarks_and_not_at_the_groups_offsets(
    mesh: World,
) -> None:
    names = await append(mesh, 20)
    group = GROUPS["pages"].consumer_group(mesh.settings)
    await commit_offsets(mesh, group, await ends(mesh))
    async with working("pages", mesh) as task:
        await wait_for(mesh, names, task)


async def commit_offsets(mesh: World, group: str, offsets: Mapping[TopicPartition, int]) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=mesh.settings.kafka_bootstrap, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([KafkaPartition(*place) for place in offsets])
        await consumer.commit(
            {KafkaPartition(*place): OffsetAndMetadata(at, "") for place, at in offsets.items()}
        )
    finally:
        await consumer.stop()


async def test_what_a_transaction_took_back_is_never_seen(mesh: World) -> None:
    aborted = await asyncio.to_thread(append_and_abort, mesh.settings)
    async with working("pages", mesh) as task:
        await wait_for(mesh, await append(mesh, 16), task)
        assert aborted not in await pages(mesh)


def append_and_abort(settings: Settings) -> str:
    producer = Producer(transactional_config(settings, f"abort-{uuid4()}"))
    producer.init_transactions(20)
    producer.begin_transaction()
    listing = str(uuid4())
    event = titled_id(listing, 1)
    headers = dict(record(0, listing, 1, event).headers) | {
        "ce_subject": f"listing/{listing}".encode()
    }
    producer.produce(
        "events.listings",
        partition=partition_of_stream(f"listing/{listing}"),
        value=value_of(event),
        headers=list(headers.items()),
    )
    producer.flush(20)
    producer.abort_transaction(20)
    return listing


async def test_a_worker_killed_again_and_again_leaves_the_rows_of_the_pure_fold(
    mesh: World, starts: Mapping[TopicPartition, int]
) -> None:
    flowing = asyncio.create_task(flow(mesh))
    for _ in range(2):
        async with process("pages", mesh) as worker:
            await worker.ready()
            before = len(await pages(mesh))
            await eventually(lambda before=before: grown(mesh, before), 30)
    flowing.cancel()
    async with process("pages", mesh) as worker:
        await worker.ready()
        await equal_to_the_pure_fold(mesh, listing_page, starts)


async def test_a_named_worker_is_given_its_partitions_back_before_the_group_gives_its_dead_up(
    mesh: World,
) -> None:
    named = {"INSTANCE": "worker-pages", "SESSION_TIMEOUT_MS": "600000"}
    async with process("pages", mesh, **named) as worker:
        await worker.ready()
    names = await append(mesh, 20)
    async with process("pages", mesh, **named):
        await wait_for(mesh, names, timeout_s=0.9 * REBALANCE_TIMEOUT_MS / 1000)


async def flow(mesh: World) -> None:
    while True:
        await append(mesh, 10)


async def grown(mesh: World, before: int) -> bool:
    return len(await pages(mesh)) > before


async def test_a_second_worker_shares_the_partitions(
    mesh: World, starts: Mapping[TopicPartition, int]
) -> None:
    group = GROUPS["pages"].consumer_group(mesh.settings)
    async with process("pages", mesh) as first, process("pages", mesh) as second:
        await first.ready()
        await second.ready()
        await eventually(lambda: asyncio.to_thread(shared, mesh.settings, group), 60)
        await append(mesh, 40)
        await equal_to_the_pure_fold(mesh, listing_page, starts)
        await second.kill()
        await append(mesh, 40)
        await equal_to_the_pure_fold(mesh, listing_page, starts)


def shared(settings: Settings, group: str) -> bool:
    admin = AdminClient(client_config(settings, "test"))
    found = admin.describe_consumer_groups([group], request_timeout=10)[group].result()
    sizes = [len(member.assignment.topic_partitions) for member in found.members]
    return len(sizes) == 2 and all(sizes)


async def ready_generation(mesh: World, starts: Mapping[TopicPartition, int]) -> None:
    """Generation 2 of the listing pages, complete up to where the test began."""
    marks = {place: Watermark(at) for place, at in starts.items() if place.topic == PLACE.topic}
    async with (
        opened_stores(mesh.settings, [listing_page]) as stores,
        mesh.pool.acquire() as connection,
        connection.transaction(),
    ):
        made = await register_building(connection, listing_page, {})
        await stores["postgres"].create(made)
        async with stores["postgres"].session(made) as session:
            await session.write([], marks)
        await move_generations(connection, {(listing_page.name, 2): GenerationStatus.READY})


async def test_a_generation_made_ready_while_the_worker_runs_is_fed(
    mesh: World, starts: Mapping[TopicPartition, int]
) -> None:
    async with working("pages", mesh) as task:
        await wait_for(mesh, await append(mesh, 5), task)
        await ready_generation(mesh, starts)

        async def same() -> bool:
            first, second = [
                await mesh.pool.fetch(f"SELECT key FROM reads.listing_page__g{n}") for n in (1, 2)
            ]
            return {each["key"] for each in first} == {each["key"] for each in second} != set()

        await eventually(same, 30)
        await append(mesh, 5)
        await eventually(same, 30)


async def test_a_worker_with_too_many_parked_streams_ends_with_an_error(mesh: World) -> None:
    names = [str(uuid4()) for _ in range(2 * STREAMS_MIN)]
    await append_events(
        mesh.settings,
        [(f"listing/{name}", [titled_id(name, 1)]) for name in names],
        value=b"no JSON",
    )
    async with process("pages", mesh) as worker:
        _, errors = await asyncio.wait_for(worker.child.communicate(), 60)
    assert worker.child.returncode not in (0, None)
    assert b"worker_ends" in errors
    assert b"TooManyParkedError" in errors


STILL = {PLACE: 5}


def test_a_worker_that_moves_is_alive() -> None:
    liveness = Liveness()
    for second in range(100):
        assert not liveness.look(second, {PLACE: 200}, {PLACE: second}, {}, {PLACE: second})


def test_a_worker_with_nothing_to_read_is_alive() -> None:
    liveness = Liveness()
    for second in range(100):
        assert not liveness.look(second, STILL, STILL, {PLACE: 3}, {PLACE: 4})


def test_a_client_that_gets_no_records_though_there_are_some_is_stuck() -> None:
    liveness = Liveness()
    assert not liveness.look(0, {PLACE: 9}, STILL, {PLACE: 3}, {PLACE: 4})
    assert not liveness.look(30, {PLACE: 9}, STILL, {PLACE: 3}, {PLACE: 4})
    assert liveness.look(31, {PLACE: 9}, STILL, {PLACE: 3}, {PLACE: 4}) == [PLACE]


def test_records_handed_over_and_never_applied_are_a_stuck_worker() -> None:
    liveness = Liveness()
    assert not liveness.look(0, STILL, STILL, {PLACE: 4}, {PLACE: 4})
    assert liveness.look(31, STILL, STILL, {PLACE: 4}, {PLACE: 4}) == [PLACE]


def test_a_partition_that_went_idle_and_then_stuck_gets_its_whole_time() -> None:
    liveness = Liveness()
    assert not liveness.look(0, STILL, STILL, {}, {PLACE: 5})
    assert not liveness.look(100, STILL, STILL, {}, {PLACE: 5})
    assert not liveness.look(101, {PLACE: 9}, STILL, {}, {PLACE: 5})
    assert liveness.look(131, {PLACE: 9}, STILL, {}, {PLACE: 5}) == [PLACE]


def test_markers_of_transactions_are_no_lag() -> None:
    assert lags({PLACE: 9}, {PLACE: 9}, {PLACE: 7}, {PLACE: 8}) == {PLACE: 0}


def test_what_no_store_has_is_lag() -> None:
    assert lags({PLACE: 9}, {PLACE: 9}, {PLACE: 8}, {PLACE: 5}) == {PLACE: 4}
    assert lags({PLACE: 9}, {PLACE: 5}, {PLACE: 4}, {PLACE: 5}) == {PLACE: 4}
