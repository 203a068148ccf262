"""Things of every kind that an operation can be about, each made by its owner: see tests.api.matrix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from infra.unsubscribing import Subscription, TypeLinks, Unsubscribing
from schemas.notifications import NotificationChannel, NotificationType
from tests.api.acting.booking import planted
from tests.api.acting.filming import Filmer
from tests.api.acting.notified import Reader, answered
from tests.api.acting.picturing import Uploader, image_of
from tests.api.acting.profiling import path_to, photo
from tests.api.acting.selling import CAR, Seller, review, token_of
from tests.api.acting.talking import Talker, talk, talker
from tests.api.acting.turning import Turner
from tests.api.operations import NOBODYS
from tests.api.running import Account, Mesh, claims_of


async def made(mesh: Mesh, kind: str, owner: Account) -> str:
    """A thing of that kind, readable by all; its id."""
    return await MAKERS[kind](mesh, owner)


async def listed(mesh: Mesh, owner: Account, *, publish: bool) -> str:
    """A listing, for everyone to see or a draft."""
    body = {**CAR, "publish": publish}
    answer = await mesh.client.post("/api/listings", json=body, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    path = f"/api/listings/{answer.json()['id']}"
    await mesh.client.get(path, headers=owner.headers | token_of(answer))
    return str(answer.json()["id"])


async def session(mesh: Mesh, owner: Account) -> str:
    """A session that runs."""
    tokens = (await mesh.log_in(owner.email)).json()
    return str(claims_of(tokens["access_token"])["sid"])


async def avatar(mesh: Mesh, owner: Account) -> str:
    """The part of an avatar's address that is its own."""
    files = {"avatar": ("me.png", photo())}
    answer = await mesh.client.post(path_to(owner, "/avatar"), files=files, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["avatar_url"].removeprefix("/api/avatars/"))


async def image(mesh: Mesh, owner: Account) -> str:
    """An upload. Nobody can draw it, so others never see it."""
    answer = await Uploader(mesh, owner).send(b"\x89PNG\r\n\x1a\n and no more")
    await Uploader(mesh, owner).image(image_of(answer), answer)
    return image_of(answer)


async def variant(mesh: Mesh, owner: Account) -> str:
    """The part of a variant's address that is its own."""
    found = await Uploader(mesh, owner).processed(photo())
    return str(found["variants"]["large"]["url"].removeprefix("/api/media/"))


async def spin(mesh: Mesh, owner: Account) -> str:
    """A draft with a view all around it, drawn."""
    turner = Turner(mesh, owner)
    draft = await turner.create()
    await turner.turned(draft, 12)
    return str(draft.json()["id"])


async def video(mesh: Mesh, owner: Account) -> str:
    """A video of a draft, ready."""
    filmer = Filmer(mesh, owner)
    return str((await filmer.filmed(await filmer.create()))["id"])


async def video_file(mesh: Mesh, owner: Account) -> str:
    """The parts of a video file's address that are its own."""
    filmer, video_id = Filmer(mesh, owner), await video(mesh, owner)
    (key,) = [each for each in filmer.kept(video_id) if "/video/" in each]
    return key.removeprefix("media/").replace("/video/", "/")


