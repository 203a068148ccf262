"""What `mesh up` shows: one line a server, live on a terminal, plain elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

_STYLE: Final = {"starting": "yellow", "ready": "green", "failed": "bold red"}


@dataclass
class _Line:
    status: str = ""
    detail: str = ""
    began: float = field(default_factory=time.monotonic)
    took_s: float = 0.0


class View:
    """Collects what happens to each name; safe to call from several threads."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console or Console(quiet=quiet)
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def starting(self, name: str, detail: str = "") -> None:
        """It is being brought up; `detail` says which step."""
        self._set(name, "starting", detail)

    def ready(self, name: str, detail: str = "") -> None:
        """It serves."""
        self._set(name, "ready", detail)

    def failed(self, name: str, detail: str = "") -> None:
        """It did not come up; `detail` names its log."""
        self._set(name, "failed", detail)

    def say(self, text: str) -> None:
        """A line of its own, above the table."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Draw the table while inside, where there is a terminal to draw on."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, get_renderable=self._table, refresh_per_second=8) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def _set(self, name: str, status: str, detail: str) -> None:
        with self._lock:
            line = self._lines.setdefault(name, _Line())
            line.status, line.detail = status, detail
            if status != "starting":
                line.took_s = time.monotonic() - line.began
        if self._live is None:
            took = f" after {line.took_s:.1f} s" if status != "starting" else ""
            self.say(f"{name}: {status}{took}" + (f" ({detail})" if detail else ""))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("name", "state", "seconds", "where"):
            table.add_column(heading, justify="right" if heading == "seconds" else "left")
        with self._lock:
            for name, line in self._lines.items():
                since = time.monotonic() - line.began
                seconds = line.took_s if line.status != "starting" else since
                style = _STYLE[line.status]
                table.add_row(name, f"[{style}]{line.status}[/]", f"{seconds:.1f}", line.detail)
        return table
