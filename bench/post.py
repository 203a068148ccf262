"""Listings posted as fast as they are taken, beside what one would build instead.

    python -m bench.post [--seconds 20] [--rounds 3]

In each round both sides take a turn on the same servers (the other side's processes are down): a warm-up,
then one client who posts now and then while all is quiet, then 64 clients in a closed loop for so
long, and at last the wait until whatever was posted is in Postgres, OpenSearch and ClickHouse, once
each. The processor time of all servers and of the side's own processes, until then, is divided by
the listings. The client is not counted, but shares the machine. The peer (bench/peer_post.py) asks
nobody who they are. The median of the rounds counts; any answer but 201 ends the bench.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
import orjson
import uvloop

from bench import peer_post
from bench.closed_loop import load
from bench.lag import LISTING, percentile_ms
from bench.stack import (
    ROOT,
    Figure,
    conclude,
    cpu_s,
    ending,
    environment,
    free_port,
    run,
    server_pids,
    table,
    wait_for_port,
)
from infra.clients.clickhouse import ClickHouse
from infra.clients.opensearch import alias_of, open_opensearch
from infra.settings import Settings
from infra.stack import supervisor
from infra.stack.processes import PROCESSES, SUPERVISOR
from infra.stack.servers.roster import SERVERS
from infra.stack.state import State
from tests.journeys.shop import Shop, open_shop

GOAL_QUIET_MS = 8.0
GOAL_PER_SECOND = 600.0
CLIENTS = 64
QUIET_POSTS = 200
QUIET_PAUSE_S = 0.02
WARM_UP_S = 5.0
LOOK_S = 0.5
FOUND_WITHIN_S = 180.0
LOCK_S = 20.0


@dataclass(frozen=True)
class Stores:
    """Where a side's listings are found."""

    postgres: str
    opensearch: str
    clickhouse: str


@dataclass(frozen=True)
class Side:
    """One of the two, up and running: where it is asked, where listings end, what belongs to it."""

    name: str
    port: int
    path: str
    headers: str
    stores: Stores
    pids: Mapping[str, int]
    idle: Callable[[], None]  # returns when nothing is left to do

    def requests(self) -> Iterator[bytes]:
        """Post after post, each of them another."""
        body = orjson.dumps(LISTING)
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self.headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        while True:
            yield f"{head}Idempotency-Key: {uuid4()}\r\n\r\n".encode() + body

    def post(self, clients: int, seconds: float) -> list[float]:
        """The seconds of each answer in a closed loop."""
        loops = [self.requests() for _ in range(clients)]
        return uvloop.run(load(self.port, loops, seconds=seconds, status=201))

    def post_quietly(self) -> list[float]:
        """The seconds of each answer to somebody alone."""
        loop = itertools.islice(self.requests(), QUIET_POSTS)
        return uvloop.run(load(self.port, [loop], status=201, pause_s=QUIET_PAUSE_S))

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds used so far, by process."""
        return {name: cpu_s([pid]) for name, pid in self.pids.items()}


@dataclass(frozen=True)
class Turn:
    """What one side did in one round."""

    quiet_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float
    found_s: float
    cpu_ms: Mapping[str, float]

    @property
    def cpu_ms_all(self) -> float:
        """Of a listing, all processes."""
        return sum(self.cpu_ms.values())


# Whether what was posted has arrived.


async def counts(settings: Settings, stores: Stores) -> tuple[int, int, int]:
    """How many listings each of the three holds."""
    async with AsyncExitStack() as stack:
        postgres = await asyncpg.connect(settings.database_url.get_secret_value())
        stack.push_async_callback(postgres.close)
        opensearch = await stack.enter_async_context(open_opensearch(settings))
        clickhouse = ClickHouse(settings, clients_max=1)
        stack.push_async_callback(clickhouse.close)
        await opensearch.indices.refresh(index=stores.opensearch)
        documents = await opensearch.count(index=stores.opensearch)
        return (
            await postgres.fetchval(f"SELECT count(*) FROM {stores.postgres}"),
            documents["count"],
            (await clickhouse.fetch(f"SELECT count() FROM {stores.clickhouse}"))[0][0],
        )


def wait_until_found(settings: Settings, stores: Stores, wanted: int) -> None:
    """Return when all three hold so many listings; raises RuntimeError when one never does."""
    deadline = time.monotonic() + FOUND_WITHIN_S
    while (found := uvloop.run(counts(settings, stores))) != (wanted, wanted, wanted):
        if max(found) > wanted or time.monotonic() > deadline:
            message = f"{wanted} listings were taken, {found} are in the three stores"
            raise RuntimeError(message)
        time.sleep(LOOK_S)


# The sides.


@contextmanager
def ours(shop: Shop) -> Iterator[Side]:
    """The mesh, as `mesh up` starts it."""
    shop.up()
    state, settings = State(shop.folder), shop.settings
    names = [SUPERVISOR, *(each.name for each in PROCESSES)]
    yield Side(
        name="ours",
        port=settings.port,
        path="/api/listings",
        headers=f"Authorization: {shop.account()['Authorization']}\r\n",
        stores=Stores("reads.listing_page", alias_of(settings, "listing_search"), "listing_facts"),
        pids=_servers(state) | {name: shop.pid(name) for name in names},
        idle=shop.wait_until_read,
    )
    # Workers and doors; the servers stay.
    supervisor.stop(state, [SUPERVISOR])
    with state.lock(LOCK_S):
        supervisor.stop(state, [each.name for each in reversed(PROCESSES)])


@contextmanager
def peer(shop: Shop) -> Iterator[Side]:
    """The other one's two processes."""
    port = free_port()
    with (
        ending(_start(shop, "serve", "--port", str(port))) as api,
        ending(_start(shop, "work")) as worker,
    ):
        wait_for_port(port, api)
        yield Side(
            name="peer",
            port=port,
            path="/listings",
            headers="",
            stores=Stores(peer_post.ROWS, peer_post.INDEX, f"{peer_post.TABLE} FINAL"),
            pids=_servers(State(shop.folder)) | {"api": api.pid, "worker": worker.pid},
            idle=lambda: None,
        )


