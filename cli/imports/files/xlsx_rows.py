"""Rows out of an Excel workbook (XLSX). What openpyxl opens has been looked through before
(xlsx_look), for what would cost it more than any list of vehicles does.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeAlias
from warnings import catch_warnings, simplefilter

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import (
    DATA_TAG,
    FORMULA_TAG,
    ROW_TAG,
    VALUE_TAG,
    WorkSheetParser,
)
from openpyxl.xml.functions import iterparse

from cli.imports.cells import TypedDate, TypedNumber, shown, stripped
from cli.imports.files.bounded_xml import XmlError
from cli.imports.files.lines import LINE_LENGTH_MAX, ROW_LENGTH_MAX, UnreadableError
from cli.imports.files.rows import COLUMNS_MAX, TOO_LONG_A_ROW, Row, TableError, malformed
from cli.imports.files.xlsx_look import Part, looked_through
from cli.imports.language.mapping import FileShape
from cli.imports.outcomes import Refusal

_Cells: TypeAlias = dict[int, dict[str, Any]]  # the column's number from 1 → what openpyxl reads
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_FAULT: Final = "fault"  # a type that no file has: the value tells what is wrong with the cell
_UNKNOWN = "is a formula whose value the file doesn't hold: open and save it with a spreadsheet"

# What zipfile and openpyxl raise for archives and parts that aren't what they say.
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    EOFError,
)


class XlsxRows:
    """The rows of one sheet: iterate once. Empty rows are none."""

    def __init__(self, sheet: Any, shape: FileShape, part: Part) -> None:
        self._first = shape.skip_lines + 1
        self.about: int | None = part.rows
        self._lines = _unbroken(_lines_of(sheet, self._first))
        if shape.header is not None:
            self.columns = tuple(shape.header)
            return
        line, header = next(self._lines, (0, {}))
        names = _names(header) if line == self._first else []
        if not names or len(names) > COLUMNS_MAX:
            message = (
                f"row {self._first} of sheet {shown(sheet.title)} is no header of 1 to "
                f"{COLUMNS_MAX:,} columns: write skip_lines under file, or header"
            )
            raise TableError(message)
        self.columns = tuple(names)

    def __iter__(self) -> Iterator[Row]:
        number = 0
        empty = dict.fromkeys(self.columns, "")
        for line, every in self._lines:
            cells = {at: cell for at, cell in every.items() if at <= len(self.columns)}
            texts = {at: _text(cell["value"]) for at, cell in cells.items()}
            if not any(texts.values()):
                continue
            number += 1
            refusal = self._fault_of(line, cells, texts)
            if refusal is not None:
                yield Row(number, line, {}, refusal)
            else:
                named = {self.columns[at - 1]: stripped(text) for at, text in texts.items()}
                yield Row(number, line, empty | named)

    def _fault_of(self, line: int, cells: _Cells, texts: dict[int, str]) -> Refusal | None:
        for at, cell in cells.items():
            column = self.columns[at - 1]
            if cell["data_type"] == _FAULT:
                return malformed(f"{get_column_letter(at)}{line} {texts[at]}", column)
            if cell["data_type"] == "e":
                return malformed(f"column {column!r} holds the error {texts[at]}", column)
            if len(texts[at]) > LINE_LENGTH_MAX:
                return malformed(f"column {column!r}: more than {LINE_LENGTH_MAX:,} characters")
        # Many cells may show one text that the file holds once.
        if sum(map(len, texts.values())) > ROW_LENGTH_MAX:
            return malformed(TOO_LONG_A_ROW)
        return None


def _names(header: _Cells) -> list[str]:
    """The columns' names, up to the last there is."""
    for at, cell in header.items():
        if cell["data_type"] == _FAULT:
            message = f"the header's {get_column_letter(at)} {cell['value']}"
            raise TableError(message)
    texts = {at: stripped(_text(cell["value"])) for at, cell in header.items()}
    last = max((at for at, text in texts.items() if text), default=0)
    return [texts.get(at, "") for at in range(1, last + 1)]


class _Sheet(WorkSheetParser):  # type: ignore[misc] # openpyxl has no types
    """openpyxl's way of reading cells, but what is wrong with one is told of that one."""

    col_counter: int

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """The cell; of type `_FAULT` where its value can't be read."""
        before, fault = self.col_counter, _fault_in(element)
        try:
            cell: dict[str, Any] = super().parse_cell(element)
            value = cell["value"]
            if isinstance(value, float) and not isfinite(value):
                fault = "is no number that can be read: it is too large"
        except _BROKEN:
            # Where it stands is known before its value is read, if it says so.
            cell = {"column": max(self.col_counter, before + 1)}
            self.col_counter = cell["column"]
            told = shown(element.findtext(VALUE_TAG, ""))
            fault = fault or f"holds {told}, which is no value of its kind"
        return cell if fault is None else {**cell, "value": fault, "data_type": _FAULT}


