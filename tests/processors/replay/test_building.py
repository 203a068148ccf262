"""Build, compare, switch, take back and remove: for each kind of store."""

from __future__ import annotations

import pytest

from processors.feeding.generations import GenerationStatus as Status
from processors.feeding.reading import open_log
from processors.replay import builds, engine, switching
from processors.replay.limits import Limits
from processors.replay.verification import verify
from tests.processors.pure import pure_fold
from tests.processors.replay.shop import BY_NAME, ONE_OF_EACH_STORE, Shop


async def committed(mesh: Shop):
    async with open_log(mesh.settings) as log:
        bounds = await log.bounds(["events.listings"])
        return [record async for batch in log.read(bounds) for record in batch.records]


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_built_generation_has_the_rows_of_the_pure_fold(mesh: Shop, name: str) -> None:
    (built,) = await engine.start(mesh.settings, [BY_NAME[name]])
    assert await mesh.rows(built) == pure_fold(BY_NAME[name], await committed(mesh))
    await builds.drop(mesh.settings, [BY_NAME[name]], built.number)


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_build_leaves_the_live_generation_alone(mesh: Shop, name: str) -> None:
    live = await mesh.live(name)
    before = await mesh.rows(live)
    (built,) = await engine.start(mesh.settings, [BY_NAME[name]])
    assert await mesh.live(name) == live
    assert await mesh.rows(live) == before
    await builds.drop(mesh.settings, [BY_NAME[name]], built.number)


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_switch_rollback_and_drop_lead_there_back_and_out(mesh: Shop, name: str) -> None:
    projection = BY_NAME[name]
    first = await mesh.live(name)
    await mesh.feed(first)
    (second,) = await engine.start(mesh.settings, [projection])
    (verdict,) = await verify(mesh.settings, [(second, Limits())])
    assert verdict.ok, verdict
    assert verdict.rows_found > 0

    assert await switching.switch(mesh.settings, [projection]) == [second]
    assert await mesh.live(name) == second
    assert (await mesh.generations(name))[first.number].status is Status.PREVIOUS

    assert await switching.rollback(mesh.settings, [projection]) == [first]
    assert await mesh.live(name) == first
    assert (await mesh.generations(name))[second.number].status is Status.READY

    assert await switching.switch(mesh.settings, [projection]) == [second]
    assert await builds.drop(mesh.settings, [projection]) == [first]
    assert (await mesh.generations(name))[first.number].status is Status.DROPPED


async def test_one_pass_builds_all_three_stores(mesh: Shop) -> None:
    chosen = [BY_NAME[name] for name in ONE_OF_EACH_STORE]
    built = await engine.start(mesh.settings, chosen)
    verdicts = await verify(mesh.settings, [(each, Limits()) for each in built])
    assert [each.ok for each in verdicts] == [True, True, True], verdicts
    assert {each.store for each in verdicts} == {"postgres", "opensearch", "clickhouse"}
    for each in built:
        await builds.drop(mesh.settings, [each.projection], each.number)


async def test_two_processes_build_the_same_rows_as_one(mesh: Shop) -> None:
    chosen = [BY_NAME["listing_page"]]
    (one,) = await engine.start(mesh.settings, chosen, pace=engine.Pace(processes=1))
    (two,) = await engine.start(mesh.settings, chosen, pace=engine.Pace(processes=2))
    assert await mesh.rows(one) == await mesh.rows(two)
    for each in (one, two):
        await builds.drop(mesh.settings, chosen, each.number)
