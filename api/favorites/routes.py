"""Favourites: the listings that somebody keeps in mind. Nobody else sees them, unless by a link."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.favorites.bodies import (
    CHANGED,
    SAVED,
    FavoriteAnswer,
    FavoriteChangedAnswer,
    FavoritesAnswer,
)
from api.favorites.listed import saved
from api.listings.sight import against_keeping
from api.wire.changes import answer, changed
from api.wire.problems import problem_responses
from api.wire.successes import NO_STORE, ok, private_json
from projections.favorites import favorites
from projections.listings.listing_page import listing_page
from schemas.favorites import AddFavorite, ClearFavorites, RemoveFavorite

ONE = "/api/favorites/{listing_id:uuid}"
FAVORITES = CaughtUp(favorites.favorites)
LISTED = CaughtUp(favorites.favorites, listing_page)

_WRITE_PROBLEMS = problem_responses(400, 401, 403)

router = new_router("favorites")


@router.get(
    "/api/favorites",
    operation_id="list_favorites",
    response_model=FavoritesAnswer,
    responses={
        **ok("A page", {"items": [SAVED], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_favorites(request: Request, mesh: Mesh, page: Paging, caller: SignedIn) -> Response:
    """The caller's favourites, the last added first. What is sold says so; of what the caller can't
    see any more nothing is told but that it is gone.
    """
    await LISTED.wait(request)
    found = await favorites.of_owner(mesh.postgres, caller.user_id, page.part)
    rows, last = page.shown(found, "favored_at", "key")
    return page.response([saved(row, caller, own=True) for row in rows], last, headers=NO_STORE)


@router.delete(
    "/api/favorites",
    operation_id="clear_favorites",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "There are none"}, **_WRITE_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def clear_favorites(sending: Sending, caller: SignedIn) -> Response:
    """Take out all favourites at once. Links stay, and show an empty list."""
    command = ClearFavorites(user_id=UUID(caller.user_id), **sending.asked)
    return answer(await sending.send(command), 204)


@router.post(
    ONE,
    operation_id="add_favorite",
    response_model=FavoriteChangedAnswer,
    responses={
        **ok("It is a favourite", CHANGED),
        **_WRITE_PROBLEMS,
        **problem_responses(404, 409, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def add_favorite(
    listing_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Keep a listing in mind. One that is a favourite already stays where it is in the list."""
    against = await against_keeping(request, listing_id, caller)
    user_id = UUID(caller.user_id)
    command = AddFavorite(user_id=user_id, listing_id=listing_id, **sending.asked)
    reply = await sending.send(command, unless=against)
    return changed(reply, listing_id)


@router.delete(
    ONE,
    operation_id="remove_favorite",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is none"}, **_WRITE_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def remove_favorite(listing_id: UUID, sending: Sending, caller: SignedIn) -> Response:
    """Take a favourite out, whatever has become of the listing; what is none stays none."""
    user_id = UUID(caller.user_id)
    command = RemoveFavorite(user_id=user_id, listing_id=listing_id, **sending.asked)
    return answer(await sending.send(command), 204)


@router.get(
    ONE,
    operation_id="read_favorite",
    response_model=FavoriteAnswer,
    responses={
        **ok("Whether it is", {"is_favorite": True, "added_at": SAVED["added_at"]}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_favorite(
    listing_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """Whether a listing is among the caller's favourites, and since when. What is no listing is
    none of them.
    """
    await FAVORITES.wait(request)
    at = await favorites.added_at(mesh.postgres, caller.user_id, str(listing_id))
    return private_json({"is_favorite": at is not None, "added_at": at})
