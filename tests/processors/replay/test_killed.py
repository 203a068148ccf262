"""kill -9 of a replay in each phase: resume gives the same rows, cancel takes them away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from infra.settings import Settings
from processors.feeding.generations import GenerationStatus as Status
from processors.replay import builds, engine
from processors.replay.limits import Limits
from processors.replay.locks import only_replay
from processors.replay.verification import verify
from processors.stores.port import Generation
from tests.processors.replay.running import kill_9, replaying
from tests.processors.replay.shop import BY_NAME, ONE_OF_EACH_STORE, Shop, append, listings, shop
from tests.waiting import eventually

CHOSEN = [BY_NAME[name] for name in ONE_OF_EACH_STORE]


@pytest_asyncio.fixture(scope="module")
async def long_log(stack: Settings) -> AsyncIterator[Shop]:
    """A log that takes a replay some seconds."""
    async with shop(stack) as made:
        await append(made.settings, listings(1_500))
        yield made


async def reached(mesh: Shop, generation: Generation) -> int:
    async with mesh.store(generation.projection) as store:
        marks = await store.watermarks(generation)
    return sum(mark.next_offset for mark in marks.values())


async def half_built(mesh: Shop, name: str) -> Generation | None:
    found = await mesh.generations(name)
    return next(
        (each.of(BY_NAME[name]) for each in found.values() if each.status is Status.BUILDING), None
    )


async def begun(mesh: Shop) -> list[Generation]:
    """The half-built generations, as soon as there are some."""
    return [
        await eventually(lambda name=name: half_built(mesh, name), 60, f"{name} is begun")
        for name in ONE_OF_EACH_STORE
    ]


async def verified(mesh: Shop, generations: list[Generation]) -> None:
    verdicts = await verify(mesh.settings, [(each, Limits()) for each in generations])
    assert all(each.ok for each in verdicts), verdicts
    assert all(each.rows_found > 500 for each in verdicts), verdicts


@pytest.mark.parametrize(
    ("share", "processes"), [(0.0, "1"), (0.02, "2"), (0.4, "1"), (0.5, "2"), (0.97, "2")]
)
async def test_F17_killed_at_any_moment_resume_gives_the_rows_of_the_log(
    long_log: Shop, share: float, processes: str
) -> None:
    (end,) = [await _end(long_log)]
    words = ("start", *ONE_OF_EACH_STORE, "--processes", processes, "--batch", "200")
    with replaying(long_log.settings, *words) as process:
        generations = await begun(long_log)
        if share:
            await eventually(
                lambda: _passed(long_log, generations, share * end), 120, f"{share} of the log"
            )
        kill_9(process)
    left = [each for name in ONE_OF_EACH_STORE if (each := await half_built(long_log, name))]
    if left:
        resumed = await engine.resume(long_log.settings, CHOSEN)
        assert {each.name for each in resumed} == {each.name for each in left}
    await verified(long_log, generations)
    for each in generations:
        await builds.drop(long_log.settings, [each.projection], each.number)


async def _passed(mesh: Shop, generations: list[Generation], offsets: float) -> bool:
    return max([await reached(mesh, each) for each in generations]) >= offsets


async def _end(mesh: Shop) -> int:
    from processors.feeding.reading import open_log

    async with open_log(mesh.settings) as log:
        return sum(each.end for each in (await log.bounds(["events.listings"])).values())


async def test_a_killed_replay_leaves_no_shard_at_work(long_log: Shop) -> None:
    with replaying(
        long_log.settings, "start", "listing_page", "--batch", "100", "--processes", "2"
    ) as process:
        generation = await eventually(lambda: half_built(long_log, "listing_page"), 60)
        await eventually(lambda: reached(long_log, generation), 60)
        kill_9(process)
        async with only_replay(long_log.settings, ["listing_page"]):
            before = await reached(long_log, generation)
            await asyncio.sleep(0)
            assert await reached(long_log, generation) == before
    await builds.cancel(long_log.settings, CHOSEN)


async def test_cancel_ends_a_running_replay_and_removes_what_it_made(long_log: Shop) -> None:
    live = await long_log.live("listing_page")
    with replaying(long_log.settings, "start", "listing_page", "--batch", "10") as process:
        generation = await eventually(lambda: half_built(long_log, "listing_page"), 60)
        await eventually(lambda: reached(long_log, generation), 60)
        assert await builds.cancel(long_log.settings, CHOSEN) == [generation]
        assert process.wait(20) == 1
        assert b"cancelled" in process.stdout.read()
    assert (await long_log.generations("listing_page"))[generation.number].status is Status.DROPPED
    assert await reached(long_log, generation) == 0
    assert await long_log.live("listing_page") == live


async def test_a_cancel_that_comes_as_a_build_ends_is_told_as_one(long_log: Shop) -> None:
    begun = await builds.begin(long_log.settings, CHOSEN, Limits())
    assert len(await builds.cancel(long_log.settings, CHOSEN)) == len(begun)
    with pytest.raises(builds.ReplayError, match="was cancelled"):
        await builds.finish(long_log.settings, begun)


async def test_interrupted_by_the_terminal_it_says_how_to_go_on(long_log: Shop) -> None:
    async with long_log.world.pool.acquire() as connection:
        # It cannot end before the signal is there: it may write down no step.
        held = connection.transaction()
        await held.start()
        await connection.execute("LOCK TABLE mesh.watermarks IN EXCLUSIVE MODE")
        with replaying(long_log.settings, "start", "listing_page") as process:
            generation = await eventually(lambda: half_built(long_log, "listing_page"), 60)
            process.send_signal(signal.SIGINT)
            await held.rollback()
            assert await asyncio.to_thread(process.wait, 60) == 130
            assert b"mesh replay resume listing_page" in process.stdout.read()
    assert await half_built(long_log, "listing_page") == generation
    assert await engine.resume(long_log.settings, [BY_NAME["listing_page"]]) == [generation]
    await builds.drop(long_log.settings, [BY_NAME["listing_page"]], generation.number)
