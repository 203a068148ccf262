"""How long until a write can be read: the whole local stack under a steady load.

    python -m bench.lag [--seconds 60] [--rate 100]

Sends `rate` listings a second through the API, open loop: a slow answer does not slow the
asking, and a request's time counts from when it was due. An event is *accepted* when the writer
stamps it (before it is in the log) and *readable* when a look at the watermark of the live page
finds it passed: rows and watermark move in one transaction. So the figure holds everything
between: append, commit, fetch, fold, write. The peer of each figure is its goal.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import psutil
import uvloop

from bench.stack import Figure, conclude, run, table
from infra.clients.postgres import open_pool
from infra.settings import Settings
from infra.stack.daemons import running_pid
from infra.stack.servers.roster import SERVERS
from tests.journeys.shop import Shop, open_shop

GOALS_MS = {
    "POST answered, p50": 25.0,
    "POST answered, p99": 80.0,
    "accepted to readable, p50": 40.0,
    "accepted to readable, p99": 150.0,
}
IDLE_GOAL_CORES = 0.10
IDLE_S = 20.0
WARM_UP_S = 10.0
LOOK_S = 0.01  # looking more often costs a fifth of a core, and what is measured with it
SETTLE_S = 30.0
TIMEOUT_S = 30.0
PAGE, JOURNAL = "listing_page", "journal"
LISTING = {
    "title": "Porsche 911 Carrera 4S",
    "description": "Serviced every year, first owner, no accidents. " * 5,
    "price_minor": 8_500_000,
    "currency": "USD",
    "make": "Porsche",
    "model": "911",
    "year": 2019,
    "mileage": {"value": 42_000, "unit": "KMT"},
    "fuel_type": "petrol",
    "location": "Colombo",
    "geo": {"lat": 6.9271, "lon": 79.8612},
    "features": ["Sunroof", "Sport Chrono"],
}


@dataclass
class Posted:
    """What the client saw: seconds from when a request was due, and the listings' ids."""

    times_s: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


async def post(client: aiohttp.ClientSession, url: str, seconds: float, rate: float) -> Posted:
    """Create `rate` listings a second for so long."""
    posted = Posted()
    calls: set[asyncio.Task[None]] = set()

    async def one(due: float) -> None:
        headers = {"Idempotency-Key": str(uuid4())}
        async with client.post(f"{url}/api/listings", json=LISTING, headers=headers) as answer:
            found = await answer.json()
        posted.times_s.append(time.perf_counter() - due)
        if answer.status == 201:
            posted.ids.append(found["id"])
        else:
            posted.refused.append(answer.status)

    due = time.perf_counter()
    for _ in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        call = asyncio.create_task(one(due))
        calls.add(call)
        call.add_done_callback(calls.discard)
        due += 1 / rate
    await asyncio.gather(*calls)
    return posted


class Watched:
    """When each partition's watermark was seen where, by projection."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)

    async def watch(self, pool: asyncpg.Pool) -> None:
        """Look again and again until cancelled."""
        while True:
            records = await pool.fetch(
                "SELECT projection, partition, next_offset FROM mesh.live_watermarks"
                " WHERE topic = 'events.listings' AND projection = ANY($1)",
                [PAGE, JOURNAL],
            )
            now = time.time()
            for projection, partition, offset in records:
                moves = self.seen[projection, partition]
                if not moves or moves[-1][0] != offset:
                    moves.append((offset, now))
            await asyncio.sleep(LOOK_S)

    def readable_at(self, projection: str, partition: int, offset: int) -> float:
        """Epoch seconds of the first look that found this event passed."""
        moves = self.seen[projection, partition]
        place = bisect.bisect_right(moves, offset, key=lambda move: move[0])
        return moves[place][1] if place < len(moves) else float("inf")

    def passed(self, partition: int, offset: int) -> bool:
        """Whether both projections have been seen beyond this event."""
        return all(
            self.readable_at(name, partition, offset) < float("inf") for name in (PAGE, JOURNAL)
        )


async def lags_s(
    pool: asyncpg.Pool, watched: Watched, ids: Sequence[str]
) -> Mapping[str, list[float]]:
    """Seconds from accepted to readable of every listing's first event, by projection."""
    deadline = time.monotonic() + SETTLE_S
    streams = [f"listing/{each}" for each in ids]
    while True:
        events = await pool.fetch(
            "SELECT partition, position_offset, recorded_at FROM reads.journal"
            " WHERE version = 1 AND stream_id = ANY($1)",
            streams,
        )
        if len(events) == len(ids) and all(watched.passed(e[0], e[1]) for e in events):
            break
        if time.monotonic() > deadline:
            message = f"{len(ids)} listings accepted, {len(events)} events in the journal"
            raise RuntimeError(message)
        await asyncio.sleep(0.1)
    return {
        name: [
            watched.readable_at(name, partition, offset) - accepted.timestamp()
            for partition, offset, accepted in events
        ]
        for name in (PAGE, JOURNAL)
    }


