"""People who tell of themselves, asked over HTTP."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
from PIL import Image

from tests.api.acting.selling import Seller, token_of
from tests.api.running import Account, Mesh


def person_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def path_to(account: Account, more: str = "") -> str:
    return f"/api/users/{account.user_id}{more}"


class Person(Seller):
    """Somebody who acts on their own pages; reads see what the latest write did."""

    async def tell(self, version: int, more: str = "", /, **fields: Any) -> httpx.Response:
        """Change some fields of the page at this version."""
        headers = {"If-Match": f'"{version}"'}
        return await self.ask("PUT", path_to(self.account, more), json=fields, headers=headers)

    async def told(self, version: int, more: str = "", /, **fields: Any) -> httpx.Response:
        answer = await self.tell(version, more, **fields)
        assert answer.status_code == 200, answer.text
        return answer

    async def page(self, after: httpx.Response, of: Account | None = None, more: str = "") -> Any:
        """Somebody's page as this person sees it."""
        return person_of(await self.read(path_to(of or self.account, more), after))

    async def upload(self, data: bytes, name: str = "me.png", **headers: str) -> httpx.Response:
        files = {"avatar": (name, data)}
        path = path_to(self.account, "/avatar")
        return await self.ask("POST", path, files=files, headers=headers)


async def stranger_sees(mesh: Mesh, account: Account, after: httpx.Response) -> dict[str, Any]:
    """A person's page for somebody who is not signed in."""
    return person_of(await mesh.client.get(path_to(account), headers=token_of(after)))


def photo(colour: tuple[int, int, int] = (200, 30, 30), kind: str = "PNG") -> bytes:
    out = BytesIO()
    Image.new("RGB", (640, 480), colour).save(out, kind)
    return out.getvalue()
