"""Links by which others see somebody's favourites. Postgres, one row per person who opened some."""

from __future__ import annotations

from projections.sharing import shares
from schemas.favorites import WishlistShared, WishlistUnshared

shared_wishlists = shares("shared_wishlists", WishlistShared, WishlistUnshared)
