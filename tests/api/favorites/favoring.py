"""Somebody who keeps listings in mind, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.api.acting.selling import Seller, token_of
from tests.api.running import Mesh

FAVORITES = "/api/favorites"
SHARES = f"{FAVORITES}/share"


def favorite(listing: httpx.Response) -> str:
    """The path of a listing among favourites."""
    return f"{FAVORITES}/{listing.json()['id']}"


async def keep(who: Seller, *listings: httpx.Response) -> httpx.Response:
    """Add these, one after another; the last answer."""
    answer = None
    for each in listings:
        answer = await who.ask("POST", favorite(each), headers=token_of(each))
        assert answer.status_code == 200, answer.text
    assert answer is not None
    return answer


async def kept(who: Seller, after: httpx.Response, **params: Any) -> list[Any]:
    """The first page of somebody's favourites."""
    answer = await who.read(FAVORITES, after, **params)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


async def share(who: Seller, **body: Any) -> httpx.Response:
    """A link to somebody's favourites."""
    answer = await who.ask("POST", SHARES, json=body)
    assert answer.status_code == 201, answer.text
    return answer


async def looked(mesh: Mesh, token: str, after: httpx.Response, **params: Any) -> httpx.Response:
    """What a stranger with the link sees."""
    path = f"{FAVORITES}/shared/{token}"
    return await mesh.client.get(path, params=params, headers=token_of(after))


@contextmanager
def asked_of_favorites(mesh: Mesh) -> Iterator[list[str]]:
    """The queries that ask who keeps what in mind, besides the count of one listing's page."""
    queries: list[str] = []
    postgres = mesh.machines.postgres
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fetch", "fetchrow", "fetchval"):
            ask = getattr(postgres, name)

            async def noted(query: str, *values: Any, _ask: Any = ask, **more: Any) -> Any:
                if "reads.favorites" in query:
                    queries.append(query)
                return await _ask(query, *values, **more)

            patch.setattr(postgres, name, noted)
        yield queries
