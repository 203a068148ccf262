"""`mesh import` from the terminal where no mesh is needed: what can't be used is told, with the
exit code that scripts go by. Imports that reach a mesh are in tests/journeys.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from cli import importing
from cli.imports.job import Job, Summary
from cli.imports.outcomes import Outcome, Refusal, RefusedBy
from cli.imports.sending.report import Tally
from cli.imports.sending.sending import Limits
from infra.settings import Settings
from tests.cli.imports.ads import EXAMPLES, ROOT, SAMPLE_ADS
from tests.waiting import eventually_blocking

OTHER = (str(EXAMPLES / "other_seller.csv"), str(EXAMPLES / "mappings" / "other_seller.yaml"))
KEY = b64encode(bytes(32)).decode()
# Port 9 is for discarding: nobody serves it.
NOWHERE = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:9",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    "OPENSEARCH_URL": "http://127.0.0.1:9",
    "CLICKHOUSE_URL": "clickhouse://127.0.0.1:9/none",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "MASTER_KEY": KEY,
    "LOOKUP_KEY": KEY,
}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment whose mesh is not there."""
    env = {**NOWHERE, "MESH_STATE": str(tmp_path / "state")}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    # It would send this whole session's log to a stream that ends with the test.
    monkeypatch.setattr(importing, "configure_logging", lambda *_: None)
    return env


@pytest.mark.parametrize("option", ["--wait", "--retry-for"])
@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e9"])
def test_what_is_no_time_to_wait_is_refused(
    nowhere: dict[str, str], option: str, seconds: str
) -> None:
    app = typer.Typer()
    importing.register(app)
    file, mapping = OTHER
    words = [file, "--mapping", mapping, f"{option}={seconds}"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 2
    assert "a number of seconds" in found.output


def program() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)  # so that the command keeps its name, though it is the only one
    importing.register(app)
    return app


def mesh_import(*arguments: str) -> Result:
    return CliRunner().invoke(program(), ["import", *arguments])


def test_a_mapping_that_cannot_be_used_ends_with_2_and_names_the_place(
    tmp_path: Path, nowhere: dict[str, str]
) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("version: 1\nsource: a\nkey: row\nfields: {years: {as: integer, column: y}}")
    result = mesh_import(OTHER[0], "--mapping", str(mapping))
    assert result.exit_code == 2
    assert "line 4: fields.years: there is no such field" in result.stderr


def test_a_file_without_the_columns_of_the_mapping_ends_with_2(nowhere: dict[str, str]) -> None:
    result = mesh_import(OTHER[0], "--mapping", str(SAMPLE_ADS.mapping_file))
    assert result.exit_code == 2
    assert "fields.make: no column 'marke' in the file" in result.stderr


def test_a_file_that_is_not_there_ends_with_2(nowhere: dict[str, str]) -> None:
    result = mesh_import("gone.csv", "--mapping", OTHER[1])
    assert result.exit_code == 2
    assert "gone.csv: No such file" in result.stderr


def test_a_mesh_that_is_not_there_ends_with_75_and_asks_to_run_it_again(
    nowhere: dict[str, str],
) -> None:
    result = mesh_import(OTHER[0], "--mapping", OTHER[1], "--retry-for", "0.2")
    assert result.exit_code == 75
    assert "Run the same command again" in result.stderr


def test_ctrl_c_ends_with_130_and_asks_to_run_it_again(
    tmp_path: Path, nowhere: dict[str, str]
) -> None:
    report = tmp_path / "report.jsonl"
    arguments = ["import", OTHER[0], "--mapping", OTHER[1], "--report", str(report)]
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, **nowhere},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        eventually_blocking(lambda: any(tmp_path.glob(".*.part")), 60)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert told.endswith("Interrupted. Run the same command again: nothing is listed twice.\n")
    assert "Traceback" not in told
    assert not [*tmp_path.glob("*report*"), *tmp_path.glob(".*.part")]


