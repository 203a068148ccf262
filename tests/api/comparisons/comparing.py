"""Somebody who compares listings, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.acting.selling import Seller, token_of
from tests.api.running import Mesh

COMPARE = "/api/compare"
SHARES = f"{COMPARE}/share"


def compared(listing: httpx.Response) -> str:
    """The path of a listing among those compared."""
    return f"{COMPARE}/{listing.json()['id']}"


async def compare(who: Seller, *listings: httpx.Response) -> httpx.Response:
    """Add these, one after another; the last answer."""
    answer = None
    for each in listings:
        answer = await who.ask("POST", compared(each), headers=token_of(each))
        assert answer.status_code == 200, answer.text
    assert answer is not None
    return answer


async def listed(who: Seller, after: httpx.Response) -> list[Any]:
    """What somebody compares."""
    answer = await who.read(COMPARE, after)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


async def share(who: Seller, **body: Any) -> httpx.Response:
    """A link to what somebody compares."""
    answer = await who.ask("POST", SHARES, json=body)
    assert answer.status_code == 201, answer.text
    return answer


def token_in(shared: httpx.Response) -> str:
    found: str = shared.json()["token"]
    return found


async def looked(mesh: Mesh, shared: httpx.Response, after: httpx.Response) -> httpx.Response:
    """What a stranger with the link sees."""
    path = f"{COMPARE}/shared/{token_in(shared)}"
    await mesh.client.get(path, headers=token_of(shared))  # the link itself is readable from now on
    return await mesh.client.get(path, headers=token_of(after))
