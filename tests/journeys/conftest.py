"""One whole mesh for all journeys, as people's days are not each in a shop of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.shop import Shop, open_shop

# Journeys start servers more often than they search in them.
os.environ.setdefault("MESH_QUICK_START", "1")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A mesh that is up. A test that breaks something mends it with `mesh up`."""
    with open_shop(Path(tmp_path_factory.mktemp("journeys")) / "state") as opened:
        yield opened
