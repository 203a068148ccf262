"""Deeds of whoever talks with others, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final


def on_other(method: str) -> Callable[..., Awaitable[Any]]:
    """Somebody blocked or unblocked, who is banned afterwards."""

    async def build(shop: Any) -> Any:
        person, other = await shop.person("buyer"), await shop.person()
        path = f"/api/users/{other.account.user_id}/block"
        if method == "DELETE":
            assert (await person.ask("POST", path)).status_code == 204
        return shop.deed(person, method, path, lambda: shop.ban(other))

    return build


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "block_user": on_other("POST"),
    "unblock_user": on_other("DELETE"),
}
