"""Files that are no delimited text: the same ads out of TSV, JSON lines, XML and XLSX, and what
hostile ones cost: bounded memory and one clear line.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from openpyxl import Workbook

from cli.imports.files.rows import Row, TableError
from cli.imports.files.table import open_table
from cli.imports.language.mapping import FileShape
from cli.imports.language.mapping_file import MappingError, parse_mapping
from cli.imports.outcomes import Refusal
from schemas.log.recorded import CommandEnvelope
from tests.cli.imports.ads import ROOT
from tests.cli.imports.reading import SMALL, fields, file_translated

COLUMNS = ("make", "price", "stock")
ADS = [("VW", "9400.5", "2026-01-31"), ("Škoda", "7", "2026-02-01")]


def shape(**options: object) -> FileShape:
    return FileShape.model_validate(options)


def read(file: Path, **options: object) -> list[Row]:
    with open_table(file, shape(**options)) as table:
        return list(table)


def written(folder: Path, data: bytes | str) -> Path:
    file = folder / "ads"
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


def workbook(rows: list[tuple[object, ...]], *others: str) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Ads"
    for row in rows:
        sheet.append(row)
    for name in others:
        book.create_sheet(name)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def as_xlsx() -> bytes:
    rows = [(make, float(price), dt.date.fromisoformat(day)) for make, price, day in ADS]
    return workbook([COLUMNS, *rows])


def as_json() -> str:
    return "\n".join(
        json.dumps({"make": make, "price": float(price), "stock": day}) for make, price, day in ADS
    )


def as_xml() -> str:
    ads = "".join(
        f"<ad><make>{make}</make><price>{price}</price><stock>{day}</stock></ad>"
        for make, price, day in ADS
    )
    return f"<?xml version='1.0'?><ads><dealer>Perera</dealer>{ads}</ads>"


FORMATS: dict[str, tuple[dict[str, object], bytes | str]] = {
    "tsv": ({}, "\n".join("\t".join(row) for row in [COLUMNS, *ADS])),
    "jsonl": ({}, as_json()),
    "xml": ({"row": "ad"}, as_xml()),
    "xlsx": ({}, as_xlsx()),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    options, data = FORMATS[form]
    rows = read(written(tmp_path, data), format=form, **options)
    assert [tuple(row.cells[column] for column in COLUMNS) for row in rows] == [
        (make, price.removesuffix(".0") if form != "jsonl" else str(float(price)), day)
        for make, price, day in ADS
    ]
    assert [row.number for row in rows] == [1, 2]


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_mapping_makes_the_same_listings_of_every_format(
    tmp_path: Path, form: str
) -> None:
    options, data = FORMATS[form]
    told = ", ".join(f"{name}: {value}" for name, value in {"format": form, **options}.items())
    mapping = parse_mapping(
        f"version: 1\nsource: a\nkey: [make]\nfile: {{{told}}}\nfields:\n"
        "  make: {as: text, column: make}\n  currency: {as: constant, value: EUR}\n"
        "  price_minor: {as: money, column: price}\n"
        "  date_in_stock: {as: date, column: stock, forms: YYYY-MM-DD}\n"
    )
    found = [fields(each) for each in file_translated(written(tmp_path, data), mapping)]
    assert [each["price_minor"] for each in found] == [940_050, 700]
    assert [each["date_in_stock"] for each in found] == ["2026-01-31", "2026-02-01"]


def test_members_of_members_are_columns_and_lists_have_a_line_each(tmp_path: Path) -> None:
    ad = {"a": {"b": 1.50, "c": None, "d": True}, "e": ["x", "y"], "f": [{"u": 1}, {"u": 2}]}
    (row,) = read(written(tmp_path, json.dumps(ad)), format="jsonl")
    assert row.cells == {"a.b": "1.5", "a.c": "", "a.d": "true", "e": "x\ny", "f.u": "1\n2"}


def test_what_stands_in_an_element_is_a_column_by_its_path(tmp_path: Path) -> None:
    text = (
        "<g:ads xmlns:g='urn:g'><ad id='7'><price cur='EUR'>5<!-- no --></price>"
        "<pics><pic>a</pic><pic>b</pic></pics><x/><t><![CDATA[<b> & ]]></t></ad><ad/></g:ads>"
    )
    first, second = read(written(tmp_path, text), format="xml", row="ad")
    assert first.cells == {
        "@id": "7",
        "price/@cur": "EUR",
        "price": "5",
        "pics/pic": "a\nb",
        "pics": "",
        "x": "",
        "t": "<b> &",
    }
    assert set(second.cells.values()) == {""}


def test_a_column_that_no_row_names_may_be_declared(tmp_path: Path) -> None:
    file = written(tmp_path, '{"make": "VW"}')
    with open_table(file, shape(format="jsonl", header=["vin"])) as table:
        assert table.columns == ("vin", "make")
        assert [row.cells for row in table] == [{"vin": "", "make": "VW"}]


@pytest.mark.parametrize(
    ("line", "reason", "told"),
    [
        ('{"a": 1', "malformed", "is no JSON"),
        ('["a"]', "malformed", "no object"),
        ('{"a": NaN}', "malformed", "NaN is no number"),
        ('{"a": 1, "a": 2}', "malformed", "'a' stands twice"),
        ('{"a": [[1]]}', "malformed", "a list within a list"),
        ('{"a": "\\ud800"}', "undecodable", "half a surrogate pair"),
        ('{"a": "\ufdd0"}', "undecodable", ""),
        ('{"a": ' * 30 + "1" + "}" * 30, "malformed", "nested more than 8 deep"),
        ('{"a": ' + "[" * 40_000 + "]" * 40_000 + "}", "malformed", "nested more than 8 deep"),
        ('{"a": "' + "x" * 100_000 + '"}', "undecodable", "more than 100,000 characters"),
        (json.dumps({str(n): 1 for n in range(2_500)}), "malformed", "more than 2,000 cells"),
    ],
)
def test_a_line_that_is_no_row_costs_that_row_only(
    tmp_path: Path, line: str, reason: str, told: str
) -> None:
    good, bad, last = read(written(tmp_path, f'{{"a": 1}}\n{line}\n\n{{"a": 3}}'), format="jsonl")
    assert (good.cells, last.cells, last.line) == ({"a": "1"}, {"a": "3"}, 4)
    assert bad.refusal is not None
    assert bad.refusal.reason == reason
    assert told in bad.refusal.detail


def test_an_element_of_more_than_any_row_costs_that_row_only(tmp_path: Path) -> None:
    long = "x" * 1_000_001
    text = f"<ads><ad><a>1</a></ad><ad><a>{long}</a></ad><ad><a>3</a></ad></ads>"
    first, bad, last = read(written(tmp_path, text), format="xml", row="ad")
    assert (first.cells, last.cells) == ({"a": "1"}, {"a": "3"})
    assert bad.refusal is not None
    assert "more than 1,000,000 characters" in bad.refusal.detail


def test_a_row_of_xml_knows_its_line(tmp_path: Path) -> None:
    text = "<?xml version='1.0'?>\n<ads>\n  <ad>\n<a>1</a></ad>\n\n  <ad a='2'/>\n</ads>"
    rows = read(written(tmp_path, text), format="xml", row="ad")
    assert [row.line for row in rows] == [3, 6]
    deep = "<x>\n\n" + "<ad>" * 100
    assert "line 3: nested more" in refused(written(tmp_path, deep), format="xml", row="ad")


@pytest.mark.parametrize(
    ("ad", "told"),
    [
        ("<price>12<sup>000</sup></price>", "element 'price' holds both text and elements"),
        ("<a><b>1</b>2<c/></a>", "element 'a' holds both"),
        ("<a><b>1<c/></b></a>", "element 'a/b' holds both"),
        ("new <a>1</a>", "element 'ad' holds both"),
    ],
)
def test_text_beside_elements_costs_its_row_only(tmp_path: Path, ad: str, told: str) -> None:
    text = f"<ads><ad><a>1</a></ad><ad>{ad}</ad><ad>\n<a> 3 </a><!-- x -->\n</ad></ads>"
    first, bad, last = read(written(tmp_path, text), format="xml", row="ad")
    assert (first.cells["a"], last.cells["a"]) == ("1", "3")
    assert bad.refusal is not None
    assert (bad.refusal.reason, bad.refusal.column) == ("malformed", "")
    assert told in bad.refusal.detail


@pytest.mark.parametrize(
    ("elements", "told"),
    [
        ("".join(f"<c{n}/>" for n in range(2_100)), "more than 2,000 cells"),
        (f"<{'c' * 190}/>" * 6_000, "a row of more than 1,000,000 characters"),
    ],
)
def test_empty_elements_count_as_others_do(tmp_path: Path, elements: str, told: str) -> None:
    text = f"<ads><ad><a>1</a></ad><ad>{elements}</ad></ads>"
    first, bad = read(written(tmp_path, text), format="xml", row="ad")
    assert first.cells == {"a": "1"}
    assert bad.refusal is not None
    assert told in bad.refusal.detail


ROWS_THAT_NAME: dict[str, tuple[str, str, dict[str, object]]] = {
    "jsonl": ('{"a": "1", "b": 2, "c": null}\n{"a": "2"}', '\n{"a": "3", "d": 7}', {}),
    "xml": ("<x><ad><b>2</b><a>1</a></ad><ad><a>2</a></ad>", "<ad d='7'/>", {"row": "ad"}),
}


@pytest.mark.parametrize("form", ROWS_THAT_NAME)
def test_what_another_row_says_changes_no_id_of_a_row_that_names_its_cells(
    tmp_path: Path, form: str
) -> None:
    rows, another, options = ROWS_THAT_NAME[form]
    told = ", ".join(f"{name}: {value}" for name, value in {"format": form, **options}.items())
    mapping = parse_mapping(
        f"version: 1\nsource: a\nkey: row\nfile: {{{told}}}\n"
        "fields:\n  make: {as: text, column: a}\n"
    )
    end = "</x>" if form == "xml" else ""
    before = ids(file_translated(written(tmp_path, rows + end), mapping))
    after = ids(file_translated(written(tmp_path, rows + another + end), mapping))
    assert after[:2] == before
    assert len(set(after)) == 3


def ids(found: list[CommandEnvelope | Refusal]) -> list[str]:
    sent = [each for each in found if isinstance(each, CommandEnvelope)]
    assert sent == found
    return [each.command.stream_id for each in sent]


def test_members_of_other_names_are_other_rows(tmp_path: Path) -> None:
    mapping = parse_mapping(
        "version: 1\nsource: a\nkey: row\nfile: {format: jsonl}\n"
        "fields:\n  make: {as: text, column: a}\n  model: {as: text, column: b}\n"
    )
    text = '{"a": "x", "b": ""}\n{"a": "", "b": "x"}\n{"b": "x", "a": null}'
    first, second, third = ids(file_translated(written(tmp_path, text), mapping))
    assert len({first, second, third}) == 3  # the third is the second of its key


def test_looking_for_a_name_that_stands_twice_takes_time_by_the_row(tmp_path: Path) -> None:
    names = [f'"{n}": 1' for n in range(7_000)]
    line = "{" + ", ".join([*names, names[-1]]) + "}"
    assert len(line) < 100_000
    began = process_time()
    rows = read(written(tmp_path, "\n".join([line] * 3)), format="jsonl")
    assert process_time() - began < 2  # every name with every other: 20 s
    told = [row.refusal.detail for row in rows if row.refusal is not None]
    assert ["'6999' stands twice" in each for each in told] == [True] * 3


LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><x><ad>&b;</ad></x>"
UNREADABLE_XML = {
    "entities": (LAUGHS, "a document type"),
    "a look elsewhere": (
        "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x><ad>&a;</ad></x>",
        "a document type",
    ),
    "a document type alone": (
        "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'><x/>",
        "document type",
    ),
    "a bare document type": ("<!DOCTYPE x><x><ad/></x>", "a document type"),
    "depth": ("<ad>" * 5_000, "nested more than 60 deep"),
    "one long tag": (f"<x><ad a='{'y' * 4_000_000}'/></x>", "one tag or comment of more than"),
    "no end": ("<x><ad><a>1</a></ad>", "is no XML"),
    "two roots": ("<x><ad/></x><y/>", "is no XML"),
    "an unknown entity": ("<x><ad>&nbsp;</ad></x>", "is no XML"),
    "another encoding": (b"<?xml version='1.0' encoding='klingon'?><x/>", "is no XML"),
    "no row": (
        "<x><car/></x>",
        "no element 'ad', which the mapping takes for a row; it has 'x', 'car'",
    ),
    "nothing": ("", "the file is empty"),
    "columns": (
        "<x>" + "".join(f"<ad><c{n}>1</c{n}></ad>" for n in range(2_100)) + "</x>",
        "more than 2,000 columns",
    ),
}


@pytest.mark.parametrize("kind", UNREADABLE_XML)
def test_xml_that_cannot_be_read_is_told_in_one_line_before_any_row(
    tmp_path: Path, kind: str
) -> None:
    data, told = UNREADABLE_XML[kind]
    assert told in refused(written(tmp_path, data), format="xml", row="ad")


def refused(file: Path, **options: object) -> str:
    with pytest.raises(TableError) as error, open_table(file, shape(**options)):
        raise AssertionError
    said = str(error.value)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said
    return said


def test_one_json_array_is_told_with_the_cure(tmp_path: Path) -> None:
    assert "write an object a line" in refused(written(tmp_path, '[{"a": 1}]'), format="jsonl")
    assert "is empty" in refused(written(tmp_path, "\n"), format="jsonl")


def test_numbers_days_truths_and_gaps_of_a_workbook_are_what_a_sheet_shows(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 1, 31, 17, 47)  # noqa: DTZ001 - a sheet knows no zone
    rows: list[tuple[object, ...]] = [("Our ads",), ()]
    rows += [("a", "b", "c", "d", "e", None), (0.1 + 0.2, 2004, True, moment, "=1+1"), ()]
    rows += [(1e-7, 9_412.5, None, dt.date(2026, 1, 31), "x")]
    formula, last = read(written(tmp_path, workbook(rows)), format="xlsx", skip_lines=2)
    assert (formula.number, formula.line, last.number, last.line) == (1, 4, 2, 6)
    assert formula.refusal is not None
    assert "E4 is a formula whose value the file doesn't hold" in formula.refusal.detail
    assert list(last.cells.values()) == ["0.0000001", "9412.5", "", "2026-01-31", "x"]
    rows[3] = rows[3][:4]
    plain, _ = read(written(tmp_path, workbook(rows)), format="xlsx", skip_lines=2)
    assert list(plain.cells.values()) == ["0.3", "2004", "true", "2026-01-31 17:47:00", ""]


def test_of_several_sheets_one_must_be_named(tmp_path: Path) -> None:
    file = written(tmp_path, workbook([("a",), (1,)], "Old"))
    assert "2 sheets and no word of which: write sheet" in refused(file, format="xlsx")
    assert "no sheet 'New': write sheet" in refused(file, format="xlsx", sheet="New")
    assert "is no header" in refused(file, format="xlsx", sheet="Old")
    assert [row.cells for row in read(file, format="xlsx", sheet="Ads")] == [{"a": "1"}]


def part(
    name: str, text: str | bytes, packed: int = zipfile.ZIP_STORED, of: bytes | None = None
) -> bytes:
    """The workbook with one of its parts replaced."""
    held = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(of or as_xlsx())) as old,
        zipfile.ZipFile(held, "w", packed) as new,
    ):
        for each in {*old.namelist(), name}:
            new.writestr(each, text if each == name else old.read(each))
    return held.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
SHEETS = "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>"
ENDS = "</sheetData></worksheet>"
HOSTILE: dict[str, Callable[[], tuple[bytes, str]]] = {
    "no archive": lambda: (b"PK\x03\x04" + bytes(100), "BadZipFile"),
    "text": lambda: (b"make,price\n", "is no Excel workbook (XLSX)"),
    "half an archive": lambda: (as_xlsx()[:2_000], "BadZipFile"),
    "no workbook": lambda: (part("xl/workbook.xml", "<x/>"), "without a sheet"),
    "a bomb of styles": lambda: (
        part("xl/styles.xml", "<styleSheet>" + f"<x>{' ' * 90_000}</x>" * 100),
        "more than 8,388,608 bytes",
    ),
    "a bomb of elements": lambda: (
        part("xl/styles.xml", "<styleSheet>" + "<xf/>" * 200_000),
        "more than 100,000 elements",
    ),
    "a bomb of texts": lambda: (
        part("xl/sharedStrings.xml", b"<sst>" + b"<si/>" * 7_000_000),
        "more",
    ),
    "a cell of a gigabyte": lambda: (
        part(SHEET, SHEETS.encode() + b"<row r='1'><c r='A1'><v>" + b"1" * (1 << 20)),
        "more than 100,000 characters in one cell",
    ),
    "laughs": lambda: (part(SHEET, LAUGHS), "a document type"),
    "a row from far away": lambda: (
        part(SHEET, f"{SHEETS}<row r='99999999999'><c r='A1'><v>1</v></c></row>{ENDS}"),
        "a row numbered '99999999999'",
    ),
    "a cell from far away": lambda: (
        part(SHEET, f"{SHEETS}<row r='1'><c r='ZZZZZZZ1'><v>1</v></c></row>{ENDS}"),
        "a cell named 'ZZZZZZZ1'",
    ),
    "texts in a sheet": lambda: (part(SHEET, f"{SHEETS}<si><t>a</t></si>{ENDS}"), "no business"),
    "styles among texts": lambda: (part("xl/sharedStrings.xml", "<sst><xf/></sst>"), "no business"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_workbook_is_told_in_one_line_before_any_row(tmp_path: Path, kind: str) -> None:
    data, told = HOSTILE[kind]()
    assert told in refused(written(tmp_path, data), format="xlsx")


def test_a_sheet_that_says_it_is_endless_is_as_long_as_it_is(tmp_path: Path) -> None:
    sheet = SHEETS.replace("<sheetData>", "<dimension ref='A1:XFD1048576'/><sheetData>")
    cell = "<row r='{0}'><c r='{1}{0}' t='inlineStr'><is><t>{2}</t></is></c></row>"
    rows = cell.format(1, "A", "make") + cell.format(2, "XFD", "far") + cell.format(9, "A", "VW")
    error = "<row r='10'><c r='A10' t='e'><v>#N/A</v></c></row>"
    file = written(tmp_path, part(SHEET, f"{sheet}{rows}{error}{ENDS}"))
    first, broken = read(file, format="xlsx")
    assert (first.line, first.cells) == (9, {"make": "VW"})
    assert broken.refusal is not None
    assert "column 'make' holds the error #N/A" in broken.refusal.detail


def test_a_sheet_that_says_it_is_short_is_as_long_as_it_is(tmp_path: Path) -> None:
    sheet = SHEETS.replace("<sheetData>", "<dimension ref='A1:A1'/><sheetData>")
    cell = "<row r='{0}'><c r='A{0}' t='inlineStr'><is><t>{1}</t></is></c></row>"
    rows = cell.format(1, "make") + cell.format(2, "VW") + cell.format(3, "BMW")
    file = written(tmp_path, part(SHEET, f"{sheet}{rows}{ENDS}"))
    assert [row.cells["make"] for row in read(file, format="xlsx")] == ["VW", "BMW"]


READ = """
import resource, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from cli.imports.files.table import open_table
from cli.imports.files.rows import TableError
from cli.imports.language.mapping import FileShape
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open_table(Path(sys.argv[1]), FileShape.model_validate({options!r})) as table:
        for row in table: pass
