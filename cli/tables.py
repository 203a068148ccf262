"""Tables on standard output: as wide as the terminal, and uncut where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH_WITHOUT_TERMINAL = 300


def print_table(names: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    """One column a name, one row a mapping; None is shown as a question mark."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for line in lines:
        table.add_row(*("?" if line[name] is None else str(line[name]) for name in names))
    console.print(table)
