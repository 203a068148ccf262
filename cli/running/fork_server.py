"""`python -m cli.running.fork_server`: load every module once, then become, by fork, each process that
is asked for on standard input, a socket. infra.stack.forking starts it and asks.

It has one thread and no connection, does nothing but load and fork, and makes no random number:
what it had, every process would have.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

from setproctitle import setproctitle

from infra.garbage import loading
from infra.stack import launch
from infra.stack.forking import HELD, Start

# What `mesh writer`, `worker`, `reactor` and `api` load when they run.
LOADED: Final = (
    "cli.main",
    "cli.running.processes",
    "producers.writer.main",
    "processors.reactions.reactor",
    "processors.feeding.worker",
    "api.app",
    "api.messaging.realtime",
    "infra.http_server",
    "uvicorn",
)
_ROOT: Final = Path(__file__).parents[2]
_MESSAGE_BYTES_MAX: Final = 1 << 20


def load() -> None:
    """Load all that the processes are made of."""
    with loading():
        for name in LOADED:
            importlib.import_module(name)


def serve(line: socket.socket, since: float) -> Start | None:
    """Fork for each message. Returns in each fork, with what it is to become, and None in the
    server itself, when whoever asks has gone or a module has changed after `since` (seconds of
    the epoch).
    """
    while message := line.recv(_MESSAGE_BYTES_MAX):
        if _changed(since):
            return None
        if os.fork() == 0:
            return Start.unpacked(message)
    return None


def _changed(since: float) -> bool:
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    ours = [Path(file) for file in files if file and Path(file).is_relative_to(_ROOT)]
    return any(not file.exists() or file.stat().st_mtime > since for file in ours)


def become(wanted: Start, line: socket.socket) -> None:
    """Turn this fork into a process of its own, as `launch` would have started it; ends it when
    another one runs.
    """
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(wanted.env)
    sys.argv[:] = ["mesh", *wanted.argv]
    setproctitle(" ".join(sys.argv))
    with Path(wanted.log).open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    if not launch.leave_pid_file(Path(wanted.pid_file)):
        line.sendall(HELD)
        os._exit(launch.LOCKED)
    line.sendall(str(os.getpid()).encode())
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), line.detach())


def main() -> None:
    """Serve until whoever asks has gone; run the command in each fork."""
    since = time.time()
    setproctitle("mesh fork server")
    load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: no zombies
    line = socket.socket(fileno=sys.stdin.fileno())
    wanted = serve(line, since)
    if wanted is None:
        line.detach()
        return
    become(wanted, line)
    importlib.import_module("cli.main").main()


if __name__ == "__main__":
    main()
