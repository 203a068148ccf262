"""How long a listing is on offer, asked over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from cli.sending import replies_to
from projections.timers.timers import BY_NAME, timers
from schemas.listings import listing_stream
from schemas.log.messages import Role
from schemas.log.positions import format_token
from tests.api.acting.selling import Seller, path_of, reason_of
from tests.api.acting.talking import OPEN
from tests.api.running import Mesh
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def visitor(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def end_of(seller: Seller, answer: httpx.Response) -> datetime:
    """When the listing's time is over, as its page says after that answer."""
    found = await seller.read(path_of(answer), answer)
    assert found.status_code == 200, found.text
    return moment(found.json()["expires_at"])


async def time_passes(mesh: Mesh, offered: httpx.Response, until: datetime) -> dict[str, str]:
    """The scheduler's command, as it comes once that time has come; reads then see what it did."""
    asked = {"asked_at": until, "asked_by": "scheduler/expire_listing", "asked_role": Role.SYSTEM}
    stream = listing_stream(offered.json()["id"])
    command = BY_NAME["expire_listing"].command(stream, asked)
    (reply,) = await replies_to(mesh.settings, command)
    assert reply.outcome == "accepted", reply.reason
    assert reply.position is not None
    return {"Consistency-Token": format_token([reply.position])}


async def test_LI_21_what_is_published_is_on_offer_for_its_days(mesh: Mesh, seller: Seller) -> None:
    days = timedelta(days=mesh.settings.listing_days)
    before = datetime.now(UTC)
    offered = await seller.offer()
    ends = await end_of(seller, offered)
    assert before + days <= ends <= datetime.now(UTC) + days
    draft = await seller.create()
    assert (await seller.read(path_of(draft), draft)).json()["expires_at"] is None
    published = await seller.ask("POST", f"{path_of(draft)}/publish")
    assert await end_of(seller, published) > ends


async def test_LI_21_CR_06_a_timer_is_set_for_its_end(mesh: Mesh, seller: Seller) -> None:
    offered = await seller.offer()
    stream = listing_stream(offered.json()["id"])

    async def due() -> datetime | None:
        query = f"SELECT due_at FROM reads.{timers.name} WHERE key = $1"
        found: datetime | None = await mesh.machines.postgres.fetchval(query, stream)
        return found

    await eventually(due, 20, "the timer is set")
    assert await due() == await end_of(seller, offered)


async def test_LI_21_an_expired_listing_is_its_sellers_until_it_is_renewed(
    mesh: Mesh, seller: Seller, visitor: Seller
) -> None:
    offered = await seller.offer()
    path, ends = path_of(offered), await end_of(seller, offered)
    seen = await time_passes(mesh, offered, ends)
    found = await seller.ask("GET", path, headers=seen)
    assert (found.status_code, found.json()["status"]) == (200, "expired")
    assert moment(found.json()["expires_at"]) == ends
    assert reason_of(await visitor.ask("GET", path, headers=seen)) == (410, "listing_expired")
    assert reason_of(await mesh.client.get(path, headers=seen)) == (410, "listing_expired")
    assert reason_of(await visitor.ask("POST", f"{path}/renew")) == (403, "not_owner")
    body = {"listing_id": offered.json()["id"]}
    opened = await visitor.ask("POST", OPEN, json=body, headers=seen)
    assert reason_of(opened) == (404, "listing_unknown")
    mine = await seller.ask("GET", "/api/listings/mine", params={"status": "expired"}, headers=seen)
    assert offered.json()["id"] in [each["id"] for each in mine.json()["items"]]
    listed = await visitor.ask("GET", "/api/listings", headers=seen)
    assert offered.json()["id"] not in [each["id"] for each in listed.json()["items"]]

    renewed = await seller.ask("POST", f"{path}/renew")
    assert renewed.status_code == 200, renewed.text
    again = await visitor.read(path, renewed)
    assert (again.status_code, again.json()["status"]) == (200, "active")
    assert moment(again.json()["expires_at"]) > ends


async def test_LI_21_a_renewal_too_soon_changes_nothing(mesh: Mesh, seller: Seller) -> None:
    offered = await seller.offer()
    ends = await end_of(seller, offered)
    renewed = await seller.ask("POST", f"{path_of(offered)}/renew")
    assert (renewed.status_code, renewed.json()["version"]) == (200, offered.json()["version"])
    assert await end_of(seller, renewed) == ends


async def test_LI_21_what_has_been_renewed_outlives_the_time_it_had(
    mesh: Mesh, seller: Seller
) -> None:
    offered = await seller.offer()
    ends = await end_of(seller, offered)
    seen = await time_passes(mesh, offered, ends - DAY)
    found = await seller.ask("GET", path_of(offered), headers=seen)
    assert (found.json()["status"], found.json()["version"]) == ("active", 2)