SMALL_MAPPING = """version: 1
source: small
key: row
fields:
  title: {as: template, template: "{make} {model}"}
  make: {as: text, column: make}
  model: {as: text, column: model}
  year: {as: integer, column: year}
  currency: {as: constant, value: EUR}
  price_minor: {as: money, column: price}
  mileage: {as: distance, column: km, unit: km}
"""
HEADER = "make,model,year,price,km\n"
GOOD = 'VW,Golf,2004,"9,400",145000\n'


@pytest.fixture
def small(tmp_path: Path, nowhere: dict[str, str]) -> Callable[..., list[str]]:
    """The arguments that import these rows."""

    def arguments(*rows: str, mapping: str = SMALL_MAPPING) -> list[str]:
        (tmp_path / "ads.csv").write_bytes((HEADER + "".join(rows)).encode())
        (tmp_path / "map.yaml").write_text(mapping, "utf-8")
        return [str(tmp_path / "ads.csv"), "--mapping", str(tmp_path / "map.yaml")]

    return arguments


Small = Callable[..., list[str]]


@pytest.mark.parametrize("kept", [0, 2])
def test_a_report_that_would_destroy_a_file_ends_with_2_and_destroys_nothing(
    small: Small, kept: int
) -> None:
    arguments = small(GOOD)
    before = Path(arguments[kept]).read_bytes()
    for check in ([], ["--check"]):
        result = mesh_import(*arguments, "--report", arguments[kept], *check)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "name another file" in result.stderr
    assert Path(arguments[kept]).read_bytes() == before


def test_a_file_of_the_other_convention_ends_with_65_before_anything_is_sent(small: Small) -> None:
    rows = [GOOD.replace('"9,400"', price) for price in ("9.400", "12.500")]
    result = mesh_import(*small(*rows), "--retry-for", "0.1")
    assert result.exit_code == 65
    assert "column 'price' looks as if it had the decimal mark ','" in result.stderr
    assert "Nothing was sent" in result.stderr


def test_it_is_sent_anyway_when_somebody_says_so(small: Small) -> None:
    rows = [GOOD.replace('"9,400"', "9.400")]
    result = mesh_import(*small(*rows), "--anyway", "--retry-for", "0.1")
    assert result.exit_code == 75  # nobody is there to take it


def test_a_check_of_a_file_without_faults_ends_with_0_and_sends_nothing(small: Small) -> None:
    result = mesh_import(*small(GOOD, GOOD), "--check", "--show", "0")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "2 rows read: 2 would be accepted, 0 refused\n"


AMBIGUOUS = (
    "price_minor: column 'price': '9.400': is it a thousand times as much? If so write decimal: "
    '","; if these are three decimals write decimals: 3'
)


def test_a_check_shows_what_would_become_of_the_first_rows(small: Small) -> None:
    rows = [GOOD, GOOD.replace('"9,400"', "9.400"), GOOD, GOOD.replace("Golf", "G" * 50)]
    result = mesh_import(*small(*rows), "--check", "--show", "2")
    assert result.stdout.splitlines()[:5] == [
        "row  line  title    make  model  year        price    mileage",
        "  1     2  VW Golf  VW    Golf   2004  9400.00 EUR  145000 km",
        "  2     3",
        f"    refused by mapping: ambiguous_number: {AMBIGUOUS}",
        "4 rows read: 3 would be accepted, 1 refused",
    ]
    long = mesh_import(*small(*rows), "--check").stdout.splitlines()[5]
    assert long.startswith(f"  4     5  VW {'G' * 26}…  VW    {'G' * 29}…  2004")


def test_a_check_shows_programs_every_field_of_the_first_rows(small: Small) -> None:
    bad = GOOD.replace('"9,400"', "9.400")
    result = mesh_import(*small(GOOD, bad, GOOD), "--check", "--show", "2", "--json")
    first, second = json.loads(result.stdout)["rows"]
    assert (first["row"], first["line"], first["outcome"]) == (1, 2, "acceptable")
    assert first["fields"] == {
        "title": "VW Golf",
        "price_minor": 940_000,
        "currency": "EUR",
        "year": 2004,
        "make": "VW",
        "model": "Golf",
        "mileage": {"value": 145_000, "unit": "KMT"},
    }
    assert (second["outcome"], second["refused_by"], second["column"], second["fields"]) == (
        "refused",
        "mapping",
        "price",
        None,
    )


