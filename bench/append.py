"""The writer's append rate, against the library `eventsourcing` on the same Postgres.

    python -m bench.append [--rounds 5] [--commands 40000] [--seconds 4] [--profile FILE]

Ours: CreateListing commands lie ready in Kafka; the writers decode, de-duplicate (against a
journal that holds all earlier rounds), decide, append one event and one reply each, and commit:
the best of 1 and 2 processes. The rate runs from a fifth of the commands to the last one, so
that neither a writer's start nor the sharing out of partitions is in it. Peer: its best of 1, 2
and 4 processes, saving aggregates of one event with the same fields. Rounds go A/B/A/B; the
median counts.

Durability: Kafka, one replica, does not wait for the disk (it survives kill -9, not a power
cut), so `synchronous_commit = off` is the peer's like class; `on` is what it does by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from statistics import median
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4, uuid5

from confluent_kafka import Producer

from bench.journaling import note_in_journal
from bench.listing_log import ads
from bench.stack import (
    ROOT,
    Figure,
    conclude,
    cpu_s,
    environment,
    mesh_process,
    own_stack,
    run,
    server_pids,
    spread,
    table,
)
from infra.clients.kafka import client_config
from infra.settings import Settings
from infra.stack.state import State
from producers.writer.done import TopicIds, first_undone
from producers.writer.tail import TailReader, TailUnavailableError
from schemas.listings import CreateListing
from schemas.log.messages import Role
from schemas.log.partitioning import partition_of
from schemas.log.positions import TopicPartition
from schemas.log.recorded import CommandEnvelope, headers_of_command, value_of
from schemas.topics import CONTEXTS

T = TypeVar("T")

GOAL = 8.0
GOAL_SYNC_OFF = 2.0
WRITERS = (1, 2)
PROCESSES = (1, 2, 4)
WAIT_S, POLL_S = 180.0, 0.02
STARTED = 0.2
LISTINGS = next(each for each in CONTEXTS if each.name == "listings")


@dataclass(frozen=True)
class Round:
    """What one round gave."""

    per_second: float
    cpu_s_per_1000: float


def preload(settings: Settings, count: int) -> None:
    """Put so many CreateListing commands, each about a listing of its own, into Kafka."""
    producer = Producer(
        client_config(settings, "bench")
        | {"enable.idempotence": True, "linger.ms": 20, "queue.buffering.max.messages": 500_000}
    )
    fields = ads(1_000)
    for number in range(count):
        command_id = uuid4()
        command = CreateListing(
            listing_id=uuid5(command_id, "listing"),
            fields=fields[number % len(fields)],
            asked_at=datetime.now(UTC),
            asked_by="user/1",
            asked_role=Role.SELLER,
        )
        envelope = CommandEnvelope(command, str(command_id), str(command_id), "", "0" * 64)
        producer.produce(
            LISTINGS.commands_topic,
            value_of(command),
            command.stream_id.encode(),
            partition_of(command.stream_id, settings.topic_partitions),
            headers=headers_of_command(envelope),  # type: ignore[arg-type]  # an invariant list
        )
        producer.poll(0)
    if producer.flush(60):
        message = "the broker did not take the commands"
        raise TimeoutError(message)


class Progress:
    """Watches how many commands are done with, as the writers' answers say."""

    def __init__(self, settings: Settings) -> None:
        topics = (LISTINGS.replies_topic, LISTINGS.parked_topic)
        self._answers = [
            [TopicPartition(topic, each) for topic in topics]
            for each in range(settings.topic_partitions)
        ]
        self._topic_id = _patiently(lambda: TopicIds(settings).of(LISTINGS.commands_topic))
        self._reader = TailReader(settings)

    def done(self) -> int:
        """The commands done with so far, over all rounds."""
        ends = _patiently(lambda: self._reader.ends(chain.from_iterable(self._answers)))
        return sum(
            first_undone([ends[each] for each in pair], self._topic_id, sys.maxsize)
            for pair in self._answers
        )

    def close(self) -> None:
        """End the watching: a reader that is left asks the broker a hundred times a second."""
        self._reader.close()


