"""What readers meet while a stream is parked: nothing old, and the reason to those who may know."""

from __future__ import annotations

from typing import cast
from uuid import uuid4

import pytest

from api.backends.database import Database
from api.backends.denylist import KEEP_S
from api.backends.withheld import BeingRepaired, refuse_parked
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.search.listing_search import listing_search
from schemas.log.positions import TopicPartition
from tests.api.acting.selling import Seller, path_of, reason_of, token_of
from tests.api.parking import REASON, parked
from tests.api.running import Mesh
from tests.waiting import eventually

REPAIRED = (503, "being_repaired")
PLACE = TopicPartition("events.listings", 1)


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


def stream_of(answer) -> str:
    return f"listing/{answer.json()['id']}"


async def test_the_page_of_a_parked_listing_is_being_repaired(mesh, seller) -> None:
    offered = await seller.offer()
    await seller.read(path_of(offered), offered)
    async with parked(mesh, listing_page, stream_of(offered), offered):
        answer = await mesh.client.get(path_of(offered))
        assert reason_of(answer) == REPAIRED
        assert answer.json()["type"] == "urn:marketmesh:problem:being_repaired"
        assert int(answer.headers["Retry-After"]) > 0
        assert "parked" not in answer.json()
    assert (await seller.read(path_of(offered), offered)).status_code == 200


async def test_every_read_that_names_a_parked_listing_is_refused(mesh, seller) -> None:
    offered = await seller.offer()
    await seller.read(path_of(offered), offered)
    paths = ("", "/history", "/price-history")
    async with parked(mesh, listing_page, stream_of(offered), offered):
        told = [reason_of(await seller.ask("GET", path_of(offered) + each)) for each in paths]
    assert told == [REPAIRED] * len(paths)


async def test_what_names_a_parked_listing_in_its_body_is_told_so(mesh, seller) -> None:
    offered, other = await seller.offer(), Seller(mesh, await mesh.account("buyer"))
    await seller.read(path_of(offered), offered)
    about = {"listing_id": offered.json()["id"]}
    async with parked(mesh, listing_page, stream_of(offered), offered):
        told = [
            await other.ask("POST", "/api/messages/conversations", json=about),
            await other.ask("POST", "/api/reviews", json={**about, "rating": 5}),
        ]
    assert [reason_of(each) for each in told] == [REPAIRED] * 2
    assert not any("parked" in each.json() for each in told)


async def test_lists_leave_a_parked_listing_out(mesh, seller) -> None:
    offered, other = await seller.offer(), await seller.offer()
    async with parked(mesh, listing_page, stream_of(offered), offered):
        listed = await mesh.client.get("/api/listings", headers=token_of(other))
        mine = await seller.read("/api/listings/mine", other)
    for answer in (listed, mine):
        ids = {each["id"] for each in answer.json()["items"]}
        assert other.json()["id"] in ids
        assert offered.json()["id"] not in ids


class JournalBehind:
    """A read model in which something of one stream waits, and a journal that is behind."""

    read = False

    async def fetch(self, *_: object) -> list[dict[str, object]]:
        waiting = {"stream_id": "listing/waits", "itself": False, "position_offset": 9}
        return [{**waiting, "topic": PLACE.topic, "partition": PLACE.partition}]

    async def fetchval(self, *_: object) -> str | None:
        return "listing/waits" if self.read else None


async def test_whose_an_event_is_is_asked_once_the_journal_has_read_it() -> None:
    postgres = JournalBehind()

    async def journal_has(places: object) -> None:
        assert places == {PLACE: 9}
        postgres.read = True

    with pytest.raises(BeingRepaired):
        await refuse_parked(cast("Database", postgres), "listing_page", {PLACE: 9}, journal_has)


async def test_a_token_of_a_parked_write_is_not_covered_and_others_are(mesh, seller) -> None:
    offered = await seller.offer()
    changed = await seller.change(2, path_of(offered), price_minor=1_000)
    other = await seller.offer()
    async with parked(mesh, listing_page, stream_of(offered), offered):
        answers = [
            await mesh.client.get("/api/listings", headers=token_of(each))
            for each in (offered, changed, other)
        ]
    assert [each.status_code for each in answers] == [503, 503, 200]
    assert reason_of(answers[0]) == REPAIRED
    assert reason_of(answers[1]) == REPAIRED


async def test_staff_and_owner_are_told_why_and_nobody_else(mesh, seller) -> None:
    offered = await seller.offer()
    await seller.read(path_of(offered), offered)
    moderator = Seller(mesh, await mesh.account("moderator"))
    stranger = Seller(mesh, await mesh.account("seller"))
    async with parked(mesh, listing_page, stream_of(offered), offered):
        for reader in (moderator, seller):
            answer = await reader.ask("GET", path_of(offered))
            assert reason_of(answer) == REPAIRED
            (told,) = answer.json()["parked"]
            assert (told["projection"], told["reason"]) == ("listing_page", REASON)
            assert told["since"].startswith("20")
        answer = await stranger.ask("GET", path_of(offered))
    assert reason_of(answer) == REPAIRED
    assert "parked" not in answer.json()


@pytest.mark.usefixtures("all_readers")
async def test_a_search_leaves_a_parked_listing_out(mesh, seller) -> None:
    make = f"make{uuid4().hex[:12]}"
    offered, other = await seller.offer(make=make), await seller.offer(make=make)

    async def found(after) -> set[str]:
        answer = await mesh.client.get(
            "/api/search", params={"make": make}, headers=token_of(after)
        )
        return {hit["id"] for hit in answer.json()["hits"]}

    assert len(await found(other)) == 2
    async with parked(mesh, listing_search, stream_of(offered), offered):
        assert await found(other) == {other.json()["id"]}
        covered = await mesh.client.get("/api/search", headers=token_of(offered))
        assert reason_of(covered) == REPAIRED
    assert len(await found(other)) == 2


async def test_what_is_not_there_is_still_not_found_while_others_are_parked(mesh, seller) -> None:
    offered = await seller.offer()
    async with parked(mesh, listing_page, stream_of(offered), offered):
        answer = await mesh.client.get(f"/api/listings/{uuid4()}")
    assert answer.status_code == 404


async def test_a_person_whose_ban_may_be_parked_gets_in_nowhere(mesh) -> None:
    person = Seller(mesh, await mesh.account("seller"))
    written = await person.offer()
    assert (await person.ask("GET", "/api/listings/mine")).status_code == 200
    async with parked(mesh, users, f"user/{person.account.user_id}", written):

        async def is_shut_out() -> bool:
            return (await person.ask("GET", "/api/listings/mine")).status_code == 503

        await eventually(is_shut_out, KEEP_S + 20)
        # Also when Redis has forgotten everything, their cut included.
        await mesh.machines.redis.flushdb()
        assert await is_shut_out()
        refreshed = await mesh.client.post(
            "/api/auth/refresh", json={"refresh_token": person.account.refresh_token}
        )
        assert reason_of(refreshed) == REPAIRED
        assert reason_of(await mesh.log_in(person.account.email)) == REPAIRED