@pytest.mark.parametrize("show", ["-1", "1001"])
def test_as_many_rows_as_nobody_reads_are_not_shown(small: Small, show: str) -> None:
    assert mesh_import(*small(GOOD), "--check", "--show", show).exit_code == 2


def test_a_cell_cannot_write_to_the_terminal_by_being_shown(small: Small) -> None:
    result = mesh_import(*small(GOOD.replace("VW", "V\u200bW\x1b[31m")), "--check")
    assert "\x1b" not in result.stdout
    assert "\\x1b[31m" in result.stdout


def test_a_check_counts_reasons_a_column_and_ends_with_65(small: Small) -> None:
    rows = [GOOD, GOOD, GOOD, GOOD.replace('"9,400"', "9.400"), GOOD.replace("145000", "145k")]
    rows += ["VW,Golf\n", GOOD.replace("2004", ""), GOOD.replace("Golf", "G" * 81)]
    result = mesh_import(*small(*rows), "--check", "--json")
    assert result.exit_code == 65
    told = json.loads(result.stdout)
    assert (told["read"], told["accepted"], told["suspicions"]) == (8, 3, [])
    assert {(each["refused_by"], each["reason"], each["column"]) for each in told["reasons"]} == {
        ("mapping", "ambiguous_number", "price"),
        ("mapping", "unknown_unit", "km"),
        ("file", "wrong_number_of_cells", ""),
        ("writer", "fields_missing", ""),
        ("validation", "invalid_field", "model"),
    }


def test_a_check_writes_a_report_only_where_it_is_told_to(small: Small, tmp_path: Path) -> None:
    arguments = small(GOOD, GOOD.replace("145000", "145k"))
    mesh_import(*arguments, "--check")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ads.csv", "map.yaml"]
    mesh_import(*arguments, "--check", "--report", str(tmp_path / "out.jsonl"))
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["acceptable", "refused"]
    assert json.loads(lines[1])["field"] == "mileage"


def test_a_check_tells_what_looks_wrong_about_the_file(small: Small) -> None:
    result = mesh_import(*small(GOOD.replace('"9,400"', "9.400")), "--check")
    assert result.exit_code == 65
    assert "looks as if it had the decimal mark ','" in result.stdout


@pytest.mark.parametrize(("limit", "read"), [("1", 1), ("2", 2), ("9", 3)])
def test_a_limit_takes_the_first_rows_only(small: Small, limit: str, read: int) -> None:
    result = mesh_import(*small(GOOD, GOOD, GOOD), "--check", "--limit", limit, "--json")
    assert json.loads(result.stdout)["read"] == read


def test_a_limit_of_no_rows_is_no_limit_that_makes_sense(small: Small) -> None:
    assert mesh_import(*small(GOOD), "--limit", "0").exit_code == 2


def test_a_file_with_a_header_only_comes_to_nothing_and_is_no_fault(small: Small) -> None:
    result = mesh_import(*small(), "--check")
    assert (result.exit_code, result.stdout) == (
        0,
        "0 rows read: 0 would be accepted, 0 refused\n",
    )


