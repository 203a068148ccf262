"""Deeds with bookings and contacts, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tests.api.acting.booking import booked, two_students

ANY: Final = {"If-Match": "*"}
NOTE: Final = {"note": "I can fetch it on Friday"}


async def unlock_item_contact(shop: Any) -> Any:
    owner, buyer = await two_students(shop.mesh)
    item_id = await owner.have()
    await buyer.has_tokens()
    spoil = lambda: owner.ask("DELETE", f"/api/items/{item_id}", headers=ANY)  # noqa: E731
    return shop.deed(buyer, "POST", f"/api/items/{item_id}/contact", spoil)


async def request_booking(shop: Any) -> Any:
    owner, buyer = await two_students(shop.mesh)
    item_id = await owner.have()
    spoil = lambda: owner.ask("DELETE", f"/api/items/{item_id}", headers=ANY)  # noqa: E731
    return shop.deed(buyer, "POST", f"/api/items/{item_id}/bookings", spoil, json=NOTE)


def on_booking(deed: str, *, side: str = "seller", accepted: bool = False, **body: Any) -> Any:
    """Something done with a request; then the item is taken away, and with it the booking."""

    async def build(shop: Any) -> Any:
        found = await booked(*await two_students(shop.mesh))
        await found.seen(found.seller)
        if accepted:
            await found.done(found.seller, "accept")
        who = found.seller if side == "seller" else found.buyer

        async def spoil() -> None:
            await found.seller.ask("DELETE", f"/api/items/{found.item_id}", headers=ANY)

        return shop.deed(who, "POST", f"{found.path}/{deed}", spoil, **body)

    return build


DEEDS: Final[Mapping[str, Callable[[Any], Awaitable[Any]]]] = {
    "unlock_item_contact": unlock_item_contact,
    "request_booking": request_booking,
    "accept_booking": on_booking("accept"),
    "reject_booking": on_booking("reject", json=NOTE),
    "cancel_booking": on_booking("cancel", side="buyer"),
    "complete_booking": on_booking("complete", accepted=True),
}
