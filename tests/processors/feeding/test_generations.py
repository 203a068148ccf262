from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
import pytest_asyncio

from processors.feeding.generations import (
    GenerationStatus,
    Registered,
    TransitionError,
    create_system_schema,
    ensure_generations,
    fed_generations,
    list_generations,
    move_generations,
    note_detail,
    register_building,
    replay_due,
)
from processors.stores.port import Generation, Store, Watermark
from schemas.log.positions import TopicPartition
from tests.processors.stores.public import public_keys
from tests.processors.tally import Fold, tally
from tests.worlds import World

BUILDING, READY, LIVE, PREVIOUS, INSPECTION, DROPPED = GenerationStatus
STORED = [tally(name, Fold(), f"tally_{name}") for name in ("postgres", "opensearch", "clickhouse")]
ONE = STORED[0]


@pytest_asyncio.fixture(autouse=True)
async def empty(mesh: World, all_stores: Mapping[str, Store]) -> AsyncIterator[None]:
    await mesh.pool.execute("DELETE FROM mesh.generations")
    yield
    for number in (1, 2):
        for each in STORED:
            await all_stores[each.name.partition("_")[2]].drop(Generation(each, number))


async def statuses(mesh: World) -> dict[int, GenerationStatus]:
    return {each.number: each.status for each in await list_generations(mesh.pool)}


async def test_the_system_schema_can_be_made_again_and_by_several_at_once(mesh: World) -> None:
    await asyncio.gather(*(create_system_schema(mesh.pool) for _ in range(4)))
    assert await mesh.pool.fetchval("SELECT to_regclass('mesh.live_watermarks')") is not None


async def test_every_projection_gets_a_live_empty_generation(mesh: World) -> None:
    await ensure_generations(mesh.settings, STORED)
    known = await list_generations(mesh.pool)
    assert [(each.projection, each.number, each.status) for each in known] == sorted(
        (each.name, 1, LIVE) for each in STORED
    )
    for each in known:
        assert await public_keys(mesh, each.store, each.projection) == set()


async def test_ensuring_generations_again_and_by_several_at_once_makes_no_second(
    mesh: World,
) -> None:
    await asyncio.gather(*(ensure_generations(mesh.settings, [ONE]) for _ in range(3)))
    await ensure_generations(mesh.settings, [ONE])
    assert await statuses(mesh) == {1: LIVE}


async def test_a_first_generation_left_half_made_is_taken_over(
    mesh: World, all_stores: Mapping[str, Store]
) -> None:
    await all_stores["postgres"].create(Generation(ONE, 1))  # killed here
    await ensure_generations(mesh.settings, [ONE])
    assert await statuses(mesh) == {1: LIVE}


async def test_builds_are_numbered_on_and_remember_their_details(mesh: World) -> None:
    await ensure_generations(mesh.settings, [ONE])
    async with mesh.pool.acquire() as connection, connection.transaction():
        made = await register_building(connection, ONE, {"asked": "now"})
        await note_detail(connection, made, {"seen": 7})
    [built] = await list_generations(mesh.pool, statuses=[BUILDING])
    assert (built.number, built.version) == (2, ONE.version)
    assert built.detail == {"asked": "now", "seen": 7}


async def test_a_number_is_never_used_again(mesh: World) -> None:
    for wanted in (1, 2):
        async with mesh.pool.acquire() as connection, connection.transaction():
            made = await register_building(connection, ONE, {})
            await move_generations(connection, {(ONE.name, made.number): DROPPED})
        assert made.number == wanted


async def go(mesh: World, *moves: dict[int, GenerationStatus]) -> None:
    for each in moves:
        async with mesh.pool.acquire() as connection, connection.transaction():
            await move_generations(
                connection, {(ONE.name, number): status for number, status in each.items()}
            )


async def two_generations(mesh: World) -> None:
    await ensure_generations(mesh.settings, [ONE])
    async with mesh.pool.acquire() as connection, connection.transaction():
        await register_building(connection, ONE, {})


async def test_a_build_goes_live_and_back(mesh: World) -> None:
    await two_generations(mesh)
    await go(mesh, {2: READY}, {1: PREVIOUS, 2: LIVE})
    assert await statuses(mesh) == {1: PREVIOUS, 2: LIVE}
    await go(mesh, {2: READY, 1: LIVE})
    assert await statuses(mesh) == {1: LIVE, 2: READY}


@pytest.mark.parametrize(
    "moves",
    [
        {2: LIVE},
        {2: PREVIOUS},
        {1: DROPPED},
        {1: BUILDING},
        {1: INSPECTION},
        {3: READY},
        {2: READY, 1: DROPPED},
    ],
)
async def test_a_generation_skips_no_step_and_then_nothing_changes(
    mesh: World, moves: dict[int, GenerationStatus]
) -> None:
    await two_generations(mesh)
    with pytest.raises(TransitionError):
        await go(mesh, moves)
    assert await statuses(mesh) == {1: LIVE, 2: BUILDING}


async def test_live_watermarks_are_those_of_the_live_generation(
    mesh: World, all_stores: Mapping[str, Store]
) -> None:
    await two_generations(mesh)
    place = TopicPartition("events.listings", 3)
    for number, offset in ((1, 10), (2, 20)):
        made = Generation(ONE, number)
        await all_stores["postgres"].create(made)
        async with all_stores["postgres"].session(made) as session:
            await session.write([], {place: Watermark(offset)})
    shown = "SELECT next_offset FROM mesh.live_watermarks WHERE projection = $1"
    assert await mesh.pool.fetchval(shown, ONE.name) == 10
    await go(mesh, {2: READY}, {1: PREVIOUS, 2: LIVE})
    assert await mesh.pool.fetchval(shown, ONE.name) == 20


async def registered(mesh: World) -> list[Registered]:
    return await list_generations(mesh.pool)


async def test_ready_live_and_previous_generations_are_fed(mesh: World) -> None:
    await two_generations(mesh)
    assert [each.number for each in fed_generations([ONE], await registered(mesh))] == [1]
    await go(mesh, {2: READY})
    assert [each.number for each in fed_generations([ONE], await registered(mesh))] == [1, 2]
    await go(mesh, {1: PREVIOUS, 2: LIVE})
    assert [each.number for each in fed_generations([ONE], await registered(mesh))] == [1, 2]
    await go(mesh, {1: DROPPED})
    assert [each.number for each in fed_generations([ONE], await registered(mesh))] == [2]


async def test_rows_of_another_version_of_the_fold_are_not_fed_and_a_replay_is_due(
    mesh: World,
) -> None:
    await ensure_generations(mesh.settings, [ONE])
    newer = replace(ONE, version=ONE.version + 1)
    assert fed_generations([newer], await registered(mesh)) == []
    assert replay_due([newer], await registered(mesh)) == [ONE.name]
    assert replay_due([ONE], await registered(mesh)) == []
