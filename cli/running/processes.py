"""`mesh api | writer | worker | reactor`: the processes, each started the same way by hand,
by `mesh up` and in a container. More of each share the load with no configuration.

Each imports its own machinery only when it runs: seven processes start together on two
cores, and none needs the others' libraries in memory.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.garbage import loading, without_collector
from infra.logs import configure_logging
from infra.process import run_process
from infra.settings import Settings, load_settings, settings, state_folder

if TYPE_CHECKING:
    import uvicorn

PROCESSES_PANEL = "Processes: `mesh up` starts them, and more of each share the load"
STOP_TIMEOUT_S = 15.0
CHILD_POLL_S = 0.2
# Longer than whoever is in front keeps a connection (nginx: 60 s): it is theirs to end. A server
# that closes first does so now and then just as the next request comes.
KEEP_ALIVE_S = 75


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    for process in (api, writer, worker, reactor):
        app.command(rich_help_panel=PROCESSES_PANEL)(process)


# ruff: noqa: PLC0415


def api(
    port: Annotated[
        int | None, typer.Option(help="Default: the settings' port, or a free one if taken.")
    ] = None,
) -> None:
    """Serve HTTP."""
    import uvicorn

    chosen = settings() if port is None else load_settings(port=port)
    if port is None and _taken(chosen):
        chosen = load_settings(port=0)
    configure_logging("api", chosen.log_level)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((chosen.host, chosen.port))
        host, bound = listener.getsockname()[:2]
        typer.echo(f"serving on http://{host}:{bound}", err=True)
        with loading():
            config = _uvicorn_config(chosen)
        uvicorn.Server(config).run(sockets=[listener])


def _taken(chosen: Settings) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((chosen.host, chosen.port))
        except OSError:
            return True
    return False


def _uvicorn_config(chosen: Settings) -> uvicorn.Config:
    from uvicorn import Config

    from api.app import create_app
    from api.messaging.realtime import PACKET_BYTES_MAX
    from infra.http_server import bounded_protocol

    return Config(
        create_app(chosen),
        loop="uvloop",
        http=bounded_protocol(chosen.request_timeout_s),
        ws="wsproto",
        ws_max_size=PACKET_BYTES_MAX,
        log_config=None,
        access_log=False,  # the app writes its own line, with ids
        server_header=False,
        proxy_headers=False,  # whom to believe of the client's address, api.backends.addresses knows
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )


def writer() -> None:
    """Judge commands and append events."""
    with loading():
        from producers.writer.main import run_writer

    # Thousands of streams and answers stay in its memory, and none of them in cycles: going
    # through them again and again took 29 % of its time.
    with without_collector():
        run_process("writer", settings(), run_writer)


def worker(
    group: Annotated[
        str | None, typer.Argument(help="journal, pages, search or analytics.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="One process for each group.")] = False,
) -> None:
    """Fold events into the read models of one store."""
    from processors.feeding.groups import GROUPS

    if every and group is None:
        _run_every_group(tuple(GROUPS))
        return
    if group is None:
        message = f"name one of {', '.join(GROUPS)}, or --all for a process each{_running_here()}"
        raise typer.BadParameter(message)
    if group not in GROUPS or every:
        message = f"unknown group {group!r}: use one of {', '.join(GROUPS)}, or --all alone"
        raise typer.BadParameter(message)
    with loading():
        from processors.feeding.worker import run_worker

    run_process(f"worker-{group}", settings(), run_worker(group))


def _running_here() -> str:
    """Which workers the local stack runs already: a second set would only share their load."""
    try:
        from infra.stack import supervisor
        from infra.stack.processes import PROCESSES
        from infra.stack.state import State
    except ModuleNotFoundError:  # in a container there is no local stack
        return ""
    state = State(state_folder())
    workers = [each.name for each in PROCESSES if each.name.startswith("worker-")]
    running = [name for name in workers if supervisor.is_running(state, name)]
    return f" (running here already: {', '.join(running)})" if running else ""


def _run_every_group(groups: Sequence[str]) -> None:
    """One process a group, so that a group in trouble takes no other down with it."""
    children = [
        subprocess.Popen([sys.executable, "-m", "cli.main", "worker", group])  # noqa: S603 - our own argv
        for group in groups
    ]

    def stop_all(*_: Any) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop_all)
    signal.signal(signal.SIGINT, stop_all)
    while all(child.poll() is None for child in children):
        time.sleep(CHILD_POLL_S)
    stop_all()
    codes = [child.wait(STOP_TIMEOUT_S) for child in children]
    if any(codes):
        raise typer.Exit(code=1)


def reactor() -> None:
    """Turn events into the commands that follow from them."""
    with loading():
        from processors.reactions.reactor import run_reactor

    run_process("reactor", settings(), run_reactor)
