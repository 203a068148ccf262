"""Favourites: the listings that somebody keeps in mind, and the links by which others see them.

All of one person's are one stream, so that what they add and clear is judged in its order.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.sharing import Share, Shared, Unshare, Unshared

FAVORITES_MAX = 1_000  # of one person


def favorites_stream(user_id: UUID | str) -> str:
    """The stream of one person's favourites."""
    return f"favorites/{user_id}"


class _FavoritesCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return favorites_stream(self.user_id)


class AddFavorite(_FavoritesCommand):
    """Keep a listing in mind."""

    kind: Literal["favorite.add"] = "favorite.add"
    listing_id: UUID


class RemoveFavorite(_FavoritesCommand):
    """Keep it in mind no longer."""

    kind: Literal["favorite.remove"] = "favorite.remove"
    listing_id: UUID


class ClearFavorites(_FavoritesCommand):
    """Keep none in mind any longer."""

    kind: Literal["favorites.clear"] = "favorites.clear"


class ShareWishlist(Share, _FavoritesCommand):
    """Let others see one's favourites."""

    kind: Literal["wishlist.share"] = "wishlist.share"


class UnshareWishlist(Unshare, _FavoritesCommand):
    """Let a link show them no longer."""

    kind: Literal["wishlist.unshare"] = "wishlist.unshare"


FavoritesCommand: TypeAlias = (
    AddFavorite | RemoveFavorite | ClearFavorites | ShareWishlist | UnshareWishlist
)


class FavoriteAdded(Event):
    """Somebody keeps the listing in mind."""

    kind: Literal["favorite.added"] = "favorite.added"
    user_id: UUID
    listing_id: UUID
    added_at: AwareDatetime


class FavoriteRemoved(Event):
    """They keep it in mind no longer."""

    kind: Literal["favorite.removed"] = "favorite.removed"
    user_id: UUID
    listing_id: UUID
    removed_at: AwareDatetime


class FavoritesCleared(Event):
    """They keep none in mind any longer. `listing_ids` are those that they did, so that whoever
    counts by listing needs no look at what was before.
    """

    kind: Literal["favorites.cleared"] = "favorites.cleared"
    user_id: UUID
    listing_ids: Annotated[tuple[UUID, ...], Field(max_length=FAVORITES_MAX)]
    cleared_at: AwareDatetime


class WishlistShared(Shared):
    """A link shows their favourites, as they are when somebody looks."""

    kind: Literal["wishlist.shared"] = "wishlist.shared"


class WishlistUnshared(Unshared):
    """The link shows them no longer."""

    kind: Literal["wishlist.unshared"] = "wishlist.unshared"


FavoritesEvent: TypeAlias = (
    FavoriteAdded | FavoriteRemoved | FavoritesCleared | WishlistShared | WishlistUnshared
)

CONTEXT = Context("favorites", get_args(FavoritesCommand), get_args(FavoritesEvent))
