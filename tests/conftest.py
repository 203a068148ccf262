"""Fixtures that every folder of tests may use. A test without them starts no server."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from infra.settings import Settings
from tests.stack import local_stack, stop_started

# What `make up` left in this folder are the settings of another mesh.
_nowhere = tempfile.TemporaryDirectory(prefix="mesh-nowhere-")
os.environ["MESH_STATE"] = _nowhere.name

# Who ends a run ends its servers, too: the default would leave them behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)

# On a shared machine the time that one example takes says nothing about it.
hypothesis_settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: looked through for garbage whenever a few
    hundred objects are made, they cost a fifth of a run's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


@pytest.fixture(scope="session", autouse=True)
def _servers_end_with_the_session() -> Iterator[None]:
    yield
    stop_started()


@pytest.fixture(scope="session")
def kafka_settings() -> Settings:
    """Settings of a stack in which Kafka runs; other addresses are reserved, not served."""
    return local_stack({"kafka"})


@pytest.fixture(scope="session")
def stack() -> Settings:
    """Settings of a stack in which all servers run."""
    return local_stack()
