"""Settings that name no server, for tests that ask none."""

from __future__ import annotations

import base64
from typing import Any

from infra.settings import Settings

KEY = base64.b64encode(bytes(32)).decode()


def some_settings(**more: Any) -> Settings:
    nowhere = {
        "kafka_bootstrap": "127.0.0.1:1",
        "database_url": "postgresql://127.0.0.1:1/none",
        "opensearch_url": "http://127.0.0.1:1",
        "clickhouse_url": "clickhouse://127.0.0.1:1/none",
        "redis_url": "redis://127.0.0.1:1",
        "master_key": KEY,
        "lookup_key": KEY,
    }
    return Settings(**{**nowhere, **more})
