"""Things of every kind that an operation can be about, each made by its owner: see tests.api.matrix."""

from __future__ import annotations

from tests.api.operations import NOBODYS
from tests.api.picturing import Uploader, image_of
from tests.api.profiling import path_to, photo
from tests.api.running import Account, Mesh, claims_of
from tests.api.selling import CAR, Seller, review, token_of
from tests.api.talking import Talker, talk, talker


async def made(mesh: Mesh, kind: str, owner: Account) -> str:
    """A thing of that kind, readable by all; its id."""
    known = {"person": owner.user_id, "provider": "nowhere", "item": NOBODYS}
    if kind in known:
        return known[kind]
    if kind == "session":
        tokens = (await mesh.log_in(owner.email)).json()
        return str(claims_of(tokens["access_token"])["sid"])
    if kind == "avatar":
        files = {"avatar": ("me.png", photo())}
        path = path_to(owner, "/avatar")
        answer = await mesh.client.post(path, files=files, headers=owner.headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["avatar_url"].removeprefix("/api/avatars/"))
    if kind == "image":
        # Nobody can draw it, so others never see it.
        answer = await Uploader(mesh, owner).send(b"\x89PNG\r\n\x1a\n and no more")
        await Uploader(mesh, owner).image(image_of(answer), answer)
        return image_of(answer)
    if kind == "variant":
        found = await Uploader(mesh, owner).processed(photo())
        return str(found["variants"]["large"]["url"].removeprefix("/api/media/"))
    if kind in ("conversation", "message"):
        return await said(mesh, kind, owner)
    if kind == "review":
        return await reviewed(mesh, owner)
    if kind in ("review of one", "response"):
        return await spoken_of(mesh, kind, owner)
    if kind == "api key":
        body = {"label": "matrix", "operations": ["search"], "days": 1}
        answer = await mesh.client.post("/api/auth/keys", json=body, headers=owner.headers)
    else:
        body = {**CAR, "publish": kind == "offer"}
        answer = await mesh.client.post("/api/listings", json=body, headers=owner.headers)
        path = f"/api/listings/{answer.json()['id']}"
        await mesh.client.get(path, headers=owner.headers | token_of(answer))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def said(mesh: Mesh, kind: str, owner: Account) -> str:
    """A conversation that somebody begins, or what they say first in it."""
    found = await talk(Talker(mesh, owner), await talker(mesh, "seller"))
    message = await found.buyer.said(found.id, "Hello")
    await found.buyer.contents(found.id, message)  # readable from now on
    return found.id if kind == "conversation" else str(message.json()["id"])


async def reviewed(mesh: Mesh, owner: Account) -> str:
    """What its owner says of somebody's listing."""
    seller = Seller(mesh, await mesh.account("seller"))
    reviewer = Seller(mesh, owner)
    answer = await review(reviewer, await seller.offer())
    assert answer.status_code == 201, answer.text
    found = await reviewer.read(f"/api/reviews/{answer.json()['id']}", answer)
    assert found.status_code == 200, found.text
    return str(answer.json()["id"])


async def spoken_of(mesh: Mesh, kind: str, owner: Account) -> str:
    """What somebody says of the owner, who has responded to it or has not."""
    seller = Seller(mesh, owner)
    answer = await review(Seller(mesh, await mesh.account("buyer")), await seller.offer())
    assert answer.status_code == 201, answer.text
    review_id = str(answer.json()["id"])
    if kind == "response":
        told = {"content": "Thank you. Drive it well."}
        answer = await seller.ask("POST", f"/api/reviews/{review_id}/response", json=told)
        assert answer.status_code == 200, answer.text
    found = await seller.read(f"/api/reviews/{review_id}", answer)
    assert found.status_code == 200, found.text
    return review_id
