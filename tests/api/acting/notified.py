"""People who are told of things."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.api.acting.talking import Talk, Talker, talk, talker
from tests.api.running import Account, Mesh
from tests.waiting import eventually

ALL = "/api/notifications"
PUSH = f"{ALL}/push"
# Such as a browser has; nobody knows the key to this one.
KEYS = {
    "p256dh": "BIZwcw5zmKDsmwn3HSj9nYGYzkkqJNCUY6hn2hBDd5kiEu-m3yIOH6p1qJZKyP5m2nI_I7DiDyiDijJCxpp_kqQ",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


class Reader(Talker):
    """Somebody with notifications."""

    async def subscribe(self, endpoint: str = "", **changes: Any) -> httpx.Response:
        """Have a browser show what they are told of; a new one unless its endpoint is named."""
        endpoint = endpoint or f"https://updates.push.services.mozilla.com/wpush/v2/{uuid4().hex}"
        return await self.ask("POST", PUSH, json={"endpoint": endpoint, "keys": KEYS, **changes})

    async def told(self, count: int = 1, **params: Any) -> list[dict[str, Any]]:
        """Their notifications, the last first, as soon as there are so many."""

        async def enough() -> list[dict[str, Any]]:
            answer = await self.ask("GET", ALL, params=params)
            assert answer.status_code == 200, answer.text
            items: list[dict[str, Any]] = answer.json()["items"]
            return items if len(items) >= count else []

        return await eventually(enough, 60, f"{count} notifications")


async def answered(mesh: Mesh, owner: Account) -> tuple[Talk, dict[str, Any]]:
    """A seller answers what the owner has asked; what the owner is told of that."""
    found = await talk(Reader(mesh, owner), await talker(mesh, "seller"))
    await found.buyer.said(found.id, "Is it still there?")
    await found.seller.said(found.id, "It is")
    reader = Reader(mesh, owner)

    async def about() -> dict[str, Any] | None:
        items = await reader.told()
        return next((each for each in items if each["about"]["conversation_id"] == found.id), None)

    return found, await eventually(about, 60, "a notification of the answer")
