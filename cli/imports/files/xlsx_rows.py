"""Rows out of an Excel workbook (XLSX). What openpyxl opens has been looked through before, part by
part in bounded memory, for what would cost it more than any list of vehicles does.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from warnings import catch_warnings, simplefilter

from openpyxl import load_workbook

from cli.imports.cells import TypedDate, TypedNumber, shown, stripped
from cli.imports.files.bounded_xml import CHUNK, Watching, XmlError, parsed
from cli.imports.files.lines import LINE_LENGTH_MAX, UnreadableError
from cli.imports.files.rows import COLUMNS_MAX, Row, TableError, malformed
from cli.imports.language.mapping import FileShape
from cli.imports.outcomes import Refusal

PARTS_MAX = 2_000
ROWS_MAX = 1_048_576  # what Excel itself has
# The element that a part begins with → how many bytes and elements it may have. What isn't named
# here is read into memory as a whole, and is small in any workbook.
_LIMITS: Final = {"worksheet": (1 << 30, 1 << 40), "sst": (1 << 26, 6_000_000)}
_OTHERS: Final = (1 << 23, 100_000)
_CELL = re.compile(r"[A-Z]{1,3}[0-9]{1,7}")
_XML = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00<")


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

    def __init__(self, sheet: Any, shape: FileShape, part: _Part | None) -> None:
        sheet.reset_dimensions()  # what a file says of its size is not what it is
        self._sheet = sheet
        self._unknown = part.unknown if part is not None else {}
        self._first = shape.skip_lines + 1
        self.about: int | None = part.rows if part is not None else None
        if shape.header is not None:
            self.columns = tuple(shape.header)
            return
        header = next(self._sheet.iter_rows(min_row=self._first, max_row=self._first), ())
        names = [stripped(_text(cell.value)) for cell in header]
        while names and not names[-1]:
            names.pop()
        self._first += 1
        if not names or len(names) > COLUMNS_MAX:
            message = (
                f"row {self._first - 1} of sheet {shown(sheet.title)} is no header of 1 to "
                f"{COLUMNS_MAX:,} columns: write skip_lines under file, or header"
            )
            raise TableError(message)
        self.columns = tuple(names)

    def __iter__(self) -> Iterator[Row]:
        number = 0
        rows = self._sheet.iter_rows(min_row=self._first, max_col=len(self.columns))
        for line, cells in enumerate(_unbroken(rows), start=self._first):
            texts = [_text(cell.value) for cell in cells]
            if line not in self._unknown and not any(texts):
                continue
            number += 1
            refusal = self._fault_of(line, cells, texts)
            if refusal is not None:
                yield Row(number, line, {}, refusal)
            else:
                named = zip(self.columns, map(stripped, texts), strict=False)
                yield Row(number, line, dict.fromkeys(self.columns, "") | dict(named))

    def _fault_of(self, line: int, cells: Any, texts: list[str]) -> Refusal | None:
        if line in self._unknown:
            return malformed(
                f"{self._unknown[line]} is a formula whose value the file doesn't hold: open and "
                "save it with a spreadsheet"
            )
        for at, cell in enumerate(cells):
            if cell.data_type == "e":
                return malformed(f"column {self.columns[at]!r} holds the error {texts[at]}")
            if len(texts[at]) > LINE_LENGTH_MAX:
                return malformed(
                    f"column {self.columns[at]!r}: more than {LINE_LENGTH_MAX:,} characters"
                )
        return None


def open_xlsx(path: Path, shape: FileShape, opened: ExitStack) -> XlsxRows:
    """The rows of a sheet of a workbook, which stays open until `opened` ends. Raises TableError."""
    try:
        looked = _looked_through(path)
        with catch_warnings():
            simplefilter("ignore")  # of styles and the like that openpyxl doesn't know
            file = opened.enter_context(path.open("rb"))
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = _sheet_of(book.worksheets, shape.sheet)
            part = looked.get(sheet._worksheet_path.lstrip("/"))  # noqa: SLF001 - its only name
            return XlsxRows(sheet, shape, part)
    except TableError as error:
        message = f"{path}: {error}"
        raise TableError(message) from None
    except XmlError as error:
        message = f"{path}: is no workbook that can be read: {error}"
        raise TableError(message) from error
    except _BROKEN as error:
        message = f"{path}: is no Excel workbook (XLSX) that can be read: {type(error).__name__}"
        raise TableError(message) from error


def _unbroken(rows: Iterator[Any]) -> Iterator[Any]:
    """The rows, of which openpyxl reads each as it is asked for."""
    try:
        with catch_warnings():
            simplefilter("ignore")  # of dates that are none, which come as errors
            yield from rows
    except _BROKEN as error:
        message = f"{type(error).__name__}: {error}"
        raise UnreadableError(message) from error


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


def _looked_through(path: Path) -> dict[str, _Part]:
    """Each part of the archive that is XML, once nothing in it can cost more than it may. Raises
    XmlError, and what zipfile raises.
    """
    found: dict[str, _Part] = {}
    with zipfile.ZipFile(path) as archive:
        if len(archive.infolist()) > PARTS_MAX:
            message = f"more than {PARTS_MAX:,} parts"
            raise XmlError(message)
        for info in archive.infolist():
            with archive.open(info) as part:
                head = part.read(CHUNK)
                if not head.lstrip().startswith(_XML):
                    continue
                looked = _Part(info.filename)
                chunks = _chunks(head, part)
                for _ in parsed(looked.counted(chunks), looked):
                    pass
                found[info.filename] = looked
    return found


def _chunks(head: bytes, part: Any) -> Iterator[bytes]:
    yield head
    yield from iter(lambda: part.read(CHUNK), b"")


class _Part(Watching):
    """One part of a workbook: how much there is of it, and the formulas without a value."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.unknown: dict[int, str] = {}
        self.rows = 0
        self._name = name
        self._bytes = self._elements = self._text = 0
        self._limits = _OTHERS
        self._root = ""
        self._cell = self._within = ""
        self._has: set[str] = set()

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, up to as many as there may be."""
        for chunk in chunks:
            yield chunk
            self._bytes += len(chunk)
            self._check(self._bytes, self._limits[0], "bytes")

    def begin(self, name: str, attrs: Any) -> None:
        local = name.rpartition(":")[2]
        if self.depth == 1:
            self._root = local
            self._limits = _LIMITS.get(local, _OTHERS)
        self._elements += 1
        self._text, self._within = 0, local
        self._check(self._elements, self._limits[1], "elements")
        if self._root == "worksheet":
            self._in_sheet(local, attrs)
        elif self._root == "sst" and local in {"xf", "font", "fill", "border"}:
            self._refuse(f"<{local}> has no business among texts")

    def _in_sheet(self, name: str, attrs: Any) -> None:
        if name == "si":
            self._refuse("texts have no business in a sheet")
        if name == "row":
            self.rows += 1
            line = attrs.get("r", "1")
            if not line.isdecimal() or len(line) > len(str(ROWS_MAX)) or int(line) > ROWS_MAX:
                self._refuse(f"a row numbered {shown(line)}")
        elif name == "c":
            self._cell, self._has = attrs.get("r", ""), set()
            if attrs.get("t") == "str":
                self._has.add("v")  # a text may well be empty
            if self._cell and not _CELL.fullmatch(self._cell):
                self._refuse(f"a cell named {shown(self._cell)}")
        elif name == "f":
            self._has.add(name)

    def end(self, name: str) -> None:
        if self._root == "worksheet" and name.rpartition(":")[2] == "c" and self._has == {"f"}:
            self.unknown.setdefault(int(re.sub("[A-Z]", "", self._cell) or self.rows), self._cell)

    def text(self, found: str) -> None:
        self._text += len(found)
        if self._within == "v":
            self._has.add("v")
        self._check(self._text, LINE_LENGTH_MAX, "characters in one cell")

    def _check(self, found: int, most: int, what: str) -> None:
        if found > most:
            self._refuse(f"more than {most:,} {what}")

    def _refuse(self, why: str) -> None:
        message = f"{self._name}, line {self.line}: {why}"
        raise XmlError(message)


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
