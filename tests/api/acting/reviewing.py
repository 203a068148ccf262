"""People who say something of sellers, and what everybody reads of it."""

from __future__ import annotations

from typing import Any, Final

import httpx

from tests.api.acting.selling import Seller, review, token_of
from tests.api.running import Mesh

THANKS: Final = {"content": "Thank you. Drive it well."}


def path(answer: httpx.Response) -> str:
    """The review's own path."""
    return f"/api/reviews/{answer.json()['id']}"


async def person(mesh: Mesh, role: str = "buyer") -> Seller:
    """Somebody new."""
    return Seller(mesh, await mesh.account(role))


async def written(reviewer: Seller, offered: httpx.Response, **fields: Any) -> httpx.Response:
    """A review that stands."""
    answer = await review(reviewer, offered, **fields)
    assert answer.status_code == 201, answer.text
    return answer


async def items(mesh: Mesh, where: str, after: httpx.Response, **params: Any) -> list[Any]:
    """What everybody reads there."""
    answer = await mesh.client.get(f"/api/reviews/{where}", params=params, headers=token_of(after))
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


async def shown(mesh: Mesh, first: httpx.Response, after: httpx.Response) -> dict[str, Any]:
    """A review as everybody reads it after a write."""
    answer = await mesh.client.get(path(first), headers=token_of(after))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def respond(who: Seller, first: httpx.Response, **more: Any) -> httpx.Response:
    """What somebody says to the review."""
    method = more.pop("method", "POST")
    headers = {**token_of(first), **more.pop("headers", {})}
    body = {**THANKS, **more}
    return await who.ask(method, f"{path(first)}/response", json=body, headers=headers)


async def vote(who: Seller, first: httpx.Response, what: str, **headers: str) -> httpx.Response:
    """Whether the review helped them."""
    sent = {**token_of(first), **headers}
    return await who.ask("POST", f"{path(first)}/vote", json={"vote": what}, headers=sent)
