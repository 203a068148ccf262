"""People who talk about a listing, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.api.acting.selling import Seller, token_of
from tests.api.running import Account, Mesh

OPEN = "/api/messages/conversations"


class Talker(Seller):
    """One of the two; reads see what the latest write did."""

    @property
    def id(self) -> str:
        return self.account.user_id

    async def open(self, listing: httpx.Response) -> httpx.Response:
        body = {"listing_id": listing.json()["id"]}
        return await self.ask("POST", OPEN, json=body, headers=token_of(listing))

    async def say(self, chat_id: str, content: str, **headers: str) -> httpx.Response:
        path = f"/api/messages/{chat_id}"
        return await self.ask("POST", path, json={"content": content}, headers=headers)

    async def said(self, chat_id: str, content: str) -> httpx.Response:
        answer = await self.say(chat_id, content)
        assert answer.status_code == 201, answer.text
        return answer

    async def mark_read(self, message: httpx.Response) -> httpx.Response:
        """Read up to the message that this answer told of."""
        path = f"/api/messages/{message.json()['id']}/read"
        return await self.ask("PUT", path, headers=token_of(message))

    async def page(self, path: str, after: httpx.Response, **params: Any) -> Any:
        answer = await self.read(path, after, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def contents(self, chat_id: str, after: httpx.Response) -> list[str]:
        """What was said, the first of it first."""
        page = await self.page(f"/api/messages/{chat_id}", after, limit=100)
        return [each["content"] for each in reversed(page["items"])]


@dataclass(frozen=True)
class Talk:
    """A buyer and a seller who have a conversation open."""

    buyer: Talker
    seller: Talker
    listing_id: str
    id: str
    opened: httpx.Response

    def other(self, account: Account) -> Talker:
        return self.seller if account == self.buyer.account else self.buyer


async def talk(buyer: Talker, seller: Talker) -> Talk:
    """A conversation about a new listing."""
    listing = await seller.offer()
    opened = await buyer.open(listing)
    assert opened.status_code == 201, opened.text
    return Talk(buyer, seller, listing.json()["id"], opened.json()["id"], opened)


async def readable_talk(mesh: Mesh) -> Talk:
    """A conversation of two new people, which both can read."""
    found = await talk(await talker(mesh), await talker(mesh, "seller"))
    await found.buyer.page(f"/api/messages/{found.id}", found.opened)
    return found


async def talker(mesh: Mesh, role: str = "buyer") -> Talker:
    return Talker(mesh, await mesh.account(role))
