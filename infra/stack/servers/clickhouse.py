"""ClickHouse: the chDB engine behind our native protocol adapter, as one process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

from infra.stack.daemons import Daemon, StartError
from infra.stack.state import State

# In the path of its data the engine takes them for a pattern, and finds no table any more.
_PATTERN: Final = frozenset("*?{")


def prepare(state: State, progress: Callable[[str], None]) -> None:
    """Nothing but the folder: the engine makes its files itself. Raises StartError where it
    could not work with them.
    """
    del progress
    if found := _PATTERN & set(str(state.folder)):
        message = (
            f"{state.folder}: ClickHouse can't work below a folder with {' '.join(sorted(found))}"
            " in its name: move the project, or name another state folder in MESH_STATE"
        )
        raise StartError(message)
    (state.of("clickhouse") / "data").mkdir(parents=True, exist_ok=True)


def daemon(state: State) -> Daemon:
    """The adapter's process; ready when it answers a query."""
    folder = state.of("clickhouse")
    password, port = state.secrets()["SERVER_PASSWORD"], state.ports()["clickhouse"]
    module = (sys.executable, "-m", "infra.stack.servers.clickhouse_adapter")
    root = str(Path(__file__).parents[3])
    return Daemon(
        name="clickhouse",
        folder=folder,
        argv=(*module, "--port", str(port), "--data", str(folder / "data")),
        ready=lambda: check(f"clickhouse://mesh:{password}@127.0.0.1:{port}/default"),
        env={"CLICKHOUSE_PASSWORD": password, "PYTHONPATH": root},
    )


def check(url: str) -> None:
    """Return when a query is answered; raises the driver's error otherwise."""
    # The driver logs every refused connection with a trace; here refusal is the normal answer.
    logging.getLogger("clickhouse_driver.connection").setLevel(logging.CRITICAL)
    with Client.from_url(f"{url}?connect_timeout=2&send_receive_timeout=5") as client:
        client.execute("SELECT 1")


def settle(state: State) -> None:
    """Nothing: tables are made by code."""
    del state
