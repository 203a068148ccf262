"""Files that are no table, or another one than the mapping says: one message names each."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest

from cli.imports.files.file_kind import explain
from cli.imports.files.rows import TableError
from cli.imports.files.table import open_table
from cli.imports.language.mapping import FileShape
from tests.cli.imports.reading import rows_of

TEXT = "make,price\n" + "VW,9400\n" * 40


def zipped(*names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(
                name, "application/vnd.oasis.opendocument.spreadsheet" * (name == "mimetype")
            )
    return held.getvalue()


def tarred() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("ads-\u0db1.csv"))
    return held.getvalue()


def sqlite(folder: Path) -> bytes:
    file = folder / "db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE ads (make TEXT)")
    return file.read_bytes()


FOREIGN = {
    "gzip": gzip.compress(TEXT.encode()),
    "bzip2": bz2.compress(TEXT.encode()),
    "Zstandard": bytes.fromhex("28b52ffd") + b"`iititle,price\n",
    "xz": lzma.compress(TEXT.encode()),
    "Excel workbook (XLSX)": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "OpenDocument spreadsheet (ODS)": zipped("mimetype"),
    "ZIP archive": zipped("ads.csv"),
    "tar archive": tarred(),
    "old Excel workbook": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600),
    "Parquet": b"PAR1\x15\x04\x15\x10" + bytes(40) + b"PAR1",
    "Avro": b"Obj\x01\x04\x14avro.codec",
    "PDF": b"%PDF-1.7\n1 0 obj\n",
    "UTF-16 (little-endian)": TEXT.encode("utf-16-le"),
    "UTF-16 (big-endian)": TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_kind_is_named_in_one_line_with_the_cure(
    tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes(FOREIGN[kind])
    with pytest.raises(TableError) as error, open_table(file, FileShape()):
        raise AssertionError
    assert str(error.value).startswith(f"{file}: is ")
    assert kind in str(error.value)
    assert str(error.value).count("\n") == 0
    assert ": " in str(error.value).removeprefix(f"{file}: ")


def test_a_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes(sqlite(tmp_path))
    with pytest.raises(TableError, match="SQLite"), open_table(file, FileShape()):
        raise AssertionError


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf_16_is_read_where_the_mapping_says_so(tmp_path: Path, encoding: str, mark: str) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes((mark + TEXT).encode(encoding))
    with open_table(file, FileShape(encoding=encoding)) as table:
        assert table.columns == ("make", "price")
        assert len(list(table)) == 40


@pytest.mark.parametrize(
    ("data", "declared", "cure"),
    [
        (TEXT.encode("utf-16"), "utf-8", "encoding: utf-16"),
        (TEXT.encode("utf-16-be"), "utf-16", "encoding: utf-16-be"),
        (("\ufeff" + TEXT).encode(), "cp1252", "encoding: utf-8"),
    ],
)
def test_another_encoding_is_named_with_the_line_to_write(
    tmp_path: Path, data: bytes, declared: str, cure: str
) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes(data)
    with pytest.raises(TableError, match=cure), open_table(file, FileShape(encoding=declared)):
        raise AssertionError


@pytest.mark.parametrize("header", ["ORC,price", "BZh,price", "PAR1,price", "Obj,price", "PK,x"])
def test_a_header_that_begins_like_another_kind_is_still_a_header(
    tmp_path: Path, header: str
) -> None:
    file = tmp_path / "ads.csv"
    file.write_text(f"{header}\n1,2\n")
    with open_table(file, FileShape()) as table:
        assert ",".join(table.columns) == header


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("make;price\nVW;1\n", 'delimiter: ";"'),
        ("make\tprice\nVW\t1\n", r'delimiter: "\t"'),
        ("make|price\nVW|1\n", 'delimiter: "|"'),
        ("Ads of May\n\nmake,price\nVW,1\n", "skip_lines: 2"),
        ("Ads of May\nmake;price\nVW;1\n", 'delimiter: ";" and skip_lines: 1'),
        ('[{"make": "VW"}]', "JSON"),
        ('\n  {"make": "VW"}', "JSON"),
        ("<!DOCTYPE html><p>", "HTML"),
        ("<?xml version='1.0'?><ads/>", "XML"),
    ],
)
def test_a_file_without_the_columns_is_explained(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "ads.csv"
    file.write_text(text)
    assert told in str(explain(file, FileShape(), {"make", "price"}))


def test_a_header_that_was_skipped_is_found(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_text("make,price\nVW,1\n")
    told = explain(file, FileShape(skip_lines=1), {"make", "price"})
    assert told == "line 1 looks right if you write skip_lines: 0 under file"


def test_lines_of_json_are_named_though_their_quotes_are_no_csv(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_text('{"make":"VW","price":1}\n' * 3)
    with pytest.raises(TableError, match="the file is JSON, no CSV"), open_table(file, FileShape()):
        raise AssertionError


def test_a_file_that_lacks_columns_for_no_visible_reason_is_not_explained(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_text("maker,price\nVW,1\n")
    assert explain(file, FileShape(), {"make", "price"}) is None


def test_the_cures_that_are_named_work() -> None:
    assert rows_of("Ads of May\n\nmake;price\nVW;1\n", delimiter=";", skip_lines=2)[0].cells == {
        "make": "VW",
        "price": "1",
    }
