from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cli.imports.outcomes import Outcome, Refusal, RefusedBy
from cli.imports.sending.report import Tally, open_report

FILE = Path("ads.csv")
TAKEN = Outcome(1, 2, "0198-a")
REFUSED = Outcome(
    2, 3, refusal=Refusal(RefusedBy.MAPPING, "price_missing", 'preis: "$0", ü \ud800')
)


def test_a_report_of_json_lines_has_one_line_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a report.jsonl"
    with open_report(path, FILE) as report:
        report.write(TAKEN)
        report.write(REFUSED)
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert first == {
        "row": 1,
        "line": 2,
        "outcome": "accepted",
        "listing_id": "0198-a",
        "refused_by": "",
        "reason": "",
        "field": "",
        "column": "",
        "detail": "",
        "file": str(FILE.resolve()),
    }
    assert (second["outcome"], second["refused_by"], second["reason"]) == (
        "refused",
        "mapping",
        "price_missing",
    )
    assert second["detail"] == 'preis: "$0", ü \\ud800'


def test_a_report_that_is_called_csv_is_csv(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    with open_report(path, FILE) as report:
        report.write(TAKEN)
        report.write(REFUSED)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["outcome"] for row in rows] == ["accepted", "refused"]
    assert rows[1]["detail"].startswith('preis: "$0"')


@pytest.mark.asvs("V1.2.10")
@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_no_cell_of_a_csv_report_is_a_formula(tmp_path: Path, begin: str) -> None:
    path, text = tmp_path / "report.csv", f'{begin}HYPERLINK("http://x.example","ok"),"'
    refusal = Refusal(RefusedBy.MAPPING, "price_missing", text, field=text, column=text)
    with open_report(path, FILE) as report:
        report.write(Outcome(2, 3, refusal=refusal))
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    for name in ("detail", "field", "column"):
        assert "HYPERLINK" in row[name]
        assert row[name][0] not in "=+-@\t\r\n\0"
    assert row["row"] == "2"


def test_the_sums_add_up_and_name_the_most_frequent_reason_first() -> None:
    tally = Tally(read=4)
    for outcome in (REFUSED, TAKEN, REFUSED, Outcome(3, 4, refusal=Refusal(RefusedBy.FILE, "x"))):
        tally.count(outcome)
    assert tally.balances
    assert tally.as_json() == {
        "read": 4,
        "accepted": 1,
        "refused": 3,
        "reasons": [
            {"refused_by": "mapping", "reason": "price_missing", "column": "", "rows": 2},
            {"refused_by": "file", "reason": "x", "column": "", "rows": 1},
        ],
    }


def test_sums_that_lack_a_row_do_not_balance() -> None:
    tally = Tally(read=2)
    tally.count(TAKEN)
    assert not tally.balances
