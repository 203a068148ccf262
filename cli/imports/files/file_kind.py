"""Recognising files that are no table of text, and tables of another shape than the mapping
says, so that one message tells what the file is and what to do.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection
from pathlib import Path

from cli.imports.language.mapping import FileShape

HEAD_BYTES = 4_096
LEADING_LINES_MAX = 30
DELIMITERS = (",", ";", "\t", "|")
_HALF_NUL = 0.3  # of every second byte, where text is UTF-16
_PAIRS_MIN = 16  # fewer show nothing

_SPREADSHEET = "in the spreadsheet choose File, Save as, CSV UTF-8, and import that"
# How the bytes begin → what the file is, and what to do.
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "gzip", "unpack it first: gunzip FILE"),
    (b"BZh", "bzip2", "unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ\x00", "xz", "unpack it first: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "Zstandard", "unpack it first: unzstd FILE"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "unpack it first"),
    (b"Rar!\x1a\x07", "RAR", "unpack it first"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (XLS)", _SPREADSHEET),
    (b"PAR1", "Parquet", "export it as CSV"),
    (b"ARROW1", "Arrow", "export it as CSV"),
    (b"ORC", "ORC", "export it as CSV"),
    (b"Obj\x01", "Avro", "export it as CSV"),
    (b"SQLite format 3\x00", "a SQLite database", "export a table of it as CSV"),
    (b"%PDF-", "a PDF", "ask for the table itself, as CSV"),
    (b"{\\rtf", "RTF", "export it as CSV"),
)
# Kinds that may have no byte that no text has, or begin as no text does.
_WRITTEN = frozenset({b"%PDF-", b"{\\rtf", b"\x28\xb5\x2f\xfd"})
_TAR_AT = 257  # where a tar archive says that it is one
# A format as mappings name it → as people do.
_NAMES = {
    "csv": "CSV",
    "tsv": "TSV",
    "xlsx": "Excel workbook (XLSX)",
    "jsonl": "JSON lines",
    "xml": "XML",
}
_UTF_32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_UTF_16 = {codecs.BOM_UTF16_LE: "little-endian", codecs.BOM_UTF16_BE: "big-endian"}


def foreign_kind(path: Path, shape: FileShape) -> str | None:
    """What the file is and what to do, if its bytes can't be of the format that the mapping says.
    Raises OSError.
    """
    wanted = _NAMES[shape.format]
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for beginning, kind, cure in _BEGINNINGS:
        if head.startswith(beginning) and (_is_binary(head) or beginning in _WRITTEN):
            return f"is {kind}, no {wanted}: {cure}"
    if head[_TAR_AT:].startswith(b"ustar"):
        return f"is a tar archive, no {wanted}: unpack it first: tar -xf FILE"
    if head.startswith(b"PK\x03\x04"):
        return None if shape.format == "xlsx" else _zipped(head, wanted)
    if shape.format == "xlsx":
        return f"is no {wanted}: write the format that it has, or take format out for CSV"
    if shape.format == "xml":
        return None  # it says its encoding itself
    return _other_encoding(head, codecs.lookup(shape.encoding).name)


def explain(path: Path, shape: FileShape, wanted: Collection[str]) -> str | None:
    """Why the file's header lacks the columns that a mapping wants, if that can be seen."""
    if shape.format not in {"csv", "tsv"}:
        return None
    with path.open("rb") as file:
        if shape.encoding.lower().startswith(("utf-16", "utf_16")) and b"\0" not in file.read(
            HEAD_BYTES
        ):
            return f"the file is no {shape.encoding}: write encoding: utf-8 under file"
    with path.open(encoding=shape.encoding, errors="replace", newline="") as text:
        lines = [text.readline(HEAD_BYTES) for _ in range(LEADING_LINES_MAX)]
    lines[0] = lines[0].removeprefix("\ufeff")
    if (kind := text_kind("".join(lines))) is not None:
        return f"the file {kind}"
    return other_shape(lines, shape, wanted, len(shape.header or ()))


