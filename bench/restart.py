"""The writer's restart, and the memory of writer and worker, as the log grows.

    python -m bench.restart [--events 1000000] [--rounds 5]

A log of listing events and a journal that has read all of it are made at 10,000, at 100,000
and at `--events`. At the first and the last size the writer is killed (-9) and started again
while a command waits: the time from the start of the process to that command's commit counts
(the median), and must not grow with the log. At the second and the last size the writer
handles the same number of commands about listings that it must load from the journal, and a
worker reads what it has not read yet of the log into the pages; their resident memory counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from uuid import UUID, uuid4

import psutil
from confluent_kafka import Producer

from bench.append import LISTINGS, Progress
from bench.journaling import note_in_journal
from bench.listing_log import TOPIC, write_log
from bench.stack import Figure, conclude, mesh_process, own_stack, run
from infra.clients.kafka import client_config
from infra.clients.postgres import open_pool
from infra.settings import Settings
from infra.stack.state import State
from processors.feeding.generations import ensure_generations
from processors.feeding.groups import GROUPS
from processors.feeding.reading import open_log
from schemas.listings import DeleteListing
from schemas.log.messages import Role
from schemas.log.partitioning import partition_of
from schemas.log.recorded import CommandEnvelope, headers_of_command, value_of

SMALL, MIDDLE = 10_000, 100_000
RESTART_GOAL = 1.5
MEMORY_GOAL = 1.1
DELETED = 2_000
WAIT_S = 120.0
POLL_S = 0.005
WATCHED_EVERY = 200_000
READ_UP_S = 900.0


async def listings(settings: Settings, count: int) -> list[UUID]:
    """Listings that the journal knows, spread over the whole log: event ids are hashes."""
    async with await open_pool(settings, size_max=1) as pool:
        rows = await pool.fetch(
            "SELECT stream_id FROM reads.journal WHERE version = 1 AND key > $1"
            " ORDER BY key LIMIT $2",
            str(uuid4()).replace("f", "0", 1),
            count,
        )
    return [UUID(row["stream_id"].partition("/")[2]) for row in rows]


def delete(settings: Settings, chosen: Sequence[UUID]) -> None:
    """Send a command for each: its stream must be loaded to be judged."""
    producer = Producer(client_config(settings, "bench") | {"enable.idempotence": True})
    for listing in chosen:
        command = DeleteListing(
            listing_id=listing,
            asked_at=datetime.now(UTC),
            asked_by="user/admin",
            asked_role=Role.ADMIN,
        )
        command_id = str(uuid4())
        envelope = CommandEnvelope(command, command_id, command_id, "", "0" * 64)
        producer.produce(
            LISTINGS.commands_topic,
            value_of(command),
            command.stream_id.encode(),
            partition_of(command.stream_id, settings.topic_partitions),
            headers=headers_of_command(envelope),  # type: ignore[arg-type]  # an invariant list
        )
    producer.flush(30)


def grow(settings: Settings, so_far: int, events: int) -> None:
    """Append events until there are so many, and have the journal read them."""
    while so_far < events:
        step = min(WATCHED_EVERY, events - so_far)
        write_log(settings, step)
        asyncio.run(note_in_journal(settings))
        so_far += step
        print(f"  log and journal hold {so_far:,} events", flush=True)


@contextmanager
def writer(state: State, settings: Settings) -> Iterator[psutil.Process]:
    """A writer process; what it says goes to a file."""
    quiet = settings.model_copy(update={"log_level": "warning"})
    with mesh_process(quiet, state.folder, "writer") as running:
        yield psutil.Process(running.pid)


def handled(settings: Settings, chosen: Sequence[UUID]) -> float:
    """Have a writer that runs handle a command for each listing; the seconds it took."""
    progress = Progress(settings)
    try:
        before = progress.done()
        delete(settings, chosen)
        return _wait_past(progress, before + len(chosen) - 1)
    finally:
        progress.close()


def _wait_past(progress: Progress, count: int) -> float:
    started_at = time.monotonic()
    while progress.done() <= count:
        if time.monotonic() - started_at > WAIT_S:
            message = f"the writer did not get past {count} commands"
            raise TimeoutError(message)
        time.sleep(POLL_S)
    return time.monotonic() - started_at


def restart_s(state: State, settings: Settings) -> float:
    """Kill a writer at work; the seconds from its successor's start to its first command."""
    with writer(state, settings) as victim:
        handled(settings, asyncio.run(listings(settings, 20)))
        victim.kill()
    progress = Progress(settings)
    try:
        before = progress.done()
        delete(settings, asyncio.run(listings(settings, 1)))
        with writer(state, settings):
            return _wait_past(progress, before)
    finally:
        progress.close()