def percentile_ms(values_s: Iterable[float], share: float) -> float:
    """The time, in milliseconds, that `share` of the values stay under."""
    ordered = sorted(values_s)
    return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_of(shop: Shop) -> dict[str, float]:
    """CPU seconds used so far, by process."""
    found = {}
    for folder in sorted(shop.folder.iterdir()):
        pid = running_pid(folder / "pid") if (folder / "pid").exists() else None
        if pid is not None:
            process = psutil.Process(pid)
            times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
            found[folder.name] = sum(each.user + each.system for each in times)
    return found


async def idle_cores(shop: Shop) -> float:
    """What the mesh's own processes take of a core when nobody asks for anything."""
    print(f"idle for {2 * IDLE_S:.0f} s, the second half of it measured", flush=True)
    await asyncio.sleep(IDLE_S)
    before = cpu_of(shop)
    await asyncio.sleep(IDLE_S)
    used = {name: cpu - before.get(name, 0.0) for name, cpu in cpu_of(shop).items()}
    shares = ", ".join(f"{name} {cpu / IDLE_S:.3f}" for name, cpu in used.items())
    print(f"idle, cores: {shares}")
    servers = {server.name for server in SERVERS}
    return sum(cpu for name, cpu in used.items() if name not in servers) / IDLE_S


async def measure(shop: Shop, settings: Settings, seconds: float, rate: float) -> dict[str, float]:
    """Load the mesh and return the figures in milliseconds."""
    watched = Watched()
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=500)
    async with (
        await open_pool(settings, size_max=2) as pool,
        aiohttp.ClientSession(
            headers=shop.account(), timeout=timeout, connector=connector
        ) as client,
    ):
        print(f"warming up for {WARM_UP_S:.0f} s", flush=True)
        await post(client, shop.url, WARM_UP_S, rate)
        watching = asyncio.create_task(watched.watch(pool))
        print(f"{rate:.0f} listings a second for {seconds:.0f} s", flush=True)
        before = cpu_of(shop)
        posted = await post(client, shop.url, seconds, rate)
        after = cpu_of(shop)
        lags = await lags_s(pool, watched, posted.ids)
        watching.cancel()
    if posted.refused:
        message = f"{len(posted.refused)} requests were not answered with 201: {posted.refused[:5]}"
        raise RuntimeError(message)
    _show(posted, lags, {name: after[name] - before.get(name, 0.0) for name in after})
    return {
        "POST answered, p50": percentile_ms(posted.times_s, 0.5),
        "POST answered, p99": percentile_ms(posted.times_s, 0.99),
        "accepted to readable, p50": percentile_ms(lags[PAGE], 0.5),
        "accepted to readable, p99": percentile_ms(lags[PAGE], 0.99),
    }


def _show(posted: Posted, lags: Mapping[str, list[float]], cpu: Mapping[str, float]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "milliseconds": name,
            **{f"p{share * 100:g}": f"{percentile_ms(times, share):.1f}" for share in _SHARES},
        }
        for name, times in (
            ("POST answered", posted.times_s),
            ("accepted to readable (pages)", lags[PAGE]),
            ("accepted to readable (journal)", lags[JOURNAL]),
        )
    ]
    table(rows)
    each_ms = {name: 1_000 * used / len(posted.ids) for name, used in cpu.items()}
    print("CPU-ms a listing: " + ", ".join(f"{name} {ms:.2f}" for name, ms in each_ms.items()))
    print(f"CPU-ms a listing, all processes: {sum(each_ms.values()):.2f}")


_SHARES = (0.5, 0.95, 0.99, 1.0)


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=100.0)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mesh-bench-"))
    try:
        print("starting the whole mesh", flush=True)
        with open_shop(folder) as shop:
            idle = uvloop.run(idle_cores(shop))
            found = uvloop.run(measure(shop, shop.settings, chosen.seconds, chosen.rate))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    at_rest = Figure(
        "mesh idle, without servers", idle, IDLE_GOAL_CORES, "cores", 1.0, at_most=True
    )
    conclude(
        [
            *(
                Figure(name, found[name], goal_ms, "ms", 1.0, at_most=True)
                for name, goal_ms in GOALS_MS.items()
            ),
            at_rest,
        ]
    )


if __name__ == "__main__":
    run(main)
