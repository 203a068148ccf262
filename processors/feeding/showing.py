"""What readers see of the live generations: all rows but those of parked streams.

What is parked may hide or delete a row, so nobody is shown a row that a parked event would
change. In Postgres the public views look at the car park themselves. OpenSearch's aliases and
ClickHouse's views are told: they follow from the registry and the car park, so making them again
repairs whatever was left half done. One at a time makes them, for the registry and the car park
must be those of the moment at which a name changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.generations import GenerationStatus, list_generations, one_at_a_time
from processors.feeding.parking import Parking
from processors.stores.opening import opened_stores
from processors.stores.port import Connection, Generation, Store
from processors.stores.postgres import PostgresStore
from processors.stores.postgres_tables import SCHEMA
from projections.projection import Projection


async def show(
    parking: Parking,
    store: Store,
    projections: Sequence[Projection[Any]],
    own: Connection | None = None,
) -> None:
    """Let a store's public names show the live generations of these projections, without the rows
    of parked streams; `own` is the transaction that changes what is parked, where that is to be
    seen before it counts. Raises StoreUnavailableError.
    """
    if store.name == PostgresStore.name:
        return
    by_name = {each.name: each for each in projections}
    async with parking.transaction(own) as connection:
        await one_at_a_time(connection, f"what {store.name} shows")
        known = await list_generations(
            connection, projections=by_name, statuses=[GenerationStatus.LIVE]
        )
        live = [each.of(by_name[each.projection]) for each in known if each.store == store.name]
        if live:
            withheld = {each.name: await _withheld(connection, each) for each in live}
            await store.publish(live, withheld)


async def _withheld(connection: Connection, generation: Generation) -> list[str]:
    records = await connection.fetch(
        "SELECT DISTINCT unnest(row_keys) AS key FROM mesh.parked"
        " WHERE projection = $1 AND generation = $2",
        generation.projection.name,
        generation.number,
    )
    return [record["key"] for record in records]


async def renew_views(settings: Settings, projections: Sequence[Projection[Any]]) -> None:
    """Make the Postgres views anew that an older installation made and that leave nothing out."""
    named = {each.name: each for each in projections if not each.insert_only}
    async with await open_pool(settings, size_max=1) as pool:
        found = await pool.fetch(_BLIND_VIEWS, SCHEMA, list(named))
        live = await list_generations(
            pool,
            projections=[record["viewname"] for record in found],
            statuses=[GenerationStatus.LIVE],
        )
    # Of another version of the fold the table may have other columns: its switch makes the view.
    blind = [
        each.of(named[each.projection])
        for each in live
        if each.version == named[each.projection].version
    ]
    async with opened_stores(settings, [each.projection for each in blind]) as stores:
        for store in stores.values():
            await store.publish(blind)


_BLIND_VIEWS = """
    SELECT viewname FROM pg_views
    WHERE schemaname = $1 AND viewname = ANY($2) AND definition NOT LIKE '%mesh.parked%'
"""
