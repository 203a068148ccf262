"""Verification finds what is wrong, names it, and is not fooled by a shop that is open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from infra.clients.clickhouse import ClickHouse
from infra.settings import Settings
from processors.replay.comparison import Difference, Verdict
from processors.replay.limits import Limits
from processors.replay.verification import verify
from processors.stores.port import Change, Generation, Held
from projections.analytics.listing_views_log import KEPT_DAYS, listing_views_log
from schemas.listings import ListingPublished, listing_stream
from schemas.log.messages import Market
from tests.processors.records import NOW
from tests.processors.replay.shop import (
    ONE_OF_EACH_STORE,
    Shop,
    append,
    keys_of,
    listings,
    shop,
)
from tests.projections.cars import ID, viewed
from tests.worlds import append_events


@pytest_asyncio.fixture(scope="module")
async def fed(stack: Settings) -> AsyncIterator[Shop]:
    """A shop whose live generations are up to date."""
    async with shop(stack) as made:
        await append(made.settings, listings(20))
        for name in ONE_OF_EACH_STORE:
            await made.feed(await made.live(name))
        yield made


async def held(mesh: Shop, generation: Generation, key: str) -> Held:
    async with (
        mesh.store(generation.projection) as store,
        store.session(generation) as session,
    ):
        return (await session.load([key]))[key]


async def plant(mesh: Shop, generation: Generation, key: str, row: Any, old: Held) -> None:
    """Make a row wrong behind everybody's back."""
    async with (
        mesh.store(generation.projection) as store,
        store.session(generation) as session,
    ):
        await session.load([key])
        await session.write([Change(key, Held(row, old.version + 1, old.applied))], {})


async def verdict_of(mesh: Shop, generation: Generation) -> Verdict:
    (verdict,) = await verify(mesh.settings, [(generation, Limits())])
    return verdict


async def test_LI_19_views_go_when_they_are_too_old_and_verification_knows(
    stack: Settings,
) -> None:
    now = datetime.now(UTC)
    old, new = (
        viewed(viewer=viewer).model_copy(update={"viewed_at": now - timedelta(days=days)})
        for viewer, days in (("old", KEPT_DAYS + 1), ("new", KEPT_DAYS - 1))
    )
    async with shop(stack) as mesh:
        await append_events(mesh.settings, [(listing_stream(ID), [old, new])])
        live = await mesh.live(listing_views_log.name)
        await mesh.feed(live)
        clickhouse = ClickHouse(mesh.settings)
        await clickhouse.execute(f"OPTIMIZE TABLE `{live.name}` FINAL")
        await clickhouse.close()
        kept = await mesh.rows(live)
        verdict = await verdict_of(mesh, live)

    assert "new" in {row.viewer for row in kept.values()}
    assert "old" not in {row.viewer for row in kept.values()}
    assert verdict.ok


def other(row: Any) -> Any:
    market = Market.CAMPUS if row.market is Market.EXOTICS else Market.EXOTICS
    return replace(row, market=market)


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_row_that_was_changed_is_found_and_its_field_named(fed: Shop, name: str) -> None:
    live = await fed.live(name)
    key, right = next(iter((await fed.rows(live)).items()))
    old = await held(fed, live, key)
    await plant(fed, live, key, other(right), old)
    verdict = await verdict_of(fed, live)
    await plant(fed, live, key, right, await held(fed, live, key))
    expected, found = {"market": right.market.value}, {"market": other(right).market.value}
    assert verdict.differences == [Difference(key, "different", expected, found)]
    assert (await verdict_of(fed, live)).ok


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_row_that_was_taken_away_is_missed(fed: Shop, name: str) -> None:
    live = await fed.live(name)
    key, right = next(iter((await fed.rows(live)).items()))
    old = await held(fed, live, key)
    await plant(fed, live, key, None, old)
    verdict = await verdict_of(fed, live)
    again = old if live.projection.name == "listing_page" else await held(fed, live, key)
    if live.projection.name == "listing_page":
        again = replace(old, version=0)
    await plant(fed, live, key, right, again)
    assert [(each.key, each.what) for each in verdict.differences] == [(key, "missing")]
    assert verdict.rows_found == verdict.rows_expected - 1
    assert (await verdict_of(fed, live)).ok


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_row_that_no_event_made_is_found(fed: Shop, name: str) -> None:
    live = await fed.live(name)
    key, right = next(iter((await fed.rows(live)).items()))
    some = await held(fed, live, key)
    await plant(fed, live, "nobodys", right, replace(some, version=0))
    verdict = await verdict_of(fed, live)
    await plant(fed, live, "nobodys", None, await held(fed, live, "nobodys"))
    assert [(each.key, each.what) for each in verdict.differences] == [("nobodys", "extra")]
    assert (await verdict_of(fed, live)).ok


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_the_keys_may_be_compared_in_several_passes(fed: Shop, name: str) -> None:
    live = await fed.live(name)
    whole = await verdict_of(fed, live)
    (parts,) = await verify(fed.settings, [(live, Limits())], passes=3)
    assert parts.ok
    assert (parts.rows_expected, parts.rows_found) == (whole.rows_expected, whole.rows_found)


async def moving(fed: Shop, monkeypatch: pytest.MonkeyPatch, live: Generation, steps: list[Any]):
    """Do something between the fold and the scan, which the verification can't know of."""
    async with fed.store(live.projection) as store:
        kind = type(store)
    scan = kind.scan

    async def scan_after(self: Any, generation: Generation) -> AsyncIterator[tuple[str, Any]]:
        while steps:
            await steps.pop(0)()
        async for each in scan(self, generation):
            yield each

    monkeypatch.setattr(kind, "scan", scan_after)
    return await verdict_of(fed, live)


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_rows_that_move_on_during_the_comparison_are_no_differences(
    fed: Shop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    live = await fed.live(name)
    records = listings(10, length_max=6)
    half = len(records) // 2
    await append(fed.settings, records[:half])
    await fed.feed(live)
    steps = [
        lambda: append(fed.settings, records[half:-4]),
        lambda: fed.feed(live),
        lambda: append(fed.settings, records[-4:]),  # not in the store when it is scanned
    ]
    verdict = await moving(fed, monkeypatch, live, steps)
    assert verdict.ok, verdict
    assert verdict.rechecked > 0
    await fed.feed(live)


async def test_a_wrong_row_is_found_although_it_moves_on(
    fed: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await fed.live("listing_page")
    records = listings(1, length_max=1)
    (key,) = keys_of(records)
    await append(fed.settings, records)
    await fed.feed(live)
    right = await held(fed, live, key)
    await plant(fed, live, key, other(right.row), right)
    published = ListingPublished(listing_id=UUID(key), published_at=NOW)
    steps = [
        lambda: append_events(fed.settings, [(listing_stream(key), [published])], version=2),
        lambda: fed.feed(live),
    ]
    verdict = await moving(fed, monkeypatch, live, steps)
    assert [each.key for each in verdict.differences] == [key]
    assert "market" in verdict.differences[0].found
    now = await held(fed, live, key)
    await plant(fed, live, key, other(now.row), now)
    assert (await verdict_of(fed, live)).ok
