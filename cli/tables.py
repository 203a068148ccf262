"""Tables on standard output: as wide as the terminal, and uncut where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH_WITHOUT_TERMINAL = 300


def print_waiting(names: Sequence[str], streams: Iterable[Any]) -> None:
    """Streams of which something waits, dataclasses with the place of the first event, and since
    when.
    """
    print_table(
        names,
        [
            {
                **asdict(each),
                "first": f"{each.topic}:{each.partition}:{each.position_offset}",
                "since": each.since.isoformat(timespec="seconds"),
            }
            for each in streams
        ],
    )


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
