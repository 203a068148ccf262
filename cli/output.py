"""Standard output that may be closed at any moment: `mesh status | head`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class _Closable:
    """A stream whose reader may have seen enough: then the command ends, with 0."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        return _Closable(found) if name == "buffer" else found

    def write(self, text: Any) -> int:
        with _ending_quietly():
            return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        with _ending_quietly():
            self._stream.writelines(lines)

    def flush(self) -> None:
        with _ending_quietly():
            self._stream.flush()


@contextmanager
def _ending_quietly() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # What is still buffered goes nowhere, or Python's own last flush would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


@contextmanager
def until_closed() -> Iterator[None]:
    """Within the block a closed standard output ends the process with 0, whoever writes to it:
    Python, click and rich each make an error of their own of it.
    """
    # Python has none where it was closed from the start: `mesh status >&-`.
    stream = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process
    sys.stdout = _Closable(stream)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout = stream
