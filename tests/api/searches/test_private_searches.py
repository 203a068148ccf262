"""What somebody keeps to themselves of their searches stays so, against a mesh at work."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from cli.erasing.documents import search_opensearch
from cli.erasing.log_records import search_records
from cli.erasing.needles import Needles
from cli.erasing.rows import search_postgres
from infra.opensearch import alias_of
from projections.searches.filter_sets import filter_sets
from tests.api.running import Mesh
from tests.api.searches.searching import SAVED, alert, listed, save
from tests.api.selling import Seller
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")


def private_filters() -> dict[str, Any]:
    """What tells who somebody is, in values that nobody else has."""
    return {
        "q": f"words{uuid4().hex[:12]}",
        "make": [f"One of {uuid4().hex} alone"],
        "model": [f"Present for {uuid4().hex}"],
        "color": [f"Favourite {uuid4().hex[:12]}"],
        "location": [f"12 Flower Road {uuid4().hex[:12]}"],
        "features": [f"Ramp {uuid4().hex[:12]}"],
        "lat": 6 + uuid4().int % 10**9 / 10**9,
        "lon": 79 + uuid4().int % 10**9 / 10**9,
        "radius_km": 7 + uuid4().int % 10**9 / 10**9,
    }


async def test_SE_04_nothing_private_is_readable_anywhere_while_somebody_is_here_or_after(
    mesh,
) -> None:
    buyer = Seller(mesh, await mesh.account("buyer"))
    private, name = private_filters(), f"Present for {uuid4().hex}"
    saved = await save(buyer, name, **private, year_min=1_964)
    await alert(buyer, saved)
    (shown,) = await listed(buyer, SAVED, saved)
    assert shown["name"] == name
    assert private.items() <= shown["filters"].items()
    assert shown["filters"]["year_min"] == 1_964
    query = "SELECT filters_hashes FROM reads.saved_searches WHERE key = $1"
    user_id = buyer.account.user_id
    ((hashed,),) = await mesh.machines.postgres.fetchrow(query, user_id)
    await eventually(lambda: is_kept(mesh, hashed), 20, "the public part is kept")
    texts = [name, *(str(each[0] if isinstance(each, list) else each) for each in private.values())]
    needles = Needles({f"value {number}": text for number, text in enumerate(texts)})
    assert await found_of(mesh, needles) == []
    assert (await buyer.ask("DELETE", f"/api/users/{user_id}")).status_code == 204

    async def forgotten() -> bool:
        return not await is_kept(mesh, hashed)

    await eventually(forgotten, 20, "nothing is looked for any more")

    async def keyless() -> bool:
        return await mesh.machines.vault.person(UUID(user_id)) is None

    await eventually(keyless, 20, "the key is destroyed")
    assert await found_of(mesh, needles) == []


async def is_kept(mesh: Mesh, hashed: str) -> bool:
    """Whether OpenSearch has a query of these filters."""
    index = alias_of(mesh.settings, filter_sets.name)
    body = {"query": {"ids": {"values": [hashed]}}}
    found = await mesh.machines.opensearch.search(index=index, body=body)
    return bool(found["hits"]["hits"])


async def found_of(mesh: Mesh, needles: Needles) -> list[str]:
    """Where any of it is: in the log, commands and events, in Postgres or in OpenSearch."""
    places = [
        await search_records(mesh.settings, needles),
        await search_postgres(mesh.settings, needles),
        await search_opensearch(mesh.settings, needles),
    ]
    assert all(each.count for each in places)
    assert [why for each in places for why in each.unsearched] == []
    return [where for each in places for where in each.found]
