"""Which store keeps a projection, and opening the stores that a process needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, assert_never

from infra.settings import Settings
from processors.stores.port import Store
from projections.projection import ClickHouseTable, PostgresTable, Projection, SearchIndex


def store_name(projection: Projection[Any]) -> str:
    """The store that keeps a projection: "postgres", "opensearch" or "clickhouse"."""
    match projection.target:
        case PostgresTable():
            return "postgres"
        case SearchIndex():
            return "opensearch"
        case ClickHouseTable():
            return "clickhouse"
        case _:
            assert_never(projection.target)


async def open_store(settings: Settings, name: str) -> Store:
    """The store of that name on connections of its own; raises StoreUnavailableError."""
    # Each client's library is imported where it is used: most processes write to one store.
    # ruff: noqa: PLC0415
    match name:
        case "postgres":
            from processors.stores.postgres import open_postgres_store

            return await open_postgres_store(settings)
        case "opensearch":
            from processors.stores.opensearch import open_opensearch_store

            return open_opensearch_store(settings)
        case "clickhouse":
            from processors.stores.clickhouse import open_clickhouse_store

            return open_clickhouse_store(settings)
        case _:
            message = f"unknown store {name!r}"
            raise ValueError(message)


@asynccontextmanager
async def opened_stores(
    settings: Settings, projections: Iterable[Projection[Any]]
) -> AsyncIterator[Mapping[str, Store]]:
    """The stores of these projections by name, closed when the block ends."""
    names = sorted({store_name(projection) for projection in projections})
    async with AsyncExitStack() as stack:
        stores: dict[str, Store] = {}
        for name in names:
            stores[name] = await open_store(settings, name)
            stack.push_async_callback(stores[name].close)
        yield stores
