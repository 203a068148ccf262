from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from cli.imports.sending import progress
from cli.imports.sending.progress import showing_progress
from cli.imports.sending.report import Tally


def shown(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with showing_progress("ads.csv", 10, console) as found:
        found.show(Tally(read=4, accepted=3))
        found.finish(Tally(read=9, accepted=9))
    return out.getvalue()


def test_a_terminal_sees_a_bar_that_ends_full() -> None:
    text = shown(terminal=True)
    assert "━" in text
    assert "9/9" in text


def test_elsewhere_plain_lines_are_written_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(terminal=False) == "ads.csv: 9 rows answered\n"
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    assert shown(terminal=False) == (
        "ads.csv: 3 of about 10 rows answered\nads.csv: 9 rows answered\n"
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_a_reader_who_leaves_does_not_end_the_import(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    class Left(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def isatty(self) -> bool:
            return terminal

    monkeypatch.setattr(sys, "stderr", Left())
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    seen = Tally(read=4, accepted=3)
    with showing_progress("ads.csv", 10) as found:
        found.show(seen)
        found.finish(seen)
    assert seen.answered == 3
