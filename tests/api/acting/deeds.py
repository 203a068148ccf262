"""One deed for every operation that takes an Idempotency-Key, and what makes it impossible later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx

from tests.api.acting import (
    booking_deeds,
    chat_deeds,
    media_deeds,
    notification_deeds,
    search_deeds,
    template_deeds,
)
from tests.api.acting.offering import LAPTOP, campus, student
from tests.api.acting.profiling import photo
from tests.api.acting.selling import CAR, Seller, path_of, review, token_of
from tests.api.mailbox import NEW_PASSWORD, RESET, VERIFY, mailed
from tests.api.running import PASSWORD, Mesh, new_email
from tests.waiting import eventually

ANY: Final = {"If-Match": "*"}
RESPONSE: Final = {"content": "Thank you. Drive it well."}
VOTE: Final = {"vote": "helpful"}

# What has no first answer to give again.
NEVER_REPEATED: Final[Mapping[str, str]] = {
    "refresh_session": "its answer holds tokens; see test_sessions for the grace",
    "log_out": "ends what shows whose key it is",
    "log_out_everywhere": "ends what shows whose key it is",
    "deactivate_user": "ends what shows whose key it is",
    "delete_user": "ends what shows whose key it is",
    "unlink_identity": "needs a provider: see test_oauth",
}


async def nothing() -> None:
    """What nothing can spoil."""


@dataclass(frozen=True)
class Deed:
    """Something that works now, and not any more after `spoil`."""

    mesh: Mesh
    method: str
    path: str
    spoil: Callable[[], Awaitable[object]] = nothing
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    async def done(self, key: str) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": key}
        return await self.mesh.client.request(self.method, self.path, headers=headers, **self.more)


@dataclass(frozen=True)
class Shop:
    """Who is needed for deeds."""

    mesh: Mesh
    admin: Seller

    async def person(self, role: str = "seller") -> Seller:
        return Seller(self.mesh, await self.mesh.account(role))

    def deed(self, who: Seller, method: str, path: str, spoil: Any = nothing, **more: Any) -> Deed:
        headers = {**who.account.headers, **more.pop("headers", {})}
        return Deed(self.mesh, method, path, spoil, headers, more)

    async def ban(self, who: Seller, **more: Any) -> None:
        """Nobody of that id any more, for whoever looks."""
        path = f"/api/users/{who.account.user_id}/ban"
        answer = await self.admin.ask("POST", path, json={"reason": "fraud", **more})
        assert answer.status_code == 200, answer.text
        await self.mesh.until_read(answer)

    async def take_away(self, listing: httpx.Response) -> None:
        """Delete a listing, until its page says so."""
        gone = await self.admin.ask("DELETE", path_of(listing), headers=ANY)
        assert gone.status_code == 204, gone.text
        await eventually(lambda: self._is_gone(listing), 20, "the listing is gone")

    async def _is_gone(self, listing: httpx.Response) -> bool:
        return (await self.mesh.client.get(path_of(listing))).status_code == 410


Builder = Callable[[Shop], Awaitable[Deed]]


def on_listing(method: str, more: str = "", *, publish: bool = True, **body: Any) -> Builder:
    """A deed of a listing's seller; the listing is taken away afterwards."""

    async def build(shop: Shop) -> Deed:
        seller = await shop.person()
        listing = await seller.create(publish=publish)
        path = path_of(listing) + more
        return shop.deed(seller, method, path, lambda: gone(shop, listing), headers=ANY, **body)

    return build


async def gone(shop: Shop, listing: httpx.Response) -> None:
    """Taken away, if it is still there."""
    await shop.admin.ask("DELETE", path_of(listing), headers=ANY)


async def create_listing(shop: Shop) -> Deed:
    seller = await shop.person()
    return shop.deed(seller, "POST", "/api/listings", json={**CAR, "publish": True})


async def create_review(shop: Shop) -> Deed:
    seller, buyer = await shop.person(), await shop.person("buyer")
    listing = await seller.offer()
    await seller.read(path_of(listing), listing)
    body = {"listing_id": listing.json()["id"], "rating": 4}
    spoil = lambda: shop.take_away(listing)  # noqa: E731
    return shop.deed(buyer, "POST", "/api/reviews", spoil, json=body)


