"""What every kind of file comes to: rows of cells by column, or the refusal of what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from cli.imports.cells import stripped
from cli.imports.files.lines import ROW_LENGTH_MAX
from cli.imports.outcomes import Refusal, RefusedBy

COLUMNS_MAX = 2_000
TOO_LONG_A_ROW = f"a row of more than {ROW_LENGTH_MAX:,} characters"


class TableError(Exception):
    """The file as a whole can't be imported; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `refusal` is set, and `cells` empty, where it can't be read."""

    number: int  # from 1, among the rows
    line: int  # from 1, among the file's lines
    cells: dict[str, str]
    refusal: Refusal | None = None


class Rows(Protocol):
    """The rows of a file: iterate once."""

    columns: tuple[str, ...]
    about: int | None  # how many rows there are, where that is known before they are read

    def __iter__(self) -> Iterator[Row]: ...


Found: TypeAlias = tuple[int, dict[str, str] | Refusal]  # the line, and the cells there are


class Records:
    """Rows that name their cells themselves; what a row doesn't name is empty in it."""

    def __init__(
        self, columns: tuple[str, ...], about: int, read: Callable[[], Iterator[Found]]
    ) -> None:
        self.columns = columns
        self.about: int | None = about
        self._read = read

    def __iter__(self) -> Iterator[Row]:
        empty = dict.fromkeys(self.columns, "")
        for number, (line, found) in enumerate(self._read(), start=1):
            if isinstance(found, Refusal):
                yield Row(number, line, {}, found)
            else:
                cells = {name: stripped(cell) for name, cell in found.items()}
                yield Row(number, line, empty | cells)


@dataclass
class Seen:
    """What a first look at all of the rows has found: their columns, and how many they are."""

    columns: dict[str, None]
    rows: int = 0

    @classmethod
    def of(cls, header: tuple[str, ...] | None, rows: Iterator[Found]) -> Seen:
        """Those of these rows, and those that the mapping says there may be. Raises TableError."""
        seen = cls(dict.fromkeys(header or ()))
        for _, found in rows:
            seen.rows += 1
            if not isinstance(found, Refusal):
                seen.columns |= dict.fromkeys(found)
            if len(seen.columns) > COLUMNS_MAX:
                message = f"its rows name more than {COLUMNS_MAX:,} columns"
                raise TableError(message)
        return seen


def malformed(detail: str, column: str = "") -> Refusal:
    """The refusal of what is no row; with the column where it is known."""
    return Refusal(RefusedBy.FILE, "malformed", detail, column=column)


def joined(cells: dict[str, list[str]]) -> dict[str, str]:
    """Cells of which some have several values: those stand on a line each."""
    return {name: each[0] if len(each) == 1 else "\n".join(each) for name, each in cells.items()}
