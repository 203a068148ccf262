"""People who upload images, asked over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from schemas.media import media_folder
from tests.api.acting.selling import Seller
from tests.waiting import eventually

File = bytes | tuple[str, bytes]


class Uploader(Seller):
    """Somebody who sends files."""

    async def send(
        self, *files: File, path: str = "/api/images", field: str = "images", **more: Any
    ) -> httpx.Response:
        form = [(field, each if isinstance(each, tuple) else ("a.png", each)) for each in files]
        return await self.ask("POST", path, files=form, **more)

    async def image(self, image_id: str, after: httpx.Response | None = None) -> httpx.Response:
        """One image as this person sees it."""
        path = f"/api/images/{image_id}"
        return await (self.ask("GET", path) if after is None else self.read(path, after))

    async def until(self, image_id: str, status: str) -> dict[str, Any]:
        """One of their own, once it has come so far."""
        found: dict[str, Any] = {}

        async def there() -> bool:
            found.update((await self.image(image_id)).json())
            return found.get("status") == status

        await eventually(there, 60, f"{image_id} is {status}")
        return found

    async def processed(self, data: bytes) -> dict[str, Any]:
        """A new image, drawn."""
        return await self.until(image_of(await self.send(data)), "processed")

    def kept(self, image_id: str | None = None) -> set[str]:
        """The keys of everything that the object store keeps of this person or one upload."""
        root = Path(unquote(urlsplit(self.mesh.settings.objects_url).path))
        folder = root / media_folder(self.account.user_id, image_id)
        return {each.relative_to(root).as_posix() for each in folder.rglob("*") if each.is_file()}


def images_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()["images"]
    return found


def image_of(answer: httpx.Response) -> str:
    """The id of the one file that was sent."""
    (found,) = images_of(answer)
    return str(found["id"])