async def open_conversation(shop: Shop) -> Deed:
    seller, buyer = await shop.person(), await shop.person("buyer")
    listing = await seller.offer()
    await seller.read(path_of(listing), listing)
    body = {"listing_id": listing.json()["id"]}
    spoil = lambda: shop.take_away(listing)  # noqa: E731
    return shop.deed(buyer, "POST", "/api/messages/conversations", spoil, json=body)


def on_review(method: str, **body: Any) -> Builder:
    async def build(shop: Shop) -> Deed:
        first = await create_review(shop)
        written = await first.done(uuid4().hex)
        path = f"/api/reviews/{written.json()['id']}"
        spoil = lambda: shop.admin.ask("DELETE", path, headers=ANY)  # noqa: E731
        headers = {**first.headers, **ANY}
        return Deed(shop.mesh, method, path, spoil, headers, body)

    return build


def to_review(method: str, more: str, *, done: bool = False, **body: Any) -> Builder:
    """The seller responds, anybody votes; `done`: they have done so before."""

    async def build(shop: Shop) -> Deed:
        seller, buyer = await shop.person(), await shop.person("buyer")
        written = await review(buyer, await seller.offer())
        path = f"/api/reviews/{written.json()['id']}"
        who = seller if more == "/response" else await shop.person("buyer")
        assert (await who.read(path, written)).status_code == 200
        if done:
            told = {"content": "Not true at all."} if who is seller else VOTE
            assert (await who.ask("POST", path + more, json=told)).status_code == 200
        spoil = lambda: shop.admin.ask("DELETE", path, headers=ANY)  # noqa: E731
        return shop.deed(who, method, path + more, spoil, **body)

    return build


def in_chat(method: str, **body: Any) -> Builder:
    async def build(shop: Shop) -> Deed:
        first = await open_conversation(shop)
        opened = await first.done(uuid4().hex)
        path = f"/api/messages/{opened.json()['id']}"
        return Deed(shop.mesh, method, path, first.spoil, first.headers, body)

    return build


async def mark_messages_read(shop: Shop) -> Deed:
    say = await in_chat("POST", json={"content": "Hello"})(shop)
    said = await say.done(uuid4().hex)
    headers = {**say.headers, "Consistency-Token": said.headers["Consistency-Token"]}
    path = f"/api/messages/{said.json()['id']}/read"
    return Deed(shop.mesh, "PUT", path, say.spoil, headers)


async def register_user(shop: Shop) -> Deed:
    email = new_email()
    body = {"email": email, "password": PASSWORD, "name": "Nimal"}

    async def spoil() -> None:
        tokens = (await shop.mesh.log_in(email)).json()
        path = f"/api/users/{tokens['user']['id']}/ban"
        await shop.admin.ask("POST", path, json={"reason": "fraud"})

    return Deed(shop.mesh, "POST", "/api/auth/register", spoil, {}, {"json": body})


async def verify_email(shop: Shop) -> Deed:
    user_id = (await shop.mesh.register()).json()["user"]["id"]
    token = await mailed(shop.mesh, user_id, VERIFY)
    spoil = lambda: forgotten(shop.mesh, f"{user_id}/{VERIFY}")  # noqa: E731
    return Deed(shop.mesh, "POST", "/api/auth/verify-email", spoil, {}, {"json": {"token": token}})


async def forgotten(mesh: Mesh, key: str) -> None:
    """The page knows the token no more."""

    async def away() -> bool:
        query = "SELECT 1 FROM reads.verification_tokens WHERE key = $1"
        return await mesh.machines.postgres.fetchval(query, key) is None

    await eventually(away, 20, "the token is forgotten")


async def reset_password(shop: Shop) -> Deed:
    person = await shop.person("buyer")
    asked = {"email": person.account.email}
    await shop.mesh.client.post("/api/auth/forgot-password", json=asked)
    token = await mailed(shop.mesh, person.account.user_id, RESET)
    spoil = lambda: forgotten(shop.mesh, f"{person.account.user_id}/{RESET}")  # noqa: E731
    body = {"token": token, "password": NEW_PASSWORD}
    return Deed(shop.mesh, "POST", "/api/auth/reset-password", spoil, {}, {"json": body})


