"""Waiting until what was imported can be found by a search."""

from __future__ import annotations

import time
from collections.abc import Collection

from api.backends.machines import open_machines
from api.entry.consistency import CaughtUp
from api.wire.problems import StoreUnavailableError
from infra.settings import Settings
from projections.search.listing_search import listing_search
from schemas.log.positions import Position

_SEARCH = CaughtUp(listing_search)


async def wait_until_searchable(
    settings: Settings, positions: Collection[Position], within_s: float
) -> bool:
    """Whether the search has read up to these positions, at the latest after `within_s`."""
    give_up_at = time.monotonic() + within_s
    async with open_machines(settings) as machines:
        while True:
            try:
                await _SEARCH.reach(machines, positions)
            except StoreUnavailableError:
                # One wait is bounded by settings.read_wait_s, as a request's would be.
                if time.monotonic() >= give_up_at:
                    return False
            else:
                return True
