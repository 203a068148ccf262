"""The `mesh` command knows where each of its words lives."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import main as cli


def words_of(module: str) -> list[str]:
    app = typer.Typer()
    importlib.import_module(module).register(app)
    group = typer.main.get_group(app)
    return sorted(group.commands)


@pytest.mark.parametrize("module", sorted(cli.MODULES))
def test_the_table_of_commands_tells_what_each_module_registers(module: str) -> None:
    assert sorted(cli.MODULES[module]) == words_of(module)


def test_every_module_with_commands_is_in_the_table() -> None:
    folder = Path(cli.__file__).parent
    offering = {
        ".".join(["cli", *file.relative_to(folder).with_suffix("").parts])
        for file in folder.rglob("*.py")
        if "def register(app: typer.Typer)" in file.read_text("utf-8")
    }
    assert offering == set(cli.MODULES)


def test_stopping_the_stack_loads_nothing_of_the_web() -> None:
    code = "import sys; from cli.main import load; load('down'); print('fastapi' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_the_log_of_an_unknown_name_is_refused_with_the_known_ones() -> None:
    told = CliRunner().invoke(cli.load("logs"), ["logs", "kafak"])
    assert told.exit_code == 2
    assert "kafka" in told.output
