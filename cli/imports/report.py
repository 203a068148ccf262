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

from cli.imports.outcomes import Outcome

COLUMNS = ("row", "line", "outcome", "listing_id", "refused_by", "reason", "detail")


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
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # (who, reason) → rows

    def count(self, outcome: Outcome) -> None:
        """Add one row's outcome."""
        if outcome.refusal is None:
            self.accepted += 1
        else:
            self.refused[outcome.refusal.by.value, outcome.refusal.reason] += 1

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
                {"refused_by": by, "reason": reason, "rows": rows}
                for (by, reason), rows in self.refused.most_common()
            ],
        }


@contextmanager
def open_report(path: Path) -> Iterator[Report]:
    """A report file: CSV when the name ends so, else JSON lines. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        yield _CsvReport(file) if path.suffix == ".csv" else _JsonLinesReport(file)


class _CsvReport:
    def __init__(self, file: TextIO) -> None:
        self._writer = csv.DictWriter(file, COLUMNS)
        self._writer.writeheader()

    def write(self, outcome: Outcome) -> None:
        self._writer.writerow(_plain(outcome))


class _JsonLinesReport:
    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, outcome: Outcome) -> None:
        self._file.write(json.dumps(_plain(outcome), ensure_ascii=False) + "\n")


def _plain(outcome: Outcome) -> dict[str, object]:
    refusal = outcome.refusal
    return {
        "row": outcome.row,
        "line": outcome.line,
        "outcome": "accepted" if refusal is None else "refused",
        "listing_id": outcome.listing_id,
        "refused_by": "" if refusal is None else refusal.by.value,
        "reason": "" if refusal is None else refusal.reason,
        "detail": "" if refusal is None else _printable(refusal.detail),
    }


def _printable(text: str) -> str:
    """Half surrogates can't be written to any file."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
