"""A read by id: our API against a bare FastAPI route with asyncpg, side by side.

    python -m bench.read [--rounds 5] [--seconds 3]

Both are one uvicorn process on the same Postgres and read the same rows. `bare` is what one
would write first: `pool.fetchrow` with a default pool, orjson, no middleware, no log. `tuned`
is the same with our own trick taken over (no reset between borrowers), so it shows what the
rest of ours costs. `signed in` is ours, asked with access tokens of many people: signature,
claims and whether the session has ended are checked. Within a round they take turns every half
second; the median of the rounds counts. The client, a closed loop of a few connections, is
another process than the servers but shares the machine with them: the rates are for comparing
only. What the token check adds is the difference of the middle answers over one connection.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import psutil
import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.responses import Response

from api.app import create_app
from api.backends.tokens import Subject, Tokens
from bench.closed_loop import load
from bench.stack import ending, environment, free_port, run, wait_for_port
from infra.clients.postgres import open_pool
from infra.http_server import bounded_protocol
from infra.logs import configure_logging
from infra.settings import Settings, load_settings
from infra.vault.vault import Vault, create_schema
from processors.feeding.generations import create_system_schema, ensure_generations
from processors.stores.port import Change, Generation, Held
from processors.stores.postgres import open_postgres_store
from projections.favorites.favorites import favorites
from projections.identity import sessions, users
from projections.listings.listing_page import ListingPage, listing_page
from projections.listings.listing_views import listing_views
from schemas.identity import UserStatus
from schemas.listings import ListingStatus
from schemas.log.messages import Market, Role
from tests.stack import local_stack, stop_started
from tests.worlds import world

LISTINGS = 2_000
CONNECTIONS = 8
GOAL = 0.70
GOAL_SIGNED_IN = 0.60
CHECK_GOAL_MS = 1.0
PEOPLE = 100
SLICE_S = 0.5
SERVERS = ("ours", "bare", "tuned")
SIGNED_IN = "signed in"
ALONE = " alone"  # over one connection


@dataclass(frozen=True)
class Round:
    """What one round with one server gave."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_1000: float


# The servers.


def bare(settings: Settings, *, tuned: bool) -> FastAPI:
    """One route, nothing else."""

    async def leave_as_is(_connection: object) -> None:
        pass

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.database_url.get_secret_value()
        pool = asyncpg.create_pool(url, reset=leave_as_is) if tuned else asyncpg.create_pool(url)
        async with pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/api/listings/{listing_id}")
    async def read(listing_id: UUID) -> Response:
        row = await app.state.pool.fetchrow(
            "SELECT * FROM reads.listing_page WHERE key = $1", str(listing_id)
        )
        return Response(orjson.dumps(dict(row)), media_type="application/json")

    return app


def serve(name: str, port: int) -> None:
    """Be one of the servers; the settings come from the environment."""
    settings = load_settings()
    if name == "ours":
        configure_logging("api", settings.log_level)
        app = create_app(settings)
    else:
        app = bare(settings, tuned=name == "tuned")
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http=bounded_protocol(settings.request_timeout_s) if name == "ours" else "httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
    )


@contextmanager
def server(name: str, settings: Settings) -> Iterator[tuple[int, psutil.Process]]:
    """A running server's port and process."""
    port = free_port()
    running = subprocess.Popen(
        [sys.executable, "-m", "bench.read", "--serve", name, "--port", str(port)],
        env=environment(settings),
        stderr=subprocess.DEVNULL,  # ours logs a line a request: written, as in production
    )
    with ending(running):
        wait_for_port(port, running)
        yield port, psutil.Process(running.pid)


# The client.


@dataclass(frozen=True)
class Case:
    """A server and what it is asked, over so many connections."""

    port: int
    process: psutil.Process
    requests: Sequence[bytes]
    connections: int = CONNECTIONS

    def loops(self) -> list[Iterator[bytes]]:
        """What each connection asks for, over and over; none begins where another does."""
        apart = len(self.requests) // self.connections
        return [islice(cycle(self.requests), n * apart, None) for n in range(self.connections)]


