from __future__ import annotations

import os
from pathlib import Path
from time import process_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cli.imports.files.file_kind import foreign_kind
from cli.imports.files.lines import LINE_LENGTH_MAX
from cli.imports.files.rows import TableError
from cli.imports.files.table import count_lines, open_table
from cli.imports.language.mapping import FileShape
from cli.imports.outcomes import RefusedBy
from tests.cli.imports.reading import rows_of, table_of


def reasons(text: str, **shape: object) -> list[str]:
    """One word a row: `ok`, or the reason of its refusal."""
    return [row.refusal.reason if row.refusal else "ok" for row in rows_of(text, **shape)]


def test_a_row_is_its_cells_by_column_without_outer_spaces() -> None:
    (row,) = rows_of("a,b\n 1 ,2\n")
    assert (row.number, row.line, row.cells) == (1, 2, {"a": "1", "b": "2"})


def test_a_row_knows_its_line_in_the_file() -> None:
    rows = rows_of('a,b\n\n1,"x\ny"\r\n\r\n2,z\r3,z')
    assert [(row.number, row.line) for row in rows] == [(1, 3), (2, 6), (3, 7)]
    assert rows[0].cells["b"] == "x\ny"


@pytest.mark.parametrize("line", ["1", "1,2,3", "1,2,", '1,"2,3",4'])
def test_a_row_with_another_number_of_cells_is_refused_alone(line: str) -> None:
    assert reasons(f"a,b\n1,2\n{line}\n3,4\n") == ["ok", "wrong_number_of_cells", "ok"]


def test_a_quote_left_open_costs_one_row_and_not_the_rest() -> None:
    text = "a,b\n1,2\n" + '3,"4\n' + "5,6\n" * 50
    assert reasons(text) == ["ok", "malformed", *["ok"] * 50]


def test_a_quote_left_open_in_the_last_lines_costs_one_row() -> None:
    assert reasons('a,b\n1,"2\n3,4\n') == ["malformed", "ok"]


def test_text_behind_a_closed_quote_is_refused_rather_than_guessed_at() -> None:
    assert reasons('a,b\n1,"2"x\n3,4\n') == ["malformed", "ok"]


def test_a_cell_may_span_as_many_lines_as_the_mapping_allows() -> None:
    text = 'a,b\n1,"x\ny\nz"\n'
    assert reasons(text, lines_per_row_max=3) == ["ok"]
    assert reasons(text, lines_per_row_max=2)[0] == "malformed"


def test_a_line_that_is_far_too_long_is_refused_alone() -> None:
    text = "a,b\n1,2\n3," + "x" * (3 * LINE_LENGTH_MAX) + "\n5,6\n"
    assert reasons(text) == ["ok", "undecodable", "ok"]


def test_rows_of_empty_cells_are_rows() -> None:
    assert reasons("a\tb\n\t\n", delimiter="\t") == ["ok"]


def test_columns_can_be_named_for_a_file_without_a_header() -> None:
    (row,) = rows_of("1,2\n", header=["a", "b"])
    assert row.cells == {"a": "1", "b": "2"}


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert table_of("\ufeffa,b\n").columns == ("a", "b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("a,b,a\n", "stand twice in the header: a"),
        ('"a\n', "the header, line 1, can't be read: a quote is opened"),
    ],
)
def test_a_file_whose_header_cannot_be_used_is_refused_whole(text: str, told: str) -> None:
    with pytest.raises(TableError, match=told):
        table_of(text)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(TableError, match=r"ads\.csv: No such file"),
        open_table(tmp_path / "ads.csv", FileShape()),
    ):
        raise AssertionError


@pytest.mark.parametrize(
    ("encoding", "good", "bad"),
    [
        ("utf-8", "citroën".encode(), b"\xff\xfe"),
        ("cp1252", "citroën".encode("cp1252"), b"\x81"),
        ("ascii", b"citroen", "ë".encode()),
    ],
)
def test_bytes_that_the_encoding_does_not_know_cost_their_row_only(
    tmp_path: Path, encoding: str, good: bytes, bad: bytes
) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes(b"a,b\n1," + good + b"\n2," + bad + b"\n3," + good + b"\n")
    with open_table(file, FileShape(encoding=encoding)) as table:
        rows = list(table)
    refusals = [row.refusal for row in rows]
    assert (refusals[0], refusals[2]) == (None, None)
    assert refusals[1] is not None
    assert (refusals[1].by, refusals[1].reason) == (RefusedBy.FILE, "undecodable")
    assert refusals[1].column == "b"
    assert f"line 3, cell 2: the byte 0x{bad[0]:02X} is no {encoding}" in refusals[1].detail


