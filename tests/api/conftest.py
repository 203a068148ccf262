"""Fixtures of API tests: one mesh at work for the whole session."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from cli.running.prepare import prepare
from infra.settings import Settings
from processors.reacting.commands import Commands, open_commands
from tests.api.running import Mesh, Process, api, processes
from tests.api.sockets import Devices, Replicas, devices, two_replicas
from tests.waiting import eventually
from tests.worlds import world


@dataclass(frozen=True)
class Running:
    """What works behind the API."""

    settings: Settings
    processes: Sequence[Process]


def _settings_in(file: Path) -> Settings:
    return Settings(**orjson.loads(file.read_bytes()))


@pytest.fixture(scope="session")
async def running(stack: Settings) -> AsyncIterator[Running]:
    """A writer, workers and a reactor on a fresh database. MESH_TEST_RUNNING names the settings
    file of a mesh that runs already, for quick repeats.
    """
    kept = os.environ.get("MESH_TEST_RUNNING")
    if kept:
        yield Running(_settings_in(Path(kept)), ())
        return
    async with world(stack) as fresh:
        await prepare(fresh.settings)
        with processes(fresh.settings) as found:
            yield Running(fresh.settings, found)


@pytest.fixture(scope="session")
def all_readers(running: Running) -> Iterator[None]:
    """The workers of search and analytics beside the others."""
    with processes(running.settings, [("worker", "search"), ("worker", "analytics")]):
        yield


@pytest.fixture
async def commands(mesh: Mesh) -> AsyncIterator[Commands]:
    """The reactor's way to the writers."""
    async with open_commands(mesh.settings, "test-commands") as opened:
        yield opened


@pytest.fixture(scope="session")
async def mesh(running: Running) -> AsyncIterator[Mesh]:
    """The API before it."""
    patient = {"write_timeout_s": 20.0, "read_wait_s": 20.0}  # other tests share the machine
    async with api(running.settings.model_copy(update=patient)) as started:
        await eventually(lambda: started.machines.writes.started, 20, "the gateway has started")
        yield started


@pytest.fixture(scope="module")
async def hasty(mesh: Mesh) -> AsyncIterator[Mesh]:
    """The same shop through an API that waits for no read model for long."""
    async with api(mesh.settings.model_copy(update={"read_wait_s": 0.3})) as found:
        yield found


@pytest.fixture(scope="session")
async def replicas(mesh: Mesh) -> AsyncIterator[Replicas]:
    """The API on two real sockets."""
    async with two_replicas(mesh.settings) as found:
        yield found


@pytest.fixture
async def some() -> AsyncIterator[Devices]:
    """Devices of this test's own."""
    async with devices() as made:
        yield made
