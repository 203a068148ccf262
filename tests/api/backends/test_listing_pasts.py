"""What the past of a long-lived listing costs: in rows read and in turns of the event loop, which
say the same on every machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from api.backends import listing_pasts
from api.backends.listing_pasts import EVERY, STEP, Pasts
from projections.journal import journal
from projections.listings import listing_page
from projections.listings.listing_page import ListingPage
from schemas.log.recorded import Recorded
from tests.api.operations import DOOR_OF, OPERATIONS
from tests.projections.cars import ID, STREAM, created, published, repriced
from tests.projections.history import history

LONG = 12_000
LISTING = str(ID)


@cache
def events() -> list[Recorded[Any]]:
    changes = [repriced(number, on=number / 1_000) for number in range(3, LONG + 1)]
    return history(STREAM, created(), published(0), *changes)


@cache
def rows() -> list[dict[str, Any]]:
    return [
        {name: getattr(row, name) for name in row.__slots__} | {"key": each.event_id}
        for each in events()
        for row in [journal.fold(None, each)]
    ]


@dataclass
class Journal:
    """The rows of one long stream for `projections.journal.streams`, and how many were read."""

    read: int = 0
    queries: list[tuple[Any, ...]] = field(default_factory=list)

    async def fetch(self, _query: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        _stream, after, count = values
        found = rows()[after : after + count]
        self.read += len(found)
        self.queries.append(values)
        return found

    async def fetchrow(self, _query: str, *_values: Any) -> Mapping[str, Any] | None:
        raise NotImplementedError


def page_of(version: int) -> ListingPage | None:
    page = None
    for each in events()[:version]:
        page = listing_page.fold(page, each)
    return page


async def versions(pasts: Pasts, reads: Journal, after: int, count: int) -> list[int]:
    return [each.version async for _, _, each in pasts.steps(reads, LISTING, after, count)]


@pytest.mark.parametrize("version", [1, 99, 100, 101, 250, 11_999, LONG])
async def test_a_version_is_the_fold_of_all_events_up_to_it(version: int) -> None:
    pasts = Pasts()
    for _ in range(2):  # once folded, once remembered
        assert await pasts.page_at(Journal(), LISTING, version) == page_of(version)


@pytest.mark.parametrize("version", [0, LONG + 1, 5 * LONG])
async def test_a_version_that_never_was_has_no_page(version: int) -> None:
    assert await Pasts().page_at(Journal(), LISTING, version) is None


async def test_a_version_of_a_long_past_costs_fewer_than_a_hundred_events() -> None:
    pasts = Pasts()
    await pasts.page_at(Journal(), LISTING, LONG)
    for version in (LONG - 1, LONG // 2 + 99, 5):
        reads = Journal()
        await pasts.page_at(reads, LISTING, version)
        assert reads.read < EVERY


async def test_a_page_of_history_costs_its_entries_and_fewer_than_a_hundred_events() -> None:
    pasts = Pasts()
    await pasts.page_at(Journal(), LISTING, LONG)
    reads = Journal()
    assert await versions(pasts, reads, 11_950, 21) == list(range(11_951, 11_972))
    assert reads.read < EVERY + 21


async def test_a_long_past_is_folded_once_for_all_who_ask_at_once() -> None:
    pasts, reads = Pasts(), Journal()
    await asyncio.gather(*(pasts.page_at(reads, LISTING, LONG) for _ in range(8)))
    assert reads.read == LONG


async def test_others_are_served_while_a_long_past_is_folded() -> None:
    turns, folded = 0, False

    async def others() -> None:
        nonlocal turns
        while not folded:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    await Pasts().page_at(Journal(), LISTING, LONG)
    folded = True
    await waiting
    assert turns >= LONG // STEP


async def test_what_is_remembered_is_bounded_and_what_was_asked_for_last_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing_pasts, "REMEMBERED_MAX", 30)
    pasts = Pasts()
    for listing_id in ("a", "b", "a", "c"):
        await pasts.page_at(Journal(), listing_id, 1_500)
    again = Journal()
    await pasts.page_at(again, "a", 1_500)
    assert again.read == 0
    forgotten = Journal()
    await pasts.page_at(forgotten, "b", 1_500)
    assert forgotten.read == 1_500


def test_every_list_is_limited() -> None:
    lists = {
        each.id
        for each in OPERATIONS
        if any(one["name"] == "cursor" for one in each.document.get("parameters", []))
    }
    assert lists
    assert [each for each in sorted(lists) if not DOOR_OF[each].limits] == []
