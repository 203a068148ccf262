"""The report of an import: one line a row, and the sums that must add up."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from cli.imports.cells import printable
from cli.imports.outcomes import Outcome
from cli.imports.sending.report_place import COLUMNS, ReportError, written_beside

_FORMULAS = ("=", "+", "-", "@")  # `printable` has left no control character

Reason = tuple[str, str, str]  # who refused, why, and the column where there is one


class Report(Protocol):
    """Where outcomes are written down."""

    def write(self, outcome: Outcome) -> None:
        """Note what became of one row."""
        ...


@dataclass
class Tally:
    """The sums of an import. Every row read ends accepted or refused."""

    read: int = 0
    accepted: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)

    def count(self, outcome: Outcome) -> None:
        """Add one row's outcome."""
        if outcome.refusal is None:
            self.accepted += 1
        else:
            refusal = outcome.refusal
            self.refused[refusal.by.value, refusal.reason, refusal.column or refusal.field] += 1

    @property
    def answered(self) -> int:
        """Rows whose outcome is known."""
        return self.accepted + self.refused.total()

    @property
    def balances(self) -> bool:
        """Whether every row read has its outcome."""
        return self.answered == self.read

    def as_json(self) -> dict[str, Any]:
        """The sums as plain data, the most frequent reason first."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "refused": self.refused.total(),
            "reasons": [
                {"refused_by": by, "reason": reason, "column": column, "rows": rows}
                for (by, reason, column), rows in self.refused.most_common()
            ],
        }

    def told(self) -> list[str]:
        """The reasons for people, a line each."""
        return [
            f"  {rows:>7}  {by}: {why}{f' ({column})' if column else ''}"
            for (by, why, column), rows in self.refused.most_common()
        ]


@contextmanager
def open_report(path: Path, file: Path, accepted: str = "accepted") -> Iterator[Report]:
    """The report on what becomes of a file: CSV when its name ends so, else JSON lines. It gets
    its name when it is whole. Raises ReportError, also when it is written to.
    """
    with written_beside(path) as text:
        kind = _CsvReport if path.suffix.lower() == ".csv" else _JsonLinesReport
        yield _Told(path, kind(text), str(file.resolve()), accepted)


@dataclass
class _Told:
    path: Path
    lines: _CsvReport | _JsonLinesReport
    file: str
    accepted: str

    def write(self, outcome: Outcome) -> None:
        try:
            self.lines.write(_plain(outcome, self.file, self.accepted))
        except OSError as error:
            raise ReportError.of(self.path, error) from error


class _CsvReport:
    def __init__(self, file: TextIO) -> None:
        self._writer = csv.DictWriter(file, COLUMNS)
        self._writer.writeheader()

    def write(self, line: dict[str, object]) -> None:
        self._writer.writerow({name: _no_formula(value) for name, value in line.items()})


def _no_formula(value: object) -> object:
    """The cell with a mark before what a spreadsheet would take for a formula and run."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


class _JsonLinesReport:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _plain(outcome: Outcome, file: str, accepted: str) -> dict[str, object]:
    refusal = outcome.refusal
    return {
        "row": outcome.row,
        "line": outcome.line,
        "outcome": accepted if refusal is None else "refused",
        "listing_id": outcome.listing_id,
        "refused_by": "" if refusal is None else refusal.by.value,
        "reason": "" if refusal is None else refusal.reason,
        "field": "" if refusal is None else printable(refusal.field),
        "column": "" if refusal is None else printable(refusal.column),
        "detail": "" if refusal is None else printable(refusal.detail),
        "file": printable(file),
    }
