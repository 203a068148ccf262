"""Detached processes: start, look, wait until ready, stop. What a server is, is not known here.

Everything a daemon leaves stands in its own folder: `pid` (pid and start identity, so a
recycled pid is never taken for ours), `log`, and whatever its program writes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.stack import launch
from infra.stack.forking import ForkServer, Start

LOG_BYTES_MAX = 32 * 1024 * 1024
POLL_S = 0.05
_GLANCE_S = 0.005
_LAUNCH_S = 15.0


class StartError(Exception):
    """A daemon died or did not become ready in time; the text ends with its log's tail."""


class NotReadyError(Exception):
    """A readiness check's answer while the daemon is still coming up."""


@dataclass(frozen=True)
class Daemon:
    """How one detached process is started, recognised as ready, and stopped.

    `ready` returns when the daemon serves its protocol and raises anything otherwise.
    `start_s` and `stop_s` are bounds in seconds: past the first the start has failed,
    past the second the process is killed. `command` are the words of a `mesh` command that does
    the same as `argv`, for a fork server.
    """

    name: str
    folder: Path
    argv: tuple[str, ...]
    ready: Callable[[], None]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    start_s: float = 90.0
    stop_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM
    command: tuple[str, ...] = ()

    @property
    def pid_file(self) -> Path:
        """Where the running process says who it is."""
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        """Standard output and error of this and earlier runs."""
        return self.folder / "log"


# Children of this very process turn into zombies until they are waited for. Only the
# supervisor lives long enough to care; it reaps through this list.
_children: list[subprocess.Popen[bytes]] = []
_children_lock = threading.Lock()


def reap() -> None:
    """Collect the exit status of children that have ended."""
    with _children_lock:
        _children[:] = [child for child in _children if child.poll() is None]


def running_pid(pid_file: Path) -> int | None:
    """The pid of the daemon that wrote this file, or None when it is not running any more."""
    reap()
    try:
        noted = json.loads(pid_file.read_text("utf-8"))
        pid, identity = int(noted["pid"]), str(noted["identity"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if launch.identity(pid) == identity else None


@contextlib.contextmanager
def idle(daemon: Daemon) -> Iterator[bool]:
    """Hold a dead daemon's folder, to prepare it; False when it turns out to be running.

    Waits for what a killed program left behind: its children share its lock. Raises
    StartError when they stay.
    """
    daemon.folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _LAUNCH_S
    with (daemon.folder / launch.LOCK_NAME).open("a") as file:
        while not launch.try_lock(file.fileno()):
            if running_pid(daemon.pid_file) is not None:
                yield False
                return
            if time.monotonic() > deadline:
                raise StartError(_failure(daemon, "has left processes that do not end"))
            time.sleep(POLL_S)
        yield True


def spawn(daemon: Daemon, forks: ForkServer | None = None) -> int:
    """Start the process in a session of its own, by a fork where there is a fork server that
    can, and return its pid once the pid file stands.

    When one is being started already, by a command that was killed, this is the one whose
    pid is returned. Raises StartError when neither shows within the bound.
    """
    daemon.folder.mkdir(parents=True, exist_ok=True)
    _rotate(daemon.log)
    if forks is not None and daemon.command:
        forked = forks.start(_fork_of(daemon))
        if forked is not None:
            return forked
    deadline = time.monotonic() + _LAUNCH_S
    child = _launch(daemon)
    while time.monotonic() < deadline:
        if (pid := running_pid(daemon.pid_file)) is not None:
            return pid
        code = child.poll()
        if code == launch.LOCKED:
            # A killed server's children may hold the lock a moment longer than it lived.
            time.sleep(POLL_S)
            child = _launch(daemon)
        elif code is not None:
            return child.pid  # It ended between two looks: `wait_ready` tells why.
        time.sleep(_GLANCE_S)
    raise StartError(_failure(daemon, f"could not be launched within {_LAUNCH_S:.0f} s"))


def _fork_of(daemon: Daemon) -> Start:
    env = {**os.environ, **daemon.env}
    return Start(daemon.command, env, str(daemon.pid_file), str(daemon.log))


def _launch(daemon: Daemon) -> subprocess.Popen[bytes]:
    env = {**os.environ, **daemon.env}
    if daemon.user:
        env["MESH_LAUNCH_USER"] = daemon.user
    program = [sys.executable, "-I", "-S", launch.__file__, str(daemon.pid_file), *daemon.argv]
    with daemon.log.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own argv
            program,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    with _children_lock:
        _children.append(child)
    return child


def _rotate(log: Path) -> None:
    """Keep one old log, so that a stack left running for months does not fill the disk."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".1"))


def wait_ready(daemon: Daemon) -> None:
    """Return when the daemon answers; raises StartError when it died or the bound has passed."""
    deadline = time.monotonic() + daemon.start_s
    while True:
        try:
            return daemon.ready()
        except Exception as error:  # noqa: BLE001 - any fault of a client means "not yet"
            reason = f"{type(error).__name__}: {error}".strip()
        if running_pid(daemon.pid_file) is None:
            raise StartError(_failure(daemon, "exited while starting"))
        if time.monotonic() > deadline:
            raise StartError(
                _failure(daemon, f"not ready within {daemon.start_s:.0f} s ({reason})")
            )
        time.sleep(POLL_S)


def _failure(daemon: Daemon, what: str) -> str:
    return f"{daemon.name} {what}. Last lines of {daemon.log}:\n{tail(daemon.log)}"


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, indented; a note when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    last = text.splitlines()[-lines:] or ["(the log is empty)"]
    return "\n".join("    " + line for line in last)


def stop(daemon: Daemon) -> bool:
    """Ask the process to end, kill it past the bound; True when there was one of ours."""
    pid = running_pid(daemon.pid_file)
    if pid is None:
        daemon.pid_file.unlink(missing_ok=True)
        return False
    _signal(pid, daemon.stop_signal)
    if not _gone(daemon.pid_file, daemon.stop_s):
        kill(daemon.pid_file)
    daemon.pid_file.unlink(missing_ok=True)
    return True


def kill(pid_file: Path) -> None:
    """End what does not move any more, with all that it has started."""
    pid = running_pid(pid_file)
    if pid is not None:
        # The group as well: what a hung program forked must not outlive it.
        _kill_group(pid)
        _gone(pid_file, 10)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _gone(pid_file: Path, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while running_pid(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
