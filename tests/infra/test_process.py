"""Processes: how they behave towards others on their machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

import pytest

from infra import process
from infra.process import run_command


@pytest.mark.parametrize("more", [0, 12])
def test_a_process_that_gives_way_does_so_with_all_that_it_starts(more: int) -> None:
    program = (
        f"import os, subprocess, sys; os.nice({more});"
        "from infra.process import give_way; give_way();"
        "subprocess.run([sys.executable, '-c', 'import os; print(os.nice(0))'], check=True)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(told.stdout) == min(19, max(10, os.nice(0) + more))  # 19 is the most


async def interrupted_itself() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()


def test_ctrl_c_ends_a_command() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_command(interrupted_itself())


def test_ctrl_c_ends_a_command_that_takes_it_for_an_outage(monkeypatch) -> None:
    monkeypatch.setattr(process, "CANCEL_AGAIN_S", 0.05)
    outages = 0

    async def stubborn() -> None:
        nonlocal outages
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(3):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                outages += 1
        message = "no broker"
        raise ConnectionError(message)

    with pytest.raises(KeyboardInterrupt):
        run_command(stubborn())
    assert outages == 3


def test_ctrl_c_after_the_result_changes_nothing() -> None:
    async def done() -> int:
        with contextlib.suppress(asyncio.CancelledError):
            await interrupted_itself()
        return 7

    assert run_command(done()) == 7
    with pytest.raises(ZeroDivisionError):
        run_command(_fails())


async def _fails() -> None:
    raise ZeroDivisionError
