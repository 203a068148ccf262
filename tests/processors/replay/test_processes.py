"""A replay's processes, as their coordinator sees them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from processors.replay import processes
from processors.replay.processes import run_shards
from processors.replay.shard import Task

WAIT_S = 10.0


async def test_a_process_that_is_slow_to_start_does_not_hold_up_the_coordinator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lock's connection, the other processes and Ctrl-C are all attended to on that loop."""
    went_on = threading.Event()
    in_time: list[bool] = []

    class Slow:
        """Starts once the loop has gone on, or when it is plain that it does not."""

        def __init__(self, *, args: tuple[Any, ...], **_: Any) -> None:
            self.telling = args[1]

        def start(self) -> None:
            in_time.append(went_on.wait(WAIT_S))
            self.telling.send(None)

        def is_alive(self) -> bool:
            return False

        def join(self, timeout: float | None = None) -> None:
            """It has ended."""

        def terminate(self) -> None:
            """It has ended."""

    class Spawning:
        """What starts processes."""

        Pipe = staticmethod(processes._spawning.Pipe)  # all but the process is real
        Process = Slow

    monkeypatch.setattr(processes, "_spawning", Spawning)
    task = Task(settings=None, builds=(), stretches={}, epochs={})  # type: ignore[arg-type]  # never read
    running = asyncio.create_task(run_shards([task], lambda _: None))
    asyncio.get_running_loop().call_later(0.05, went_on.set)
    await running
    assert in_time == [True]
