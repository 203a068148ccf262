"""What readers see: the public name of a projection, asked without the store's own code."""

from __future__ import annotations

from infra.clients.clickhouse import ClickHouse
from infra.clients.opensearch import alias_of, open_opensearch
from tests.worlds import World


async def public_keys(mesh: World, store: str, name: str) -> set[str]:
    """The keys that a reader finds under a projection's public name."""
    match store:
        case "postgres":
            records = await mesh.pool.fetch(f'SELECT key FROM reads."{name}"')
            return {record["key"] for record in records}
        case "opensearch":
            async with open_opensearch(mesh.settings) as client:
                found = await client.search(index=alias_of(mesh.settings, name))
            return {hit["_id"] for hit in found["hits"]["hits"]}
        case "clickhouse":
            clickhouse = ClickHouse(mesh.settings, clients_max=1)
            try:
                return {key for (key,) in await clickhouse.fetch(f"SELECT key FROM `{name}`")}
            finally:
                await clickhouse.close()
    raise AssertionError(store)