def requests_for(ids: Sequence[str], tokens: Sequence[str] = ()) -> list[bytes]:
    """A read of each listing, by everybody in turn."""
    signed = [f"Authorization: Bearer {token}\r\n" for token in tokens] or [""]
    return [
        f"GET /api/listings/{each} HTTP/1.1\r\nHost: 127.0.0.1\r\n{signed[number % len(signed)]}\r\n".encode()
        for number, each in enumerate(ids)
    ]


@dataclass
class Tally:
    """What one server did in the slices of one round."""

    times: list[float]
    took_s: float = 0.0
    cpu_s: float = 0.0

    def add_slice(self, case: Case) -> None:
        """Have the server under load for a moment."""
        before, began = case.process.cpu_times(), time.perf_counter()
        self.times += uvloop.run(load(case.port, case.loops(), seconds=SLICE_S))
        self.took_s += time.perf_counter() - began
        after = case.process.cpu_times()
        self.cpu_s += after.user + after.system - before.user - before.system

    def round(self) -> Round:
        """The sum."""
        times = sorted(self.times)
        return Round(
            per_second=len(times) / self.took_s,
            p50_ms=times[len(times) // 2] * 1e3,
            p99_ms=times[int(len(times) * 0.99)] * 1e3,
            cpu_s_per_1000=self.cpu_s / len(times) * 1e3,
        )


def one_round(cases: dict[str, Case], seconds: float) -> dict[str, Round]:
    """Every server under load for `seconds`, in slices that take turns: whatever else the
    machine does falls on all of them alike.
    """
    tallies = {name: Tally([]) for name in cases}
    for _ in range(max(1, round(seconds / SLICE_S))):
        for name, case in cases.items():
            tallies[name].add_slice(case)
    return {name: tally.round() for name, tally in tallies.items()}


# The rows.


async def fill(settings: Settings) -> list[str]:
    """Put listings into the read model as a worker would; their ids."""
    now = datetime.now(UTC)
    rows = {
        str(uuid4()): ListingPage(
            seller_id=str(uuid4()),
            market=Market.EXOTICS,
            status=ListingStatus.ACTIVE,
            version=2,
            created_at=now,
            updated_at=now + timedelta(seconds=number),
            published_at=now + timedelta(seconds=number),
            title=f"Toyota Corolla {number}",
            description="One owner, service book, garaged. " * 8,
            price_minor=850_000_000 + number,
            currency="LKR",
            year=2018,
            make="toyota",
            model="corolla",
            body_type="sedan",
            mileage=45_000 + number,
            mileage_unit="KMT",
            mileage_km=45_000 + number,
            fuel_type="petrol",
            transmission="automatic",
            location="Colombo",
            features=("abs", "airbags", "reverse camera"),
        )
        for number in range(LISTINGS)
    }
    async with await asyncpg.create_pool(
        settings.database_url.get_secret_value(), min_size=1, max_size=2
    ) as pool:
        await create_system_schema(pool)
        # People and sessions: from their tables the API knows that no token has been cut off.
        await ensure_generations(
            settings, (listing_page, listing_views, favorites, users.users, sessions.sessions)
        )
        store = await open_postgres_store(settings, pool_size=2)
        try:
            async with store.session(Generation(listing_page, 1)) as session:
                await session.write([Change(key, Held(row, 1)) for key, row in rows.items()], {})
        finally:
            await store.close()
        await pool.execute("ANALYZE")
    return list(rows)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Settings]:
    """The same settings on a database that is there for this bench only."""
    async with world(settings) as fresh:
        yield fresh.settings


