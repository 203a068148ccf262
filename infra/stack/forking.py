"""Start a mesh process in milliseconds: as a fork of one that has loaded every module already.

The fork server is a child of whoever asks it, answers nobody else, and ends with them; what it
has forked lives on. Whenever it is missing, hangs or dies a process is started the long way.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

ANSWER_S: Final = 15.0  # it may be loading still, beside all that starts together
AGAIN_S: Final = 30.0
_ANSWER_BYTES_MAX: Final = 64

# What it answers where it does not name the pid of the process that it has started: another one
# runs for that folder. Without an answer it ends where a module has changed since it was loaded.
HELD: Final = b"held"


@dataclass(frozen=True)
class Start:
    """What a fork is to become: `mesh ARGV…`, with this environment and no other."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    pid_file: str
    log: str

    def packed(self) -> bytes:
        """As one message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, message: bytes) -> Start:
        """The same from a message."""
        return cls(**json.loads(message))


class ForkServer:
    """One fork server, as whoever asks it sees it. `program` is how it is started."""

    def __init__(self, program: Sequence[str], env: Mapping[str, str]) -> None:
        self._program = tuple(program)
        self._env = {**os.environ, **env}
        self._open: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._opened_at = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._open is not None and self._open[0].poll() is None

    def open(self) -> None:
        """Start it unless it runs, without waiting until it has loaded; once in AGAIN_S seconds,
        for what it loads may be broken. Where it can't be had every process is started the long
        way.
        """
        if time.monotonic() > self._opened_at + AGAIN_S:
            with contextlib.suppress(OSError):
                self._opened()

    def _opened(self) -> socket.socket:
        if self._open is not None and self.runs:
            return self._open[1]
        self.close()
        self._opened_at = time.monotonic()
        # In packets, so that each message is received whole; not every system has them.
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(ANSWER_S)
        with its:
            process = subprocess.Popen(  # noqa: S603 - our own argv
                self._program,
                stdin=its.fileno(),
                env=self._env,
                start_new_session=True,  # Ctrl-C is for whoever asks
            )
        self._open = process, ours
        return ours

    def start(self, wanted: Start) -> int | None:
        """Have a process started. Its pid, once its pid file stands; None when something else
        holds its folder, or nobody answers.
        """
        try:
            line = self._opened()
            line.sendall(wanted.packed())
            answer = line.recv(_ANSWER_BYTES_MAX)
        except OSError:
            answer = b""
        if answer.isdigit():
            return int(answer)
        if answer != HELD:
            self.close()  # the next one loads anew
        return None

    def close(self) -> None:
        """End it; what it has forked lives on."""
        if self._open is None:
            return
        process, line = self._open
        self._open = None
        line.close()
        process.kill()
        process.wait()
