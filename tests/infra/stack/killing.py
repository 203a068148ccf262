"""Killing a daemon as a crash would, and being sure that it is dead."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from infra.stack import daemons
from tests.waiting import eventually_blocking


def kill_hard(pid_file: Path) -> int:
    """Kill -9 and wait until the process is gone; returns the pid it had."""
    pid = daemons.running_pid(pid_file)
    assert pid is not None, f"nothing runs for {pid_file}"
    os.kill(pid, signal.SIGKILL)
    eventually_blocking(lambda: daemons.running_pid(pid_file) is None, 10, f"{pid} is gone")
    return pid