async def forgot_password(shop: Shop) -> Deed:
    person = await shop.person("buyer")
    body = {"email": person.account.email}
    spoil = lambda: shop.ban(person)  # noqa: E731
    return Deed(shop.mesh, "POST", "/api/auth/forgot-password", spoil, {}, {"json": body})


async def change_password(shop: Shop) -> Deed:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    # Done once, the present password is another.
    return shop.deed(await shop.person("buyer"), "POST", "/api/auth/change-password", json=body)


async def resend_verification(shop: Shop) -> Deed:
    return shop.deed(await shop.person("buyer"), "POST", "/api/auth/resend-verification")


async def revoke_session(shop: Shop) -> Deed:
    person = await shop.person("buyer")
    other = (await shop.mesh.log_in(person.account.email)).json()["access_token"]
    session_id = (await shop.mesh.machines.tokens.verify(other)).session_id
    return shop.deed(person, "DELETE", f"/api/auth/sessions/{session_id}")


def to_person(method: str, more: str, **body: Any) -> Builder:
    """What the staff do to somebody, who then leaves for good."""

    async def build(shop: Shop) -> Deed:
        person = await shop.person("buyer")
        path = f"/api/users/{person.account.user_id}"
        spoil = lambda: leave(shop, person)  # noqa: E731
        return shop.deed(shop.admin, method, f"{path}/{more}", spoil, **body)

    return build


async def leave(shop: Shop, person: Seller) -> None:
    tokens = await shop.mesh.log_in(person.account.email)
    if tokens.status_code == 200:
        headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
        path = f"/api/users/{person.account.user_id}"
        await shop.mesh.client.delete(path, headers=headers)


def of_oneself(method: str, more: str, **body: Any) -> Builder:
    async def build(shop: Shop) -> Deed:
        person = await shop.person("seller")
        path = f"/api/users/{person.account.user_id}{more}"
        return shop.deed(person, method, path, headers=ANY, **body)

    return build


def upload(path: str) -> Builder:
    async def build(shop: Shop) -> Deed:
        person = await shop.person("buyer")
        return shop.deed(person, "POST", path, files=[("images", ("a.png", photo()))])

    return build


async def add_listing_images(shop: Shop) -> Deed:
    seller = await shop.person()
    listing = await seller.offer()
    headers, files = ANY | token_of(listing), [("images", ("a.png", photo()))]
    spoil = lambda: gone(shop, listing)  # noqa: E731
    path = f"{path_of(listing)}/images"
    return shop.deed(seller, "POST", path, spoil, headers=headers, files=files)


async def remove_listing_image(shop: Shop) -> Deed:
    seller = await shop.person()
    listing = await seller.offer()
    path, files = f"{path_of(listing)}/images", [("images", ("a.png", photo()))]
    sent = await seller.ask("POST", path, files=files, headers=token_of(listing))
    assert sent.status_code == 201, sent.text
    image_id = sent.json()["images"][0]["id"]
    spoil = lambda: gone(shop, listing)  # noqa: E731
    return shop.deed(seller, "DELETE", f"{path}/{image_id}", spoil, headers=ANY)


async def delete_media(shop: Shop) -> Deed:
    sent = await upload("/api/images")(shop)
    (image,) = (await sent.done(uuid4().hex)).json()["images"]
    return Deed(shop.mesh, "DELETE", f"/api/media/{image['id']}", nothing, sent.headers)


async def upload_avatar(shop: Shop) -> Deed:
    person = await shop.person("buyer")
    path = f"/api/users/{person.account.user_id}/avatar"
    spoil = lambda: person.ask("DELETE", path)  # noqa: E731
    return shop.deed(person, "POST", path, spoil, files=[("avatar", ("a.png", photo()))])


