"""Processes: how they behave towards others on their machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


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
