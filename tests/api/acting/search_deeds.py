"""Deeds on saved searches and alerts, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import uuid4

SAVED, ALERTS = "/api/search/saved", "/api/search/alerts"


def a_search() -> dict[str, Any]:
    """One that nobody has saved."""
    return {"name": "Mine", "filters": {"make": [uuid4().hex]}}


async def save_search(shop: Any) -> Any:
    person, new = await shop.person("buyer"), a_search()

    async def spoil() -> None:
        for each in (await person.ask("GET", SAVED)).json()["items"]:
            await person.ask("DELETE", f"{SAVED}/{each['id']}")

    return shop.deed(person, "POST", SAVED, spoil, json=new)


def on_search(method: str, path: str, *, alert: bool, **body: Any) -> Callable[..., Awaitable[Any]]:
    """A saved search, or its alert, made, changed or taken away; then the search is gone."""

    async def build(shop: Any) -> Any:
        person = await shop.person("buyer")
        saved = (await person.ask("POST", SAVED, json=a_search())).json()["id"]
        about, ids = {"search_id": saved}, {"search": saved}
        if alert:
            ids["alert"] = (await person.ask("POST", ALERTS, json=about)).json()["id"]
        sent = body or ({"json": about} if method == "POST" else {})
        return shop.deed(
            person,
            method,
            path.format(**ids),
            lambda: person.ask("DELETE", f"{SAVED}/{saved}"),
            **sent,
        )

    return build


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "save_search": save_search,
    "delete_saved_search": on_search("DELETE", SAVED + "/{search}", alert=False),
    "create_alert": on_search("POST", ALERTS, alert=False),
    "update_alert": on_search("PUT", ALERTS + "/{alert}", alert=True, json={"frequency": "weekly"}),
    "delete_alert": on_search("DELETE", ALERTS + "/{alert}", alert=True),
}
