"""A person's figures, compared with a count over the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from statistics import median
from typing import Any, get_args
from uuid import uuid4

import pytest

from processors.feeding.reading import open_log
from producers.listings.listings import listings
from producers.listings.states import Active
from projections.messaging.conversations import RESPONSES_MIN
from schemas.favorites import FavoriteAdded, FavoriteRemoved
from schemas.listings import ListingCreated, ListingEvent, ListingSold
from schemas.log.recorded import Recorded, decode_event
from schemas.messaging import ConversationOpened, MessageSent
from schemas.reviews import ReviewCreated, ReviewDeleted
from schemas.topics import EVENT_TYPES
from schemas.tracking import ListingViewed
from tests.api.acting.profiling import Person, path_to, person_of
from tests.api.acting.selling import path_of, reason_of, review
from tests.api.acting.talking import talker
from tests.api.favorites.favoring import favorite, keep
from tests.api.running import Mesh

TOPICS = (
    "events.listings",
    "events.tracking",
    "events.favorites",
    "events.reviews",
    "events.messaging",
)


async def counted_over_the_log(mesh: Mesh, seller_id: str) -> dict[str, float | int]:
    """What the log itself says of a seller, without any read model."""
    listed: dict[str, list[Any]] = defaultdict(list)
    views, kept = Counter[str](), Counter[str]()
    reviews = 0
    said: dict[str, list[Any]] = defaultdict(list)
    async for recorded in everything_in(mesh, *TOPICS):
        match event := recorded.event:
            case ListingViewed():
                views[str(event.listing_id)] += 1
            case FavoriteAdded():
                kept[str(event.listing_id)] += 1
            case FavoriteRemoved():
                kept[str(event.listing_id)] -= 1
            case ReviewCreated() | ReviewDeleted() if str(event.seller_id) == seller_id:
                reviews += 1 if isinstance(event, ReviewCreated) else -1
            case ConversationOpened() | MessageSent():
                said[recorded.stream_id].append(event)
            case _ if isinstance(event, get_args(ListingEvent)):
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
        "favorites": sum(kept[name] for name in own),
        "reviews": reviews,
        **answered(seller_id, said.values()),
    }


async def everything_in(mesh: Mesh, *topics: str) -> AsyncIterator[Recorded[Any]]:
    async with open_log(mesh.settings) as log:
        bounds = await log.bounds(topics)
        async with aclosing(log.read(bounds)) as batches:
            async for batch in batches:
                for record in batch.records:
                    yield decode_event(record, EVENT_TYPES)


def answered(seller_id: str, talks: Iterable[list[Any]]) -> dict[str, float | int]:
    """Of all who asked the seller something: which share was answered, and how soon."""
    waits = []
    for opened, *messages in talks:
        if str(opened.seller_id) != seller_id:
            continue
        asked = next(each for each in messages if str(each.sender_id) != seller_id)
        answer = next(each for each in messages if str(each.sender_id) == seller_id)
        waits.append((answer.sent_at - asked.sent_at).total_seconds())
    return {"response_rate": 1.0, "response_minutes": round(median(waits) / 60)}


async def test_PR_08_the_figures_equal_a_count_over_the_log(mesh) -> None:
    seller = await talker(mesh, "seller")
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
    for number in range(RESPONSES_MIN):
        asker = await talker(mesh)
        opened = await asker.open(offers[3])
        await asker.said(opened.json()["id"], "Is it still there?")
        answer = await seller.said(opened.json()["id"], "It is.")
        let_go = await keep(asker, *offers[3:5])
        if number:
            let_go = await asker.ask("DELETE", favorite(offers[4]))
        tokens += [each.headers["Consistency-Token"] for each in (answer, let_go)]
    headers = {"Consistency-Token": ",".join(tokens)}
    found = person_of(await seller.ask("GET", path_to(seller.account, "/stats"), headers=headers))
    assert found.pop("id") == seller.account.user_id
    counts = {"listings": 7, "active": 2, "sold": 2, "views": 3, "favorites": 6, "reviews": 1}
    assert found == {**counts, "response_rate": 1.0, "response_minutes": 0}
    assert found == await counted_over_the_log(mesh, seller.account.user_id)


async def test_PR_08_figures_are_for_the_person_and_staff(mesh) -> None:
    person = Person(mesh, await mesh.account("buyer"))
    path = path_to(person.account, "/stats")
    own = await person.ask("GET", path)
    nothing = {**dict.fromkeys(FIGURES, 0), "response_rate": None, "response_minutes": None}
    assert person_of(own) == {"id": person.account.user_id, **nothing}
    for role, wanted in (("moderator", 200), ("admin", 200), ("seller", 403), ("ops", 403)):
        other = Person(mesh, await mesh.account(role))
        assert (await other.ask("GET", path)).status_code == wanted
    assert reason_of(await mesh.client.get(path)) == (401, "token_missing")


FIGURES = ("listings", "active", "sold", "views", "favorites", "reviews")


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