def _fault_in(element: Any) -> str | None:
    """What is wrong with a cell that openpyxl would read as something else."""
    kind, text = element.get("t", "n"), element.findtext(VALUE_TAG)
    if element.find(FORMULA_TAG) is not None and not text and (text is None or kind != "str"):
        return _UNKNOWN  # of texts an empty one is a value, too
    if kind == "n" and text and not _NUMBER.fullmatch(text):
        return f"holds {shown(text)}, which is no number"
    return None


def _lines_of(sheet: Any, first: int) -> Iterator[tuple[int, _Cells]]:
    """The rows from this one on that the sheet holds, by their number. What is read is not kept."""
    book = sheet.parent
    with sheet._get_source() as source:  # noqa: SLF001 - openpyxl's own reading keeps every row
        parser = _Sheet(
            source,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        within: list[Any] = []
        for event, element in iterparse(source, events=("start", "end")):
            if event == "start":
                within.append(element)
                continue
            within.pop()
            if element.tag == ROW_TAG and within and within[-1].tag == DATA_TAG:
                number, cells = parser.parse_row(element)
                parser.row_dimensions.clear()
                within[-1].clear()
                if number >= first:
                    yield number, {cell["column"]: cell for cell in cells}
            elif not any(each.tag == ROW_TAG for each in within):
                element.clear()


def open_xlsx(path: Path, shape: FileShape, opened: ExitStack) -> XlsxRows:
    """The rows of a sheet of a workbook, which stays open until `opened` ends. Raises TableError."""
    try:
        looked = looked_through(path)
        with catch_warnings():
            simplefilter("ignore")  # of styles and the like that openpyxl doesn't know
            file = opened.enter_context(path.open("rb"))
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = _sheet_of(book.worksheets, shape.sheet)
            return XlsxRows(sheet, shape, _part_of(sheet, looked))
    except TableError as error:
        message = f"{path}: {error}"
        raise TableError(message) from None
    except (XmlError, UnreadableError) as error:
        message = f"{path}: is no workbook that can be read: {error}"
        raise TableError(message) from error
    except _BROKEN as error:
        message = f"{path}: is no Excel workbook (XLSX) that can be read: {type(error).__name__}"
        raise TableError(message) from error


def _unbroken(rows: Iterator[tuple[int, _Cells]]) -> Iterator[tuple[int, _Cells]]:
    """The rows, of which openpyxl reads each as it is asked for."""
    try:
        with catch_warnings():
            simplefilter("ignore")  # of dates that are none, which come as errors
            yield from rows
    except _BROKEN as error:
        message = f"{type(error).__name__}: {error}"
        raise UnreadableError(message) from error


def _part_of(sheet: Any, looked: dict[str, Part]) -> Part:
    """What the look has seen of a sheet. Of what it took for something else it knows no rows."""
    part = looked.get(sheet._worksheet_path.lstrip("/"))  # noqa: SLF001 - its only name
    if part is None or part.root != "worksheet":
        message = f"sheet {shown(sheet.title)} is no worksheet"
        raise TableError(message)
    return part


def _sheet_of(sheets: list[Any], name: str | None) -> Any:
    names = ", ".join(shown(each.title) for each in sheets)
    if not sheets:
        message = "is an Excel workbook without a sheet"
        raise TableError(message)
    if name is None and len(sheets) == 1:
        return sheets[0]
    for each in sheets:
        if each.title == name:
            return each
    asked = (
        f"no sheet {name!r}" if name is not None else f"{len(sheets)} sheets and no word of which"
    )
    message = f"{asked}: write sheet under file in the mapping; there are {names}"
    raise TableError(message)


def _text(value: Any) -> str:
    """A cell's value as mappings read it: numbers and days stay what they are."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return TypedNumber(value)
        case float():
            # As many digits as a spreadsheet shows: the rest is noise of binary fractions.
            return TypedNumber(f"{Decimal(format(value, '.15g')):f}")
        case datetime() if value.time() == time():
            return TypedDate(value.date().isoformat())
        case datetime():
            return TypedDate(value.isoformat(" ", "seconds"))
        case date():
            return TypedDate(value.isoformat())
        case _:
            return str(value)
