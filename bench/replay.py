"""Replay: a million events rebuilt, against a fold in memory and against `eventsourcing`.

    python -m bench.replay [--events 1000000] [--rounds 3] [--peer-events 20000]

One log of listing events (four to a listing, a thousand listings among each other), a stack of
its own, and:

  fold      listing_page rebuilt into Postgres, against reading the same log, decoding it with
            the same code and folding it into a dictionary, in one process. Rounds go A/B.
  peer      the same, against the projection runner of `eventsourcing` with a view in the same
            Postgres. The peer gets fewer events (its rate does not depend on their number);
            rates are compared. Once as it comes and once with synchronous_commit off.
  stores    one projection in each of Postgres, OpenSearch and ClickHouse, in one pass.
  memory    the peak of all processes of a replay, at a tenth of the log and at all of it.

The replay's time runs from the command to "ready", processes starting and tables included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
import uvloop

from bench.listing_log import TOPIC, write_log
from bench.stack import (
    ROOT,
    Figure,
    conclude,
    cpu_s,
    environment,
    own_stack,
    run,
    server_pids,
    spread,
    table,
)
from infra.clients.postgres import open_pool
from infra.garbage import without_collector
from infra.settings import Settings, load_settings
from infra.stack.state import State
from processors.feeding.generations import GenerationStatus, ensure_generations, list_generations
from processors.feeding.reading import open_log
from processors.replay import builds, engine
from processors.replay.progress import View
from projections import PROJECTIONS
from projections.projection import Projection
from schemas.log.recorded import decode_event
from schemas.topics import EVENT_TYPES

SERVERS = ("kafka", "postgres", "opensearch", "clickhouse")
THREE_STORES = ("listing_page", "listing_search", "listing_facts")
FOLD_GOAL, PEER_GOAL, MEMORY_GOAL = 0.5, 25.0, 1.1
STORES_GOAL_S_PER_MILLION = 120.0
SAMPLE_S = 0.05
MIB = 1024 * 1024


@dataclass(frozen=True)
class Run:
    """One replay: seconds, CPU seconds of all processes per 1,000 events, peak memory in MiB."""

    seconds: float
    cpu_s_per_1000: float = 0.0
    peak_mib: float = 0.0


class _Peak:
    """The most memory that a process and its children ever had together, looked at often."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.bytes = 0

    def look(self) -> None:
        """Once."""
        total = 0
        try:
            for each in (self._process, *self._process.children(recursive=True)):
                total += each.memory_info().rss
        except psutil.NoSuchProcess:
            return
        self.bytes = max(self.bytes, total)


def replay(state: State, settings: Settings, events: int, names: Sequence[str]) -> Run:
    """One replay in a process of its own, as `mesh replay start` runs it; removed afterwards."""
    servers = server_pids(state, SERVERS)
    before = cpu_s(servers)
    began = time.monotonic()
    run = subprocess.Popen(
        [sys.executable, "-m", "bench.replay", "--one", ",".join(names)],
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = _Peak(run.pid)
    while run.poll() is None:
        peak.look()
        time.sleep(SAMPLE_S)
    took = time.monotonic() - began
    assert run.stdout is not None
    told = json.loads(run.stdout.read().splitlines()[-1])
    own = told["cpu_s"]
    asyncio.run(_remove(settings, names))
    return Run(took, 1000 * (cpu_s(servers) - before + own) / events, peak.bytes / MIB)


async def _remove(settings: Settings, names: Sequence[str]) -> None:
    async with await open_pool(settings, size_max=1) as pool:
        ready = await list_generations(pool, projections=names, statuses=[GenerationStatus.READY])
    for each in ready:
        await builds.drop(settings, _chosen([each.projection]), each.number)


def _chosen(names: Sequence[str]) -> list[Projection[Any]]:
    return [each for each in PROJECTIONS if each.name in names]


def one_replay(names: Sequence[str]) -> None:
    """The child of `replay`."""
    asyncio.run(engine.start(load_settings(), _chosen(names), view=View(quiet=True)))
    times = psutil.Process().cpu_times()
    spent = times.user + times.system + times.children_user + times.children_system
    print(json.dumps({"cpu_s": spent}))


def memory_fold(settings: Settings) -> Run:
    """The peer: the log folded into a dictionary, in a process of its own."""
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "bench.replay", "--fold"],
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    took = time.monotonic() - began
    return Run(took, json.loads(told.stdout)["cpu_s_per_1000"])


