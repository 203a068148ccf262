"""What a generation leaves out is part of its verification, and of what a switch may show."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

import cli.replay
from infra.settings import Settings
from processors.feeding.parking import Parking
from processors.feeding.runner import Runner
from processors.replay import builds, engine, switching
from processors.replay.comparison import Verdict
from processors.replay.limits import Limits
from processors.replay.switching import SwitchRefusedError
from processors.replay.verification import verify
from processors.stores.port import Generation
from projections.projection import Projection
from tests.cli.harness.commands import commands_on
from tests.processors.replay.shop import (
    BY_NAME,
    ONE_OF_EACH_STORE,
    Shop,
    append,
    listings,
    shop,
)

PAGE = BY_NAME["listing_page"]


@pytest_asyncio.fixture(scope="module")
async def mesh(stack: Settings) -> AsyncIterator[Shop]:
    async with shop(stack) as made:
        await append(made.settings, listings(5))
        for name in ONE_OF_EACH_STORE:
            await made.feed(await made.live(name))
        yield made


def broken(generation: Generation, streams: set[str]) -> Generation:
    """The same generation by a fold that fails for the second event of these streams."""
    fold = generation.projection.fold

    def failing(row: Any, recorded: Any) -> Any:
        if recorded.stream_id in streams and recorded.version == 2:
            raise ZeroDivisionError
        return fold(row, recorded)

    return Generation(replace(generation.projection, fold=failing), generation.number)


@asynccontextmanager
async def poisoned(mesh: Shop, live: Generation) -> AsyncIterator[set[str]]:
    """New streams that the live generation has parked; mended at the end, whatever happens, for
    the tests share what is live and come in any order.
    """
    long: set[str] = set()
    while len(long) < 2:
        records = listings(3, length_max=6)
        await append(mesh.settings, records)
        long |= {r.key.decode() for r in records if dict(r.headers)["stream_version"] == b"2"}
    try:
        await mesh.feed(broken(live, long))
        yield long
    finally:
        await mend(mesh, live)


@asynccontextmanager
async def built(mesh: Shop, projection: Projection[Any]) -> AsyncIterator[Generation]:
    """The next generation, ready to be shown; taken away at the end."""
    (candidate,) = await engine.start(mesh.settings, [projection])
    try:
        yield candidate
    finally:
        await switching.rollback(mesh.settings, [projection])
        await builds.drop(mesh.settings, [projection], candidate.number)


async def verdict_of(mesh: Shop, generation: Generation) -> Verdict:
    (verdict,) = await verify(mesh.settings, [(generation, Limits())])
    return verdict


async def mend(mesh: Shop, generation: Generation) -> None:
    async with mesh.store(generation.projection) as store:
        parking = Parking(mesh.world.pool)
        runner = Runner(generation, store, parking)
        for each in await parking.streams(generation):
            await runner.retry(each)


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_live_generation_with_parked_streams_is_not_what_the_log_says(
    mesh: Shop, name: str
) -> None:
    live = await mesh.live(name)
    async with poisoned(mesh, live) as streams:
        verdict = await verdict_of(mesh, live)
    assert verdict.parked == sorted(streams)
    assert verdict.rows_equal
    assert not verdict.ok
    assert (await verdict_of(mesh, live)).ok


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_generations_that_park_alike_may_be_exchanged_and_verify_says_so(
    mesh: Shop, name: str
) -> None:
    live = await mesh.live(name)
    async with poisoned(mesh, live) as streams:
        failing = broken(live, streams).projection
        async with built(mesh, failing) as candidate:
            verdict = await verdict_of(mesh, Generation(live.projection, candidate.number))
            assert (verdict.ok, verdict.unlike_live, verdict.parked) == (True, [], sorted(streams))
            assert await switching.switch(mesh.settings, [failing], wait_s=5) == [candidate]


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_generation_that_parks_otherwise_is_refused_unless_it_is_wanted(
    mesh: Shop, name: str
) -> None:
    live = await mesh.live(name)
    async with poisoned(mesh, live) as streams:
        failing = broken(live, {min(streams)}).projection
        async with built(mesh, failing) as candidate:
            verdict = await verdict_of(mesh, Generation(live.projection, candidate.number))
            assert verdict.rows_equal
            assert (verdict.ok, verdict.unlike_live) == (False, sorted(streams - {min(streams)}))
            with pytest.raises(SwitchRefusedError, match="--despite-parked"):
                await switching.switch(mesh.settings, [failing], wait_s=5)
            moved = await switching.switch(mesh.settings, [failing], wait_s=5, despite_parked=True)
            assert moved == [candidate]


async def test_a_generation_that_tells_of_everything_is_right_whatever_the_live_one_parks(
    mesh: Shop,
) -> None:
    live = await mesh.live("listing_page")
    async with poisoned(mesh, live) as streams, built(mesh, PAGE) as candidate:
        verdict = await verdict_of(mesh, candidate)
        assert (verdict.ok, verdict.unlike_live) == (True, sorted(streams))
        assert await switching.switch(mesh.settings, [PAGE], wait_s=5) == [candidate]


async def test_a_skipped_event_is_counted_and_bars_a_switch_to_rows_without_it(
    mesh: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await mesh.live("listing_page")
    async with built(mesh, PAGE) as candidate:
        async with poisoned(mesh, live) as streams:
            await mesh.feed(broken(candidate, streams))
        async with mesh.store(PAGE) as store:
            runner = Runner(candidate, store, Parking(mesh.world.pool))
            for each in streams:
                await runner.give_up(each)
                await runner.retry(each)
        verdict = await verdict_of(mesh, candidate)
        assert (verdict.rows_equal, verdict.skipped, verdict.ok) == (True, len(streams), False)
        command = commands_on(mesh.settings, monkeypatch, cli.replay)
        told = await command("replay", "verify", PAGE.name)
        assert told.exit_code == 1
        assert f"{len(streams)} events SKIPPED" in told.stdout
        with pytest.raises(SwitchRefusedError, match="skipped"):
            await switching.switch(mesh.settings, [PAGE], wait_s=5)


async def test_verify_names_the_parked_streams_and_ends_with_1(
    mesh: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await mesh.live("listing_page")
    async with poisoned(mesh, live) as streams:
        command = commands_on(mesh.settings, monkeypatch, cli.replay)
        told = await command("replay", "verify", PAGE.name)
        as_json = await command("replay", "verify", PAGE.name, "--json")
    assert told.exit_code == 1
    assert f"{len(streams)} streams PARKED: {', '.join(sorted(streams))}" in told.stdout
    (found,) = json.loads(as_json.stdout)
    assert (found["ok"], found["rows_equal"], found["parked"]) == (False, True, sorted(streams))


async def test_an_event_folded_behind_a_parked_one_of_its_stream_is_found(mesh: Shop) -> None:
    """In a generation of its own: nothing mends one that has lost what waited."""
    async with built(mesh, PAGE) as candidate:
        lost = 0
        while not lost:
            async with poisoned(mesh, await mesh.live(PAGE.name)) as streams:
                await mesh.feed(broken(candidate, streams))
            lost = await _followers_lost(mesh, candidate)
        verdict = await verdict_of(mesh, candidate)
        assert "out of turn" in {each.what for each in verdict.differences}


async def _followers_lost(mesh: Shop, generation: Generation) -> int:
    done = await mesh.world.pool.execute(
        "DELETE FROM mesh.parked WHERE projection = $1 AND generation = $2"
        " AND reason LIKE 'follows%'",
        generation.projection.name,
        generation.number,
    )
    return int(done.split()[-1])