def text_kind(text: str) -> str | None:
    """What a text is, when its beginning shows that it is no table."""
    beginning = text[:HEAD_BYTES].lstrip().casefold()
    if beginning.startswith(("<!doctype html", "<html", "<table", "<head", "<body")):
        return "is HTML, no CSV: download the file itself, and not the page that shows it"
    if beginning.startswith("<"):
        return f"is XML, no CSV: {_declared('xml')}, and row, the element that is one vehicle"
    if beginning.startswith(("{", "[")):
        return f"is JSON, no CSV: {_declared('jsonl')}, if there is an object a line"
    return None


def other_shape(
    lines: list[str], shape: FileShape, wanted: Collection[str], cells: int
) -> str | None:
    """Where the wanted columns are, or so many cells, when they are not where the mapping says:
    behind another delimiter or in a later line.
    """
    for place, line in enumerate(lines):
        for delimiter in (shape.delimiter, *DELIMITERS):
            found = [] if delimiter == shape.quote else _cells(line, delimiter, shape.quote)
            fits = set(wanted) <= set(found) if wanted else len(found) == cells > 1
            if fits and (place, delimiter) != (shape.skip_lines, shape.delimiter):
                other = delimiter if delimiter != shape.delimiter else None
                return _told(place, other, shape.skip_lines)
    return None


def _told(place: int, delimiter: str | None, skipped: int) -> str:
    parts = [f'delimiter: "{_named(delimiter)}"'] if delimiter is not None else []
    parts += [f"skip_lines: {place}"] if place != skipped else []
    return f"line {place + 1} looks right if you write {' and '.join(parts)} under file"


def _named(delimiter: str) -> str:
    return "\\t" if delimiter == "\t" else delimiter


def _cells(line: str, delimiter: str, quote: str) -> list[str]:
    try:
        rows = list(csv.reader([line], delimiter=delimiter, quotechar=quote))
    except csv.Error:
        return []
    return [cell.strip() for row in rows for cell in row]


def _zipped(head: bytes, wanted: str) -> str:
    if b"opendocument.spreadsheet" in head:
        return f"is an OpenDocument spreadsheet (ODS), no {wanted}: {_SPREADSHEET}"
    if b"xl/" in head or b"[Content_Types].xml" in head:
        return f"is an Excel workbook (XLSX), no {wanted}: {_declared('xlsx')}"
    return f"is a ZIP archive, no {wanted}: unpack it first: unzip FILE"


def _declared(form: str) -> str:
    return f"write format: {form} under file in the mapping"


def _other_encoding(head: bytes, encoding: str) -> str | None:
    """Which wide encoding the bytes are in, if the mapping says another."""
    wide = encoding.startswith(("utf-16", "utf-32"))
    if head.startswith(_UTF_32):
        return None if encoding.startswith("utf-32") else _say("UTF-32", "utf-32")
    for mark, end in _UTF_16.items():
        if head.startswith(mark):
            fits = encoding == "utf-16" or encoding.endswith(f"-{end[0]}e")
            return None if fits and wide else _say(f"UTF-16 ({end})", "utf-16")
    if head.startswith(codecs.BOM_UTF8) and not encoding.startswith("utf-8"):
        return _say("UTF-8 (it begins with a byte order mark)", "utf-8")
    order = _order_of(head)
    if order is None or encoding.startswith("utf-32"):
        return None
    if encoding in {f"utf-16-{order[0]}e", "utf-16" if order == "little-endian" else ""}:
        return None
    return _say(f"UTF-16 ({order})", f"utf-16-{order[0]}e")


def _is_binary(head: bytes) -> bool:
    return any(byte < 9 or 13 < byte < 32 for byte in head)  # noqa: PLR2004 - control bytes


def _say(found: str, encoding: str) -> str:
    return f"is {found}: write encoding: {encoding} under file in the mapping"


def _order_of(head: bytes) -> str | None:
    """Which end comes first in UTF-16 without a mark: Latin text has a NUL in each pair."""
    pairs = len(head) // 2
    if pairs < _PAIRS_MIN:
        return None
    even, odd = head[0::2].count(0) / pairs, head[1::2].count(0) / pairs
    if odd > _HALF_NUL and even < odd / 4:
        return "little-endian"
    return "big-endian" if even > _HALF_NUL and odd < even / 4 else None