async def api_key(mesh: Mesh, owner: Account) -> str:
    """A key that opens searches."""
    body = {"label": "matrix", "operations": ["search"], "days": 1}
    answer = await mesh.client.post("/api/auth/keys", json=body, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def shared(mesh: Mesh, owner: Account, name: str, path: str = "/api/favorites/share") -> str:
    """A link to their favourites: its id, or its token."""
    answer = await mesh.client.post(path, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    mine = await Seller(mesh, owner).read(path, answer)
    assert mine.status_code == 200, mine.text
    return str(answer.json()[name])


async def compared(mesh: Mesh, owner: Account, name: str) -> str:
    """A link to what they compare, one listing of somebody's: its id, or its token."""
    offer = await listed(mesh, await mesh.account("seller"), publish=True)
    added = await mesh.client.post(f"/api/compare/{offer}", headers=owner.headers)
    if added.status_code != 409:  # else there are enough already
        assert added.status_code == 200, added.text
    return await shared(mesh, owner, name, "/api/compare/share")


async def said(mesh: Mesh, owner: Account, kind: str) -> str:
    """A conversation that somebody begins, or what they say first in it."""
    found = await talk(Talker(mesh, owner), await talker(mesh, "seller"))
    message = await found.buyer.said(found.id, "Hello")
    await found.buyer.contents(found.id, message)  # readable from now on
    return found.id if kind == "conversation" else str(message.json()["id"])


async def quick_reply(mesh: Mesh, owner: Account) -> str:
    """Something that they say often."""
    who, path = Talker(mesh, owner), "/api/messages/quick-replies"
    kept = await who.ask("POST", path, json={"content": "It is still there"})
    assert kept.status_code == 201, kept.text
    assert (await who.read(path, kept)).status_code == 200
    return str(kept.json()["id"])


async def pictured(mesh: Mesh, owner: Account) -> str:
    """A draft with an image; the ids of both."""
    listing_id = await listed(mesh, owner, publish=False)
    uploader = Uploader(mesh, owner)
    answer = await uploader.send(photo(), path=f"/api/listings/{listing_id}/images")
    assert answer.status_code == 201, answer.text
    await uploader.read(f"/api/listings/{listing_id}", answer)
    return f"{listing_id}/{answer.json()['images'][0]['id']}"


async def reviewed(mesh: Mesh, owner: Account) -> str:
    """What its owner says of somebody's listing."""
    seller = Seller(mesh, await mesh.account("seller"))
    reviewer = Seller(mesh, owner)
    answer = await review(reviewer, await seller.offer())
    assert answer.status_code == 201, answer.text
    found = await reviewer.read(f"/api/reviews/{answer.json()['id']}", answer)
    assert found.status_code == 200, found.text
    return str(answer.json()["id"])


async def spoken_of(mesh: Mesh, owner: Account, *, responded: bool) -> str:
    """What somebody says of the owner, who has responded to it or has not."""
    seller = Seller(mesh, owner)
    answer = await review(Seller(mesh, await mesh.account("buyer")), await seller.offer())
    assert answer.status_code == 201, answer.text
    review_id = str(answer.json()["id"])
    if responded:
        told = {"content": "Thank you. Drive it well."}
        answer = await seller.ask("POST", f"/api/reviews/{review_id}/response", json=told)
        assert answer.status_code == 200, answer.text
    found = await seller.read(f"/api/reviews/{review_id}", answer)
    assert found.status_code == 200, found.text
    return review_id


async def searched(mesh: Mesh, owner: Account, kind: str) -> str:
    """A search that they have saved, its alert, or the link that stops that one's mails."""
    who = Seller(mesh, owner)
    filters = {"make": [uuid4().hex]}
    body = {"name": "Mine", "filters": filters}
    saved = await who.ask("POST", "/api/search/saved", json=body)
    assert saved.status_code == 201, saved.text
    about = {"search_id": saved.json()["id"]}
    alert = await who.ask("POST", "/api/search/alerts", json=about)
    assert alert.status_code == 201, alert.text
    assert (await who.read("/api/search/saved", alert)).status_code == 200
    if kind == "link":
        meant = Subscription(UUID(owner.user_id), UUID(alert.json()["id"]))
        return Unsubscribing(mesh.settings).text(meant)
    return str((saved if kind == "saved search" else alert).json()["id"])


async def notification(mesh: Mesh, owner: Account) -> str:
    """What they are told of an answer."""
    _, told = await answered(mesh, owner)
    return str(told["id"])


async def subscription(mesh: Mesh, owner: Account) -> str:
    """A browser on which they are shown notifications."""
    answer = await Reader(mesh, owner).subscribe()
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def link_of_type(mesh: Mesh, owner: Account) -> str:
    """The link that stops mails of messages."""
    url = TypeLinks(mesh.settings).url(
        UUID(owner.user_id), NotificationType.MESSAGES, NotificationChannel.EMAIL
    )
    return url.rpartition("/")[2]


async def known(_mesh: Mesh, _owner: Account, thing_id: str) -> str:
    """Something that nobody makes."""
    return thing_id


async def person(_mesh: Mesh, owner: Account) -> str:
    """Themselves."""
    return owner.user_id


MAKERS: Final[Mapping[str, Callable[[Mesh, Account], Awaitable[str]]]] = {
    "person": person,
    "provider": partial(known, thing_id="nowhere"),
    "item": partial(known, thing_id=NOBODYS),
    "draft": partial(listed, publish=False),
    "offer": partial(listed, publish=True),
    "listing image": pictured,
    "session": session,
    "avatar": avatar,
    "image": image,
    "variant": variant,
    "spin": spin,
    "video": video,
    "video file": video_file,
    "conversation": partial(said, kind="conversation"),
    "message": partial(said, kind="message"),
    "quick reply": quick_reply,
    "share": partial(shared, name="id"),
    "shared": partial(shared, name="token"),
    "comparison share": partial(compared, name="id"),
    "shared comparison": partial(compared, name="token"),
    "saved search": partial(searched, kind="saved search"),
    "alert": partial(searched, kind="alert"),
    "unsubscribe link": partial(searched, kind="link"),
    "notification": notification,
    "link of a type": link_of_type,
    "subscription": subscription,
    "template": partial(known, thing_id="search_alerts.ta"),
    "review": reviewed,
    "review of one": partial(spoken_of, responded=False),
    "booking": partial(planted, side="seller"),
    "own booking": partial(planted, side="buyer"),
    "accepted booking": partial(planted, side="seller", accepted=True),
    "response": partial(spoken_of, responded=True),
    "api key": api_key,
}
