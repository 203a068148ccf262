"""Favourites for tests: what somebody asks of theirs and what happens to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from producers.decider import Rejected
from producers.favorites import favorites
from schemas.favorites import (
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

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)
DAY = timedelta(days=1)


def car(number: int) -> UUID:
    return UUID(int=1_000 + number)


def _asked(**more: Any) -> dict[str, Any]:
    user_id = more.pop("user_id", ID)
    own = {"asked_at": NOW, "asked_by": str(user_id), "asked_role": Role.BUYER}
    return {"user_id": user_id, **own, **more}


def add(number: int = 1, **more: Any) -> AddFavorite:
    return AddFavorite(listing_id=car(number), **_asked(**more))


def remove(number: int = 1, **more: Any) -> RemoveFavorite:
    return RemoveFavorite(listing_id=car(number), **_asked(**more))


def clear(**more: Any) -> ClearFavorites:
    return ClearFavorites(**_asked(**more))


def share(number: int = 1, lasts: timedelta = DAY, **more: Any) -> ShareWishlist:
    asked = _asked(**more)
    link = {"share_id": UUID(int=number), "token_hash": f"{number:064x}"}
    return ShareWishlist(**link, expires_at=asked["asked_at"] + lasts, **asked)


def unshare(number: int = 1, **more: Any) -> UnshareWishlist:
    return UnshareWishlist(share_id=UUID(int=number), **_asked(**more))


def added(number: int = 1, user_id: UUID = ID, at: datetime = NOW) -> FavoriteAdded:
    return FavoriteAdded(user_id=user_id, listing_id=car(number), added_at=at)


def removed(number: int = 1, user_id: UUID = ID) -> FavoriteRemoved:
    return FavoriteRemoved(user_id=user_id, listing_id=car(number), removed_at=NOW)


def cleared(*numbers: int, user_id: UUID = ID) -> FavoritesCleared:
    listing_ids = tuple(car(each) for each in numbers)
    return FavoritesCleared(user_id=user_id, listing_ids=listing_ids, cleared_at=NOW)


def shared(number: int = 1, at: datetime = NOW, lasts: timedelta = DAY) -> WishlistShared:
    link = {"share_id": UUID(int=number), "token_hash": f"{number:064x}"}
    return WishlistShared(user_id=ID, **link, shared_at=at, expires_at=at + lasts)


def unshared(number: int = 1) -> WishlistUnshared:
    return WishlistUnshared(user_id=ID, share_id=UUID(int=number), unshared_at=NOW)


cars = st.integers(1, 5)
commands = st.lists(
    st.one_of(st.builds(add, cars), st.builds(remove, cars), st.builds(clear)), max_size=40
)


def accepted(asked: Iterable[FavoritesCommand]) -> list[FavoritesEvent]:
    """Everything that happens when these are asked for one after another."""
    history: list[FavoritesEvent] = []
    for command in asked:
        try:
            history += favorites.decide(command, favorites.fold(history))
        except Rejected:
            continue
    return history