async def access_tokens(settings: Settings) -> list[str]:
    """Access tokens of people who are nobody else's business: the check asks for no row."""
    async with await open_pool(settings, size_max=1) as pool:
        await create_schema(pool)
        tokens = Tokens(Vault(pool, settings), settings)
        return [
            await tokens.issue(
                Subject(
                    user_id=uuid4(),
                    session_id=uuid4(),
                    email=f"person{number}@example.org",
                    email_verified=True,
                    role=Role.BUYER,
                    market=Market.EXOTICS.value,
                    user_version=1,
                    status=UserStatus.ACTIVE,
                ),
                time.time(),
            )
            for number in range(PEOPLE)
        ]


async def measured(rounds: int, seconds: float) -> dict[str, list[Round]]:
    """Every case's rounds, one case after the other in each round."""
    async with database(local_stack()) as settings:
        ids = await fill(settings)
        tokens = await access_tokens(settings)
        with ExitStack() as stack:
            cases = {
                name: Case(*stack.enter_context(server(name, settings)), requests_for(ids))
                for name in SERVERS
            }
            cases[SIGNED_IN] = replace(cases["ours"], requests=requests_for(ids, tokens))
            for name in ("ours", SIGNED_IN):
                cases[name + ALONE] = replace(cases[name], connections=1)
            results: dict[str, list[Round]] = {name: [] for name in cases}
            # Connections, prepared statements and caches are warm before it counts.
            await asyncio.to_thread(one_round, cases, 1.0)
            for number in range(rounds):
                for name, found in (await asyncio.to_thread(one_round, cases, seconds)).items():
                    results[name].append(found)
                _tell(number + 1, rounds, results)
    return results


def _tell(number: int, rounds: int, results: dict[str, list[Round]]) -> None:
    rates = ", ".join(f"{name} {found[-1].per_second:,.0f}/s" for name, found in results.items())
    print(f"round {number}/{rounds}: {rates}", file=sys.stderr)


def figures(results: dict[str, list[Round]]) -> list[dict[str, Any]]:
    """One figure a line: rates by the median of rounds, and what they cost."""
    middle = {
        name: {
            field: median(getattr(each, field) for each in found)
            for field in Round.__dataclass_fields__
        }
        for name, found in results.items()
    }
    added_ms = middle[SIGNED_IN + ALONE]["p50_ms"] - middle["ours" + ALONE]["p50_ms"]
    lines: list[dict[str, Any]] = [
        {
            "name": "what the token check adds to an answer",
            "ours": round(added_ms, 3),
            "peer": CHECK_GOAL_MS,
            "ratio": round(added_ms / CHECK_GOAL_MS, 3),
            "unit": "ms",
            "goal": "<= 1.0",
            "holds": added_ms <= CHECK_GOAL_MS,
        }
    ]
    for case, peer in (("ours", "bare"), ("ours", "tuned"), (SIGNED_IN, "bare")):
        for field, unit in (("per_second", "1/s"), ("p99_ms", "ms"), ("cpu_s_per_1000", "s")):
            ours, theirs = middle[case][field], middle[peer][field]
            pairs = zip(results[case], results[peer], strict=True)
            ratio = median(getattr(own, field) / getattr(other, field) for own, other in pairs)
            least = {"ours": GOAL, SIGNED_IN: GOAL_SIGNED_IN}[case]
            goal = least if field == "per_second" and peer == "bare" else None
            lines.append(
                {
                    "name": f"read by id, {case}, {field}, against {peer}",
                    "ours": round(ours, 2),
                    "peer": round(theirs, 2),
                    "ratio": round(ratio, 3),
                    "unit": unit,
                    "goal": goal,
                    "holds": None if goal is None else ratio >= goal,
                    "rounds": [
                        [round(getattr(each, field), 2) for each in results[name]]
                        for name in (case, peer)
                    ],
                }
            )
    return lines


def main() -> None:
    """Measure, or be one of the servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port)
        return
    try:
        lines = figures(asyncio.run(measured(asked.rounds, asked.seconds)))
    finally:
        # Not left to the interpreter's end, when threads can't be started any more.
        atexit.unregister(stop_started)
        stop_started()
    for line in lines:
        print(orjson.dumps(line).decode())
    if not all(line["holds"] in (True, None) for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
