"""Whether listings that somebody is shown are among their favourites: one look-up for all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fastapi import Request

from api.backends.machines import machines_of
from api.backends.withheld import BeingRepaired
from api.entry.auth import Caller
from api.entry.consistency import CaughtUp
from projections.favorites.favorites import among, favorites

FAVORITES = CaughtUp(favorites)


async def is_told(request: Request) -> bool:
    """Whether whoever asks is told of their favourites: strangers have none, what a person keeps in
    mind is no business of a machine's key, and of what waits to be mended nobody knows.
    """
    caller: Caller = request.scope["caller"]
    if not caller.signed_in or caller.operations is not None:
        return False
    try:
        await FAVORITES.wait(request)
    except BeingRepaired:
        return False  # the listings themselves can be shown
    return True


async def favored(request: Request, listing_ids: Collection[str]) -> Mapping[str, bool | None]:
    """For each listing whether it is a favourite of whoever asks; None where they are not told."""
    if not listing_ids or not await is_told(request):
        return dict.fromkeys(listing_ids)
    user_id = request.scope["caller"].user_id
    found = await among(machines_of(request).postgres, user_id, list(listing_ids))
    return {each: each in found for each in listing_ids}