def memory_mb(state: State, settings: Settings) -> float:
    """The writer's resident memory after it has loaded and judged so many streams."""
    with writer(state, settings) as process:
        handled(settings, asyncio.run(listings(settings, DELETED)))
        size = process.memory_info().rss / 1e6
    asyncio.run(note_in_journal(settings))
    return size


def worker_mb(state: State, settings: Settings) -> float:
    """The resident memory of the pages' worker after it has read the log to its end."""
    quiet = settings.model_copy(update={"log_level": "warning"})
    asyncio.run(ensure_generations(settings, GROUPS["pages"].projections))
    with mesh_process(quiet, state.folder, "worker", "pages") as running:
        asyncio.run(_read_up(settings))
        return psutil.Process(running.pid).memory_info().rss / 1e6


async def _read_up(settings: Settings) -> None:
    """Return when the listings' pages have passed the end of the log."""
    deadline = time.monotonic() + READ_UP_S
    async with await open_pool(settings, size_max=1) as pool, open_log(settings) as log:
        end = sum(each.end for each in (await log.bounds([TOPIC])).values())
        while True:
            passed = await pool.fetchval(
                "SELECT sum(next_offset) FROM mesh.live_watermarks"
                " WHERE projection = 'listing_page' AND topic = $1",
                TOPIC,
            )
            if (passed or 0) >= end:
                return
            if time.monotonic() > deadline:
                message = f"the worker has passed {passed} of {end} offsets"
                raise TimeoutError(message)
            await asyncio.sleep(POLL_S * 20)


def main() -> None:
    """Measure at each size and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    restarts: dict[int, float] = {}
    memory: dict[int, float] = {}
    worker: dict[int, float] = {}
    so_far = 0
    with own_stack() as (state, settings):
        for size in sorted({SMALL, MIDDLE, asked.events}):
            grow(settings, so_far, size)
            so_far = size
            if size != SMALL:
                # Before any command: the marker of a last transaction has an offset of its own,
                # which no event will ever pass.
                worker[size] = worker_mb(state, settings)
            if size != MIDDLE:
                times = [restart_s(state, settings) for _ in range(asked.rounds)]
                asyncio.run(note_in_journal(settings))
                restarts[size] = median(times)
                print(f"{size:,} events: restart {median(times):.2f} s of {sorted(times)}")
            if size != SMALL:
                memory[size] = memory_mb(state, settings)
                print(
                    f"{size:,} events: writer {memory[size]:.0f} MB, worker {worker[size]:.0f} MB",
                    flush=True,
                )
    last = asked.events
    restart = Figure(
        f"restart_at_{last}_vs_{SMALL}",
        restarts[last],
        restarts[SMALL],
        "s",
        RESTART_GOAL,
        at_most=True,
    )
    conclude(
        [
            restart,
            *(
                Figure(
                    f"{name}_rss_at_{last}_vs_{MIDDLE}",
                    sizes[last],
                    sizes[MIDDLE],
                    "MB",
                    MEMORY_GOAL,
                    at_most=True,
                )
                for name, sizes in (("writer", memory), ("worker", worker))
            ),
        ]
    )


if __name__ == "__main__":
    run(main)
