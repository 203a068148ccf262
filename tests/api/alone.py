"""An API without any server behind it, every address a closed port, and routes that go wrong."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from infra.settings import Settings
from tests.api.going_wrong import new_test_router
from tests.api.running import Mesh, api
from tests.stack import limit_settings

KEY = base64.b64encode(bytes(32)).decode()


def settings_of_nothing(**more: Any) -> Settings:
    """Settings with which every store is away."""
    unlimited = dict.fromkeys(limit_settings(), "off")  # counting needs Redis
    return Settings(
        **{
            "kafka_bootstrap": "127.0.0.1:1",
            "database_url": "postgresql://mesh@127.0.0.1:1/none",
            "opensearch_url": "http://127.0.0.1:1",
            "clickhouse_url": "clickhouse://127.0.0.1:1/none",
            "redis_url": "redis://127.0.0.1:1",
            "master_key": KEY,
            "lookup_key": KEY,
            "read_wait_s": 0.2,
            "write_timeout_s": 0.5,
            **unlimited,
            **more,
        }
    )


@asynccontextmanager
async def api_alone() -> AsyncIterator[Mesh]:
    """The API, and tests.api.going_wrong's routes in it."""
    async with api(settings_of_nothing()) as mesh:
        mesh.app.router.routes.extend(new_test_router().routes)
        yield mesh
