"""People of a campus who book what others of it offer, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from schemas.bookings import AcceptBooking, RequestBooking
from schemas.log.messages import Role
from tests.api.acting.offering import ITEMS, Student, campus, sent, student
from tests.api.acting.selling import token_of
from tests.api.running import Account, Mesh
from tests.waiting import eventually

BOOKINGS = "/api/bookings"


@dataclass(frozen=True)
class Booked:
    """A request for an item, which both people can read."""

    seller: Student
    buyer: Student
    item_id: str
    id: str
    answer: httpx.Response

    @property
    def path(self) -> str:
        return f"{BOOKINGS}/{self.id}"

    async def do(self, who: Student, deed: str, **more: Any) -> httpx.Response:
        """Accept, reject, cancel or complete."""
        headers = {**token_of(self.answer), **more.pop("headers", {})}
        return await who.ask("POST", f"{self.path}/{deed}", headers=headers, **more)

    async def done(self, who: Student, deed: str, **more: Any) -> httpx.Response:
        answer = await self.do(who, deed, **more)
        assert answer.status_code == 200, answer.text
        return answer

    async def seen(self, who: Student, after: httpx.Response | None = None) -> dict[str, Any]:
        """The booking as one of the two sees it."""
        answer = await who.read(self.path, after or self.answer)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def becomes(self, status: str) -> dict[str, Any]:
        """The booking once it has come to that."""

        async def there() -> bool:
            return bool((await self.seen(self.buyer))["status"] == status)

        await eventually(there, 30, f"the booking is {status}")
        return await self.seen(self.buyer)


async def request(who: Student, item_id: str, **body: Any) -> httpx.Response:
    return await who.ask("POST", f"{ITEMS}/{item_id}/bookings", **({"json": body} if body else {}))


async def booked(seller: Student, buyer: Student, item_id: str = "", **body: Any) -> Booked:
    """A request for an item, a new one unless it is named."""
    item_id = item_id or await seller.have()
    answer = await request(buyer, item_id, **body)
    assert answer.status_code == 201, answer.text
    return Booked(seller, buyer, item_id, answer.json()["id"], answer)


async def two_students(mesh: Mesh) -> tuple[Student, Student]:
    """Two of a campus of their own."""
    here = campus()
    return await student(mesh, here), await student(mesh, here)


async def shown_as(who: Student, item_id: str, status: str) -> None:
    """Wait until the item is shown like that."""

    async def there() -> bool:
        answer = await who.ask("GET", f"{ITEMS}/{item_id}")
        return bool(answer.json().get("item", {}).get("status") == status)

    await eventually(there, 30, f"the item is {status}")


async def planted(mesh: Mesh, owner: Account, side: str, *, accepted: bool = False) -> str:
    """A booking of this person's, on that side, of an item that nobody has: its id."""
    sides = {"buyer": uuid4(), "seller": uuid4(), side: UUID(owner.user_id)}
    about: dict[str, Any] = {"item_id": uuid4(), "booking_id": uuid4()}
    now = datetime.now(UTC)
    asked = {"asked_at": now, "asked_role": Role.BUYER}
    reply = await sent(
        mesh,
        RequestBooking(
            seller_id=sides["seller"],
            asked_by=str(sides["buyer"]),
            expires_at=now + timedelta(days=1),
            **about,
            **asked,
        ),
    )
    if accepted:
        reply = await sent(mesh, AcceptBooking(asked_by=str(sides["seller"]), **about, **asked))

    async def there() -> bool:
        return bool(
            await mesh.machines.postgres.fetchval(
                "SELECT version >= $2 FROM reads.bookings WHERE key = $1",
                str(about["booking_id"]),
                reply.version,
            )
        )

    await eventually(there, 20, "the booking can be read")
    return str(about["booking_id"])
