"""Listings as they were, without folding all that happened to them each time.

Of a listing whose past is read its page is remembered at every `EVERY`th version, so a version
costs fewer than `EVERY` events, however many there were before it. What is remembered follows
from the journal alone, which never changes: it can be forgotten at any time, and never be stale.
The first who asks far into a long past lets it be folded once, one listing at a time, in steps
between which everyone else is served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from projections.journal.streams import events_of
from projections.listings import listing_page
from projections.listings.listing_page import ListingPage
from projections.reads import Reads
from schemas.listings import listing_stream
from schemas.log.recorded import Recorded

EVERY = 100  # versions; some 0.6 ms to fold half of them
STEP = 50  # events folded between two turns of the event loop
REMEMBERED_MAX = 2_000  # pages of all listings, each of some kilobytes

Step = tuple[ListingPage | None, ListingPage | None, Recorded[Any]]


@dataclass
class Pasts:
    """The remembered pages: by listing, that of version `EVERY`, of twice it, and so on. The
    listing asked for last stands at the end.
    """

    _pages: dict[str, list[ListingPage]] = field(default_factory=dict)
    _remembered: int = 0
    _folding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def page_at(self, reads: Reads, listing_id: str, version: int) -> ListingPage | None:
        """The page after that version; None when there was no page, or no such version."""
        known, page = await self._nearest(reads, listing_id, version)
        async for _, after, _ in _folded(reads, listing_id, known, page, version - known):
            known, page = known + 1, after
        return page if known == version else None

    async def steps(
        self, reads: Reads, listing_id: str, after: int, count: int
    ) -> AsyncIterator[Step]:
        """The page before and after each of the `count` events that follow a version."""
        known, page = await self._nearest(reads, listing_id, after)
        async for step in _folded(reads, listing_id, known, page, after + count - known):
            if step[2].version > after:
                yield step

    async def _nearest(
        self, reads: Reads, listing_id: str, version: int
    ) -> tuple[int, ListingPage | None]:
        """The last remembered version up to this one, fewer than EVERY before it, and its page."""
        wanted = version // EVERY
        if len(self._of(listing_id)) < wanted:
            async with self._folding:
                await self._remember(reads, listing_id, wanted)
        pages = self._of(listing_id)
        known = min(wanted, len(pages))
        return known * EVERY, pages[known - 1] if known else None

    def _of(self, listing_id: str) -> list[ListingPage]:
        pages = self._pages.pop(listing_id, None)
        if pages is None:
            return []
        self._pages[listing_id] = pages
        return pages

    async def _remember(self, reads: Reads, listing_id: str, wanted: int) -> None:
        pages = list(self._of(listing_id))
        known, page = len(pages) * EVERY, pages[-1] if pages else None
        async for _, after, recorded in _folded(
            reads, listing_id, known, page, wanted * EVERY - known
        ):
            if recorded.version % EVERY == 0 and after is not None:
                pages.append(after)
        self._keep(listing_id, pages)

    def _keep(self, listing_id: str, pages: list[ListingPage]) -> None:
        self._remembered += len(pages) - len(self._pages.pop(listing_id, []))
        self._pages[listing_id] = pages
        while self._remembered > REMEMBERED_MAX and len(self._pages) > 1:
            self._remembered -= len(self._pages.pop(next(iter(self._pages))))


async def _folded(
    reads: Reads, listing_id: str, after: int, page: ListingPage | None, count: int
) -> AsyncIterator[Step]:
    """The page before and after each event that follows the version `after` with `page`."""
    events = events_of(reads, listing_stream(listing_id), after=after, count=count)
    async for recorded in events:
        before, page = page, listing_page.fold(page, recorded)
        yield before, page, recorded
        if recorded.version % STEP == 0:
            await asyncio.sleep(0)
