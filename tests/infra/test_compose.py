"""docker-compose.yml is parsed, not run: no engine is at hand. Its promises are checked here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings
from infra.stack.processes import PROCESSES

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {"prepare"}  # runs once and ends, so its exit code is its health
SERVERS = {"kafka", "postgres", "opensearch", "clickhouse", "valkey"}
OURS = {name for name, service in SERVICES.items() if service.get("image") == "marketmesh:local"}
REQUIRED = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - JOBS))
def test_ND_10_every_service_has_a_healthcheck(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_ND_10_every_server_keeps_its_state_in_a_named_volume(name: str) -> None:
    volumes = {entry.split(":")[0] for entry in SERVICES[name]["volumes"]}
    assert volumes
    assert volumes <= COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_X_28_every_process_is_given_every_setting_that_it_needs(name: str) -> None:
    assert SERVICES[name]["environment"].keys() >= REQUIRED


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_given_is_one_that_the_code_knows(name: str) -> None:
    known = {field.upper() for field in Settings.model_fields} | {"MESH_READY_FILE"}
    assert SERVICES[name]["environment"].keys() <= known


def test_the_same_processes_run_in_containers_and_under_mesh_up() -> None:
    commands = {tuple(SERVICES[name]["command"]) for name in OURS - JOBS}
    assert commands == {("mesh", *process.command) for process in PROCESSES}


def test_only_nginx_is_published_and_on_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nginx": ["127.0.0.1:8080:8080", "127.0.0.1:8443:8443"]}


@pytest.mark.parametrize("name", sorted(OURS | SERVERS))
def test_a_service_waits_for_health_and_not_for_a_start(name: str) -> None:
    conditions = {each["condition"] for each in SERVICES[name].get("depends_on", {}).values()}
    assert conditions <= {"service_healthy", "service_completed_successfully"}


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    used = re.findall(r"\$\{(\w*(?:PASSWORD|KEY)\w*)([^}]*)\}", text)
    assert used
    # A mail server may need no password, no other master key be about to go, and a channel not be
    # set up: those may be empty; unset they may not be.
    may_be_empty = {"SMTP_PASSWORD", "OTHER_MASTER_KEYS", "SENDGRID_KEY", "VAPID_KEY"}
    may_be_empty |= {"SES_ACCESS_KEY", "SES_SECRET_KEY"}
    assert {rest[:2] for name, rest in used if name not in may_be_empty} == {":?"}
    assert {rest[:1] for _, rest in used} <= {":", "?"}


def test_ND_11_the_example_environment_names_every_variable_that_compose_reads() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    read = set(re.findall(r"\$\{(\w+)", text))
    named = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert named == read


def test_the_image_holds_every_folder_that_the_processes_import() -> None:
    copied = re.findall(
        r"^COPY (\w+) \1$", (ROOT / "infra/docker/Dockerfile").read_text(), re.MULTILINE
    )
    assert set(copied) == {
        "schemas", "producers", "projections", "processors", "api", "infra", "cli",
    }  # fmt: skip


def test_the_image_pins_what_the_tests_ran_with() -> None:
    def pins(path: str) -> set[str]:
        return set(
            re.findall(r"^([\w.\-\[\]]+==[^ ;\\]+)", (ROOT / path).read_text(), re.MULTILINE)
        )

    image = pins("infra/docker/requirements.lock")
    assert image
    assert image <= pins("requirements.lock")
