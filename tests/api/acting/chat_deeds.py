"""Deeds of whoever talks with others, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from schemas.messaging.quick_replies import QUICK_REPLIES_MAX


def on_other(method: str) -> Callable[..., Awaitable[Any]]:
    """Somebody blocked or unblocked, who is banned afterwards."""

    async def build(shop: Any) -> Any:
        person, other = await shop.person("buyer"), await shop.person()
        path = f"/api/users/{other.account.user_id}/block"
        if method == "DELETE":
            assert (await person.ask("POST", path)).status_code == 204
        return shop.deed(person, method, path, lambda: shop.ban(other))

    return build


REPLIES = "/api/messages/quick-replies"


async def add_quick_reply(shop: Any) -> Any:
    """Kept while there was room; there is none afterwards."""
    person = await shop.person("buyer")
    new = {"content": "It is still there, {buyer.name}"}

    async def spoil() -> None:
        for _ in range(QUICK_REPLIES_MAX):
            await person.ask("POST", REPLIES, json=new)

    return shop.deed(person, "POST", REPLIES, spoil, json=new)


async def remove_quick_reply(shop: Any) -> Any:
    person = await shop.person("buyer")
    kept = await person.ask("POST", REPLIES, json={"content": "It is sold"})
    return shop.deed(person, "DELETE", f"{REPLIES}/{kept.json()['id']}")


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "block_user": on_other("POST"),
    "add_quick_reply": add_quick_reply,
    "remove_quick_reply": remove_quick_reply,
    "unblock_user": on_other("DELETE"),
}
