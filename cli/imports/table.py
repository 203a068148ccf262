"""Rows out of bytes of any quality: a row that can't be read is a refusal, never the end.

Bytes that the encoding doesn't know become a mark that no text has, so that only the row they
stand in is lost. A quote that is never closed would swallow the rest of the file: a row may
span so many lines and no more, else its first line alone is refused and reading goes on behind.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from cli.imports.mapping import FileShape
from cli.imports.outcomes import Refusal, RefusedBy

LINE_LENGTH_MAX = 100_000  # characters; csv itself stops at 131,072 a cell
ROWS_COUNTED_BYTES = 1 << 20
_MARK = "\ufdd0"  # a noncharacter, which Unicode promises never to give a meaning
_MARK_ERRORS = "marketmesh.mark"


class TableError(Exception):
    """The file as a whole can't be imported; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `refusal` is set, and `cells` empty, where it can't be read."""

    number: int  # from 1, among the rows
    line: int  # from 1, among the file's lines
    cells: dict[str, str]
    refusal: Refusal | None = None


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _MARK, error.end


codecs.register_error(_MARK_ERRORS, _mark)


@contextmanager
def open_table(path: Path, shape: FileShape) -> Iterator[Table]:
    """The table in a file; raises TableError."""
    try:
        text = path.open(encoding=shape.encoding, errors=_MARK_ERRORS, newline="")
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise TableError(message) from error
    with text:
        yield Table(text, shape)


def count_lines(path: Path) -> int:
    """About how many rows a file has, for progress: its line feeds."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(ROWS_COUNTED_BYTES), b""))


class Table:
    """The rows of a text: iterate once. Blank lines are no rows."""

    def __init__(self, text: TextIO, shape: FileShape) -> None:
        self._lines = _Lines(text)
        self._shape = shape
        self.columns = tuple(shape.header) if shape.header is not None else self._header()
        _check_header(self.columns)

    def __iter__(self) -> Iterator[Row]:
        for number, (line, found) in enumerate(self._records(), start=1):
            yield self._row(number, line, found)

    def _header(self) -> tuple[str, ...]:
        for _, found in self._records():
            if isinstance(found, Refusal):
                message = f"the first line can't be read: {found.reason}"
                raise TableError(message)
            return tuple(cell.strip().removeprefix("\ufeff") for cell in found)
        message = "the file is empty"
        raise TableError(message)

    def _row(self, number: int, line: int, found: list[str] | Refusal) -> Row:
        if isinstance(found, Refusal):
            return Row(number, line, {}, found)
        refusal = self._fault_of(found)
        if refusal is not None:
            return Row(number, line, {}, refusal)
        return Row(number, line, dict(zip(self.columns, map(str.strip, found), strict=True)))

    def _fault_of(self, cells: list[str]) -> Refusal | None:
        if any(_MARK in cell for cell in cells):
            detail = f"bytes that are no {self._shape.encoding}"
            return Refusal(RefusedBy.FILE, "undecodable", detail)
        if len(cells) != len(self.columns):
            detail = f"{len(cells)} cells instead of {len(self.columns)}"
            return Refusal(RefusedBy.FILE, "wrong_number_of_cells", detail)
        return None

    def _records(self) -> Iterator[tuple[int, list[str] | Refusal]]:
        while (first := self._lines.peek()) is not None:
            if not first.strip("\r\n"):
                next(self._lines)
                continue
            yield self._lines.number, self._record()

    def _record(self) -> list[str] | Refusal:
        shape = self._shape
        self._lines.start_record()
        lines = islice(self._lines, shape.lines_per_row_max)
        reader = csv.reader(lines, delimiter=shape.delimiter, quotechar=shape.quote, strict=True)
        try:
            return next(reader)
        except csv.Error as error:
            self._lines.give_back_but_first()
            return Refusal(RefusedBy.FILE, "malformed", str(error))


class _Lines:
    """Lines of bounded length; what a record took can be given back."""

    def __init__(self, text: TextIO) -> None:
        self._fresh = _bounded(text)
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []
        self.number = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._fresh)
        self._taken.append(line)
        self.number += 1
        return line

    def peek(self) -> str | None:
        if not self._waiting:
            line = next(self._fresh, None)
            if line is None:
                return None
            self._waiting.append(line)
        return self._waiting[0]

    def start_record(self) -> None:
        self._taken.clear()

    def give_back_but_first(self) -> None:
        again = self._taken[1:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)


def _bounded(text: TextIO) -> Iterator[str]:
    """Lines; of one that is too long the beginning, marked so that its row is refused."""
    try:
        while line := text.readline(LINE_LENGTH_MAX):
            whole = len(line) < LINE_LENGTH_MAX or line.endswith(("\n", "\r"))
            if not whole:
                _skip_rest(text)
            yield line if whole else f"{line}{_MARK}\n"
    except (OSError, UnicodeError) as error:  # an encoding that gives up instead of marking
        message = f"the file can't be read: {error}"
        raise TableError(message) from error


def _skip_rest(text: TextIO) -> None:
    while (part := text.readline(LINE_LENGTH_MAX)) and not part.endswith(("\n", "\r")):
        pass


def _check_header(columns: tuple[str, ...]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        message = f"columns that stand twice in the header: {', '.join(twice)}"
        raise TableError(message)
