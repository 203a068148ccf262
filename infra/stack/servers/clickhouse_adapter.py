"""A ClickHouse server for one machine: the native TCP protocol in front of the chDB engine.

`python -m infra.stack.servers.clickhouse_adapter --port N --data FOLDER` with the password, if one
is asked for, in CLICKHOUSE_PASSWORD. It exists so that clickhouse-driver has one code path
for a laptop and for a real server; the same tests run against both.

An INSERT is answered only after the engine has it, and its rows reach the engine together:
a client that goes away half-way leaves nothing. Statements are run one at a time: the
engine allows more, but their memory would add up, and one already uses every core.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from infra.stack.servers.clickhouse_connection import Connection, Session

log = logging.getLogger("clickhouse_adapter")

_WATCH_S: Final = 0.1
_KILL: Final = "KILL QUERY WHERE query NOT ILIKE 'KILL%' ASYNC"


class Server:
    """The engine's data folder, the turn that serialises statements, and who has it."""

    def __init__(self, data: Path, password: str = "") -> None:
        from chdb.session import Session as Chdb  # noqa: PLC0415 - a second of start-up, 300 MB

        self.password = password
        # What a killed adapter was being sent; nobody was told that it had arrived.
        self.incoming = data.with_name(f"{data.name}.incoming")
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir(parents=True)
        self._data = str(data)
        self._open = Chdb
        self._turn = threading.Lock()
        self._working: Connection | None = None
        self._working_lock = threading.Lock()
        # Held for the process's life: the engine unloads with its last session.
        self._keeper = self.session()
        text = self._keeper.query("SELECT version()", "TSV").bytes().decode()
        major, minor, patch, *_ = (int(part) for part in text.strip().split("."))
        self.version = (major, minor, patch)

    def session(self) -> Session:
        """A session of its own for each client: database and settings are not shared."""
        session: Session = self._open(self._data)  # type: ignore[no-untyped-call]
        return session

    @contextlib.contextmanager
    def turn(self, connection: Connection) -> Iterator[None]:
        """The right to use the engine; inside, an abandoned statement is killed."""
        with self._turn:
            self._working = connection
            try:
                yield
            finally:
                # Under the lock, so that a kill never hits the statement that comes next.
                with self._working_lock:
                    self._working = None

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is shut down."""
        threading.Thread(target=self._watch, daemon=True).start()
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with client:
            try:
                Connection(client, self).serve()
            except Exception:
                # One client's fault must not take the others down; it is in the log.
                log.exception("connection failed")

    def _watch(self) -> None:
        """Kill the statement whose client has gone or cancelled: the others wait for it."""
        while not threading.Event().wait(_WATCH_S):
            with self._working_lock:
                if self._working and self._working.abandoned():
                    self._keeper.query(_KILL)

    def close(self) -> None:
        """Let the statement at work finish, then unload the engine."""
        with self._turn:
            self._keeper.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError when the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options.data.mkdir(parents=True, exist_ok=True)
    # The engine reads a question mark or a percent sign in its path as something else.
    os.chdir(options.data.parent)
    server = Server(Path(options.data.name), os.environ.pop("CLICKHOUSE_PASSWORD", ""))
    listener = listen(options.host, options.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: listener.shutdown(socket.SHUT_RDWR))
    log.info("serving on %s:%d", options.host, options.port)
    server.serve(listener)
    server.close()
    log.info("stopped")
    # chDB's own threads may still run; nothing of ours is left to clean up.
    os._exit(0)


if __name__ == "__main__":
    main()