async def issue_api_key(shop: Shop) -> Deed:
    person = await shop.person()
    body = {"label": "nightly", "operations": ["list_my_listings"]}

    async def spoil() -> None:
        found = (await person.ask("GET", "/api/auth/keys")).json()["items"]
        for each in found:
            await person.ask("DELETE", f"/api/auth/keys/{each['id']}")

    return shop.deed(person, "POST", "/api/auth/keys", spoil, json=body)


async def revoke_api_key(shop: Shop) -> Deed:
    issue = await issue_api_key(shop)
    key_id = (await issue.done(uuid4().hex)).json()["id"]
    return Deed(shop.mesh, "DELETE", f"/api/auth/keys/{key_id}", nothing, issue.headers)


async def create_item(shop: Shop) -> Deed:
    person = await student(shop.mesh, campus())
    files = [("images", ("a.png", photo()))]
    made: list[str] = []

    async def spoil() -> None:
        made.extend(await own_items(shop.mesh, person.account.user_id))
        for each in made:
            await person.ask("DELETE", f"/api/items/{each}", headers=ANY)

    return shop.deed(person, "POST", "/api/items", spoil, data=LAPTOP, files=files)


async def process_images(shop: Shop) -> Deed:
    person = await student(shop.mesh, campus())
    item_id = await person.have()
    spoil = lambda: person.ask("DELETE", f"/api/items/{item_id}", headers=ANY)  # noqa: E731
    files, about = [("images", ("a.png", photo()))], {"itemId": item_id}
    return shop.deed(person, "POST", "/api/images/process", spoil, data=about, files=files)


async def own_items(mesh: Mesh, user_id: str) -> list[str]:
    async def there() -> list[str]:
        query = "SELECT key FROM reads.items WHERE owner_id = $1"
        return [row["key"] for row in await mesh.machines.postgres.fetch(query, user_id)]

    return await eventually(there, 20, "the item can be read")


def on_item(method: str, **body: Any) -> Builder:
    async def build(shop: Shop) -> Deed:
        person = await student(shop.mesh, campus())
        path = f"/api/items/{await person.have()}"
        spoil = lambda: person.ask("DELETE", path, headers=ANY)  # noqa: E731
        return shop.deed(person, method, path, spoil, headers=ANY, **body)

    return build


def kept_in(folder: str, method: str) -> Builder:
    """A listing kept in one's list, or taken out; then it is taken away."""

    async def build(shop: Shop) -> Deed:
        seller, buyer = await shop.person(), await shop.person("buyer")
        listing = await seller.offer()
        await seller.read(path_of(listing), listing)
        path = f"{folder}/{listing.json()['id']}"
        if method == "DELETE":
            assert (await buyer.ask("POST", path)).status_code == 200
        return shop.deed(buyer, method, path, lambda: shop.take_away(listing))

    return build


def clear(folder: str) -> Builder:
    """A list emptied; then something is in it again."""

    async def build(shop: Shop) -> Deed:
        add = await kept_in(folder, "POST")(shop)
        await add.done(uuid4().hex)
        return Deed(shop.mesh, "DELETE", folder, lambda: add.done(uuid4().hex), add.headers)

    return build


async def share_wishlist(shop: Shop) -> Deed:
    person = await shop.person("buyer")
    path = "/api/favorites/share"

    async def spoil() -> None:
        for each in (await person.ask("GET", path)).json()["items"]:
            await person.ask("DELETE", f"{path}/{each['id']}")

    return shop.deed(person, "POST", path, spoil, json={"hours": 24})


async def share_comparison(shop: Shop) -> Deed:
    await (add := await kept_in("/api/compare", "POST")(shop)).done(uuid4().hex)
    clear = lambda: shop.mesh.client.delete("/api/compare", headers=add.headers)  # noqa: E731
    more = {"json": {"hours": 24}}
    return Deed(shop.mesh, "POST", "/api/compare/share", clear, add.headers, more)


def unshare(share: Builder) -> Builder:
    """A link closed."""

    async def build(shop: Shop) -> Deed:
        made = await share(shop)
        path = f"{made.path}/{(await made.done(uuid4().hex)).json()['id']}"
        return Deed(shop.mesh, "DELETE", path, nothing, made.headers)

    return build


