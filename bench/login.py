"""Logging in, against what the password hash alone allows.

    python -m bench.login [--rounds 3] [--seconds 5]

Ours: `POST /api/auth/login` of a whole mesh, a closed loop of a few connections: the row, the
hash, the writer's event, two tokens. Peer: the same check of the same hash in as many threads,
in a process that does nothing else. They take turns; the median of the rounds counts.

Both have the same cores. The hash alone fills them, so what ours spends elsewhere (API, broker,
writer, workers, Postgres) is what it is slower by.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from uuid import uuid4

import aiohttp
import uvloop

from bench.lag import cpu_of
from bench.stack import ROOT, Figure, conclude, environment, run
from infra.credentials.passwords import WORKERS, Passwords
from infra.settings import Settings, load_settings
from tests.journeys.shop import PASSWORD, Shop, open_shop

GOAL = 0.95
PEOPLE = 20
CONNECTIONS = 2 * WORKERS  # one is checked while the next is on its way
TIMEOUT_S = 30.0


async def logins_per_s(url: str, emails: list[str], seconds: float) -> float:
    """The rate of complete log-ins."""
    done = 0
    until = time.perf_counter() + seconds
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)

    async def one_after_another(client: aiohttp.ClientSession, number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            body = {"email": emails[number % len(emails)], "password": PASSWORD}
            async with client.post(f"{url}/api/auth/login", json=body) as answer:
                answer.raise_for_status()
                await answer.read()
            done += 1
            number += CONNECTIONS

    began = time.perf_counter()
    async with aiohttp.ClientSession(timeout=timeout) as client:
        await asyncio.gather(*(one_after_another(client, each) for each in range(CONNECTIONS)))
    return done / (time.perf_counter() - began)


async def checks_per_s(settings: Settings, seconds: float) -> float:
    """The rate of the hash alone, in as many threads as the API has for it."""
    passwords = Passwords(
        settings.password_scheme,
        memory_kib=settings.argon2_memory_kib,
        passes=settings.argon2_passes,
    )
    stored = await passwords.hash(PASSWORD)
    done = 0
    began = time.perf_counter()

    async def one_after_another() -> None:
        nonlocal done
        while time.perf_counter() < began + seconds:
            right, _ = await passwords.verify(PASSWORD, stored)
            assert right
            done += 1

    await asyncio.gather(*(one_after_another() for _ in range(CONNECTIONS)))
    rate = done / (time.perf_counter() - began)
    passwords.close()
    return rate


def alone(settings: Settings, seconds: float) -> float:
    """`checks_per_s` in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-m", "bench.login", "--alone", "--seconds", str(seconds)],
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(json.loads(told.stdout))


async def register(url: str, emails: list[str]) -> None:
    """Everybody who will log in."""
    async with aiohttp.ClientSession() as client:
        for email in emails:
            body = {"email": email, "password": PASSWORD, "name": "Bench Person", "role": "buyer"}
            async with client.post(f"{url}/api/auth/register", json=body) as answer:
                answer.raise_for_status()


def measure(shop: Shop, rounds: int, seconds: float) -> Figure:
    """The rounds."""
    emails = [f"{uuid4().hex}@example.org" for _ in range(PEOPLE)]
    uvloop.run(register(shop.url, emails))
    uvloop.run(logins_per_s(shop.url, emails, seconds))  # warm
    scheme = shop.settings.password_scheme
    ours, hashes = [], []
    for number in range(rounds):
        before = cpu_of(shop)
        ours.append(uvloop.run(logins_per_s(shop.url, emails, seconds)))
        spent = {name: used - before.get(name, 0.0) for name, used in cpu_of(shop).items()}
        hashes.append(alone(shop.settings, seconds))
        print(f"round {number + 1}: log-ins {ours[-1]:.1f}/s, {scheme} alone {hashes[-1]:.1f}/s")
        each = {name: 1_000 * used / (ours[-1] * seconds) for name, used in spent.items()}
        told = ", ".join(f"{name} {ms:.1f}" for name, ms in each.items() if ms >= 0.1)
        print(f"  CPU-ms a log-in: {told}", flush=True)
    return Figure("log-in against the hash alone", median(ours), median(hashes), "1/s", GOAL)


def main() -> None:
    """Measure, or be the peer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(asyncio.run(checks_per_s(load_settings(), asked.seconds))))
        return
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        print("starting the whole mesh", flush=True)
        with open_shop(Path(folder)) as shop:
            figure = measure(shop, asked.rounds, asked.seconds)
    conclude([figure])


if __name__ == "__main__":
    run(main)
