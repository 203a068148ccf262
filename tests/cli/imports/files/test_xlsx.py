"""Workbooks that a spreadsheet never writes: no row of them may be lost without a word, a cell that
can't be read costs its row only, and what is more than a list of vehicles is refused early.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.imports.files import xlsx_look
from tests.cli.imports.ads import ROOT
from tests.cli.imports.files.test_formats import (
    ENDS,
    SHEET,
    SHEETS,
    part,
    read,
    refused,
    written,
)

TEXTS = "xl/sharedStrings.xml"
SST = "<sst xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'>"
MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TYPES = "[Content_Types].xml"
HEADER = (
    "<row r='1'><c t='inlineStr'><is><t>a</t></is></c><c t='inlineStr'><is><t>b</t></is></c></row>"
)


def sheet(rows: str, head: str = HEADER) -> bytes:
    return part(SHEET, f"{SHEETS}{head}{rows}{ENDS}")


def cells(folder: Path, rows: str) -> list[tuple[int, str, str]]:
    """(line, a, b or what the row is refused for)"""
    found = read(written(folder, sheet(rows)), format="xlsx")
    return [
        (row.line, row.cells["a"], row.cells["b"])
        if row.refusal is None
        else (row.line, row.refusal.reason, row.refusal.detail)
        for row in found
    ]


def test_rows_without_a_number_come_behind_the_last(tmp_path: Path) -> None:
    rows = "<row><c><v>1</v></c></row><row r='5'><c r='B5'><v>2</v></c></row><row><c><v>3</v></c></row>"
    assert cells(tmp_path, rows) == [(2, "1", ""), (5, "", "2"), (6, "3", "")]


ROW = "<row r='{0}'><c r='A{0}'><v>{0}</v></c></row>"
LOST: dict[str, tuple[str, str]] = {
    "rows that go back": (
        "".join(ROW.format(n) for n in (2, 4, 3, 4)),
        "row 3 stands behind row 4, and would be lost",
    ),
    "a row twice": (ROW.format(2) * 2, "row 2 stands behind row 2"),
    "a row behind one without a number": (f"{ROW.format(5)}<row/>{ROW.format(6)}", "row 6 stands"),
    "a row of other digits": (ROW.format("\u0663"), "a row numbered"),
    "row 0": (ROW.format(0), "a row numbered '0'"),
    "a cell twice": ("<row r='2'><c r='A2'/><c r='A2'/></row>", "a cell named 'A2' behind one"),
    "a cell that goes back": ("<row r='2'><c r='B2'/><c r='A2'/></row>", "a cell named 'A2'"),
    "a cell of another row": ("<row r='2'><c r='A7'/></row>", "a cell named 'A7' in row 2"),
    "a row of another kind": ("<row xmlns='urn:x' r='2'/>", "<row> of another kind"),
    "a cell of another kind": ("<row r='2'><y:c xmlns:y='urn:x'/></row>", "<c> of another kind"),
    "a value of another kind": (
        "<row r='2'><c><y:v xmlns:y='urn:x'>1</y:v></c></row>",
        "<v> of another kind",
    ),
    "no row": ("<x/>", "<x> among the rows"),
    "no cell": ("<row r='2'><x/></row>", "<x> among the cells"),
    "a row elsewhere": ("</sheetData><x><row/></x><sheetData>", "a row outside the sheet's data"),
    "data twice": ("</sheetData><sheetData>", "more than 1 sheetData"),
}


@pytest.mark.parametrize("kind", LOST)
def test_rows_that_would_be_lost_are_told_before_any_row(tmp_path: Path, kind: str) -> None:
    rows, told = LOST[kind]
    said = refused(written(tmp_path, sheet(rows)), format="xlsx")
    assert told in said
    assert f"{SHEET}, line 1: " in said


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("<c><v>NaN</v></c>", "holds 'NaN', which is no number"),
        ("<c t='n'><v>Infinity</v></c>", "holds 'Infinity', which is no number"),
        ("<c><v>1e999</v></c>", "is no number that can be read: it is too large"),
        ("<c><v>1_000</v></c>", "holds '1_000', which is no number"),
        ("<c><v>VB</v></c>", "holds 'VB', which is no number"),
        ("<c t='s'><v>99999</v></c>", "holds '99999', which is no value of its kind"),
        ("<c t='s'><v>x</v></c>", "holds 'x', which is no value of its kind"),
        ("<c t='b'><v>yes</v></c>", "holds 'yes', which is no value of its kind"),
        ("<c t='d'><v>soon</v></c>", "holds 'soon', which is no value of its kind"),
        ("<c><v>" + "1" * 5_000 + "</v></c>", "which is no value of its kind"),
        ("<c><f>1+1</f></c>", "is a formula whose value the file doesn't hold"),
        ("<c><f>1+1</f><v/></c>", "is a formula whose value the file doesn't hold"),
        ("<c t='str'><f>A1</f></c>", "is a formula whose value the file doesn't hold"),
    ],
)
def test_a_cell_that_cannot_be_read_costs_its_row_only(
    tmp_path: Path, cell: str, told: str
) -> None:
    rows = f"{ROW.format(2)}<row r='7'><c><v>7</v></c>{cell}</row><row><c><v>8</v></c></row>"
    first, bad, last = cells(tmp_path, rows)
    assert (first, last) == ((2, "2", ""), (8, "8", ""))
    assert bad[:2] == (7, "malformed")
    assert bad[2].startswith("B7 ")
    assert told in bad[2]


def test_what_a_formula_gave_is_its_value_and_a_text_may_be_empty(tmp_path: Path) -> None:
    rows = "<row r='3'><c><v>.5E1</v></c><c t='str'><f>A1</f><v></v></c></row>"
    rows += "<row r='4'><c><f>1</f><v>2</v></c></row>"
    assert cells(tmp_path, rows) == [(3, "5", ""), (4, "2", "")]


def test_a_formula_without_a_value_is_no_name_of_a_column(tmp_path: Path) -> None:
    data = sheet("", "<row r='1'><c><v>1</v></c><c><f>1</f></c></row>")
    assert "the header's B is a formula" in refused(written(tmp_path, data), format="xlsx")


def test_many_cells_that_show_one_long_text_cost_their_row_only(tmp_path: Path) -> None:
    columns = [f"c{n}" for n in range(11)]
    long = f"{SST}<si><t>{'x' * 99_999}</t></si></sst>"
    same = "<c t='s'><v>0</v></c>" * 11
    rows = f"<row r='2'>{same}</row>{ROW.format(3)}"
    with zipfile.ZipFile(io.BytesIO(part(TEXTS, long))) as book:
        types = book.read(TYPES).decode()
    named = f"<Override PartName='/{TEXTS}' ContentType='{MAIN}.sharedStrings+xml'/></Types>"
    held = part(TYPES, types.replace("</Types>", named), of=part(TEXTS, long))
    held = part(SHEET, f"{SHEETS}{rows}{ENDS}", of=held)
    archive = written(tmp_path, held)
    bad, last = read(archive, format="xlsx", header=columns, skip_lines=1)
    assert bad.refusal is not None
    assert "a row of more than 1,000,000 characters" in bad.refusal.detail
    assert last.cells["c0"] == "3"


HUGE: dict[str, Callable[[], tuple[bytes, str]]] = {
    "cells": lambda: (sheet("<row>" + "<c/>" * 2_000_000), "more than 16,384 cells in one row"),
    "rows": lambda: (sheet("<row/>" * 1_050_000), "more than 1,048,576 rows"),
    "elements beside": lambda: (
        sheet(f"</sheetData>{'<x/>' * 2_000_000}<sheetData>"),
        "more than 100,000 elements beside the rows",
    ),
    "attributes beside": lambda: (
        sheet("</sheetData>" + f"<x y='{'z' * 900_000}'/>" * 20 + "<sheetData>"),
        "more than 8,388,608 characters beside the rows",
    ),
    "elements of a cell": lambda: (
        sheet(f"<row><c><is>{'<r/>' * 2_000_000}"),
        "more than 100,000 elements in one row",
    ),
    "bytes of a row": lambda: (
        sheet("<row>" + f"<c y='{'z' * 90_000}'/>" * 200),
        "more than 8,388,608 bytes in one row",
    ),
    "runs of a text": lambda: (
        part(TEXTS, f"{SST}<si>{'<r><t>x</t></r>' * 1_000_000}"),
        "more than 10,000 elements in one text",
    ),
    "texts": lambda: (part(TEXTS, SST + "<si/>" * 2_000_001), "more than 2,000,000 texts"),
    "blanks": lambda: (
        part("xl/styles.xml", " " * 70_000 + "<styleSheet>" + "<xf/>" * 1_000_000),
        "xl/styles.xml begins with 65,536 blanks",
    ),
    "a sheet for styles": lambda: (
        part("xl/styles.xml", f"{SHEETS}{'<row/>' * 900_000}{ENDS}"),
        "xl/styles.xml, line 1: more than 100,000 elements",
    ),
    "a sheet for the book": lambda: (
        part(
            TYPES,
            "<Types><Override PartName='/xl/worksheets/sheet1.xml' ContentType='"
            f"{MAIN}.sheet.main+xml'/></Types>",
        ),
        "is no place for a workbook",
    ),
    "packed": lambda: (
        part(SHEET, SHEETS + "<row/>" * 2_000_000, zipfile.ZIP_DEFLATED),
        "unpacks to more than 200 times its size",
    ),
}
OPENED = """
import resource, sys
sys.path.insert(0, {root!r})
from pathlib import Path
import openpyxl
from cli.imports.files.table import open_table
from cli.imports.files.rows import TableError
from cli.imports.language.mapping import FileShape
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open_table(Path(sys.argv[1]), FileShape(format="xlsx")) as table:
        for row in table: pass
except TableError as error: print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", HUGE)
def test_a_workbook_of_more_than_any_list_is_refused_early(tmp_path: Path, kind: str) -> None:
    data, told = HUGE[kind]()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-c", OPENED.format(root=str(ROOT)), str(written(tmp_path, data))],
        capture_output=True,
        text=True,
        check=True,
    )
    said, megabytes = done.stdout.splitlines()
    assert told in said
    assert int(megabytes) < 60
    # Of a processor's time, which other work on the machine doesn't count in.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 30


def test_all_parts_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, sheet(ROW.format(2)))
    monkeypatch.setattr(xlsx_look, "UNPACKED_MAX", 1_000)
    assert "unpack to more than 1,000 bytes" in refused(file, format="xlsx")
