"""Rows out of a file: a row that can't be read is a refusal, never the end.

A quote that is never closed would swallow the rest of the file: a row may span so many lines
and no more, else its first line alone is refused and reading goes on behind.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TextIO

from cli.imports.cells import stripped
from cli.imports.files.file_kind import foreign_kind, text_kind
from cli.imports.files.json_rows import open_json_lines
from cli.imports.files.lines import (
    LINE_LENGTH_MAX,
    MARK_ERRORS,
    ROW_LENGTH_MAX,
    TOO_LONG,
    Lines,
    RowTooLongError,
    UnreadableError,
    has_marks,
    undecoded,
)
from cli.imports.files.rows import COLUMNS_MAX, Row, Rows, TableError
from cli.imports.files.xml_rows import open_xml
from cli.imports.language.mapping import FileShape
from cli.imports.outcomes import Refusal, RefusedBy

BYTES_COUNTED = 1 << 20
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_QUOTE_NOT_CLOSED = "unexpected end of data"


@contextmanager
def open_table(path: Path, shape: FileShape) -> Iterator[Rows]:
    """The rows of a file of whatever format; raises TableError."""
    with ExitStack() as opened:
        try:
            _check_is_table(path, shape)
            rows = _rows_of(path, shape, opened)
        except OSError as error:
            message = f"{path}: {error.strerror}"
            raise TableError(message) from error
        try:
            yield rows
        except UnreadableError as error:
            message = f"{path}: the file can't be read: {error}"
            raise TableError(message) from error


def _rows_of(path: Path, shape: FileShape, opened: ExitStack) -> Rows:
    match shape.format:
        case "xlsx":
            # A third of a second of imports that only workbooks have use for.
            from cli.imports.files.xlsx_rows import open_xlsx  # noqa: PLC0415

            rows = open_xlsx(path, shape, opened)
            _check_header(rows.columns)
            return rows
        case "xml":
            return open_xml(path, shape)
        case "jsonl":
            return open_json_lines(path, shape)
        case "csv" | "tsv":
            text = path.open(encoding=shape.encoding, errors=MARK_ERRORS, newline="")
            try:
                return Table(opened.enter_context(text), shape)
            except UnreadableError as error:
                message = f"{path}: the file can't be read: {error}"
                raise TableError(message) from error


def _check_is_table(path: Path, shape: FileShape) -> None:
    mode = path.stat().st_mode
    if S_ISDIR(mode):
        message = f"{path}: is a directory: name one file"
        raise TableError(message)
    if not S_ISREG(mode):
        message = f"{path}: is no regular file: it is read more than once, so write it to a file"
        raise TableError(message)
    if (told := foreign_kind(path, shape)) is not None:
        message = f"{path}: {told}"
        raise TableError(message)


def count_lines(path: Path) -> int:
    """About how many rows a file has, for progress: its line feeds, or whatever ends its lines."""
    feeds = returns = 0
    with path.open("rb") as file:
        while block := file.read(BYTES_COUNTED):
            feeds += block.count(b"\n")
            returns += block.count(b"\r")
    return feeds or returns


class Table:
    """The rows of a text: iterate once. Blank lines are no rows."""

    def __init__(self, text: TextIO, shape: FileShape) -> None:
        self._lines = Lines(text)
        self._shape = shape
        self.about: int | None = None  # whoever wants to know counts the file's lines
        self._skip_what_leads()
        self.columns: tuple[str, ...] = ()
        self.columns = tuple(shape.header) if shape.header is not None else self._header()
        _check_header(self.columns)

    def __iter__(self) -> Iterator[Row]:
        for number, (line, found) in enumerate(self._records(), start=1):
            yield self._row(number, line, found)

    def _skip_what_leads(self) -> None:
        """Lines before the header, and the line by which Excel is told the delimiter."""
        for _ in islice(self._lines, self._shape.skip_lines):
            self._lines.start_record()
        told = _SEPARATOR_LINE.fullmatch(self._lines.peek() or "")
        if told is None:
            return
        if told[1] != self._shape.delimiter:
            message = (
                f"the file says sep={told[1]} and the mapping's delimiter is "
                f'{self._shape.delimiter!r}: write delimiter: "{told[1]}" under file'
            )
            raise TableError(message)
        next(self._lines)

    def _header(self) -> tuple[str, ...]:
        beginning = self._lines.peek() or ""
        for line, found in self._records():
            if isinstance(found, Refusal):
                kind = text_kind(beginning)
                message = (
                    f"the file {kind}"
                    if kind is not None
                    else f"the header, line {line}, can't be read: {found.detail}"
                )
                raise TableError(message)
            if (refusal := self._undecodable(line, found)) is not None:
                message = f"the header can't be read: {refusal.detail}"
                raise TableError(message)
            return _named([stripped(cell) for cell in found])
        message = "the file is empty"
        raise TableError(message)

    def _row(self, number: int, line: int, found: list[str] | Refusal) -> Row:
        if isinstance(found, Refusal):
            return Row(number, line, {}, found)
        if (refusal := self._fault_of(line, found)) is not None:
            return Row(number, line, {}, refusal)
        return Row(number, line, dict(zip(self.columns, map(stripped, found), strict=True)))

    def _fault_of(self, line: int, cells: list[str]) -> Refusal | None:
        if (refusal := self._undecodable(line, cells)) is not None:
            return refusal
        if len(cells) != len(self.columns):
            detail = f"{len(cells)} cells instead of {len(self.columns)}"
            return Refusal(RefusedBy.FILE, "wrong_number_of_cells", detail)
        return None

    def _undecodable(self, line: int, cells: list[str]) -> Refusal | None:
        at = next((at for at, cell in enumerate(cells) if not _is_readable(cell)), None)
        if at is None:
            return None
        column = self.columns[at] if at < len(self.columns) else ""
        detail = _undecodable(line, cells, at, self._shape.encoding)
        return Refusal(RefusedBy.FILE, "undecodable", detail, column=column)

    def _records(self) -> Iterator[tuple[int, list[str] | Refusal]]:
        while (first := self._lines.peek()) is not None:
            self._lines.start_record()
            if not first.strip("\r\n"):
                next(self._lines)
                continue
            yield self._lines.number, self._record()

    def _record(self) -> list[str] | Refusal:
        shape = self._shape
        lines = islice(self._lines, shape.lines_per_row_max)
        reader = csv.reader(lines, delimiter=shape.delimiter, quotechar=shape.quote, strict=True)
        try:
            return next(reader)
        except csv.Error as error:
            self._lines.give_back_but_first()
            return Refusal(RefusedBy.FILE, "malformed", _told(str(error), shape))
        except RowTooLongError:
            self._lines.give_back_but_first()
            detail = f"a row of more than {ROW_LENGTH_MAX:,} characters: is a quote left open?"
            return Refusal(RefusedBy.FILE, "malformed", detail)


def _is_readable(cell: str) -> bool:
    # Half surrogates are no characters; some encodings give them all the same.
    return cell.isascii() or not (
        has_marks(cell) or any("\ud800" <= each <= "\udfff" for each in cell)
    )


def _undecodable(line: int, cells: list[str], at: int, encoding: str) -> str:
    cell = cells[at]
    if TOO_LONG in cell:
        return f"line {line}: more than {LINE_LENGTH_MAX:,} characters"
    found = undecoded(cell)
    if found is None:
        return f"line {line}, cell {at + 1}: half a surrogate pair"
    place, byte = found
    line += sum(each.count("\n") for each in (*cells[:at], cell[:place]))
    return (
        f"line {line}, cell {at + 1}: the byte 0x{byte:02X} is no {encoding}: "
        "is file.encoding the file's own?"
    )


def _told(error: str, shape: FileShape) -> str:
    if error == _QUOTE_NOT_CLOSED:
        return f"a quote is opened and not closed within {shape.lines_per_row_max} lines"
    return error


def _named(cells: list[str]) -> tuple[str, ...]:
    """The columns' names. Those without one, as spreadsheets leave behind, are told apart by
    their place; the first keeps the empty name, for ids may hang on it.
    """
    first = cells.index("") if "" in cells else len(cells)
    return tuple(
        cell if cell or place == first else f"(column {place + 1})"
        for place, cell in enumerate(cells)
    )


def _check_header(columns: tuple[str, ...]) -> None:
    if len(columns) > COLUMNS_MAX:
        message = (
            f"the header has {len(columns):,} columns, and {COLUMNS_MAX:,} are the most: is "
            "delimiter under file the file's own?"
        )
        raise TableError(message)
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    if twice:
        message = (
            f"columns that stand twice in the header: {', '.join(twice)}. Rename one, or name all "
            "columns yourself: header: [...] and skip_lines: 1 under file"
        )
        raise TableError(message)
