"""Bring the stack up, keep it up, take it down. Every step may be repeated or interrupted.

`up` looks at what runs and starts only what does not (the watch in watch.py does the same
for ever). `down` stops what this state folder started and
nothing else. A lock on the folder keeps them apart.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from infra.settings import Settings, load_settings
from infra.stack import daemons, processes
from infra.stack.daemons import Daemon, StartError
from infra.stack.forking import ForkServer
from infra.stack.processes import PROCESSES, SUPERVISOR
from infra.stack.servers import postgres
from infra.stack.servers.roster import SERVERS, Server
from infra.stack.state import State, settings_of
from infra.stack.view import View


class UpError(Exception):
    """Something did not come up; the text has one paragraph for each, with its log's tail."""


def stack_settings(state: State) -> Settings:
    """Settings of this very stack, whatever the caller's environment says."""
    values = settings_of(state.ports(), state.secrets(), state.partitions())
    return load_settings(**{name.lower(): value for name, value in values.items()})


def is_running(state: State, name: str) -> bool:
    """Whether the server or process of that name, started from this folder, is alive."""
    return daemons.running_pid(state.of(name) / "pid") is not None


def servers_up(state: State, names: Iterable[str], view: View) -> None:
    """Start the named servers that are dead, in parallel, and wait for all; raises UpError.

    Needs the lock. On return settings.json names every server's address.
    """
    wanted = [server for server in SERVERS if server.name in set(names)]
    alive = {port for server in SERVERS if is_running(state, server.name) for port in server.ports}
    if is_running(state, "api"):
        alive.add("api")
    state.folder.mkdir(parents=True, exist_ok=True)
    state.settle_ports(frozenset(alive))
    state.secrets()
    state.partitions()  # a number that can't be is told before anything is started
    with ThreadPoolExecutor(max_workers=len(wanted) or 1) as pool:
        failures = [text for text in pool.map(lambda one: _bring(state, one, view), wanted) if text]
    if failures:
        raise UpError("\n\n".join(failures))
    if state.write_settings():
        # They hold the old addresses and would never find the servers again.
        for layer in _layers()[:-1]:
            _stop_together(state, layer)


def _bring(state: State, server: Server, view: View) -> str:
    """Have one server serving; the failure's text, or nothing."""
    log = str(state.of(server.name) / "log")
    try:
        if not (is_running(state, server.name) and _serves(server.daemon(state))):
            view.starting(server.name, log)
            _start_server(state, server, view)
        server.settle(state)
    except Exception as error:  # noqa: BLE001 - one failure must not hide how the others fared
        view.failed(server.name, log)
        return str(error) if isinstance(error, StartError) else f"{server.name}: {error!r}"
    view.ready(server.name, log)
    return ""


def process_start(state: State, name: str, forks: ForkServer | None = None) -> None:
    """Start one mesh process that is dead, without waiting for it to be ready."""
    process = next(process for process in PROCESSES if process.name == name)
    _start(state, processes.daemon(state, process), forks)


def _start_server(state: State, server: Server, view: View) -> None:
    with daemons.idle(_known(state, server.name)) as idle:
        if idle:
            server.prepare(state, lambda step: view.starting(server.name, step))
    daemon = server.daemon(state)
    daemons.spawn(daemon)
    daemons.wait_ready(daemon)


def _serves(daemon: Daemon) -> bool:
    """Wait for a server that was found alive; False when it dies meanwhile, as after kill -9."""
    try:
        daemons.wait_ready(daemon)
    except StartError:
        if daemons.running_pid(daemon.pid_file) is None:
            return False
        raise
    return True


def processes_up(state: State, view: View, forks: ForkServer | None = None) -> None:
    """Start the mesh processes that are dead and wait for all; raises UpError."""
    for process in PROCESSES:
        if not is_running(state, process.name):
            view.starting(process.name, str(state.of(process.name) / "log"))
            process_start(state, process.name, forks)
    failures = []
    for process in PROCESSES:
        daemon = processes.daemon(state, process)
        try:
            daemons.wait_ready(daemon)
            view.ready(process.name, str(daemon.log))
        except StartError as error:
            view.failed(process.name, str(daemon.log))
            failures.append(str(error))
    if failures:
        raise UpError("\n\n".join(failures))


def supervisor_up(state: State) -> None:
    """Start the supervisor unless it runs; raises StartError."""
    daemon = processes.supervisor(state)
    if not is_running(state, SUPERVISOR):
        _start(state, daemon)
    daemons.wait_ready(daemon)


def _start(state: State, daemon: Daemon, forks: ForkServer | None = None) -> None:
    state.ready_file(daemon.name).parent.mkdir(parents=True, exist_ok=True)
    state.ready_file(daemon.name).unlink(missing_ok=True)
    daemons.spawn(daemon, forks)


def down(state: State, *, wipe: bool = False, wait_s: float = 30.0) -> list[str]:
    """Stop what this folder started, newest layer first; returns the names that ran.

    With `wipe` the folder goes too, secrets included. Raises BusyError when another command
    holds the folder for longer than the bound (seconds).
    """
    if not state.folder.exists():
        return []
    # Before the lock: the supervisor may hold it for a repair that is about to be undone.
    stopped = stop(state, [SUPERVISOR])
    with state.lock(wait_s):
        state.desired_file.unlink(missing_ok=True)
        for layer in _layers():
            stopped += _stop_together(state, layer)
        if wipe:
            shutil.rmtree(state.folder)
    return stopped


def stop(state: State, names: Iterable[str]) -> list[str]:
    """Stop these servers or processes if they run; returns those that did. Needs the lock."""
    return [name for name in names if daemons.stop(_known(state, name))]


def _layers() -> list[list[str]]:
    """Who may be stopped together, first to last: who takes requests, who works, the servers."""
    doors = [process.name for process in PROCESSES if process.serves_http]
    workers = [process.name for process in PROCESSES if not process.serves_http]
    return [doors, workers, [server.name for server in SERVERS]]


def _stop_together(state: State, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        gone = pool.map(lambda name: stop(state, [name]), names)
    return [name for stopped in gone for name in stopped]


def _known(state: State, name: str) -> Daemon:
    """Enough of a daemon to stop it: stopping must work even when its command cannot be built."""
    number = postgres.STOP_SIGNAL if name == "postgres" else signal.SIGTERM
    return Daemon(name=name, folder=state.of(name), argv=(), ready=lambda: None, stop_signal=number)
