"""A look through a workbook (XLSX) before openpyxl opens it: part by part in bounded memory, for
what would cost more than any list of vehicles does, and for rows that openpyxl would lose.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cli.imports.cells import shown
from cli.imports.files.bounded_xml import CHUNK, Watching, XmlError, parsed
from cli.imports.files.lines import LINE_LENGTH_MAX

PARTS_MAX = 2_000
ROWS_MAX = 1_048_576  # what Excel itself has
CELLS_MAX = 16_384  # of a row: what Excel itself has
UNPACKED_MAX = 1 << 30  # bytes of all parts together
# How many times its size a part may unpack to. Sheets of real lists come to 5 to 50.
PACKED_MAX = 200
_PACKED_FROM = 1 << 20  # what unpacks to less does no harm
ROW_BYTES_MAX = 1 << 23
ROW_ELEMENTS_MAX = 100_000
TEXTS_MAX = 2_000_000
TEXT_ELEMENTS_MAX = 10_000  # of one text: its runs, and how they look
# Where a part lies that openpyxl reads piece by piece, the element that it begins with → how many
# bytes and elements it may have. All else is read into memory as a whole, and is small in any
# workbook.
_LIMITS: Final = {"worksheet": (1 << 30, 1 << 40), "sst": (1 << 26, 6_000_000)}
_PLACES: Final = {
    "worksheet": re.compile(r"(?:.*/)?worksheets/[^/]+(?<!\.rels)"),
    "sst": re.compile(r"(?:.*/)?sharedStrings[^/]*(?<!\.rels)", re.IGNORECASE),
}
_OTHERS: Final = (1 << 23, 100_000)
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_XML = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00<")
_DATA_DEPTH, _ROW_DEPTH, _CELL_DEPTH = 2, 3, 4


def looked_through(path: Path) -> dict[str, Part]:
    """Each part of the archive that is XML, once nothing in it can cost more than it may. Raises
    XmlError, and what zipfile raises.
    """
    found: dict[str, Part] = {}
    with zipfile.ZipFile(path) as archive:
        _check_size(archive.infolist())
        for info in archive.infolist():
            with archive.open(info) as part:
                head = part.read(CHUNK)
                if not _may_be_xml(info.filename, head):
                    continue
                looked = Part(info.filename)
                chunks = _chunks(head, part)
                for _ in parsed(looked.counted(chunks), looked):
                    pass
                found[info.filename] = looked
    return found


def _check_size(parts: list[zipfile.ZipInfo]) -> None:
    """By what the archive says of itself: zipfile gives no more of a part than that."""
    if len(parts) > PARTS_MAX:
        message = f"more than {PARTS_MAX:,} parts"
        raise XmlError(message)
    if sum(part.file_size for part in parts) > UNPACKED_MAX:
        message = f"its parts unpack to more than {UNPACKED_MAX:,} bytes"
        raise XmlError(message)
    for part in parts:
        if part.file_size > _PACKED_FROM and part.file_size > PACKED_MAX * part.compress_size:
            message = f"{shown(part.filename)} unpacks to more than {PACKED_MAX} times its size"
            raise XmlError(message)


def _may_be_xml(name: str, head: bytes) -> bool:
    begins = head.lstrip()
    if not begins and len(head) == CHUNK:
        message = f"{name} begins with {CHUNK:,} blanks"
        raise XmlError(message)
    return begins.startswith(_XML)


def _chunks(head: bytes, part: Any) -> Iterator[bytes]:
    yield head
    yield from iter(lambda: part.read(CHUNK), b"")


class Part(Watching):
    """One part of a workbook: how much there is of it, and in which order."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.root = ""
        self.rows = 0
        self._name = name
        self._bytes = self._elements = self._text = 0
        self._limits = _OTHERS
        self._prefix = self._space = ""
        self._sheet = _Sheet()
        self._texts = self._in_text = 0

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, up to as many as there may be."""
        for chunk in chunks:
            yield chunk
            self._bytes += len(chunk)
            self._check(self._bytes, self._limits[0], "bytes")
            if self._sheet.in_row:
                self._check(self._bytes - self._sheet.began, ROW_BYTES_MAX, "bytes in one row")

    def begin(self, name: str, attrs: Any) -> None:
        """Count it, and mind where it stands."""
        prefix, _, local = name.rpartition(":")
        if self.depth == 1:
            self._first(prefix, local, attrs)
        self._elements += 1
        self._text = 0
        self._check(self._elements, self._limits[1], "elements")
        if self.root == "worksheet":
            self._in_sheet(prefix, local, attrs)
        elif self.root == "sst":
            self._among_texts(local)
        elif local == "Override":
            self._typed(attrs)

    def _first(self, prefix: str, local: str, attrs: Any) -> None:
        self.root, self._prefix = local, prefix
        self._space = attrs.get(self._declaring, "")
        if local in _LIMITS and _PLACES[local].fullmatch(self._name):
            self._limits = _LIMITS[local]

    @property
    def _declaring(self) -> str:
        """The attribute that says what names with the first element's prefix mean."""
        return f"xmlns:{self._prefix}" if self._prefix else "xmlns"

    def _typed(self, attrs: Any) -> None:
        """What says that a part is the book itself, which is read into memory as a whole."""
        name = attrs.get("PartName", "").lstrip("/")
        named_so = any(place.fullmatch(name) for place in _PLACES.values())
        if named_so and attrs.get("ContentType", "").endswith("main+xml"):
            self._refuse(f"{shown(name)} is no place for a workbook")

    def _among_texts(self, local: str) -> None:
        if local in {"xf", "font", "fill", "border"}:
            self._refuse(f"<{local}> has no business among texts")
        if local == "si":
            self._texts, self._in_text = self._texts + 1, 0
            self._check(self._texts, TEXTS_MAX, "texts")
        self._in_text += 1
        self._check(self._in_text, TEXT_ELEMENTS_MAX, "elements in one text")

    def _in_sheet(self, prefix: str, local: str, attrs: Any) -> None:
        sheet = self._sheet
        if local == "si":
            self._refuse("texts have no business in a sheet")
        if self.depth <= _DATA_DEPTH:
            sheet.in_data = local == "sheetData"
        if not sheet.in_data or self.depth == _DATA_DEPTH:
            self._beside(prefix, local, attrs)
            return
        if self.depth <= _CELL_DEPTH:
            sheet.in_extension = False
        foreign = prefix != self._prefix or attrs.get(self._declaring, self._space) != self._space
        if foreign and not sheet.in_extension:
            self._refuse(f"<{local}> of another kind among the rows")
        self._in_data(local, attrs)

    def _beside(self, prefix: str, local: str, attrs: Any) -> None:
        """Anything but the rows. openpyxl keeps it while it reads."""
        sheet = self._sheet
        if local == "row" and prefix == self._prefix:
            self._refuse("a row outside the sheet's data")
        if local == "sheetData" and self.depth == _DATA_DEPTH:
            sheet.blocks += 1
            self._check(sheet.blocks, 1, "sheetData")
        sheet.beside += 1
        sheet.beside_length += sum(len(key) + len(value) for key, value in attrs.items())
        self._check(sheet.beside, _OTHERS[1], "elements beside the rows")
        self._check(sheet.beside_length, _OTHERS[0], "characters beside the rows")

    def _in_data(self, local: str, attrs: Any) -> None:
        sheet = self._sheet
        if self.depth == _ROW_DEPTH:
            if local != "row":
                self._refuse(f"<{local}> among the rows")
            self._begin_row(attrs)
            return
        sheet.elements += 1
        self._check(sheet.elements, ROW_ELEMENTS_MAX, "elements in one row")
        sheet.in_extension = sheet.in_extension or local == "extLst"
        if self.depth == _CELL_DEPTH:
            if local == "c":
                self._begin_cell(attrs)
            elif not sheet.in_extension:
                self._refuse(f"<{local}> among the cells of a row")

    def _begin_row(self, attrs: Any) -> None:
        """Row numbers as openpyxl counts them. It drops each row that isn't below the last."""
        sheet = self._sheet
        self.rows += 1
        self._check(self.rows, ROWS_MAX, "rows")
        told = attrs.get("r", str(sheet.row + 1))
        number = int(told) if _is_number(told) else 0
        if not 0 < number <= ROWS_MAX:
            self._refuse(f"a row numbered {shown(told)}")
        if number <= sheet.row:
            self._refuse(
                f"row {number} stands behind row {sheet.row}, and would be lost: open the workbook "
                "with a spreadsheet and save it"
            )
        sheet.row, sheet.column, sheet.elements = number, 0, 0
        sheet.in_row, sheet.began = True, self._bytes

    def _begin_cell(self, attrs: Any) -> None:
        """Places as openpyxl counts them. Of two cells in one place it drops the first."""
        sheet = self._sheet
        told = attrs.get("r", "")
        place = _CELL.fullmatch(told)
        if told and place is None:
            self._refuse(f"a cell named {shown(told)}")
        column = _column(place[1]) if place is not None else sheet.column + 1
        if place is not None and int(place[2]) != sheet.row:
            self._refuse(f"a cell named {shown(told)} in row {sheet.row}")
        if column <= sheet.column:
            self._refuse(f"a cell named {shown(told)} behind one to its right")
        self._check(column, CELLS_MAX, "cells in one row")
        sheet.column = column

    def end(self, name: str) -> None:  # noqa: ARG002 - which element it is follows from the depth
        """A row ends, maybe."""
        if self._sheet.in_row and self.depth == _ROW_DEPTH:
            self._sheet.in_row = False

    def text(self, found: str) -> None:
        """Count it."""
        self._text += len(found)
        self._check(self._text, LINE_LENGTH_MAX, "characters in one cell")

    def _check(self, found: int, most: int, what: str) -> None:
        if found > most:
            self._refuse(f"more than {most:,} {what}")

    def _refuse(self, why: str) -> None:
        message = f"{self._name}, line {self.line}: {why}"
        raise XmlError(message)


class _Sheet:
    """Where in a sheet the look through it is."""

    def __init__(self) -> None:
        self.in_data = self.in_row = self.in_extension = False
        self.blocks = self.beside = self.beside_length = 0
        self.row = self.column = self.elements = self.began = 0


def _is_number(told: str) -> bool:
    return told.isascii() and told.isdecimal() and len(told) <= len(str(ROWS_MAX))


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
