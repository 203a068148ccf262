"""A day on a campus: something is offered, booked and talked about on several devices, one of two
API processes dies in the midst of it, and of whoever leaves nothing readable is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra.stack.servers.mailbox import Mail
from tests.api.acting.offering import LAPTOP
from tests.api.acting.profiling import photo
from tests.api.sockets import Device, Devices, devices
from tests.journeys.shop import CAMPUSES, PASSWORD, Shop, second_api
from tests.waiting import eventually

SAID = 40


@dataclass(frozen=True)
class At:
    """An API process, as devices connect to one."""

    url: str


@dataclass
class Student:
    """Somebody of a campus, who has proved that they are."""

    shop: Shop
    client: httpx.AsyncClient
    name: str
    email: str
    id: str
    token: str
    seen_up_to: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """A good answer's body. What is asked next has been told of all that this one knew."""
        headers = {"Authorization": f"Bearer {self.token}", **self.seen_up_to}
        answer = await self.client.request(method, path, headers=headers, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        if "Consistency-Token" in answer.headers:
            self.seen_up_to = {"Consistency-Token": answer.headers["Consistency-Token"]}
        return answer.json() if answer.content else None

    def mails(self, text: str) -> list[Mail]:
        """What they were sent that holds this text."""
        return self.shop.mails(self.email, text)

    async def mailed(self, text: str) -> Mail:
        """The one mail with this text, once it is there."""
        (mail,) = await eventually(lambda: self.mails(text), 60, f"{text} is mailed")
        return mail


async def student(shop: Shop, client: httpx.AsyncClient, campus: str, name: str) -> Student:
    email = f"{uuid4().hex}@{campus}"
    body = {"email": email, "password": PASSWORD, "name": name, "market": "campus"}
    joined = (await client.post("/api/auth/register", json=body)).raise_for_status().json()
    found = Student(shop, client, name, email, joined["user"]["id"], joined["token"])

    token = await eventually(lambda: shop.proof(email), 60, "the address is to be proved")
    await found.ask("POST", "/api/auth/verify-email", json={"token": token})
    return found


async def offered(seller: Student) -> str:
    """The id of an item whose pictures are drawn."""
    answer = await seller.ask(
        "POST", "/api/items", data=LAPTOP, files=[("images", ("a.png", photo()))]
    )
    item_id: str = answer["item"]["id"]

    async def drawn() -> bool:
        item = (await seller.ask("GET", f"/api/items/{item_id}"))["item"]
        return (item["status"], item["imageProcessingStatus"]) == ("active", "completed")

    await eventually(drawn, 60, "the item can be seen with its pictures")
    return item_id


def contents(device: Device, chat_id: str) -> list[str]:
    """What a device shows of a chat: its last history, and what came since; each message once, and
    no notice of what became of a booking, which has no words.
    """
    said: dict[str, str] = {}
    for event, data in device.heard:
        if event == "chat-history":
            said |= {each["id"]: each["content"] for each in data["messages"]}
        elif event == "new-message" and data["chatId"] == chat_id:
            said[data["id"]] = data["content"]
    return [each for each in said.values() if each is not None]


def heard_all(device: Device, chat_id: str) -> bool:
    return len(contents(device, chat_id)) >= SAID


async def moved(shop: Shop, timer: str, at: datetime) -> None:
    """Have a timer believe that it is that late."""
    await asyncio.to_thread(shop.mesh, "timers", "run", timer, "--at", at.isoformat())


@asynccontextmanager
async def both_apis(shop: Shop) -> AsyncIterator[tuple[subprocess.Popen[bytes], At]]:
    process, url = await asyncio.to_thread(second_api, shop)
    try:
        yield process, At(url)
    finally:
        process.kill()
        process.wait()


async def say(device: Device, chat_id: str, words: str) -> None:
    """Say something under an id of one's own, and be told that it is said."""
    answer = await device.ask(
        "send-message", chatId=chat_id, content=words, clientId=words.replace(" ", "-")
    )
    assert "error" not in answer, answer


async def chatted(
    seller: Student,
    buyer: Student,
    some: Devices,
    chat_id: str,
    process: subprocess.Popen[bytes],
    there: At,
) -> None:
    """Both talk, the seller by the process that is killed: everything said is heard once."""
    here = At(seller.shop.url)
    phone = await some.connect(here, buyer.token)
    tablet = await some.connect(there, buyer.token)
    desk = await some.connect(there, seller.token)
    for device in (phone, tablet, desk):
        await device.join(chatId=chat_id)
    words = [f"Word {number} of {uuid4().hex}" for number in range(SAID)]
    for number, each in enumerate(words):
        if number == SAID // 2:
            os.kill(process.pid, signal.SIGKILL)
            await desk.gone()
            desk = await some.connect(here, seller.token)
            await desk.join(chatId=chat_id)
        await say(phone if number % 2 else desk, chat_id, each)
    for device in (phone, desk):
        await eventually(partial(heard_all, device, chat_id), 30, "all is heard")
        assert contents(device, chat_id) == words

    async def kept() -> list[Any]:
        page = await buyer.ask("GET", f"/api/messages/{chat_id}", params={"limit": 100})
        said = [each["content"] for each in reversed(page["items"])]
        return said if len(said) > SAID else []

    said = await eventually(kept, 30, "all of it, and that the booking was asked for, can be read")
    assert [each for each in said if each is not None] == words
    assert said.count(None) == 1


@pytest.mark.timeout(500)
async def test_BK_01_MS_18_a_day_on_a_campus_survives_the_death_of_an_api_process(
    shop: Shop,
) -> None:
    campus = CAMPUSES.replace("*", f"c{uuid4().hex[:12]}")
    async with (
        httpx.AsyncClient(base_url=shop.url, timeout=20) as client,
        both_apis(shop) as (process, there),
        devices() as some,
    ):
        seller = await student(shop, client, campus, f"Nimal {uuid4().hex[:8]}")
        buyer = await student(shop, client, campus, f"Tharini {uuid4().hex[:8]}")
        daily = {"types": {"bookings": {"email": "daily"}}}
        await seller.ask("PUT", "/api/notifications/preferences", json=daily)
        item_id = await offered(seller)

        await eventually(lambda: balance_of(buyer), 60, "the tokens of a newcomer")
        await buyer.ask("POST", f"/api/items/{item_id}/contact")
        contact = await buyer.ask("GET", f"/api/items/{item_id}/contact")
        assert (contact["name"], contact["email"]) == (seller.name, seller.email)
        booking = await buyer.ask(
            "POST", f"/api/items/{item_id}/bookings", json={"note": "Friday?"}
        )

        opened = await buyer.ask("POST", "/api/messages/conversations", json={"item_id": item_id})
        await chatted(seller, buyer, some, opened["id"], process, there)

        path = f"/api/bookings/{booking['id']}"
        await eventually(lambda: pending(seller, path), 30, "the seller sees the booking")
        await seller.ask("POST", f"{path}/accept")
        await seller.ask("POST", f"{path}/complete")
        assert (await seller.ask("GET", path))["status"] == "completed"

        assert not seller.mails("booking")
        tomorrow = datetime.now(UTC) + timedelta(days=1, hours=1)
        await moved(shop, "send_notifications", tomorrow)
        await seller.mailed("booking")

    # It ends with 1 where anything of them can still be read, or a place can't be searched.
    await asyncio.to_thread(shop.mesh, "erase", buyer.id, "--prove", "--yes")


async def balance_of(who: Student) -> bool:
    return bool((await who.ask("GET", "/api/wallet"))["version"])


async def pending(who: Student, path: str) -> bool:
    answer = await who.client.get(path, headers={"Authorization": f"Bearer {who.token}"})
    return answer.is_success and bool(answer.json()["status"] == "pending")