DEEDS: Final[Mapping[str, Builder]] = {
    "create_listing": create_listing,
    "update_listing": on_listing("PATCH", json={"year": 2018}),
    "replace_listing_fields": on_listing("PUT", json={"year": 2018}),
    "delete_listing": on_listing("DELETE"),
    "publish_listing": on_listing("POST", "/publish", publish=False),
    "add_listing_images": add_listing_images,
    "reorder_listing_images": on_listing("PUT", "/images", json={"order": []}),
    "remove_listing_image": remove_listing_image,
    "renew_listing": on_listing("POST", "/renew"),
    "unpublish_listing": on_listing("POST", "/unpublish"),
    "mark_listing_sold": on_listing("POST", "/sold", json={"price_minor": 7}),
    "register_user": register_user,
    "verify_email": verify_email,
    "resend_verification": resend_verification,
    "forgot_password": forgot_password,
    "reset_password": reset_password,
    "change_password": change_password,
    "revoke_session": revoke_session,
    "ban_user": to_person("POST", "ban", json={"reason": "fraud"}),
    "unban_user": to_person("POST", "unban"),
    "grant_role": to_person("PUT", "role", json={"role": "seller"}),
    "log_out_user": to_person("DELETE", "sessions"),
    "reactivate_user": of_oneself("POST", "/reactivate"),
    "update_user": of_oneself("PATCH", "", json={"bio": "Here"}),
    "replace_user_fields": of_oneself("PUT", "", json={"bio": "Here"}),
    "update_seller": of_oneself("PATCH", "/seller", json={"business_name": "Cars"}),
    "replace_seller_fields": of_oneself("PUT", "/seller", json={"business_name": "Cars"}),
    "update_preferences": of_oneself("PATCH", "/preferences", json={"language": "si"}),
    "replace_preferences": of_oneself("PUT", "/preferences", json={"language": "si"}),
    "upload_avatar": upload_avatar,
    "remove_avatar": of_oneself("DELETE", "/avatar"),
    "upload_images": upload("/api/images"),
    "upload_media_images": upload("/api/media/images"),
    "delete_media": delete_media,
    "issue_api_key": issue_api_key,
    "revoke_api_key": revoke_api_key,
    "open_conversation": open_conversation,
    "send_message": in_chat("POST", json={"content": "Hello"}),
    "hide_conversation": in_chat("DELETE"),
    "mark_messages_read": mark_messages_read,
    "create_item": create_item,
    "process_images": process_images,
    "update_item": on_item("PATCH", json={"title": "Newer laptop"}),
    "replace_item_fields": on_item("PUT", json={"title": "Newer laptop"}),
    "delete_item": on_item("DELETE"),
    "create_review": create_review,
    "update_review": on_review("PATCH", json={"rating": 2}),
    "replace_review_fields": on_review("PUT", json={"rating": 2}),
    "delete_review": on_review("DELETE"),
    **notification_deeds.DEEDS,
    **template_deeds.DEEDS,
    "add_favorite": kept_in("/api/favorites", "POST"),
    "remove_favorite": kept_in("/api/favorites", "DELETE"),
    "clear_favorites": clear("/api/favorites"),
    "share_wishlist": share_wishlist,
    "unshare_wishlist": unshare(share_wishlist),
    **search_deeds.DEEDS,
    **media_deeds.DEEDS,
    **booking_deeds.DEEDS,
    **chat_deeds.DEEDS,
    "respond_to_review": to_review("POST", "/response", json=RESPONSE),
    "replace_review_response": to_review("PUT", "/response", done=True, json=RESPONSE),
    "withdraw_review_response": to_review("DELETE", "/response", done=True),
    "vote_on_review": to_review("POST", "/vote", json=VOTE),
    "withdraw_review_vote": to_review("DELETE", "/vote", done=True),
    "add_to_comparison": kept_in("/api/compare", "POST"),
    "remove_from_comparison": kept_in("/api/compare", "DELETE"),
    "clear_comparison": clear("/api/compare"),
    "share_comparison": share_comparison,
    "unshare_comparison": unshare(share_comparison),
}
