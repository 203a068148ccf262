"""What the tests of the local stack need to know of where they run."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Against a real ClickHouse, claims about our adapter itself say nothing: deselect them."""
    if not os.environ.get("CLICKHOUSE_URL") and os.environ.get("MESH_STACK") != "docker":
        return
    ours = [item for item in items if item.get_closest_marker("ours_only")]
    config.hook.pytest_deselected(items=ours)
    items[:] = [item for item in items if item not in ours]
