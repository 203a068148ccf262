"""A long list, page by page, while it grows."""

from __future__ import annotations

import asyncio

from schemas.log.positions import format_token, parse_token
from tests.api.acting.selling import Seller
from tests.api.running import Mesh

ROWS, AT_ONCE, PER_PAGE = 1_000, 100, 100


async def test_GW_12_a_walk_over_a_thousand_rows_meets_each_once_while_rows_come_in(
    mesh: Mesh,
) -> None:
    seller = Seller(mesh, await mesh.account("seller"))
    offers = []
    for _ in range(ROWS // AT_ONCE):
        offers += await asyncio.gather(*(seller.offer() for _ in range(AT_ONCE)))
    places = [each for one in offers for each in parse_token(one.headers["Consistency-Token"])]
    furthest = {}
    for place in sorted(places, key=lambda each: each.offset):
        furthest[place.topic_partition] = place
    token = {"Consistency-Token": format_token(furthest.values())}

    found: list[str] = []
    path: str | None = f"/api/listings?limit={PER_PAGE}"
    while path is not None:
        page = await mesh.client.get(path, headers=token)
        assert page.status_code == 200, page.text
        found += [item["id"] for item in page.json()["items"]]
        path = page.links.get("next", {}).get("url")
        await asyncio.gather(*(seller.offer() for _ in range(5)))
    assert len(found) == len(set(found))
    assert {each.json()["id"] for each in offers} <= set(found)
