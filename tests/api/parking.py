"""Parks a stream of a mesh at work, as its worker would, and mends it again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from processors.feeding.parking import Parking
from processors.feeding.showing import show
from processors.stores.opening import opened_stores, store_name
from projections import PROJECTIONS
from projections.projection import PostgresTable, Projection
from schemas.log.positions import Position, parse_token
from tests.api.running import Mesh

REASON = "CharacterNotInRepertoireError"

_PARK = """
    INSERT INTO mesh.parked (projection, generation, topic, partition, position_offset, stream_id,
        version, kind, headers, value, reason, row_keys)
    SELECT projection, number, $2, $3, $4, $5, 1, 'test.planted', '[]', '{}', $6, $7::text[]
    FROM mesh.generations WHERE projection = $1 AND status = 'live'
"""


@asynccontextmanager
async def parked(
    mesh: Mesh, projection: Projection[Any], stream_id: str, after: httpx.Response
) -> AsyncIterator[None]:
    """The event that this write's answer tells of waits, for the block's length."""
    (position,) = parse_token(after.headers["Consistency-Token"])
    pool, key = mesh.machines.postgres.pool, stream_id.partition("/")[2]
    await pool.execute(_PARK, projection.name, *position, stream_id, REASON, [key])
    await _show(mesh, projection)
    try:
        yield
    finally:
        await pool.execute("DELETE FROM mesh.parked WHERE stream_id = $1", stream_id)
        await _show(mesh, projection)


# A mesh does not let in whom it can't know; and the journal has a row an event.
NEEDED = frozenset({"users", "sessions", "journal"})
_ROWS = "SELECT key FROM reads.{name} WHERE key = ANY($1::text[])"


@asynccontextmanager
async def all_parked(
    mesh: Mesh, ids: Iterable[str], after: httpx.Response, *, but: str | None = None
) -> AsyncIterator[list[str]]:
    """The rows of these ids wait, in every read model in Postgres that has one `but` this, and so does
    what the write's answer tells of. Gives the names of these read models.
    """
    pool, stream_id = mesh.machines.postgres.pool, f"test/{uuid4()}"
    token = after.headers.get("Consistency-Token")
    position = parse_token(token)[0] if token else Position("test", 0, 0)
    waiting = []
    for each in PROJECTIONS:
        if not isinstance(each.target, PostgresTable) or each.insert_only:
            continue
        if each.name in NEEDED or each.name == but:
            continue
        rows = await pool.fetch(_ROWS.format(name=each.name), list(ids))
        if rows:
            keys = [row["key"] for row in rows]
            await pool.execute(_PARK, each.name, *position, stream_id, REASON, keys)
            waiting.append(each)
    await _show(mesh, *waiting)
    try:
        yield [each.name for each in waiting]
    finally:
        await pool.execute("DELETE FROM mesh.parked WHERE stream_id = $1", stream_id)
        await _show(mesh, *waiting)


async def _show(mesh: Mesh, *projections: Projection[Any]) -> None:
    async with opened_stores(mesh.settings, projections) as stores:
        parking = Parking(mesh.machines.postgres.pool)
        for each in projections:
            await show(parking, stores[store_name(each)], [each])
    await mesh.machines.withheld.any_of("")  # which looks again, and not at what it remembers
