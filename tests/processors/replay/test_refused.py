"""What a replay refuses, and that it says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from processors.feeding.generations import GenerationStatus as Status
from processors.feeding.reading import open_log
from processors.replay import builds, engine, switching
from processors.replay.builds import ReplayError
from processors.replay.limits import Limits, LimitsError
from processors.replay.locks import ReplayRunningError, only_replay
from processors.replay.switching import SwitchRefusedError
from processors.replay.verification import verify
from tests.partitions import partition_of_stream
from tests.processors.pure import pure_fold
from tests.processors.replay.shop import BY_NAME, ONE_OF_EACH_STORE, Shop, append, listings

PAGE = BY_NAME["listing_page"]


async def test_two_replays_of_a_projection_at_once_are_refused(mesh: Shop) -> None:
    async with only_replay(mesh.settings, ["listing_page"]):
        with pytest.raises(ReplayRunningError, match="a replay of listing_page runs"):
            await engine.start(mesh.settings, [BY_NAME["listing_search"], PAGE])
    assert not [
        each
        for name in ("listing_page", "listing_search")
        for each in (await mesh.generations(name)).values()
        if each.status is Status.BUILDING
    ]


async def test_a_start_beside_a_half_built_generation_is_refused(mesh: Shop) -> None:
    (build,) = await builds.begin(mesh.settings, [PAGE], Limits())
    with pytest.raises(ReplayError, match=r"half built.*resume listing_page.*cancel listing_page"):
        await engine.start(mesh.settings, [PAGE])
    assert await builds.cancel(mesh.settings, [PAGE]) == [build.generation]


async def test_a_resume_of_nothing_is_refused(mesh: Shop) -> None:
    with pytest.raises(ReplayError, match="nothing is half built"):
        await engine.resume(mesh.settings, [PAGE])


async def test_a_resume_by_another_version_of_the_fold_is_refused(mesh: Shop) -> None:
    await builds.begin(mesh.settings, [PAGE], Limits())
    newer = replace(PAGE, version=PAGE.version + 1)
    with pytest.raises(ReplayError, match=f"begun by version {PAGE.version} of its fold"):
        await engine.resume(mesh.settings, [newer])
    await builds.cancel(mesh.settings, [PAGE])


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_switch_to_a_candidate_that_lags_is_refused(mesh: Shop, name: str) -> None:
    projection = BY_NAME[name]
    live = await mesh.live(name)
    (candidate,) = await engine.start(mesh.settings, [projection])
    await append(mesh.settings, listings(1))
    await mesh.feed(live)
    with pytest.raises(
        SwitchRefusedError, match=rf"generation \d+ of {name} is \d+ records behind"
    ):
        await switching.switch(mesh.settings, [projection], wait_s=0.3)
    assert await mesh.live(name) == live
    await mesh.feed(candidate)
    assert await switching.switch(mesh.settings, [projection], wait_s=0.3) == [candidate]
    await switching.rollback(mesh.settings, [projection])
    await builds.drop(mesh.settings, [projection], candidate.number)


async def test_a_switch_of_several_moves_all_or_none(mesh: Shop) -> None:
    (candidate,) = await engine.start(mesh.settings, [PAGE])
    with pytest.raises(SwitchRefusedError, match="listing_search"):
        await switching.switch(mesh.settings, [PAGE, BY_NAME["listing_search"]])
    assert await mesh.live("listing_page") != candidate
    await builds.drop(mesh.settings, [PAGE], candidate.number)


async def test_a_switch_to_rows_of_another_version_of_the_fold_is_refused(mesh: Shop) -> None:
    (candidate,) = await engine.start(mesh.settings, [PAGE])
    newer = replace(PAGE, version=PAGE.version + 1)
    with pytest.raises(SwitchRefusedError, match="no longer fed"):
        await switching.switch(mesh.settings, [newer])
    await builds.drop(mesh.settings, [PAGE], candidate.number)


async def test_the_live_generation_is_never_dropped(mesh: Shop) -> None:
    live = await mesh.live("listing_page")
    with pytest.raises(ReplayError, match="is live"):
        await builds.drop(mesh.settings, [PAGE], live.number)


@pytest.mark.parametrize("until", ["yesterday", "events.listings:3", "events.listings:3:-1"])
async def test_an_until_that_is_no_moment_and_no_position_is_refused(
    mesh: Shop, until: str
) -> None:
    with pytest.raises(LimitsError, match="neither a moment"):
        await engine.start(mesh.settings, [PAGE], Limits(until=until))


async def test_a_position_beyond_the_log_is_refused_and_leaves_nothing(mesh: Shop) -> None:
    from processors.feeding.reading import LogUnavailableError

    with pytest.raises(LogUnavailableError, match=r"no event at events\.listings:0:99999999"):
        await engine.start(mesh.settings, [PAGE], Limits(until="events.listings:0:99999999"))
    assert Status.BUILDING not in {
        each.status for each in (await mesh.generations("listing_page")).values()
    }


async def test_a_build_until_a_moment_has_the_rows_of_that_prefix_and_no_way_to_the_readers(
    mesh: Shop,
) -> None:
    async with open_log(mesh.settings) as log:
        bounds = await log.bounds(["events.listings"])
        records = [record async for batch in log.read(bounds) for record in batch.records]
    moment = datetime.fromtimestamp(max(each.timestamp for each in records) / 1000, UTC)
    await append(mesh.settings, listings(5))
    limits = Limits(until=(moment + timedelta(milliseconds=0)).isoformat())
    (built,) = await engine.start(mesh.settings, [PAGE], limits)
    assert await mesh.rows(built) == pure_fold(PAGE, records)
    registered = (await mesh.generations("listing_page"))[built.number]
    assert registered.status is Status.INSPECTION
    assert await switching.switch(mesh.settings, [PAGE]) == []
    assert await mesh.live("listing_page") != built
    assert await builds.drop(mesh.settings, [PAGE]) == [built]


async def test_a_build_until_a_position_ends_with_that_event(mesh: Shop) -> None:
    records = listings(1, length_max=8)
    await append(mesh.settings, records, per_transaction=1)
    stream = records[0].key.decode()
    partition = partition_of_stream(stream)
    async with open_log(mesh.settings) as log:
        bounds = await log.bounds(["events.listings"])
        own = [
            record
            async for batch in log.read(bounds)
            for record in batch.records
            if record.key == records[0].key
        ]
    until = f"events.listings:{partition}:{own[0].offset}"
    (built,) = await engine.start(mesh.settings, [PAGE], Limits(until=until))
    rows = await mesh.rows(built)
    assert rows[stream.rpartition("/")[2]] == next(iter(pure_fold(PAGE, own[:1]).values()))
    (verdict,) = await verify(mesh.settings, [(built, Limits(until=until))])
    assert verdict.ok, verdict
    await builds.drop(mesh.settings, [PAGE])


@pytest.mark.parametrize("name", ONE_OF_EACH_STORE)
async def test_a_build_of_one_stream_has_its_rows_only(mesh: Shop, name: str) -> None:
    records = listings(1, length_max=3)
    await append(mesh.settings, records)
    limits = Limits(only_stream=records[0].key.decode())
    (built,) = await engine.start(mesh.settings, [BY_NAME[name]], limits)
    assert await mesh.rows(built) == pure_fold(BY_NAME[name], records)
    (verdict,) = await verify(mesh.settings, [(built, limits)])
    assert verdict.ok, verdict
    await builds.drop(mesh.settings, [BY_NAME[name]])