def one_fold() -> None:
    """The child of `memory_fold`: the same reading, decoding and folds, and nothing else."""
    (page,) = _chosen(["listing_page"])
    rows: dict[str, Any] = {}
    count = 0

    async def fold() -> None:
        nonlocal count
        async with open_log(load_settings()) as log:
            async for batch in log.read(await log.bounds([TOPIC])):
                for record in batch.records:
                    recorded = decode_event(record, EVENT_TYPES)
                    key = page.key(recorded)
                    rows[key] = page.fold(rows.get(key), recorded)
                count += len(batch.records)

    # Without it Python's cycle collector makes this peer less than half as fast.
    with without_collector():
        uvloop.run(fold())
    print(json.dumps({"cpu_s_per_1000": 1000 * time.process_time() / count, "rows": len(rows)}))


def peer(settings: Settings, events: int, sync: str) -> float:
    """Events per second of the library's projection runner."""
    url = urlsplit(settings.database_url.get_secret_value())
    name = f"peer_{sync}"
    asyncio.run(_database(settings, name))
    env = environment(settings) | {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": name,
        "POSTGRES_HOST": url.hostname or "",
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username or "",
        "POSTGRES_PASSWORD": url.password or "",
        "PGOPTIONS": f"-c synchronous_commit={sync}",
    }
    told = subprocess.run(
        [sys.executable, "-m", "bench.peer_projection", str(events)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(told.stdout.splitlines()[-1])
    return float(found["events"] / found["seconds"])


async def _database(settings: Settings, name: str) -> None:
    connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=10)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()


def measure(state: State, settings: Settings, arguments: argparse.Namespace) -> list[Figure]:
    """All figures, small log first."""
    asyncio.run(ensure_generations(settings, _chosen(THREE_STORES)))
    events, tenth = arguments.events, arguments.events // 10
    _say(f"writing {tenth:,} events")
    write_log(settings, tenth)
    small = replay(state, settings, tenth, THREE_STORES)
    _say(f"three stores at {tenth:,}: {small.seconds:.1f} s, {small.peak_mib:.0f} MiB")
    _say(f"writing {events - tenth:,} more")
    write_log(settings, events - tenth)
    ours, memory = _rounds(state, settings, events, arguments.rounds)
    whole = replay(state, settings, events, THREE_STORES)
    _say(f"three stores at {events:,}: {whole.seconds:.1f} s, {whole.peak_mib:.0f} MiB")
    everything = [each.name for each in PROJECTIONS]
    asyncio.run(ensure_generations(settings, PROJECTIONS))
    all_of_them = replay(state, settings, events, everything)
    _say(f"every one of {len(everything)} projections: {all_of_them.seconds:.1f} s")
    rate = events / median(each.seconds for each in ours)
    peers = {sync: peer(settings, arguments.peer_events, sync) for sync in ("on", "off")}
    goal_s = STORES_GOAL_S_PER_MILLION * events / 1_000_000
    return [
        Figure(
            "replay into Postgres vs fold in memory",
            rate,
            events / median(each.seconds for each in memory),
            "events/s",
            FOLD_GOAL,
        ),
        Figure("replay vs eventsourcing's runner", rate, peers["on"], "events/s", PEER_GOAL),
        Figure(
            "replay vs eventsourcing's runner, synchronous_commit off",
            rate,
            peers["off"],
            "events/s",
            PEER_GOAL,
        ),
        Figure(
            "all three stores vs 120 s a million", whole.seconds, goal_s, "s", 1.0, at_most=True
        ),
        Figure(
            "peak memory, whole log vs a tenth",
            whole.peak_mib,
            small.peak_mib,
            "MiB",
            MEMORY_GOAL,
            at_most=True,
        ),
    ]


def _rounds(
    state: State, settings: Settings, events: int, rounds: int
) -> tuple[list[Run], list[Run]]:
    """Ours and the fold in memory, one after the other."""
    ours, memory = [], []
    for number in range(rounds):
        ours.append(replay(state, settings, events, ["listing_page"]))
        memory.append(memory_fold(settings))
        _say(
            f"round {number + 1}: replay {events / ours[-1].seconds:,.0f}/s,"
            f" fold in memory {events / memory[-1].seconds:,.0f}/s"
        )
    table(
        [
            {
                "": name,
                "events/s": spread([events / each.seconds for each in runs]),
                "CPU s per 1,000": f"{median(each.cpu_s_per_1000 for each in runs):.3f}",
                "peak MiB": f"{max(each.peak_mib for each in runs):.0f}",
            }
            for name, runs in (("replay into Postgres", ours), ("fold in memory", memory))
        ]
    )
    return ours, memory


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-events", type=int, default=20_000)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--fold", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one_replay(arguments.one.split(","))
        return
    if arguments.fold:
        one_fold()
        return
    with own_stack(SERVERS) as (state, settings):
        figures = measure(state, settings, arguments)
    conclude(figures)


if __name__ == "__main__":
    run(main)
