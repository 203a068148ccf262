"""The harness of the commands' tests tells how each command ended, however many run at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

from tests.cli.harness.forked import mesh


async def test_each_of_many_commands_at_once_is_told_how_it_ended(
    tmp_path: Path, monkeypatch: Any
) -> None:
    read: Callable[[int], int] = forkserver.read_signed
    meeting = Barrier(2)

    def together(fd: int) -> int:
        """The first that reads an end holds on while another may come to read it too."""
        try:
            meeting.wait(0.1)
        except BrokenBarrierError:
            meeting.reset()
        return read(fd)

    monkeypatch.setattr(forkserver, "read_signed", together)
    every = (mesh(("no-such-command",), os.environ, tmp_path) for _ in range(24))
    assert {each.code for each in await asyncio.gather(*every)} == {2}
