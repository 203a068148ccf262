"""How `mesh` behaves at a terminal and in scripts, where no server is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main

from cli import main
from cli.main import load
from cli.running.stack import LOGGED
from infra.settings import Settings
from tests.cli.harness.forked import mesh
from tests.cli.test_outages import ADS, ANYBODY, MAPPING, NEEDS, paths
from tests.house.sources import ROOT

NAMES = {name.upper() for name in Settings.model_fields}
NOWHERE = {k: v for k, v in os.environ.items() if k not in NAMES | {"MESH_STATE"}}
EVERY = sorted(paths(typer.main.get_command(load())))
# `up` makes a mesh where there is none, `down` has nothing to do there.
ELSEWHERE = sorted(
    {
        *NEEDS,
        ("status",),
        ("mail",),
        ("outbox",),
        ("logs", "api"),
        ("api",),
        ("writer",),
        ("reactor",),
    }
)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
async def test_the_help_of_every_command_says_nothing_else(words, tmp_path) -> None:
    told = await mesh([*words, "--help"], NOWHERE, tmp_path)
    assert (told.code, told.err) == (0, "")
    assert "Usage: mesh" in told.out


@pytest.mark.parametrize("words", ELSEWHERE, ids=lambda words: " ".join(words[:2]))
async def test_outside_a_mesh_every_command_says_so_in_one_line(words, tmp_path) -> None:
    told = await mesh(words, NOWHERE, tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert f"There is no mesh in {tmp_path}" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [*ELSEWHERE, ("down",)], ids=lambda words: " ".join(words[:2]))
async def test_a_state_folder_that_is_none_is_named_in_one_line(words, tmp_path) -> None:
    wrong = tmp_path / "nowhere"
    told = await mesh(words, NOWHERE | {"MESH_STATE": str(wrong)}, tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert f"MESH_STATE names {wrong}" in told.err


@pytest.mark.parametrize("words", ELSEWHERE, ids=lambda words: " ".join(words[:2]))
async def test_a_folder_of_something_else_is_no_mesh(words, tmp_path) -> None:
    (tmp_path / "notes.txt").touch()
    told = await mesh(words, NOWHERE | {"MESH_STATE": str(tmp_path)}, tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert f"MESH_STATE names {tmp_path}" in told.err
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


async def test_an_import_into_no_mesh_makes_no_folder(tmp_path) -> None:
    wrong = tmp_path / "nowhere"
    words = ["import", str(ADS), "--mapping", str(MAPPING)]
    told = await mesh(words, NOWHERE | {"MESH_STATE": str(wrong)}, tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert not wrong.exists()


async def test_a_state_folder_that_is_a_file_is_told_before_anything_starts(tmp_path) -> None:
    wrong = tmp_path / "file"
    wrong.touch()
    told = await mesh(["up"], NOWHERE | {"MESH_STATE": str(wrong)}, tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1), told


async def test_status_without_settings_shows_what_runs(tmp_path) -> None:
    # As a first `up` that failed leaves it.
    (tmp_path / "kafka").mkdir()
    (tmp_path / "ports.json").write_text("{}")
    told = await mesh(["status"], NOWHERE | {"MESH_STATE": str(tmp_path)}, tmp_path)
    assert told.code == 0
    assert "kafka" in told.out
    assert "has not come up" in told.out


@pytest.mark.parametrize(
    "words", [("down", "--wipe"), ("erase", ANYBODY)], ids=lambda words: words[0]
)
async def test_nothing_is_destroyed_in_a_script_that_does_not_say_yes(words, tmp_path) -> None:
    kept = tmp_path / "secrets.json"
    kept.write_text("{}")
    places = {
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x",
        "OPENSEARCH_URL": "http://127.0.0.1:1",
        "CLICKHOUSE_URL": "clickhouse://a:b@127.0.0.1:1/x",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "MASTER_KEY": "A" * 43 + "=",
        "LOOKUP_KEY": "A" * 43 + "=",
    }
    told = await mesh(words, NOWHERE | places | {"MESH_STATE": str(tmp_path)}, tmp_path)
    assert (told.code, told.err.count("\n")) == (2, 1), told
    assert "--yes" in told.err
    assert kept.exists()


@pytest.mark.parametrize("words", [("down", "--wipe", "--yes"), ("down",)], ids=" ".join)
@pytest.mark.parametrize("name", ["thesis.txt", "desired.json", "settings.json", "lock/x"])
async def test_a_folder_that_is_no_meshs_is_left_alone(words, name, tmp_path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / name).parent.mkdir(parents=True)
    (theirs / name).write_text("{}")
    before = sorted(theirs.rglob("*"))
    for state, code in ((str(theirs), 2), ("", 0)):
        told = await mesh(words, NOWHERE | {"MESH_STATE": state}, theirs)
        assert told.code == code, told
        assert sorted(theirs.rglob("*")) == before


async def test_yes_wipes(tmp_path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    told = await mesh(["down", "--wipe", "--yes"], NOWHERE | {"MESH_STATE": str(folder)}, tmp_path)
    assert told.code == 0, told
    assert not folder.exists()


async def test_a_worker_without_a_group_asks_for_one(tmp_path) -> None:
    told = await mesh(["worker"], NOWHERE, tmp_path)
    assert told.code == 2
    assert "journal, pages, search, analytics" in told.err


@pytest.mark.parametrize(
    "words",
    [("erase", "USER", "--yes"), ("import", str(ADS), "--mapping", str(MAPPING), "--seller", "me")],
    ids=lambda words: words[0],
)
async def test_what_is_no_id_is_told_in_plain_words(words, tmp_path) -> None:
    told = await mesh(words, NOWHERE, tmp_path)
    assert told.code == 2
    assert "is no id" in told.err
    assert "32 hexadecimal digits" in " ".join(told.err.replace("│", " ").split())
    assert "Input should be" not in told.err


async def test_the_version_is_told(tmp_path) -> None:
    told = await mesh(["--version"], NOWHERE, tmp_path)
    assert (told.code, told.out) == (0, f"marketmesh {version('marketmesh')}\n")


def test_for_the_version_no_command_is_loaded() -> None:
    assert load("--version").registered_commands == []
    assert load("--version").registered_groups == []


def test_an_interrupted_command_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_word: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "load", interrupted)  # whose imports take the first seconds
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "")


async def test_the_help_of_logs_names_what_it_accepts(tmp_path) -> None:
    told = await mesh(["logs", "--help"], NOWHERE, tmp_path)
    assert all(name in told.out for name in LOGGED)


async def test_processes_stand_apart_from_what_people_type(tmp_path) -> None:
    told = await mesh(["--help"], NOWHERE, tmp_path)
    people, processes = told.out.split("Processes:")
    for word in ("supervise", "prepare", "api", "writer", "worker", "reactor"):
        assert f"│ {word} " in processes
        assert f"│ {word} " not in people


@pytest.mark.parametrize("words", [("--help",), ("status",), ("import", "--help")], ids=" ".join)
def test_a_reader_who_has_seen_enough_is_no_failure(words, tmp_path) -> None:
    (tmp_path / "ports.json").write_text("{}")
    # Nobody reads: the other end is closed before the command begins.
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        env=NOWHERE | {"MESH_STATE": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_output_that_was_never_open_is_no_failure(tmp_path) -> None:
    command = [sys.executable, "-m", "cli.main", "--version"]
    told = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *command],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, b"")


def test_every_client_of_kafka_is_started_where_it_is_closed_when_that_fails() -> None:
    apart = {
        "infra/clients/kafka.py",
        "api/backends/gateway.py",
        "api/backends/tracking.py",
    }  # these close it themselves
    found = [
        str(file.relative_to(ROOT))
        for folder in ("api", "cli", "infra", "processors", "producers")
        for file in Path(ROOT, folder).rglob("*.py")
        if any(f"await {name}.start()" in file.read_text() for name in ("consumer", "producer"))
    ]
    assert set(found) <= apart
