"""One whole mesh for all journeys, as people's days are not each in a shop of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.journeys.shop import Shop, folder_apart, open_shop

# Journeys start servers more often than they search in them.
os.environ.setdefault("MESH_QUICK_START", "1")


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """A mesh that is up. A test that breaks something mends it with `mesh up`."""
    with folder_apart() as folder, open_shop(folder) as opened:
        yield opened
