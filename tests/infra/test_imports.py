"""What every process pays before it does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The modules that open ClickHouse, each first in a process of its own.
OPENERS = ("api.app", "processors.stores.opening", "cli.erasing.rows")


@pytest.mark.parametrize("opener", OPENERS)
def test_no_process_makes_a_table_of_four_centuries_of_days(opener: str) -> None:
    code = f"import {opener}; from clickhouse_driver.columns.datecolumn import enable_lazy_date_lut"
    asked = f"{code}; assert enable_lazy_date_lut, 'infra/__init__.py came too late'"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
