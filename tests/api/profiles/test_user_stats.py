"""A person's figures, compared with a count over the log."""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from typing import Any, get_args
from uuid import uuid4

import pytest

from processors.feeding.reading import open_log
from producers.listings.listings import listings
from producers.listings.states import Active
from schemas.listings import ListingCreated, ListingEvent, ListingSold
from schemas.log.recorded import decode_event
from schemas.reviews import ReviewCreated, ReviewDeleted, ReviewUpdated
from schemas.topics import EVENT_TYPES
from schemas.tracking import ListingViewed
from tests.api.acting.profiling import Person, path_to, person_of
from tests.api.acting.selling import path_of, reason_of, review
from tests.api.running import Mesh


async def counted_over_the_log(mesh: Mesh, seller_id: str) -> dict[str, int]:
    """What the log itself says of a seller, without any read model."""
    listed: dict[str, list[Any]] = defaultdict(list)
    views: dict[str, int] = defaultdict(int)
    reviews = 0
    async with open_log(mesh.settings) as log:
        everything = await log.bounds(["events.listings", "events.tracking", "events.reviews"])
        async with aclosing(log.read(everything)) as batches:
            async for batch in batches:
                for record in batch.records:
                    event = decode_event(record, EVENT_TYPES).event
                    if isinstance(event, ListingViewed):
                        views[str(event.listing_id)] += 1
                    elif isinstance(event, ReviewCreated | ReviewDeleted | ReviewUpdated):
                        if str(event.seller_id) == seller_id:
                            reviews += isinstance(event, ReviewCreated)
                            reviews -= isinstance(event, ReviewDeleted)
                    elif isinstance(event, get_args(ListingEvent)):
                        listed[str(event.listing_id)].append(event)
    own = {
        name: events
        for name, events in listed.items()
        if isinstance(events[0], ListingCreated) and events[0].seller_id == seller_id
    }
    return {
        "listings": len(own),
        "active": sum(isinstance(listings.fold(events), Active) for events in own.values()),
        "sold": sum(isinstance(each, ListingSold) for events in own.values() for each in events),
        "views": sum(views[name] for name in own),
        "reviews": reviews,
    }


async def test_PR_08_the_figures_equal_a_count_over_the_log(mesh) -> None:
    seller = Person(mesh, await mesh.account("seller"))
    drafts = [await seller.create() for _ in range(2)]
    offers = [await seller.offer() for _ in range(5)]
    await seller.ask("DELETE", path_of(drafts[0]))
    await seller.ask("POST", f"{path_of(offers[0])}/sold", json={})
    await seller.ask("POST", f"{path_of(offers[1])}/sold", json={})
    await seller.ask("DELETE", path_of(offers[1]))
    last = await seller.ask("POST", f"{path_of(offers[2])}/unpublish")
    tokens = [last.headers["Consistency-Token"]]
    for offer in offers[2:]:
        await seller.read(path_of(offer), offer)
    for offer in (offers[3], offers[3], offers[4]):
        look = {"User-Agent": uuid4().hex}
        seen = await mesh.client.post(f"{path_of(offer)}/view", headers=look)
        tokens.append(seen.headers["Consistency-Token"])
    buyer = Person(mesh, await mesh.account("buyer"))
    said = [await review(buyer, offer) for offer in (offers[3], offers[4])]
    gone = await buyer.ask("DELETE", f"/api/reviews/{said[0].json()['id']}")
    tokens += [each.headers["Consistency-Token"] for each in (said[1], gone)]
    headers = {"Consistency-Token": ",".join(tokens)}
    found = person_of(await seller.ask("GET", path_to(seller.account, "/stats"), headers=headers))
    assert found.pop("id") == seller.account.user_id
    assert found == {"listings": 7, "active": 2, "sold": 2, "views": 3, "reviews": 1}
    assert found == await counted_over_the_log(mesh, seller.account.user_id)


async def test_PR_08_figures_are_for_the_person_and_staff(mesh) -> None:
    person = Person(mesh, await mesh.account("buyer"))
    path = path_to(person.account, "/stats")
    own = await person.ask("GET", path)
    assert person_of(own) == {"id": person.account.user_id, **dict.fromkeys(FIGURES, 0)}
    for role, wanted in (("moderator", 200), ("admin", 200), ("seller", 403), ("ops", 403)):
        other = Person(mesh, await mesh.account(role))
        assert (await other.ask("GET", path)).status_code == wanted
    assert reason_of(await mesh.client.get(path)) == (401, "token_missing")


FIGURES = ("listings", "active", "sold", "views", "reviews")


async def test_PR_08_nobody_has_no_figures(mesh) -> None:
    admin = Person(mesh, await mesh.account("admin"))
    answer = await admin.ask("GET", f"/api/users/{uuid4()}/stats")
    assert reason_of(answer) == (404, "user_unknown")


@pytest.mark.parametrize("token", ["nonsense", "events.listings:x:1"])
async def test_PR_08_a_token_that_is_none_is_told(mesh, token) -> None:
    person = Person(mesh, await mesh.account("buyer"))
    headers = {"Consistency-Token": token}
    answer = await person.ask("GET", path_to(person.account, "/stats"), headers=headers)
    assert reason_of(answer) == (400, "consistency_token_invalid")