@pytest.mark.parametrize("which", [0, 2])
@pytest.mark.parametrize("fault", ["gone", "folder"])
def test_what_cannot_be_read_ends_with_2_and_one_line_that_names_it(
    small: Small, tmp_path: Path, which: int, fault: str
) -> None:
    arguments = small(GOOD)
    arguments[which] = str(tmp_path if fault == "folder" else tmp_path / "gone")
    result = mesh_import(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert arguments[which] in result.stderr


def test_a_file_of_another_kind_ends_with_2_and_one_line(small: Small) -> None:
    arguments = small(GOOD)
    Path(arguments[0]).write_bytes(gzip.compress(b"x"))
    result = mesh_import(*arguments, "--check")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "is gzip, no CSV: unpack it first" in result.stderr


def test_a_mapping_of_nothing_but_brackets_ends_with_2_and_one_line(small: Small) -> None:
    result = mesh_import(*small(GOOD, mapping="[" * 20_000))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_nobody_who_listens_is_no_reason_to_fail(small: Small, nowhere: dict[str, str]) -> None:
    """As in `mesh import … | true`: the summary is lost, the work is not."""
    arguments = [sys.executable, "-m", "cli.main", "import", *small(GOOD), "--check"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env={**os.environ, **nowhere},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.fixture
def done(nowhere: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """An import that is over at once: the jobs it was given."""
    jobs: list[Job] = []

    def run(_settings: Settings, job: Job, _limits: Limits) -> Summary:
        jobs.append(job)
        tally = Tally(read=2)
        tally.count(Outcome(1, 2, "a"))
        tally.count(Outcome(2, 3, refusal=Refusal(RefusedBy.MAPPING, "price_missing")))
        return Summary(tally, 1.5, job.report, "events.listings:1:2", 2.5)

    monkeypatch.setattr(importing, "run_import", run)
    return jobs


def test_the_summary_is_told_to_people(done: list[Job]) -> None:
    result = mesh_import(OTHER[0], "--mapping", OTHER[1])
    assert result.exit_code == 0
    assert "2 rows read: 1 accepted, 1 refused (1.5 s)" in result.stdout
    assert "1  mapping: price_missing" in result.stdout
    assert "A search finds all of it, 2.5 s after the start." in result.stdout
    assert str(done[0].report) in result.stdout


def test_the_summary_is_told_to_programs(done: list[Job]) -> None:
    result = mesh_import(OTHER[0], "--mapping", OTHER[1], "--json")
    assert json.loads(result.stdout) == {
        "read": 2,
        "accepted": 1,
        "refused": 1,
        "reasons": [{"refused_by": "mapping", "reason": "price_missing", "column": "", "rows": 1}],
        "seconds": 1.5,
        "searchable_seconds": 2.5,
        "report": str(done[0].report),
        "consistency_token": "events.listings:1:2",
    }


@pytest.fixture
def held_back(done: list[Job], monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """An update that found too little in its file."""

    def run(_settings: Settings, job: Job, _limits: Limits) -> Summary:
        done.append(job)
        changes = Counter({"unchanged": 1, "left_taken_back": 2})
        found = Summary(Tally(read=3, accepted=3), 1.5, job.report or Path(), "t")
        return replace(found, changes=changes, held_back="5 of 9 listings are not in the file")

    monkeypatch.setattr(importing, "run_import", run)
    return done


def test_an_update_that_holds_back_says_so_and_ends_with_65(held_back: list[Job]) -> None:
    result = mesh_import(OTHER[0], "--mapping", OTHER[1], "--update")
    assert result.exit_code == 65
    assert "Of what was listed: 1 unchanged, 2 left taken back" in result.stdout
    assert result.stderr.startswith("5 of 9 listings are not in the file. Nothing was withdrawn:")
    assert held_back[0].update


def test_an_update_tells_programs_what_it_changed(held_back: list[Job]) -> None:
    result = mesh_import(OTHER[0], "--mapping", OTHER[1], "--update", "--json")
    told = json.loads(result.stdout)
    assert told["changes"] == {"unchanged": 1, "left_taken_back": 2}
    assert told["held_back"] == "5 of 9 listings are not in the file"


def test_an_import_is_no_update_unless_it_is_asked_for(done: list[Job]) -> None:
    mesh_import(OTHER[0], "--mapping", OTHER[1])
    assert not done[0].update


def test_market_and_seller_of_the_mapping_give_way_to_those_of_the_command(
    done: list[Job],
) -> None:
    seller = "01980000-0000-7000-8000-00000000000a"
    mesh_import(OTHER[0], "--mapping", OTHER[1])
    mesh_import(OTHER[0], "--mapping", OTHER[1], "--market", "campus", "--seller", seller)
    assert [(job.market.value, job.seller_id) for job in done] == [
        ("exotics", "import:other-seller"),
        ("campus", seller),
    ]


def test_the_sample_is_imported_with_its_own_mapping_and_waited_for(done: list[Job]) -> None:
    importing.import_sample()
    assert done[0].file == SAMPLE_ADS.file
    assert done[0].mapping == SAMPLE_ADS.mapping
    assert done[0].wait_s > 0
