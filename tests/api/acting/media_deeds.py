"""Deeds with videos and views all around, for tests.api.acting.deeds, which says what a deed is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from tests.api.acting.filming import VIDEOS
from tests.api.acting.profiling import photo
from tests.api.acting.selling import path_of, token_of
from tests.clips import clip

ANY: Final = {"If-Match": "*"}
FRAMES: Final = {"files": [("frames", (f"{place}.png", photo())) for place in range(12)]}


async def upload_video(shop: Any) -> Any:
    seller = await shop.person()
    listing = await seller.offer()
    form = {"data": {"listing_id": listing.json()["id"]}, "files": {"video": clip(1)}}
    return shop.deed(seller, "POST", VIDEOS, headers=token_of(listing), **form)


async def set_listing_spin(shop: Any) -> Any:
    seller = await shop.person()
    listing = await seller.offer()

    async def spoil() -> None:
        await shop.admin.ask("DELETE", path_of(listing), headers=ANY)

    path, headers = f"{path_of(listing)}/spin", ANY | token_of(listing)
    return shop.deed(seller, "POST", path, spoil, headers=headers, **FRAMES)


async def remove_listing_spin(shop: Any) -> Any:
    shown = await set_listing_spin(shop)
    answer = await shown.mesh.client.request("POST", shown.path, headers=shown.headers, **FRAMES)
    assert answer.status_code == 201, answer.text
    return type(shown)(shown.mesh, "DELETE", shown.path, shown.spoil, shown.headers)


DEEDS: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "upload_video": upload_video,
    "set_listing_spin": set_listing_spin,
    "remove_listing_spin": remove_listing_spin,
}
