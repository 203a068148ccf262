"""How soon the shop is whole again after something in it was killed, hard.

    python -m bench.recover [--rounds 3]

Starts the whole local stack with its supervisor. In each round every victim in turn is ended by
kill -9, and what it is needed for is asked for ten times a second: a listing posted (writer, API,
broker), posted and read back by its token (the workers of pages and journal), searched by its
token (the search's worker, OpenSearch), read (Postgres). Seconds from the kill to the end of the
first success that began after it; the median counts, the peer is the goal. What a server takes of it
by itself is measured last: killed like that, and started over its data while nothing else runs.

A broker in slivers is not killed but stopped and let run for moments, 30 seconds long, while somebody
writes; the seconds count from when it runs as before.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from bench.stack import Figure, conclude, run, table
from infra.stack import supervisor
from infra.stack.state import State
from infra.stack.view import View
from tests.journeys.shop import Shop, open_shop
from tests.waiting import eventually_blocking

ASK_TIMEOUT_S = 3.0
PAUSE_S = 0.1
AWAY = (502, 503, 504)
GIVE_UP_S = 120.0
SLIVERS_S = 30.0
LISTING = {
    "title": "Porsche 911 Carrera 4S",
    "make": "Porsche",
    "model": "911",
    "year": 2019,
    "price_minor": 8_500_000,
    "currency": "USD",
    "mileage": {"value": 42_000, "unit": "KMT"},
    "publish": True,
}


@dataclass(frozen=True)
class Client:
    """Somebody who sells and reads, and gives up on no answer."""

    http: httpx.Client

    def post(self) -> tuple[str, Mapping[str, str]] | None:
        """A new listing's address, and the header that reads it back; None: not taken."""
        answer = self._ask("POST", "/api/listings", json=LISTING)
        if answer is None:
            return None
        return answer.headers["Location"], {
            "Consistency-Token": answer.headers["Consistency-Token"]
        }

    def writes(self) -> bool:
        """Whether a listing is taken."""
        return self.post() is not None

    def reads_back(self, suffix: str = "") -> bool:
        """Whether a listing can be posted, and what is below its address be read."""
        posted = self.post()
        return posted is not None and self._gets(posted[0] + suffix, posted[1])

    def searches(self) -> bool:
        """Whether a search holds what was just posted."""
        posted = self.post()
        return posted is not None and self._gets("/api/search?make=Porsche", posted[1])

    def _gets(self, path: str, headers: Mapping[str, str]) -> bool:
        return self._ask("GET", path, headers=headers) is not None

    def _ask(self, method: str, path: str, **what: object) -> httpx.Response | None:
        try:
            answer = self.http.request(method, path, **what)  # type: ignore[arg-type]  # httpx' own
        except httpx.TransportError:
            return None
        if answer.is_success:
            return answer
        if answer.status_code not in AWAY:
            answer.raise_for_status()
        return None


def killed(shop: Shop, name: str, client: Client) -> None:
    """Kill it, hard."""
    del client
    shop.kill(name)


def in_slivers(stopped_s: float, running_s: float) -> Callable[[Shop, str, Client], None]:
    """Stop it and let it run in turns while somebody writes; it runs when this is over."""

    def harm(shop: Shop, name: str, client: Client) -> None:
        pid = shop.pid(name)
        over = threading.Event()

        def keep_writing() -> Counter[bool]:
            written: Counter[bool] = Counter()
            while not over.is_set():
                written[client.writes()] += 1
            return written

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(keep_writing)
            try:
                until = time.monotonic() + SLIVERS_S
                while time.monotonic() < until:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(stopped_s)
                    os.kill(pid, signal.SIGCONT)
                    time.sleep(running_s)
            finally:
                os.kill(pid, signal.SIGCONT)
                over.set()
            written = writing.result()
        print(f"  meanwhile {written[True]} listings taken, {written[False]} not", flush=True)

    return harm


@dataclass(frozen=True)
class Victim:
    """What is harmed and how, what tells that it is back, and within how many seconds it shall be."""

    name: str
    answers: Callable[[Client], bool]
    goal_s: float
    server: bool = False  # not ours: it starts as soon as it starts
    process: str = ""  # the name's, unless given
    harm: Callable[[Shop, str, Client], None] = killed


