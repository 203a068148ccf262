"""What somebody keeps to themselves of their searches stays so, against a mesh at work."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from cli.erasing.documents import search_opensearch
from cli.erasing.known import MESSAGE_LENGTH_MAX, known_by
from cli.erasing.log_records import search_records
from cli.erasing.needles import Needles
from cli.erasing.rows import search_postgres
from infra.clients.opensearch import alias_of
from projections.searches.filter_sets import filter_sets
from tests.api.acting.selling import Seller
from tests.api.running import Mesh
from tests.api.searches.searching import (
    SAVED,
    a_make,
    alert,
    listed,
    matches,
    save,
    until_matched,
    until_past,
)
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


async def test_SE_11_what_is_private_of_a_search_is_looked_for_as_exactly(mesh) -> None:
    """Others of the same public part, who want another color, feature or place, find nothing."""
    seller = Seller(mesh, await mesh.account("seller"))
    buyer = Seller(mesh, await mesh.account("buyer"))
    wanted = {
        "make": [f"Odd ones, {a_make()}"], "color": ["guards-red"], "location": ["COLOMBO"],
        "features": ["Sun Roof", "tow bar"], "lat": 6.9, "lon": 79.9, "radius_km": 20,
    }  # fmt: skip
    others = [
        {"color": ["Blue"]}, {"location": ["Kandy"]}, {"features": ["Tow bar"]},
        {"lat": 7.2, "lon": 79.9}, {"radius_km": 5}, {"make": [f"Odd ones, {a_make()}"]},
    ]  # fmt: skip
    saved = await save(buyer, "What I have always been after", **wanted)
    unfit = [await save(buyer, **{**wanted, **each}) for each in others]
    made = [await alert(buyer, each, "off") for each in (saved, *unfit)]
    await listed(buyer, SAVED, made[-1])
    offered = await seller.offer(
        make=wanted["make"][0].upper(), exterior_color="Guards Red", location="Colombo",
        features=["Sun roof"], geo={"lat": 6.95, "lon": 79.8},
    )  # fmt: skip
    (found,) = await until_matched(buyer, saved)
    assert found["listing_id"] == offered.json()["id"]
    await until_past(mesh, offered)
    assert [await matches(buyer, each) for each in unfit] == [[]] * len(unfit)

    events = await exported(buyer, offered)
    (kept,) = (each for each in events["search.saved"] if each["search_id"] == saved.json()["id"])
    assert kept["name"] == "What I have always been after"
    assert orjson.loads(kept["text"]) == wanted
    (match,) = events["alert.matched"]
    assert match["listing_id"] == offered.json()["id"]
    key = await mesh.machines.vault.person(UUID(buyer.account.user_id))
    assert key is not None
    known = (await known_by(mesh.machines.postgres, key)).values()
    assert {kept["name"], kept["text"][:MESSAGE_LENGTH_MAX]} <= set(known)
    assert "Mine" not in known  # so short a text is everywhere


async def exported(who: Seller, after: httpx.Response) -> dict[str, list[Any]]:
    """What the export holds of each kind, all that was found up to now among it."""
    path = f"/api/users/{who.account.user_id}/export"
    answer = await who.read(path, after)
    assert answer.status_code == 200, answer.text
    found: dict[str, list[Any]] = {}
    for event in answer.json()["events"]:
        found.setdefault(event["kind"], []).append(event["data"])
    return found


async def test_SE_08_when_a_mail_was_last_sent_is_found_without_a_look_at_all_matches(mesh) -> None:
    async with mesh.machines.postgres.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SET LOCAL enable_seqscan = off"
        )  # of a small table it is cheapest
        query = "SELECT max(notified_at) FROM reads.alert_matches WHERE alert_id = $1"
        rows = await connection.fetch(f"EXPLAIN {query}", "an alert")
    plan = "\n".join(row[0] for row in rows)
    assert "last_notified" in plan, plan
    assert "Limit" in plan, plan