def _servers(state: State) -> dict[str, int]:
    return {server.name: server_pids(state, [server.name])[0] for server in SERVERS}


def _start(shop: Shop, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.peer_post", *arguments],
        cwd=ROOT,
        env=environment(shop.settings),
    )


# The measuring.


def turn(side: Side, settings: Settings, seconds: float) -> Turn:
    """Have one side do its work."""
    held = max(uvloop.run(counts(settings, side.stores)))
    held += len(side.post(CLIENTS, WARM_UP_S))
    wait_until_found(settings, side.stores, held)
    side.idle()
    quiet = side.post_quietly()
    held += len(quiet)
    wait_until_found(settings, side.stores, held)
    side.idle()
    before, began = side.cpu_s(), time.perf_counter()
    times = side.post(CLIENTS, seconds)
    over = time.perf_counter()
    wait_until_found(settings, side.stores, held + len(times))
    found = time.perf_counter()
    side.idle()
    return Turn(
        quiet_ms=percentile_ms(quiet, 0.5),
        per_second=len(times) / (over - began),
        p50_ms=percentile_ms(times, 0.5),
        p99_ms=percentile_ms(times, 0.99),
        found_s=found - over,
        cpu_ms={
            name: 1_000 * (used - before[name]) / len(times) for name, used in side.cpu_s().items()
        },
    )


def measure(shop: Shop, rounds: int, seconds: float) -> dict[str, list[Turn]]:
    """Every round's turns, by side."""
    settings = shop.settings
    asyncio.run(peer_post.prepare(settings))
    turns: dict[str, list[Turn]] = {"ours": [], "peer": []}
    for number in range(rounds):
        # Who ends a round begins the next, and on the whole neither has fuller servers.
        for begin in (ours, peer) if number % 2 == 0 else (peer, ours):
            with begin(shop) as side:
                done = turn(side, settings, seconds)
            turns[side.name].append(done)
            print(
                f"round {number + 1}/{rounds}, {side.name}: {done.per_second:.0f} posts a second,"
                f" {done.quiet_ms:.1f} ms alone, {done.cpu_ms_all:.1f} CPU-ms a listing",
                flush=True,
            )
    return turns


def _row(name: str, turns: Sequence[Turn]) -> dict[str, str]:
    def middle(of: Callable[[Turn], float], digits: int) -> str:
        return f"{median(map(of, turns)):.{digits}f}"

    return {
        "": name,
        "alone, ms p50": middle(lambda turn: turn.quiet_ms, 1),
        f"{CLIENTS} clients, 1/s": middle(lambda turn: turn.per_second, 0),
        "ms p50": middle(lambda turn: turn.p50_ms, 0),
        "ms p99": middle(lambda turn: turn.p99_ms, 0),
        "CPU-ms a listing": middle(lambda turn: turn.cpu_ms_all, 2),
        "found everywhere after s": middle(lambda turn: turn.found_s, 1),
    }


def figures(turns: Mapping[str, Sequence[Turn]]) -> list[Figure]:
    """The comparisons, by the medians of the rounds."""
    mine, theirs = turns["ours"], turns["peer"]
    quiet_ms = median(each.quiet_ms for each in mine)
    rate, peer_rate = (median(each.per_second for each in side) for side in (mine, theirs))
    cpu_ms, peer_cpu_ms = (median(each.cpu_ms_all for each in side) for side in (mine, theirs))
    posts = f"POSTs a second, {CLIENTS} clients"
    instead = "FastAPI, asyncpg, outbox, OpenSearch and ClickHouse"
    return [
        Figure(
            "POST answered at a quiet mesh, p50", quiet_ms, GOAL_QUIET_MS, "ms", 1.0, at_most=True
        ),
        Figure(posts, rate, GOAL_PER_SECOND, "1/s", 1.0),
        Figure(f"{posts}, beside {instead}", rate, peer_rate, "1/s", 1.0),
        Figure("CPU-ms a listing, beside the same", cpu_ms, peer_cpu_ms, "ms", 1.0, at_most=True),
    ]


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mesh-bench-"))
    try:
        print("starting the whole mesh", flush=True)
        with open_shop(folder) as shop:
            turns = measure(shop, asked.rounds, asked.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table([_row(name, each) for name, each in turns.items()])
    for name, each in turns.items():
        shares = [
            f"{process} {median(turn.cpu_ms[process] for turn in each):.2f}"
            for process in each[0].cpu_ms
        ]
        print(f"CPU-ms a listing, {name}: {', '.join(shares)}")
    conclude(figures(turns))


if __name__ == "__main__":
    run(main)
