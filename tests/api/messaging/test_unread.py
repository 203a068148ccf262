"""Unread counts over HTTP while both sides write and read at once."""

from __future__ import annotations

import asyncio

import httpx

from tests.api.acting.selling import token_of
from tests.api.acting.talking import readable_talk
from tests.api.running import Mesh


async def test_MS_29_RD_10_unread_is_exact_under_reads_and_sends_at_once(mesh: Mesh) -> None:
    chat = await readable_talk(mesh)
    own, seller = chat.buyer, chat.seller
    said = [await seller.said(chat.id, f"{number}") for number in range(5)]

    async def more(number: int) -> httpx.Response:
        return await (
            own.mark_read(said[number % 5])
            if number % 3
            else seller.said(chat.id, f"then {number}")
        )

    answers = await asyncio.gather(*(more(number) for number in range(30)))
    last = max(answers, key=lambda each: int(each.headers["ETag"].strip('"')))
    page = await own.page(f"/api/messages/{chat.id}", last, limit=100)
    recount = [row for row in page["items"] if row["read_at"] is None]
    found = await own.page("/api/messages/unread", last)
    assert found == {
        "total": len(recount),
        "conversations": [{"id": chat.id, "unread": len(recount)}],
    }
    newest = await own.ask(
        "PUT", f"/api/messages/{page['items'][0]['id']}/read", headers=token_of(last)
    )
    found = await own.page("/api/messages/unread", newest)
    assert found == {"total": 0, "conversations": []}
    back = await seller.said(chat.id, "One more")
    assert (await own.page("/api/messages/unread", back))["total"] == 1
