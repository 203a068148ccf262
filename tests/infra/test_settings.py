"""What a process is told at its start, and how it says that something is missing."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from cli import main as cli
from infra.settings import Settings, SettingsError, load_settings

KEY = base64.b64encode(bytes(32)).decode()
WHOLE = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "DATABASE_URL": "postgresql://mesh:secret-word@127.0.0.1:5432/mesh",
    "OPENSEARCH_URL": "http://127.0.0.1:9200",
    "CLICKHOUSE_URL": "clickhouse://mesh:secret-word@127.0.0.1:9000/default",
    "REDIS_URL": "redis://:secret-word@127.0.0.1:6379/0",
    "MASTER_KEY": KEY,
    "LOOKUP_KEY": KEY,
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder and an environment without any of our names."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("MESH_STATE", str(tmp_path))
    return tmp_path


def test_every_missing_setting_is_named_in_one_list_with_its_meaning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, *others = WHOLE
    monkeypatch.setenv(first, WHOLE[first])
    with pytest.raises(SettingsError) as fault:
        load_settings()
    told = str(fault.value)
    for name in others:
        assert f"\n  {name}: Field required (" in told
    assert "http(s)://host:port of OpenSearch" in told
    assert "mesh up" in told


def test_wrong_and_missing_settings_stand_in_the_same_list(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (WHOLE | {"PORT": "99999", "MODE": "staging"}).items():
        if name != "REDIS_URL":
            monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as fault:
        load_settings()
    faulty = [line.split(":")[0].strip() for line in str(fault.value).splitlines()[1:-1]]
    assert sorted(faulty) == ["MODE", "PORT", "REDIS_URL"]


def test_the_stacks_settings_file_is_enough(state: Path) -> None:
    (state / "settings.json").write_text(json.dumps(WHOLE | {"PORT": 8123}))
    settings = load_settings()
    assert settings.port == 8123
    assert settings.database_url.get_secret_value() == WHOLE["DATABASE_URL"]


def test_the_environment_beats_the_settings_file(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "settings.json").write_text(json.dumps(WHOLE))
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:9092")
    assert load_settings().kafka_bootstrap == "kafka:9092"


def test_secrets_do_not_show_when_settings_are_printed(state: Path) -> None:
    (state / "settings.json").write_text(json.dumps(WHOLE))
    assert "secret-word" not in repr(load_settings())
    assert KEY not in str(load_settings())


def test_a_faulty_setting_does_not_print_the_others(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "settings.json").write_text(json.dumps(WHOLE))
    monkeypatch.setenv("PORT", "none")
    with pytest.raises(SettingsError) as fault:
        load_settings()
    assert "secret-word" not in str(fault.value)


def test_the_command_line_ends_with_code_2_and_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:9092")  # who tells some must tell all
    monkeypatch.setattr(sys, "argv", ["mesh", "up"])
    monkeypatch.setattr(cli, "load", lambda _: load_settings)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "Settings are missing or wrong" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("cs.uni.edu", True),
        ("cs.uni.edu, *.ac.lk,*.edu", True),
        ("*", False),
        ("uni.*.edu", False),
        ("CS.uni.edu", False),
        ("cs.uni.edu,", False),
        ("@uni.edu", False),
    ],
)
def test_X_29_the_domains_of_campuses_are_checked_at_the_start(
    monkeypatch: pytest.MonkeyPatch, text: str, *, fits: bool
) -> None:
    for name, value in {**WHOLE, "CAMPUS_DOMAINS": text}.items():
        monkeypatch.setenv(name, value)
    if fits:
        assert load_settings().campus_domains == text
        return
    with pytest.raises(SettingsError, match="CAMPUS_DOMAINS"):
        load_settings()
