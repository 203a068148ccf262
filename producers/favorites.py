"""What may happen to somebody's favourites: they alone add, take out, clear and share them.
With somebody who leaves for good, what they kept in mind is cleared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never
from uuid import UUID

from producers import sharing
from producers.decider import Decider, Rejected
from producers.sharing import Links
from schemas.favorites import (
    FAVORITES_MAX,
    AddFavorite,
    ClearFavorites,
    FavoriteAdded,
    FavoriteRemoved,
    FavoritesCleared,
    FavoritesCommand,
    FavoritesEvent,
    RemoveFavorite,
    ShareWishlist,
    UnshareWishlist,
    WishlistShared,
    WishlistUnshared,
)
from schemas.log.messages import Role


@dataclass(frozen=True)
class Favorites:
    """Which listings somebody keeps in mind, and their links."""

    listings: frozenset[UUID] = frozenset()
    links: Links = field(default_factory=Links)


def decide(command: FavoritesCommand, favorites: Favorites) -> Sequence[FavoritesEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    ends = isinstance(command, ClearFavorites) and command.asked_role is Role.SYSTEM
    if command.asked_by != str(command.user_id) and not ends:
        raise Rejected("not_yours", 403)
    match command:
        case AddFavorite():
            return add(command, favorites)
        case RemoveFavorite():
            return remove(command, favorites)
        case ClearFavorites():
            return clear(command, favorites)
        case ShareWishlist():
            return share(command, favorites)
        case UnshareWishlist():
            return unshare(command, favorites)
        case _:
            assert_never(command)


def add(command: AddFavorite, favorites: Favorites) -> Sequence[FavoritesEvent]:
    """Once, while there is room."""
    if command.listing_id in favorites.listings:
        return []
    if len(favorites.listings) >= FAVORITES_MAX:
        raise Rejected("favorites_full")
    return [
        FavoriteAdded(
            user_id=command.user_id, listing_id=command.listing_id, added_at=command.asked_at
        )
    ]


def remove(command: RemoveFavorite, favorites: Favorites) -> Sequence[FavoritesEvent]:
    """Whatever has become of the listing."""
    if command.listing_id not in favorites.listings:
        return []
    return [
        FavoriteRemoved(
            user_id=command.user_id, listing_id=command.listing_id, removed_at=command.asked_at
        )
    ]


def clear(command: ClearFavorites, favorites: Favorites) -> Sequence[FavoritesEvent]:
    """All at once, in one event. Links stay, and show an empty list."""
    if not favorites.listings:
        return []
    return [
        FavoritesCleared(
            user_id=command.user_id,
            listing_ids=tuple(sorted(favorites.listings)),
            cleared_at=command.asked_at,
        )
    ]


def share(command: ShareWishlist, favorites: Favorites) -> Sequence[FavoritesEvent]:
    """A link of its own each time."""
    sharing.may_share(command, favorites.links)
    return [
        WishlistShared(
            share_id=command.share_id,
            user_id=command.user_id,
            token_hash=command.token_hash,
            shared_at=command.asked_at,
            expires_at=command.expires_at,
        )
    ]


def unshare(command: UnshareWishlist, favorites: Favorites) -> Sequence[FavoritesEvent]:
    """For good; nothing is to do for a link that was revoked before."""
    if not sharing.is_open(command, favorites.links):
        return []
    return [
        WishlistUnshared(
            share_id=command.share_id, user_id=command.user_id, unshared_at=command.asked_at
        )
    ]


def evolve(favorites: Favorites, event: FavoritesEvent) -> Favorites:
    """The favourites after the event."""
    match event:
        case FavoriteAdded(listing_id=listing_id):
            return replace(favorites, listings=favorites.listings | {listing_id})
        case FavoriteRemoved(listing_id=listing_id):
            return replace(favorites, listings=favorites.listings - {listing_id})
        case FavoritesCleared():
            return replace(favorites, listings=frozenset())
        case WishlistShared() | WishlistUnshared():
            return replace(favorites, links=sharing.after(favorites.links, event))
        case _:
            assert_never(event)


favorites: Decider[FavoritesCommand, Favorites, FavoritesEvent] = Decider(
    initial=Favorites(), decide=decide, evolve=evolve
)
