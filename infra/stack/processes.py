"""The mesh's own processes: one table, read by `up`, the supervisor and `mesh logs`.

Contract of a process started from here: MESH_READY_FILE names a file that it creates (any
content) as soon as it serves, and that is removed before it starts. The API needs no file:
it is ready when GET /health/ready answers 200. On trouble it cannot recover from, a
process exits; the supervisor starts it again.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.stack.daemons import Daemon, NotReadyError
from infra.stack.forking import ForkServer
from infra.stack.state import State

_MESH: Final = (sys.executable, "-m", "cli.main")
_FORK_SERVER: Final = (sys.executable, "-m", "cli.running.fork_server")


@dataclass(frozen=True)
class Process:
    """One row: a name for folder and log, and the `mesh` command that it runs."""

    name: str
    command: tuple[str, ...]
    serves_http: bool = False


PROCESSES: Final = (
    Process("writer", ("writer",)),
    Process("worker-journal", ("worker", "journal")),
    Process("worker-pages", ("worker", "pages")),
    Process("worker-search", ("worker", "search")),
    Process("worker-analytics", ("worker", "analytics")),
    Process("reactor", ("reactor",)),
    Process("api", ("api",), serves_http=True),
)

SUPERVISOR: Final = "supervise"


def daemon(state: State, process: Process) -> Daemon:
    """How one mesh process is started and recognised as ready."""
    ready_file = state.ready_file(process.name)
    port = state.ports()["api"]
    ready = _by_http(port) if process.serves_http else _by_file(ready_file)
    return Daemon(
        name=process.name,
        folder=state.of(process.name),
        argv=(*_MESH, *process.command),
        ready=ready,
        env=environment(state) | {"MESH_READY_FILE": str(ready_file), "INSTANCE": process.name},
        start_s=120.0,
        stop_s=15.0,
        command=process.command,
    )


def fork_server(state: State) -> ForkServer:
    """What can become any of the mesh's own processes at once."""
    return ForkServer(_FORK_SERVER, environment(state))


def supervisor(state: State) -> Daemon:
    """The process that keeps the others alive."""
    return Daemon(
        name=SUPERVISOR,
        folder=state.of(SUPERVISOR),
        argv=(*_MESH, "supervise"),
        ready=_by_file(state.ready_file(SUPERVISOR)),
        env=environment(state) | {"MESH_READY_FILE": str(state.ready_file(SUPERVISOR))},
        start_s=30.0,
        # It may be in the middle of a repair, which it finishes first.
        stop_s=10.0,
    )


def environment(state: State) -> dict[str, str]:
    """What every mesh process is given: which state folder, and where the code lies."""
    root = str(Path(__file__).parents[2])
    return {"MESH_STATE": str(state.folder), "PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}


def _by_file(path: Path) -> Callable[[], None]:
    def ready() -> None:
        if not path.exists():
            msg = f"{path.name} has not been written yet"
            raise NotReadyError(msg)

    return ready


def _by_http(port: int) -> Callable[[], None]:
    def ready() -> None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2):
                return
        except urllib.error.HTTPError as refused:
            raise NotReadyError(_detail(refused)) from refused

    return ready


def _detail(refused: urllib.error.HTTPError) -> str:
    """What the API says is down, where it says so."""
    try:
        return str(json.load(refused)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{refused.code} {refused.reason}"
