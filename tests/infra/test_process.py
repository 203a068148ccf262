"""Processes: how they behave towards others on their machine."""

from __future__ import annotations

import subprocess
import sys


def test_a_process_that_gives_way_does_so_with_all_that_it_starts() -> None:
    program = (
        "import os, subprocess, sys; from infra.process import give_way; give_way();"
        "subprocess.run([sys.executable, '-c', 'import os; print(os.nice(0))'], check=True)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(told.stdout) == 10