except TableError: pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("options", "begins", "filling", "ends"),
    [
        ({"format": "xml", "row": "ad"}, b"<x><ad><a>", b"y" * (1 << 20), b"</a></ad></x>"),
        ({"format": "xml", "row": "ad"}, b"<x><ad a='", b"y" * (1 << 20), b"'/></x>"),
        ({"format": "jsonl"}, b'{"a": "', b"y" * (1 << 20), b'"}'),
    ],
)
def test_a_cell_without_end_costs_bounded_memory(
    tmp_path: Path, options: dict[str, str], begins: bytes, filling: bytes, ends: bytes
) -> None:
    file = tmp_path / "ads"
    with file.open("wb") as out:
        out.write(begins)
        for _ in range(200):
            out.write(filling)
        out.write(ends)
    code = READ.format(root=str(ROOT), options=options)
    told = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 60  # of the 200 MB that the cell has


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{format: parquet}", "file.format"),
        ("{format: xml}", "file: format xml needs row"),
        ("{format: xlsx, delimiter: ;}", "delimiter says nothing of a file of format xlsx"),
        ("{format: xml, row: ad, encoding: cp1252}", "encoding says nothing of a file of format"),
        ("{format: jsonl, skip_lines: 1}", "skip_lines says nothing"),
        ("{row: ad}", "row says nothing of a file of format csv"),
        ("{format: jsonl, sheet: Ads}", "sheet says nothing"),
        ("{format: tsv, delimiter: ;}", "a tab stands between"),
    ],
)
def test_what_does_not_suit_the_format_is_told_when_the_mapping_is_read(
    text: str, told: str
) -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(f"{SMALL}file: {text}")
    assert str(error.value).startswith("line 7: file")
    assert told in str(error.value)
