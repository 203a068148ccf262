"""People who show their listings from all around, asked over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.acting.picturing import Uploader
from tests.api.acting.profiling import photo
from tests.api.acting.selling import path_of, token_of
from tests.waiting import eventually


def frames(count: int) -> list[bytes]:
    """So many pictures, each of another colour."""
    return [photo((place * 5, 250 - place * 5, 90)) for place in range(count)]


class Turner(Uploader):
    """Somebody who sends views all around."""

    async def turn(self, offered: httpx.Response, *sent: bytes, **more: Any) -> httpx.Response:
        """A view all around a listing of theirs."""
        headers = {**token_of(offered), **more.pop("headers", {})}
        path = f"{path_of(offered)}/spin"
        return await self.send(*sent, path=path, field="frames", headers=headers, **more)

    async def turned(self, offered: httpx.Response, count: int) -> dict[str, Any]:
        """The same, once it is drawn."""
        answer = await self.turn(offered, *frames(count))
        assert answer.status_code == 201, answer.text
        path, found = f"{path_of(offered)}/spin", {}

        async def drawn() -> bool:
            read = await self.read(path, answer)
            if read.status_code == 200:
                found.update(read.json())
            return bool(found)

        await eventually(drawn, 60, "every frame is drawn")
        return found
