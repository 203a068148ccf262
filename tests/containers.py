"""The servers from images, for MESH_STACK=docker: the images of docker-compose.yml.
The mail sink is ours and runs beside them.

Nothing here runs where there is no container engine; the readiness checks are the local
stack's own, so both ways into the fixtures promise the same.
"""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import socket
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from testcontainers.core.container import DockerContainer

from infra.settings import Settings, load_settings
from infra.stack import supervisor
from infra.stack.servers import clickhouse, kafka, opensearch, postgres, valkey
from infra.stack.view import View
from tests.stack import session_state
from tests.waiting import eventually_blocking

_READY_WITHIN_S = 120.0
_PASSWORD = secrets.token_hex(8)
_ROOT = Path(__file__).parents[1]

_running: list[DockerContainer] = []


def docker_stack(names: frozenset[str]) -> Settings:
    """Settings of the named servers, started once a session; the others' addresses lead nowhere."""
    served = {name: _START[name]() for name in sorted(names)}
    nowhere = "127.0.0.1:1"
    known: dict[str, Any] = {
        "kafka_bootstrap": served.get("kafka", nowhere),
        "database_url": served.get("postgres", f"postgresql://mesh:none@{nowhere}/mesh"),
        "opensearch_url": served.get("opensearch", f"http://{nowhere}"),
        "clickhouse_url": served.get("clickhouse", f"clickhouse://mesh:none@{nowhere}/default"),
        "redis_url": served.get("valkey", f"redis://{nowhere}/0"),
        "master_key": base64.b64encode(os.urandom(32)).decode(),
        "lookup_key": base64.b64encode(os.urandom(32)).decode(),
    }
    if "mail" in served:
        port = int(served["mail"])
        known |= {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
    return load_settings(**known)


def stop_containers() -> None:
    """Stop what this session started."""
    while _running:
        _running.pop().stop()


atexit.register(stop_containers)


@lru_cache(maxsize=1)
def _services() -> dict[str, dict[str, Any]]:
    compose = yaml.safe_load((_ROOT / "docker-compose.yml").read_text("utf-8"))
    services: dict[str, dict[str, Any]] = compose["services"]
    return services


def _container(name: str, env: dict[str, str], command: list[str] | None = None) -> DockerContainer:
    """A container of compose's image, its own settings and the given environment on top."""
    container = DockerContainer(_services()[name]["image"])
    for key, value in (_services()[name].get("environment", {}) | env).items():
        container.with_env(key, str(value))
    return container.with_command(command) if command else container


def _run(container: DockerContainer, port: int) -> str:
    """Start it; host:port where the container's port is found."""
    container.with_exposed_ports(port).start()
    _running.append(container)
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def _wait(check: Callable[[], None]) -> None:
    """Wait until `check` raises nothing any more."""
    last: list[Exception] = []

    def ready() -> bool:
        try:
            check()
        except Exception as error:  # noqa: BLE001 - a server coming up fails in many ways
            last[:] = [error]
            return False
        return True

    try:
        eventually_blocking(ready, _READY_WITHIN_S)
    except AssertionError:
        raise last[0] from None


@lru_cache(maxsize=1)
def _kafka() -> str:
    # A broker tells clients its own address, so the port must be known before it starts.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{port}"
    env = {
        "KAFKA_LISTENERS": f"BROKER://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"BROKER://{address}",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    }
    container = _container("kafka", env).with_bind_ports(port, port)
    container.start()
    _running.append(container)
    _wait(lambda: kafka.check(address))
    kafka.warm_groups(address)
    return address


@lru_cache(maxsize=1)
def _postgres() -> str:
    container = _container(
        "postgres", {"POSTGRES_PASSWORD": _PASSWORD}, _services()["postgres"]["command"]
    )
    address = f"postgresql://mesh:{_PASSWORD}@{_run(container, 5432)}/mesh"
    _wait(lambda: postgres.check(address))
    return address


@lru_cache(maxsize=1)
def _opensearch() -> str:
    address = f"http://{_run(_container('opensearch', {}), 9200)}"
    _wait(lambda: opensearch.check(address))
    return address


@lru_cache(maxsize=1)
def _clickhouse() -> str:
    container = _container("clickhouse", {"CLICKHOUSE_PASSWORD": _PASSWORD})
    address = f"clickhouse://mesh:{_PASSWORD}@{_run(container, 9000)}/default"
    _wait(lambda: clickhouse.check(address))
    return address


@lru_cache(maxsize=1)
def _valkey() -> str:
    command = ["valkey-server", "--requirepass", _PASSWORD]
    container = _container("valkey", {}, command)
    address = f"redis://:{_PASSWORD}@{_run(container, 6379)}/0"
    _wait(lambda: valkey.check(address))
    return address


@lru_cache(maxsize=1)
def _mail() -> str:
    state = session_state()
    with state.lock():
        supervisor.servers_up(state, {"mail"}, View(quiet=True))
    atexit.register(supervisor.down, state)
    return str(state.ports()["mail"])


_START: dict[str, Callable[[], str]] = {
    "kafka": _kafka,
    "postgres": _postgres,
    "opensearch": _opensearch,
    "clickhouse": _clickhouse,
    "valkey": _valkey,
    "mail": _mail,
}
