"""Progress of an import: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from cli.imports.sending.report import Tally

BAR_EVERY_S = 0.1
LINE_EVERY_S = 5.0


class Progress(Protocol):
    """Shows how far an import is; called for each row, so it must be cheap."""

    def show(self, tally: Tally) -> None:
        """Show these sums, or not, if some were shown a moment ago."""
        ...

    def finish(self, tally: Tally) -> None:
        """Show the last sums."""
        ...


class _UnheardConsole(Console):
    """A console whose reader may leave: what it would have shown is lost, the import goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


@contextmanager
def showing_progress(name: str, rows: int, console: Console | None = None) -> Iterator[Progress]:
    """Progress of about `rows` rows on standard error."""
    console = console or _UnheardConsole(stderr=True)
    if not console.is_terminal:
        yield _Lines(name, rows, console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeRemainingColumn(), console=console) as bar:
        yield _OnBar(bar, bar.add_task(name, total=rows))


class _OnBar:
    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar, self._task, self._shown_at = bar, task, 0.0

    def show(self, tally: Tally) -> None:
        if (now := time.monotonic()) - self._shown_at < BAR_EVERY_S:
            return
        self._shown_at = now
        self._bar.update(self._task, completed=tally.answered)

    def finish(self, tally: Tally) -> None:
        self._bar.update(self._task, completed=tally.answered, total=tally.read)


class _Lines:
    def __init__(self, name: str, rows: int, console: Console) -> None:
        self._name, self._rows, self._console = name, rows, console
        self._shown_at = time.monotonic()

    def show(self, tally: Tally) -> None:
        if (now := time.monotonic()) - self._shown_at < LINE_EVERY_S:
            return
        self._shown_at = now
        self._console.print(
            f"{self._name}: {tally.answered} of about {self._rows} rows answered", highlight=False
        )

    def finish(self, tally: Tally) -> None:
        self._console.print(f"{self._name}: {tally.answered} rows answered", highlight=False)