def test_lines_are_counted_without_reading_them_as_text(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes(b"\xff\n" * 7)
    assert count_lines(file) == 7


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_quotes_and_ends_of_lines_leave_the_cells_as_they_are(mark: str, end: str) -> None:
    text = f'{mark}"a","b"{end}"1","x{end}y"{end}2,z{end}'
    cells = [row.cells for row in rows_of(text)]
    assert cells == [{"a": "1", "b": f"x{end}y"}, {"a": "2", "b": "z"}]


def test_a_byte_order_mark_is_no_part_of_a_cell_where_the_mapping_names_the_columns() -> None:
    assert rows_of('\ufeff"1",2\n', header=["a", "b"])[0].cells == {"a": "1", "b": "2"}


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=; "])
def test_the_line_that_tells_excel_the_delimiter_is_no_row(line: str) -> None:
    rows = rows_of(f"{line}\r\na;b\r\n1;2\r\n", delimiter=";")
    assert [row.cells for row in rows] == [{"a": "1", "b": "2"}]


def test_a_delimiter_that_the_file_and_the_mapping_tell_differently_is_told() -> None:
    with pytest.raises(TableError, match='write delimiter: ";" under file'):
        table_of("sep=;\na;b\n1;2\n")


def test_columns_without_a_name_are_kept_apart_and_disturb_nobody() -> None:
    table = table_of("a,,b,,\n1,2,3,4,5\n")
    assert table.columns == ("a", "", "b", "(column 4)", "(column 5)")
    assert next(iter(table)).cells["b"] == "3"


def test_a_column_that_stands_twice_is_told_with_what_to_do() -> None:
    with pytest.raises(TableError, match=r"stand twice in the header: a\. Rename one, or name all"):
        table_of("a,b,a\n")
    assert rows_of("a,b,a\n1,2,3\n", header=["a", "b", "c"], skip_lines=1)[0].cells["c"] == "3"


def test_a_header_of_more_columns_than_any_list_is_told_at_once() -> None:
    began = process_time()
    with pytest.raises(TableError) as error:
        table_of(",".join(f"c{n}" for n in range(14_000)))
    assert "the header has 14,000 columns, and 2,000 are the most" in str(error.value)
    assert process_time() - began < 1
    with pytest.raises(TableError, match="2,001 columns"):
        table_of("," * 2_000)


def test_a_row_that_is_far_too_long_is_refused_alone() -> None:
    text = 'a,b\n1,"' + ("x" * 90_000 + "\n") * 12 + '"\n5,6\n'
    assert reasons(text, lines_per_row_max=1_000)[0] == "malformed"
    assert reasons(text, lines_per_row_max=1_000)[-1] == "ok"


def test_a_nul_is_a_character_of_its_cell_and_of_no_other() -> None:
    assert rows_of("a,b\nx\x00y,2\n")[0].cells == {"a": "x\x00y", "b": "2"}


def test_a_refusal_tells_line_cell_and_byte_also_inside_a_row_of_many_lines(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes(b'a,b\n"x\ny\nz","\nCitro\xebn"\n')
    with open_table(file, FileShape()) as table:
        (row,) = table
    assert row.refusal is not None
    assert row.refusal.detail.startswith("line 5, cell 2: the byte 0xEB is no utf-8")


def test_a_header_only_is_a_table_without_rows() -> None:
    assert rows_of("a,b\n") == []


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ads.csv"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    told = "is a directory" if kind == "folder" else "is no regular file"
    with pytest.raises(TableError, match=rf"ads\.csv: {told}"), open_table(path, FileShape()):
        raise AssertionError


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_are_counted_whatever_ends_them(tmp_path: Path, end: bytes) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes((b"a" + end) * 3)
    assert count_lines(file) == 3


CSV_LIKE = st.lists(
    st.sampled_from(
        [b"a", b"1", b",", b";", b'"', b"\n", b"\r\n", b"\r", b"\x81", b"\xff", b" ", b"\x00"]
    ),
    max_size=60,
).map(b"".join)


@given(
    body=st.one_of(st.binary(max_size=300), CSV_LIKE),
    encoding=st.sampled_from(["utf-8", "cp1252", "ascii", "latin-1", "utf-16-le"]),
    lines_max=st.integers(1, 4),
)
def test_any_bytes_give_numbered_rows_that_are_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, encoding: str, lines_max: int
) -> None:
    file = tmp_path_factory.mktemp("bytes") / "ads.csv"
    file.write_bytes(body)
    # What begins as an archive or another encoding does is refused whole, and told of elsewhere.
    assume(foreign_kind(file, FileShape(encoding=encoding)) is None)
    shape = FileShape(encoding=encoding, header=("a", "b"), lines_per_row_max=lines_max)
    with open_table(file, shape) as table:
        rows = list(table)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(set(row.cells) == ({"a", "b"} if row.refusal is None else set()) for row in rows)
    assert [row.line for row in rows] == sorted({row.line for row in rows})
