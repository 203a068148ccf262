"""`mesh` commands as people run them, without the second that each would take to be loaded: a
process that has loaded everything forks one for each.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from cli.main import MODULES

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["cli.main", "cli.outages", *MODULES])
# A process that is started asks after all others, and how one ended can be read once: two threads
# that ask at once would have the second told 255.
_asking = Lock()


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


async def mesh(
    words: Sequence[str], env: Mapping[str, str], cwd: Path, within_s: float = 120.0
) -> Ended:
    """Run the command to its end, with nobody at its standard input."""
    return await asyncio.to_thread(_run, words, env, cwd, within_s)


def _run(words: Sequence[str], env: Mapping[str, str], cwd: Path, within_s: float) -> Ended:
    with TemporaryDirectory() as folder:
        streams = Path(folder) / "out", Path(folder) / "err"
        child = _FORKS.Process(target=_become, args=(list(words), dict(env), cwd, streams))
        with _asking:
            child.start()
        if not wait([child.sentinel], within_s):
            child.kill()
            wait([child.sentinel])
        with _asking:
            code = child.exitcode
        out, err = (each.read_text("utf-8") for each in streams)
        return Ended(code if code is not None else -1, out, err)


def _become(
    words: list[str], env: Mapping[str, str], cwd: Path, streams: tuple[Path, Path]
) -> None:
    for number, file in zip((1, 2), streams, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - till the process ends
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.argv = ["mesh", *words]
    from cli.main import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
