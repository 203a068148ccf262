"""What benches share: a stack of their own, CPU time over all processes, figures as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from infra.clients.kafka import ensure_topics
from infra.clients.postgres import open_pool
from infra.settings import Settings
from infra.stack import daemons, supervisor
from infra.stack.state import State
from infra.stack.view import View
from processors.feeding.generations import create_system_schema, ensure_generations
from processors.reacting import positions, scheduler
from processors.reactions.mailing import told
from projections.journal.journal import journal
from projections.journal.outcomes import outcomes

ROOT = Path(__file__).parents[1]
STOP_TIMEOUT_S = 20.0
READY_S = 120.0


@dataclass(frozen=True)
class Figure:
    """One comparison. `ratio` is ours over the peer's; `goal` its bound, `at_most` its kind."""

    name: str
    ours: float
    peer: float
    unit: str
    goal: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """Ours over the peer's."""
        return self.ours / self.peer

    @property
    def holds(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def show(self) -> None:
        """One JSON object a line, the last thing a bench prints."""
        print(
            json.dumps(
                {
                    "name": self.name,
                    "ours": round(self.ours, 3),
                    "peer": round(self.peer, 3),
                    "ratio": round(self.ratio, 3),
                    "unit": self.unit,
                    "goal": f"{'<=' if self.at_most else '>='} {self.goal}",
                    "holds": self.holds,
                }
            )
        )


def conclude(figures: Iterable[Figure]) -> None:
    """Print the figures, the last thing a bench does. It ends with status 1 where one misses its
    goal.
    """
    found = list(figures)
    for figure in found:
        figure.show()
    if not all(figure.holds for figure in found):
        sys.exit(1)


def run(main: Callable[[], None]) -> None:
    """Run a bench. What keeps it from its figures is told in a line, and ends it with status 2."""
    try:
        main()
    except (RuntimeError, TimeoutError, httpx.HTTPError) as error:
        print(f"no figure: {error or type(error).__name__}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def own_stack(servers: Sequence[str] = ("kafka", "postgres")) -> Iterator[tuple[State, Settings]]:
    """Servers of the bench's own in a temporary folder, prepared for a writer."""
    state = State(Path(tempfile.mkdtemp(prefix="mesh-bench-")))
    try:
        with state.lock():
            supervisor.servers_up(state, servers, View(quiet=True))
        settings = supervisor.stack_settings(state)
        asyncio.run(_prepare(settings))
        yield state, settings
    finally:
        supervisor.down(state)
        shutil.rmtree(state.folder, ignore_errors=True)


async def _prepare(settings: Settings) -> None:
    await ensure_topics(settings)
    async with await open_pool(settings, size_max=2) as pool:
        await create_system_schema(pool)
        await positions.create_schema(pool)
        await scheduler.create_schema(pool)
        await told.create_schema(pool)
    await ensure_generations(settings, [journal, outcomes])


def environment(settings: Settings) -> dict[str, str]:
    """These settings as a child's environment."""
    values = {}
    for name, value in settings:
        secret = getattr(value, "get_secret_value", None)
        values[name.upper()] = secret() if secret else str(value)
    return {**os.environ, **values}


@contextmanager
def mesh_process(
    settings: Settings, folder: Path, *command: str, runner: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the mesh, as `mesh up` starts it; stopped at the end."""
    with (folder / f"{'-'.join(command)}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *runner, "-m", "cli.main", *command],
            cwd=ROOT,
            env=environment(settings),
            stdout=log,
            stderr=log,
        )
    with ending(process):
        yield process


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Ask the process to end when the block does, and end it when it does not."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the process can be connected to; raises RuntimeError when it ends or is late."""
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = "a server did not start"
    raise RuntimeError(message)


def server_pids(state: State, names: Sequence[str]) -> list[int]:
    """The servers' process ids."""
    found = [daemons.running_pid(state.of(name) / "pid") for name in names]
    return [pid for pid in found if pid is not None]


def cpu_s(pids: Sequence[int]) -> float:
    """CPU seconds used so far by these processes, their children and those already ended."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # ended between two looks, as Postgres' do
                with_child = child.cpu_times()
                total += with_child.user + with_child.system
    return total


def spread(values: Sequence[float]) -> str:
    """Median and range, for people."""
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under their names, for people."""
    names = list(rows[0])
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in names]
    for row in ({name: name for name in names}, *rows):
        print("  ".join(str(row[name]).ljust(w) for name, w in zip(names, widths, strict=True)))
