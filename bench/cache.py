"""What answers would save if their rows were kept in Redis.

    python -m bench.cache [--seconds 3] [--rounds 3] [--readers 4]

A shop with 200 listings, a buyer's 40 favourites and 4 compared listings, and a campus' 40 items is
asked in turns: one process with the API's own clients asks Postgres for the rows, then Redis for the
same rows as JSON, which it reads; and over HTTP the whole answer is asked of the API. Processor time
is that of who asks and of the server, for the whole answer that of API and Postgres. A figure is what
Redis saves, over what the answer costs; what keeps the kept rows right with each change is not
counted, and comes on top.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import orjson
import structlog
import uvloop
from redis.asyncio import Redis

from bench.recover import LISTING
from bench.stack import Figure, conclude, cpu_s, run, server_pids, table
from infra.clients.redis import open_redis
from infra.stack.state import State
from projections.comparisons import comparisons
from projections.favorites import favorites
from projections.items import items
from projections.listings import listing_page
from projections.profiles import seller_profiles
from projections.reads import Slice
from tests.api.acting.offering import campus, student
from tests.api.acting.selling import Seller
from tests.api.running import Mesh, api
from tests.journeys.shop import Shop, open_shop

LISTINGS, FAVORITES, COMPARED, ITEMS, PAGE = 200, 40, 4, 40, 20
GOAL = 0.2  # less of an answer is not worth what keeps the rows right (ADR 0049)
LIFE_S = 300

Ask = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Read:
    """One kind of read: its row in the mission, and the rows, or row, of one of its keys."""

    row: str
    path: str
    who: Seller
    keys: Sequence[str]
    rows: Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class Turn:
    """A few seconds of one way to ask."""

    p50_ms: float
    per_second: float
    cpu_us: float


async def filled(mesh: Mesh) -> Sequence[Read]:
    """A shop with something in it, and how it is read."""
    seller = Seller(mesh, await mesh.account("seller"))
    buyer = Seller(mesh, await mesh.account("buyer"))
    listed = [await done(seller, "/api/listings", json=LISTING) for _ in range(LISTINGS)]
    ids = [each.json()["id"] for each in listed]
    await mesh.until_read(listed[-1])
    for each in ids[:FAVORITES]:
        last = await done(buyer, f"/api/favorites/{each}")
    for each in ids[:COMPARED]:
        last = await done(buyer, f"/api/compare/{each}")
    await mesh.until_read(last)
    domain = campus()
    person = await student(mesh, domain)
    for _ in range(ITEMS):
        await person.have()
    db, wanted = mesh.machines.postgres, items.Wanted(domain)
    return [
        Read("RD-02 a listing", "/api/listings/{}", buyer, ids,
             lambda key: listing_page.by_id(db, key)),
        Read("RD-04 favourites", "/api/favorites", buyer, [buyer.account.user_id],
             lambda key: favorites.of_owner(db, key, Slice(PAGE))),
        Read("RD-05 comparison", "/api/compare", buyer, [buyer.account.user_id],
             lambda key: comparisons.of_owner(db, key)),
        Read("RD-09 a campus' items", "/api/items", person, [domain],
             lambda _: items.newest(db, wanted, Slice(PAGE))),
        Read("RV-16 a seller's rating", "/api/users/{}/seller", buyer, [seller.account.user_id],
             lambda key: seller_profiles.by_id(db, key)),
    ]  # fmt: skip


async def done(who: Seller, path: str, **more: Any) -> Any:
    """The answer to a POST that must have been taken."""
    answer = await who.ask("POST", path, **more)
    if not answer.is_success:
        message = f"POST {path} answered {answer.status_code}: {answer.text}"
        raise RuntimeError(message)
    return answer


async def turn(
    ask: Ask, asked: argparse.Namespace, servers: Sequence[int], *, own_too: bool
) -> Turn:
    """Ask for so long, so many at once; our own processor time counts if we stand for the API."""
    times: list[float] = []
    before = cpu_s(servers) + own_s(counted=own_too)
    until = time.perf_counter() + asked.seconds

    async def reader() -> None:
        while (began := time.perf_counter()) < until:
            await ask()
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(reader() for _ in range(asked.readers)))
    took = cpu_s(servers) + own_s(counted=own_too) - before
    return Turn(1_000 * median(times), len(times) / asked.seconds, 1e6 * took / len(times))


def own_s(*, counted: bool) -> float:
    """Processor time of this process alone: its children are the mesh."""
    return time.process_time() if counted else 0.0


@dataclass(frozen=True)
class Ways:
    """Whom the rows and the answers are asked of, and their processes."""

    redis: Redis
    http: aiohttp.ClientSession
    servers: Mapping[str, Sequence[int]]


async def measured(read: Read, ways: Ways, asked: argparse.Namespace) -> Mapping[str, list[Turn]]:
    """Turns of all ways, in turns."""
    redis, headers = ways.redis, read.who.account.headers
    for key in read.keys:
        rows = await read.rows(key)
        kept = [dict(each) for each in rows] if isinstance(rows, list) else dict(rows)
        await redis.set(f"bench:{read.row}:{key}", orjson.dumps(kept), ex=LIFE_S)

    async def from_redis() -> None:
        text = await redis.get(f"bench:{read.row}:{random.choice(read.keys)}")
        orjson.loads(text or b"")  # which is an error: nothing may have gone

    async def whole() -> None:
        path = read.path.format(random.choice(read.keys))
        async with ways.http.get(path, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    asks: dict[str, Ask] = {
        "postgres": lambda: read.rows(random.choice(read.keys)),
        "valkey": from_redis,
        "the API": whole,
    }
    found: dict[str, list[Turn]] = {name: [] for name in asks}
    for _ in range(asked.rounds):
        for name, ask in asks.items():
            own_too = ask is not whole
            found[name].append(await turn(ask, asked, ways.servers[name], own_too=own_too))
    return found


async def measure(shop: Shop, asked: argparse.Namespace) -> list[Figure]:
    """Every read, both ways."""
    state, figures, lines = State(shop.folder), [], []
    servers = {name: server_pids(state, [name]) for name in ("postgres", "valkey")}
    servers["the API"] = [shop.pid("api"), *servers["postgres"]]
    print("filling the shop", flush=True)
    async with api(shop.settings) as mesh:
        reads = await filled(mesh)
        await asyncio.to_thread(shop.wait_until_read)
        async with open_redis(shop.settings) as redis, aiohttp.ClientSession(shop.url) as http:
            for read in reads:
                found = await measured(read, Ways(redis, http, servers), asked)
                lines += [line(read.row, name, turns) for name, turns in found.items()]
                rows, kept, answer = (cpu_us(turns) for turns in found.values())
                name = f"{read.row}: saved if kept"
                figures.append(Figure(name, rows - kept, answer, "CPU-us", GOAL, at_most=True))
    table(lines)
    return figures


def cpu_us(turns: Iterable[Turn]) -> float:
    """The median of the rounds."""
    return median(each.cpu_us for each in turns)


def line(row: str, way: str, turns: Sequence[Turn]) -> dict[str, str]:
    """One line of the table."""
    return {
        "read": row,
        "from": way,
        "p50 ms": f"{median(each.p50_ms for each in turns):.2f}",
        "a second": f"{median(each.per_second for each in turns):.0f}",
        "CPU-us": f"{cpu_us(turns):.0f}",
    }


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readers", type=int, default=4)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        print("starting the whole mesh", flush=True)
        with open_shop(Path(folder) / "state") as shop:
            figures = uvloop.run(measure(shop, asked))
    conclude(figures)


if __name__ == "__main__":
    run(main)
