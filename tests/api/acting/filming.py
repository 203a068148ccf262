"""People who upload videos of their listings, asked over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.acting.picturing import Uploader
from tests.api.acting.selling import token_of
from tests.clips import clip
from tests.waiting import eventually

VIDEOS = "/api/media/videos"


class Filmer(Uploader):
    """Somebody who sends videos."""

    async def film(
        self, listing_id: str, data: bytes, name: str = "a.mp4", **more: Any
    ) -> httpx.Response:
        """One video of a listing."""
        about, files = {"listing_id": listing_id}, {"video": (name, data)}
        return await self.ask("POST", VIDEOS, data=about, files=files, **more)

    async def filmed(self, offered: httpx.Response, data: bytes | None = None) -> dict[str, Any]:
        """A video of the listing that they offered, ready."""
        sent = await self.film(offered.json()["id"], data or clip(2), headers=token_of(offered))
        assert sent.status_code == 201, sent.text
        return await self.until_ready(sent)

    async def until_ready(self, sent: httpx.Response, status: str = "processed") -> dict[str, Any]:
        """A video as its owner sees it, once it has come so far."""
        url, found = sent.json()["video"]["url"], {}

        async def there() -> bool:
            found.update((await self.read(url, sent)).json())
            return found.get("status") == status

        await eventually(there, 60, f"{url} is {status}")
        return found
