"""A process of production does not start with what is good enough for development."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[2]


def key(start: int) -> str:
    return base64.b64encode(bytes(range(start, start + 32))).decode()


FIT: dict[str, Any] = {
    "kafka_bootstrap": "kafka:9092",
    "database_url": "postgresql://mesh:xY7nQp2LmR9s@postgres:5432/mesh",
    "opensearch_url": "http://opensearch:9200",
    "clickhouse_url": "clickhouse://mesh:xY7nQp2LmR9s@clickhouse:9000/default",
    "redis_url": "redis://:xY7nQp2LmR9s@valkey:6379/0",
    "master_key": key(1),
    "lookup_key": key(2),
    "public_url": "https://shop.example.org",
    "mode": "production",
}


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but what a test sets."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("MESH_STATE", str(tmp_path))


def refusal_of(**values: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(**values)
    return str(refused.value)


def test_NS_13_fit_settings_start() -> None:
    assert load_settings(**FIT).mode == "production"


def test_NS_13_without_any_secret_the_list_names_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "production")
    told = refusal_of()
    for name in ("DATABASE_URL", "CLICKHOUSE_URL", "REDIS_URL", "MASTER_KEY", "LOOKUP_KEY"):
        assert f"\n  {name}: Field required (" in told


UNFIT: dict[str, dict[str, Any]] = {
    "MASTER_KEY": {"master_key": base64.b64encode(bytes(32)).decode()},
    "LOOKUP_KEY": {"lookup_key": FIT["master_key"]},
    "DATABASE_URL": {"database_url": "postgresql://mesh@postgres/mesh"},
    "CLICKHOUSE_URL": {"clickhouse_url": "clickhouse://mesh:mesh@clickhouse/default"},
    "REDIS_URL": {"redis_url": "redis://valkey:6379/0"},
    "PUBLIC_URL": {"public_url": "http://shop.example.org"},
    "LOG_LEVEL": {"log_level": "debug"},
    "ACCESS_TOKEN_S": {"access_token_s": 8 * 24 * 3600},
    "LIMIT_AUTH": {"limit_auth": "off"},
    "ARGON2_MEMORY_KIB": {"argon2_memory_kib": 8_192},
    "ARGON2_PASSES": {"argon2_passes": 1},
    "FETCH_ALLOWED": {"fetch_allowed": "127.0.0.1:8080"},
    "SMS_VIA": {"sms_via": "sink"},
    "PUSH_VIA": {"push_via": "sink"},
    "TWILIO_URL": {"twilio_url": "http://127.0.0.1:8080"},
    "SENDGRID_URL": {"sendgrid_url": "http://127.0.0.1:8080"},
    "SES_URL": {"ses_url": "http://127.0.0.1:8080"},
    "FCM_URL": {"fcm_url": "http://127.0.0.1:8080"},
}


@pytest.mark.parametrize("name", UNFIT)
def test_NS_13_production_refuses_what_is_for_development(name: str) -> None:
    told = refusal_of(**{**FIT, **UNFIT[name]})
    assert [line.split(":")[0].strip() for line in told.splitlines()[1:]] == [name]


@pytest.mark.parametrize("name", UNFIT)
def test_NS_13_development_does_not_mind(name: str) -> None:
    assert load_settings(**{**FIT, **UNFIT[name], "mode": "development"}).mode == "development"


@pytest.mark.parametrize("text", ["", "short", "bm90IDMyIGJ5dGVz", "!" * 44])
def test_NS_13_a_key_that_is_none_is_refused(text: str) -> None:
    assert "MASTER_KEY: is not the base64 text of 32 bytes" in refusal_of(
        **{**FIT, "master_key": text}
    )


@pytest.mark.parametrize("password", ["mesh", "postgres", "changeme", "password", "eleven-char"])
def test_V13_2_3_passwords_that_everybody_knows_are_refused(password: str) -> None:
    url = f"postgresql://mesh:{password}@postgres/mesh"
    told = refusal_of(**{**FIT, "database_url": url})
    assert "DATABASE_URL: holds" in told
    assert url not in told


def test_NS_13_all_that_is_unfit_stands_in_one_list_without_values() -> None:
    values = {**FIT, **{name: value for each in UNFIT.values() for name, value in each.items()}}
    told = refusal_of(**{**values, "lookup_key": values["master_key"]})
    assert {line.split(":")[0].strip() for line in told.splitlines()[1:]} == UNFIT.keys()
    assert values["master_key"] not in told


def test_NS_13_compose_runs_every_process_in_production() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    ours = [each for each in services.values() if each.get("image") == "marketmesh:local"]
    assert {each["environment"]["MODE"] for each in ours} == {"production"}
    assert all(each["environment"]["PUBLIC_URL"].startswith("${PUBLIC_URL") for each in ours)


@pytest.mark.parametrize(
    "limit", ["10", "10/minute", "0 per minute", "ten per minute", "10 per year", "10 per minute; 1",
              "", "1000000 per day"]
)  # fmt: skip
def test_GW_04_a_limit_that_is_none_is_refused_at_the_start(limit: str) -> None:
    assert "LIMIT_AUTH: " in refusal_of(**{**FIT, "limit_auth": limit})


@pytest.mark.parametrize("networks", ["everyone", "10.0.0.0/33", "10.0.0.1/8"])
def test_NS_03_a_trusted_proxy_that_is_no_network_is_refused(networks: str) -> None:
    assert "TRUSTED_PROXIES: " in refusal_of(**{**FIT, "trusted_proxies": networks})