def _patiently(look: Callable[[], T]) -> T:
    """What a look finds; a broker that has just made the topics knows of no leader at first."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return look()
        except TailUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def ours(state: State, settings: Settings, writers: int, count: int, profile: str) -> Round:
    """One round of so many writers."""
    progress = Progress(settings)
    before = progress.done()
    preload(settings, count)
    chosen = settings.model_copy(update={"log_level": "warning"})
    runner = ("-m", "cProfile", "-o", profile) if profile else ()
    with ExitStack() as stack:
        pids = [
            stack.enter_context(mesh_process(chosen, state.folder, "writer", runner=runner)).pid
            for _ in range(writers)
        ]
        pids += server_pids(state, ("kafka", "postgres"))
        first = _wait_past(progress, before + int(count * STARTED))
        cpu_before, started_at = cpu_s(pids), time.monotonic()
        _wait_past(progress, before + count - 1)
        seconds, cpu = time.monotonic() - started_at, cpu_s(pids) - cpu_before
    progress.close()
    asyncio.run(note_in_journal(settings))
    handled = before + count - first
    if handled < count / 2:
        message = f"the first look saw {count - handled} of {count} commands done: no rate"
        raise RuntimeError(message)
    return Round(handled / seconds, 1000 * cpu / handled)


def _wait_past(progress: Progress, count: int) -> int:
    deadline = time.monotonic() + WAIT_S
    while (done := progress.done()) <= count:
        if time.monotonic() > deadline:
            message = f"the writer stands at {done}, waited for more than {count}"
            raise TimeoutError(message)
        time.sleep(POLL_S)
    return done


def peer(state: State, settings: Settings, processes: int, seconds: float, sync: str) -> Round:
    """One round of so many processes of the library."""
    url = urlsplit(settings.database_url.get_secret_value())
    env = environment(settings) | {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path.strip("/"),
        "POSTGRES_HOST": url.hostname or "",
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username or "",
        "POSTGRES_PASSWORD": url.password or "",
        "PGOPTIONS": f"-c synchronous_commit={sync}",
    }
    runs = []
    for _ in range(processes):
        run = subprocess.Popen(
            [sys.executable, "-m", "bench.peer_eventsourcing", str(seconds)],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        runs.append(run)
        assert run.stdout is not None
        # One after the other: two that make the library's tables at once fail.
        if run.stdout.readline().strip() != "ready":
            message = "the library's process did not start"
            raise RuntimeError(message)
    pids = [*(run.pid for run in runs), *server_pids(state, ("postgres",))]
    cpu_before = cpu_s(pids)
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("go\n")
        run.stdin.flush()
    saved = 0
    for run in runs:
        assert run.stdout is not None
        saved += int(json.loads(run.stdout.readline())["saved"])
    cpu = cpu_s(pids) - cpu_before
    for run in runs:
        run.communicate(timeout=30)
    return Round(saved / seconds, 1000 * cpu / saved)


def main() -> None:
    """Run the rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=40_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--profile", default="", help="write the last round's profile here")
    parser.add_argument("--without-peer", action="store_true")
    asked = parser.parse_args()
    mine: dict[int, list[Round]] = {}
    theirs: dict[tuple[str, int], list[Round]] = {}
    with own_stack() as (state, settings):
        for number in range(asked.rounds):
            for writers in WRITERS:
                profile = asked.profile if (number, writers) == (asked.rounds - 1, 1) else ""
                found = ours(state, settings, writers, asked.commands, profile)
                mine.setdefault(writers, []).append(found)
                print(
                    f"round {number + 1}: {writers} writers {found.per_second:,.0f}/s", flush=True
                )
            for sync in () if asked.without_peer else ("on", "off"):
                for processes in PROCESSES:
                    found = peer(state, settings, processes, asked.seconds, sync)
                    theirs.setdefault((sync, processes), []).append(found)
                    print(f"  peer {processes} sync={sync} {found.per_second:,.0f}/s", flush=True)
    rows = [_row(f"marketmesh, {writers} writers", rounds) for writers, rounds in mine.items()]
    rows += [
        _row(f"eventsourcing, {processes} processes, synchronous_commit={sync}", rounds)
        for (sync, processes), rounds in theirs.items()
    ]
    table(rows)
    best = max(map(_rate, mine.values()))
    figures = []
    for sync, goal in (("on", GOAL), ("off", GOAL_SYNC_OFF)):
        others = [_rate(rounds) for (each, _), rounds in theirs.items() if each == sync]
        if others:
            name = f"append_vs_eventsourcing_sync_{sync}"
            figures.append(Figure(name, best, max(others), "commands/s", goal))
    conclude(figures)


def _rate(rounds: Sequence[Round]) -> float:
    return median(each.per_second for each in rounds)


def _row(name: str, rounds: Sequence[Round]) -> dict[str, str]:
    return {
        "what": name,
        "per second": spread([each.per_second for each in rounds]),
        "CPU-s per 1,000": f"{median(each.cpu_s_per_1000 for each in rounds):.3f}",
    }


if __name__ == "__main__":
    run(main)
