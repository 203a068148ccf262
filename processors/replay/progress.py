"""How a replay is told: bars with an ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Stand:
    """How far one build is: offsets of the log behind it, and offsets in all."""

    done: int
    total: int


class View:
    """Shows how far each named build is. `show` may be called as often as one likes."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console or Console(stderr=True, quiet=quiet)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int]] = {}
        self._said_at = 0.0

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Draw bars while inside, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, speed_estimate_period=10) as bars:
            self._bars = bars
            try:
                yield
            finally:
                self._bars = None
                self._tasks.clear()

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, stands: Mapping[str, Stand], *, last: bool = False) -> None:
        """Show where every build is; without a terminal every two seconds, and the last time."""
        now = time.monotonic()
        for name, stand in stands.items():
            self._began.setdefault(name, (now, stand.done))
        if self._bars is not None:
            self._draw(self._bars, stands)
        elif last or now - self._said_at >= LINE_EVERY_S:
            self._said_at = now
            for name, stand in stands.items():
                self.say(self._line(name, stand, now))

    def _draw(self, bars: Progress, stands: Mapping[str, Stand]) -> None:
        for name, stand in stands.items():
            if name not in self._tasks:
                # What a resumed build had before must not count into its speed.
                self._tasks[name] = bars.add_task(name, completed=stand.done, total=stand.total)
            bars.update(self._tasks[name], completed=stand.done, total=stand.total)

    def _line(self, name: str, stand: Stand, now: float) -> str:
        began, first = self._began[name]
        took = now - began
        rate = (stand.done - first) / took if took > 0 else 0.0
        share = 100 * stand.done / stand.total if stand.total else 100.0
        text = f"{name}: {share:.0f} %, {stand.done:,} of {stand.total:,}"
        if rate > 0:
            text += f", {rate:,.0f}/s, {(stand.total - stand.done) / rate:,.0f} s to go"
        return text
