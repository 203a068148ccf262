"""Deeds on notifications, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from tests.api.acting.notified import KEYS, PUSH, answered


async def nothing() -> None:
    """They stand as they are."""


async def read_notification(shop: Any) -> Any:
    person = await shop.person("buyer")
    _, told = await answered(shop.mesh, person.account)
    return shop.deed(person, "PUT", f"/api/notifications/{told['id']}/read", nothing)


def on_notifications(path: str, **body: Any) -> Callable[..., Awaitable[Any]]:
    async def build(shop: Any) -> Any:
        return shop.deed(await shop.person("buyer"), "PUT", path, nothing, json=body)

    return build


async def subscribe(shop: Any) -> Any:
    person = await shop.person("buyer")
    endpoint = f"https://updates.push.services.mozilla.com/wpush/v2/{uuid4().hex}"

    async def spoil() -> None:
        for each in (await person.ask("GET", PUSH)).json()["items"]:
            await person.ask("DELETE", f"{PUSH}/{each['id']}")

    return shop.deed(person, "POST", PUSH, spoil, json={"endpoint": endpoint, "keys": KEYS})


async def unsubscribe(shop: Any) -> Any:
    new = await subscribe(shop)
    subscription_id = (await new.done(uuid4().hex)).json()["id"]
    return type(new)(new.mesh, "DELETE", f"{PUSH}/{subscription_id}", nothing, new.headers)


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "subscribe_to_push": subscribe,
    "unsubscribe_from_push": unsubscribe,
    "mark_notification_read": read_notification,
    "mark_notifications_read": on_notifications("/api/notifications/read", up_to=1),
    "update_notification_preferences": on_notifications(
        "/api/notifications/preferences", zone="Europe/Berlin", email_enabled=False
    ),
}
