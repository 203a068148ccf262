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


async def favored(request: Request, listing_ids: Collection[str]) -> Mapping[str, bool | None]:
    """For each listing whether it is a favourite of whoever asks; None where nobody is to be told:
    strangers have none, what a person keeps in mind is no business of a machine's key, and of what
    waits to be mended nobody knows.
    """
    caller: Caller = request.scope["caller"]
    if not caller.signed_in or caller.operations is not None or not listing_ids:
        return dict.fromkeys(listing_ids)
    try:
        await FAVORITES.wait(request)
    except BeingRepaired:
        return dict.fromkeys(listing_ids)  # the listings themselves can be shown
    found = await among(machines_of(request).postgres, caller.user_id, list(listing_ids))
    return {each: each in found for each in listing_ids}
