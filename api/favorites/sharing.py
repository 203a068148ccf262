"""Wishlists: favourites that others see by a link, as they are when somebody looks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Body, Request
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import ANONYMOUS, MaybeCaller, SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.entry.sharing import (
    SHARE,
    UNLISTED,
    Links,
    NewShare,
    NewShareAnswer,
    SharesAnswer,
    TokenInPath,
    share_ended,
)
from api.favorites.bodies import SAVED, SharedWishlistAnswer
from api.favorites.listed import saved
from api.profiles.sight import people_of
from api.wire.problems import problem_responses
from api.wire.successes import NO_STORE, ok
from projections.favorites import favorites
from projections.favorites.shared_wishlists import shared_wishlists
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.profiles.user_profiles import user_profiles
from schemas.favorites import ShareWishlist, UnshareWishlist

SHARES = "/api/favorites/share"
SHARED = "/api/favorites/shared"
WISHLISTS = Links(shared_wishlists, favorites.favorites, page="wishlist", path=SHARED)
SEEN = CaughtUp(shared_wishlists, favorites.favorites, listing_page, users, user_profiles)

_TOKEN = "q1nJ0X3u9c2k7b5m8w4e6r1t0y3u5i7o9p2a4s6d8f0"  # noqa: S105 - an example
_NEW = {**SHARE, "token": _TOKEN, "url": f"https://market.example/wishlist#token={_TOKEN}"}
_SEEN = {
    "items": [SAVED],
    "next_cursor": None,
    "owner_name": "Nimal Perera",
    "expires_at": SHARE["expires_at"],
}

router = new_router("favorites")


@router.post(
    SHARES,
    operation_id="share_wishlist",
    status_code=201,
    response_model=NewShareAnswer,
    responses={
        **ok("Shared", _NEW, 201),
        **problem_responses(400, 401, 403, 409, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def share_wishlist(
    sending: Sending,
    _caller: SignedIn,
    body: Annotated[NewShare | None, Body(examples=[{"hours": 168}])] = None,
) -> Response:
    """Open a link to one's favourites, for whoever has it, signed in or not. It is live: it shows
    what is among them when somebody looks, and no copy of what was when it was opened. Its text is
    in this answer and nowhere else.
    """
    return await WISHLISTS.open(sending, ShareWishlist, body)


@router.get(
    SHARES,
    operation_id="list_wishlist_shares",
    response_model=SharesAnswer,
    responses={**ok("Links", {"items": [SHARE]}), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def list_wishlist_shares(request: Request, caller: SignedIn) -> Response:
    """One's own links that show something, the last opened first; never their texts."""
    return await WISHLISTS.listed(request, caller)


@router.delete(
    f"{SHARES}/{{share_id:uuid}}",
    operation_id="unshare_wishlist",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Revoked"}, **problem_responses(400, 401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES)
async def unshare_wishlist(share_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Revoke a link of one's own. When this answers it shows nothing."""
    return await WISHLISTS.revoke(sending, UnshareWishlist, share_id)


@router.get(
    f"{SHARED}/{{token}}",
    operation_id="read_shared_wishlist",
    response_model=SharedWishlistAnswer,
    responses={
        **ok("A page", _SEEN, headers=["Link", *UNLISTED]),
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES)
async def read_shared_wishlist(
    token: TokenInPath, request: Request, mesh: Mesh, page: Paging, _caller: MaybeCaller
) -> Response:
    """What is among somebody's favourites now, the last added first, for whoever has the link. Of
    the owner only the name is told; what not everybody may see is gone, whoever asks. A link
    that has expired or was revoked, or whose owner is away, answers 410.
    """
    await SEEN.wait(request)
    opened = await WISHLISTS.opened(mesh, token)
    owner_id = str(opened.owner_id)
    people = await people_of(mesh, [owner_id])
    if owner_id not in people.names:
        raise share_ended()
    found = await favorites.of_owner(mesh.postgres, owner_id, page.part)
    rows, last = page.shown(found, "favored_at", "key")
    return page.response(
        [saved(row, ANONYMOUS, own=False) for row in rows],
        last,
        headers={**NO_STORE, **UNLISTED},
        owner_name=people.names[owner_id],
        expires_at=opened.expires_at,
    )
