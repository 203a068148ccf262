"""People on a campus, and what they offer there, asked over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from schemas.items import AddItemImage, CreateItem, ItemTerms
from schemas.log.messages import Command, Role
from schemas.log.recorded import CommandEnvelope, Reply
from schemas.media import ImageVariants
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, token_of
from tests.api.mailbox import VERIFY, mailed, verify
from tests.api.running import Account, Mesh
from tests.waiting import eventually

ITEMS = "/api/items"
LAPTOP = {
    "title": "Old laptop",
    "description": "Two terms of lectures",
    "price": "45000.50",
    "category": "electronics",
    "condition": "good",
}
VARIANTS = ImageVariants(thumbnail="media/a", medium="media/b", large="media/c")


class Student(Seller):
    """Somebody on a campus."""

    async def offer(self, *images: bytes, **fields: Any) -> httpx.Response:
        """An item; None leaves a field out."""
        headers = fields.pop("headers", {})
        stated = {name: value for name, value in {**LAPTOP, **fields}.items() if value is not None}
        files = [("images", ("a.png", image)) for image in images or (photo(),)]
        return await self.ask("POST", ITEMS, data=stated, files=files, headers=headers)

    async def have(self, *, drawn: bool = True, **fields: Any) -> str:
        """The id of an item that the campus can see, without drawing anything."""
        item_id, media_id = uuid4(), uuid4()
        terms = ItemTerms.model_validate({**LAPTOP, **fields})
        now = datetime.now(UTC)
        asked: dict[str, Any] = {"item_id": item_id, "asked_at": now}
        domain = self.account.email.rpartition("@")[2]
        by = {"asked_by": self.account.user_id, "asked_role": Role.BUYER}
        reply = await sent(
            self.mesh,
            CreateItem(
                email_domain=domain,
                terms=terms,
                images=(media_id,),
                images_until=now + timedelta(seconds=self.mesh.settings.item_images_wait_s),
                **asked,
                **by,
            ),
        )
        if drawn:
            reply = await show(self.mesh, item_id, media_id)
        await self.reach(item_id, reply)
        return str(item_id)

    async def reach(self, item_id: UUID | str, reply: Reply) -> None:
        """Wait until the item can be read as it is after the command, or as it became since."""
        assert reply.position is not None, reply

        async def there() -> bool:
            return bool(
                await self.mesh.machines.postgres.fetchval(
                    "SELECT version >= $2 FROM reads.items WHERE key = $1",
                    str(item_id),
                    reply.version,
                )
            )

        await eventually(there, 20, "the item can be read")

    async def has_tokens(self) -> None:
        """Wait until the tokens that everybody is given have come."""

        async def granted() -> bool:
            return bool((await self.ask("GET", "/api/wallet")).json()["version"])

        await eventually(granted, 20, "the grant")

    async def reach_deleted(self, item_id: str) -> None:
        """Wait until the item is known to be gone."""

        async def gone() -> bool:
            return (await self.ask("GET", f"{ITEMS}/{item_id}")).status_code == 410

        await eventually(gone, 20, "the item is gone")

    async def item(self, item_id: str, after: httpx.Response | None = None) -> dict[str, Any]:
        """One item as this person sees it."""
        headers = {} if after is None else token_of(after)
        answer = await self.ask("GET", f"{ITEMS}/{item_id}", headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["item"]
        return found

    async def listed(self, **query: Any) -> list[str]:
        """The ids on one page of the list."""
        answer = await self.ask("GET", ITEMS, params=query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["items"]]

    async def becomes(self, item_id: str, outcome: str) -> dict[str, Any]:
        """The item once its images are settled like that."""

        async def there() -> bool:
            answer = await self.ask("GET", f"{ITEMS}/{item_id}")
            item = answer.json().get("item", {})
            return [item.get(each) for each in ("imageProcessingStatus", "status")] == [
                outcome,
                "active",
            ]

        await eventually(there, 60, f"its images are {outcome}")
        return await self.item(item_id)


async def student(mesh: Mesh, domain: str, *, verified: bool = True) -> Student:
    """Somebody new on a campus."""
    email = f"{uuid4().hex}@{domain}"
    joined = await mesh.register(email, market="campus")
    assert joined.status_code == 201, joined.text
    found = joined.json()
    if verified:
        token = await mailed(mesh, found["user"]["id"], VERIFY)
        await mesh.until_read(await verify(mesh, token))
    account = Account(
        user_id=found["user"]["id"],
        email=email,
        session_id="",
        access_token=found["token"],
        refresh_token=found["refresh_token"],
        role="buyer",
    )
    return Student(mesh, account)


async def show(mesh: Mesh, item_id: UUID | str, media_id: UUID | str) -> Reply:
    """Say that an image of an item is drawn."""
    return await sent(
        mesh,
        AddItemImage(
            item_id=item_id,
            media_id=media_id,
            variants=VARIANTS,
            asked_at=datetime.now(UTC),
            asked_by="reaction/test",
            asked_role=Role.SYSTEM,
        ),
    )


async def sent(mesh: Mesh, command: Command) -> Reply:
    """What the writer says to a command."""
    command_id = str(uuid4())
    envelope = CommandEnvelope(command, command_id, command_id, command_id, "0" * 64)
    reply = await mesh.machines.writes.send(envelope)
    assert reply.outcome == "accepted", reply
    return reply


def with_token(person: Student, access_token: str) -> Student:
    """The same person with another token."""
    return Student(person.mesh, replace(person.account, access_token=access_token))


def campus() -> str:
    """A campus that no other test has."""
    return f"{uuid4().hex[:12]}.uni.example"
