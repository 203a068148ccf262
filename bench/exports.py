"""What a page costs its reader while others take long exports of what is held of them.

    python -m bench.exports [--people 8] [--changes 500] [--seconds 10]

Each of the people has one listing with so many changes of a long description, which makes an export
of 10 kB a change. One reader asks for one listing's page over one connection, first alone, then while
all of them take their exports over and over: both in one mesh with one API process, and with the load
on the same machine. The peer is the reader alone.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import uvloop

from bench.recover import LISTING
from bench.stack import Figure, conclude, run
from tests.journeys.shop import Shop, open_shop

DESCRIPTION = "x" * 9_900
TIMEOUT_S = 120.0
# Beside exports a page may wait for a piece of one, not for one.
GOAL_MEDIAN = 2.0
GOAL_P99_MS = 50.0


@dataclass
class Taken:
    """The exports that came whole."""

    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


async def seller(
    client: aiohttp.ClientSession, headers: dict[str, str], changes: int
) -> tuple[str, str]:
    """Give somebody much to export: the export's path, the listing's."""
    async with client.get("/api/auth/session", headers=headers) as answer:
        answer.raise_for_status()
        user_id = (await answer.json())["user"]["id"]
    async with client.post("/api/listings", json=LISTING, headers=headers) as answer:
        answer.raise_for_status()
        path = answer.headers["Location"]
    for number in range(changes):
        change = {"description": f"{number} {DESCRIPTION}"}
        async with client.patch(path, json=change, headers={**headers, "If-Match": "*"}) as answer:
            answer.raise_for_status()
    return f"/api/users/{user_id}/export", path


async def exports(
    client: aiohttp.ClientSession, headers: dict[str, str], path: str, until: float, taken: Taken
) -> None:
    """One person's exports, one after another."""
    while (began := time.perf_counter()) < until:
        async with client.get(path, headers=headers) as answer:
            answer.raise_for_status()
            size = 0
            async for piece in answer.content.iter_any():
                size += len(piece)
        taken.sizes.append(size)
        taken.seconds.append(time.perf_counter() - began)


async def pages(client: aiohttp.ClientSession, path: str, until: float) -> list[float]:
    """Milliseconds of each answer."""
    times = []
    while (began := time.perf_counter()) < until:
        async with client.get(path) as answer:
            answer.raise_for_status()
            await answer.read()
        times.append(1_000 * (time.perf_counter() - began))
        await asyncio.sleep(0.01)
    return times


async def measure(shop: Shop, people: int, changes: int, seconds: float) -> list[Figure]:
    """The reader alone, and beside everybody's exports."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(shop.url, timeout=timeout) as client:
        print(f"making {people} people with {changes} changes each", flush=True)
        sellers = [await asyncio.to_thread(shop.account) for _ in range(people)]
        made = await asyncio.gather(*(seller(client, each, changes) for each in sellers))
        await asyncio.to_thread(shop.wait_until_read)
        path, taken = made[0][1], Taken()
        await pages(client, path, time.perf_counter() + 1)  # warm
        alone = await pages(client, path, time.perf_counter() + seconds)
        until = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            for headers, (place, _) in zip(sellers, made, strict=True):
                group.create_task(exports(client, headers, place, until, taken))
            beside = await pages(client, path, until)
    return _figures(alone, beside, taken)


def _figures(alone: Sequence[float], beside: Sequence[float], taken: Taken) -> list[Figure]:
    for name, times in (("alone", alone), ("beside", beside)):
        p99 = quantiles(times, n=100)[98]
        print(
            f"pages {name}: {len(times)}, ms p50 {median(times):.1f}, p99 {p99:.1f},"
            f" max {max(times):.1f}"
        )
    print(
        f"exports: {len(taken.sizes)} of {median(taken.sizes) / 1e6:.1f} MB,"
        f" s each {median(taken.seconds):.1f}, max {max(taken.seconds):.1f}"
    )
    return [
        Figure(
            "a page beside exports, p50",
            median(beside),
            median(alone),
            "ms",
            GOAL_MEDIAN,
            at_most=True,
        ),
        Figure(
            "a page beside exports, p99, against its bound",
            quantiles(beside, n=100)[98],
            GOAL_P99_MS,
            "ms",
            1.0,
            at_most=True,
        ),
    ]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
        open_shop(Path(folder) / "state") as shop,
    ):
        found = uvloop.run(measure(shop, asked.people, asked.changes, asked.seconds))
    conclude(found)


if __name__ == "__main__":
    run(main)
