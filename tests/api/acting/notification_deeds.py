"""Deeds on notifications, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tests.api.acting.notified import answered


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


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "mark_notification_read": read_notification,
    "mark_notifications_read": on_notifications("/api/notifications/read", up_to=1),
    "update_notification_preferences": on_notifications(
        "/api/notifications/preferences", zone="Europe/Berlin", email_enabled=False
    ),
}
