"""`mesh import` from the terminal where no mesh is needed: what can't be used is told, with the
exit code that scripts go by. Imports that reach a mesh are in tests/journeys.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from cli import importing
from cli.imports.job import Job, Summary
from cli.imports.outcomes import Outcome, Refusal, RefusedBy
from cli.imports.report import Tally
from cli.imports.sending import Limits
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
    assert "fields: no such field: years" in result.stderr


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
        eventually_blocking(report.exists, 60)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Interrupted. Run the same command again" in told


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
        "reasons": [{"refused_by": "mapping", "reason": "price_missing", "rows": 1}],
        "seconds": 1.5,
        "searchable_seconds": 2.5,
        "report": str(done[0].report),
        "consistency_token": "events.listings:1:2",
    }


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