VICTIMS: Final = (
    Victim("writer", Client.writes, 3.0),
    Victim("api", Client.writes, 3.0),
    Victim("worker-pages", Client.reads_back, 3.0),
    Victim("worker-journal", lambda client: client.reads_back("/history"), 3.0),
    Victim("worker-search", Client.searches, 3.0),
    Victim("postgres", Client.reads_back, 8.0, server=True),
    Victim("kafka", Client.writes, 8.0, server=True),
    Victim("opensearch", Client.searches, 15.0, server=True),
    Victim(
        "broker in slivers of 0.1 s", Client.writes, 8.0, process="kafka", harm=in_slivers(0.9, 0.1)
    ),
    Victim(
        "broker in slivers of 0.02 s",
        Client.writes,
        8.0,
        process="kafka",
        harm=in_slivers(0.28, 0.02),
    ),
)


def recovery_s(shop: Shop, victim: Victim, client: Client) -> float:
    """Seconds from the victim's death, or the end of its plight, until the shop does again what it is needed for."""
    victim.harm(shop, victim.process or victim.name, client)
    over_at = time.monotonic()
    while not victim.answers(client):
        if time.monotonic() > over_at + GIVE_UP_S:
            message = f"{victim.name}: not back after {GIVE_UP_S:.0f} s\n{shop.logs()}"
            raise RuntimeError(message)
        time.sleep(PAUSE_S)
    return time.monotonic() - over_at


def alone_s(shop: Shop, name: str) -> float:
    """Seconds that a server takes, killed, to serve again while nothing else runs."""
    shop.kill("supervise")
    shop.kill(name)
    shop.down()
    state = State(shop.folder)
    with state.lock():
        began = time.monotonic()
        supervisor.servers_up(state, [name], View(quiet=True))
        return time.monotonic() - began


def until_whole(shop: Shop, client: Client) -> None:
    """Wait until everything that has been harmed so far is back, and has caught up."""
    answered = lambda: all(victim.answers(client) for victim in VICTIMS)  # noqa: E731
    eventually_blocking(answered, GIVE_UP_S, "the whole shop answers")
    # Only then: every question above is a listing more to catch up with.
    eventually_blocking(lambda: shop.lag() == 0, GIVE_UP_S, "everything has caught up")


def measure(shop: Shop, rounds: int, victims: tuple[Victim, ...]) -> dict[str, list[float]]:
    """The seconds of every round, by victim."""
    found: dict[str, list[float]] = {victim.name: [] for victim in victims}
    with httpx.Client(base_url=shop.url, timeout=ASK_TIMEOUT_S, headers=shop.account()) as http:
        client = Client(http)
        for _, victim in itertools.product(range(rounds), victims):
            until_whole(shop, client)
            taken_s = recovery_s(shop, victim, client)
            found[victim.name].append(taken_s)
            print(f"{victim.name}: {taken_s:.1f} s", flush=True)
    return found


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[victim.name for victim in VICTIMS])
    chosen = parser.parse_args()
    victims = tuple(victim for victim in VICTIMS if victim.name in chosen.only)
    folder = Path(tempfile.mkdtemp(prefix="mesh-bench-"))
    try:
        print("starting the whole mesh", flush=True)
        with open_shop(folder) as shop:
            found = measure(shop, chosen.rounds, victims)
            alone: dict[str, list[float]] = defaultdict(list)
            for _, victim in itertools.product(range(chosen.rounds), victims):
                if victim.server:
                    alone[victim.name].append(alone_s(shop, victim.name))
                    print(f"{victim.name} alone: {alone[victim.name][-1]:.1f} s", flush=True)
                    shop.up()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table([_row(victim, found[victim.name], alone[victim.name]) for victim in victims])
    conclude(
        Figure(
            f"{victim.name} to whole again, median",
            median(found[victim.name]),
            victim.goal_s,
            "s",
            1.0,
            at_most=True,
        )
        for victim in victims
    )


def _row(victim: Victim, taken_s: list[float], alone: list[float]) -> dict[str, str]:
    return {
        "harmed": victim.name,
        "median s": f"{median(taken_s):.1f}",
        "longest s": f"{max(taken_s):.1f}",
        "its own start": f"{median(alone):.1f}" if alone else "",
        "target s": f"{victim.goal_s:.0f}",
    }


if __name__ == "__main__":
    run(main)
