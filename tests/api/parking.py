"""Parks a stream of a mesh at work, as its worker would, and mends it again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from processors.feeding.parking import Parking
from processors.feeding.showing import show
from processors.stores.opening import opened_stores, store_name
from projections.projection import Projection
from schemas.positions import parse_token
from tests.api.running import Mesh

REASON = "CharacterNotInRepertoireError"

_PARK = """
    INSERT INTO mesh.parked (projection, generation, topic, partition, position_offset, stream_id,
        version, kind, headers, value, reason, row_keys)
    SELECT projection, number, $2, $3, $4, $5, 1, 'test.planted', '[]', '{}', $6, ARRAY[$7]
    FROM mesh.generations WHERE projection = $1 AND status = 'live'
"""


@asynccontextmanager
async def parked(
    mesh: Mesh, projection: Projection[Any], stream_id: str, after: httpx.Response
) -> AsyncIterator[None]:
    """The event that this write's answer tells of waits, for the block's length."""
    (position,) = parse_token(after.headers["Consistency-Token"])
    pool, key = mesh.machines.postgres.pool, stream_id.partition("/")[2]
    await pool.execute(_PARK, projection.name, *position, stream_id, REASON, key)
    await _show(mesh, projection)
    try:
        yield
    finally:
        await pool.execute("DELETE FROM mesh.parked WHERE stream_id = $1", stream_id)
        await _show(mesh, projection)


async def _show(mesh: Mesh, projection: Projection[Any]) -> None:
    async with opened_stores(mesh.settings, [projection]) as stores:
        parking = Parking(mesh.machines.postgres.pool)
        await show(parking, stores[store_name(projection)], [projection])
