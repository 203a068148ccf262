"""The builds that replays make, as the registry keeps them: begun, finished, taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.generations import (
    GenerationStatus,
    Registered,
    TransitionError,
    list_generations,
    move_generations,
    note_detail,
    register_building,
)
from processors.replay.limits import Limits
from processors.replay.locks import ReplayRunningError, only_replay
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation
from projections.projection import Projection

CANCEL_TIMEOUT_S = 30.0
CANCELLED = "the replay was cancelled"
_POLL_S = 0.2
_GONE = "gone"  # in a dropped generation's detail: its rows are removed, too


class ReplayError(Exception):
    """What was asked of a replay does not fit the state of things; the text says why."""


@dataclass(frozen=True)
class Build:
    """One generation under construction."""

    generation: Generation
    limits: Limits
    # Where a build with limits ends, by "topic:partition": what it was when it began.
    ends: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The generation's physical name."""
        return self.generation.name

    @property
    def projection(self) -> Projection[Any]:
        """What is built."""
        return self.generation.projection

    @property
    def identity(self) -> tuple[str, int]:
        """As the registry names it."""
        return self.projection.name, self.generation.number


async def begin(
    settings: Settings, projections: Sequence[Projection[Any]], limits: Limits
) -> list[Build]:
    """Register the next generation of each projection, all or none; raises ReplayError."""
    names = [projection.name for projection in projections]
    async with (
        await open_pool(settings, size_max=1) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        half_built = await list_generations(
            connection, projections=names, statuses=[GenerationStatus.BUILDING]
        )
        if half_built:
            each = half_built[0]
            message = (
                f"generation {each.number} of {each.projection} is half built:"
                f" `mesh replay resume {each.projection}` goes on with it,"
                f" `mesh replay cancel {each.projection}` takes it away"
            )
            raise ReplayError(message)
        return [
            Build(await register_building(connection, projection, limits.detail()), limits)
            for projection in projections
        ]


async def half_built(settings: Settings, projections: Sequence[Projection[Any]]) -> list[Build]:
    """The builds of these projections that were begun and not finished; raises ReplayError for
    one that another version of the fold began.
    """
    by_name = {projection.name: projection for projection in projections}
    async with await open_pool(settings, size_max=1) as pool:
        found = await list_generations(
            pool, projections=by_name, statuses=[GenerationStatus.BUILDING]
        )
    for each in found:
        if each.version != by_name[each.projection].version:
            message = (
                f"generation {each.number} of {each.projection} was begun by version"
                f" {each.version} of its fold: `mesh replay cancel {each.projection}`,"
                " then start anew"
            )
            raise ReplayError(message)
    return [
        Build(
            each.of(by_name[each.projection]), Limits.of(each.detail), each.detail.get("ends", {})
        )
        for each in found
    ]


async def note_ends(settings: Settings, build: Build, ends: Mapping[str, int]) -> None:
    """Remember where a build with limits ends, for those who resume it."""
    async with await open_pool(settings, size_max=1) as pool:
        await note_detail(pool, build.generation, {"ends": dict(ends)})


async def none_cancelled(pool: asyncpg.Pool, builds: Sequence[Build]) -> bool:
    """Whether the registry still wants every one of these builds."""
    found = await list_generations(
        pool,
        projections={build.projection.name for build in builds},
        statuses=[GenerationStatus.BUILDING],
    )
    wanted = {(each.projection, each.number) for each in found}
    return all(build.identity in wanted for build in builds)


async def finish(settings: Settings, builds: Sequence[Build]) -> None:
    """Builds of the whole log become ready, the others are for inspection. Raises ReplayError
    when a cancel came just before.
    """
    moves = {
        build.identity: GenerationStatus.READY
        if build.limits.whole
        else GenerationStatus.INSPECTION
        for build in builds
    }
    try:
        async with (
            await open_pool(settings, size_max=1) as pool,
            pool.acquire() as connection,
            connection.transaction(),
        ):
            await move_generations(connection, moves)
    except TransitionError as error:
        # Nobody but who cancels touches what is half built.
        raise ReplayError(CANCELLED) from error


async def cancel(settings: Settings, projections: Sequence[Projection[Any]]) -> list[Generation]:
    """Take away what is half built, ending the replay that is at it; the live generations are
    not touched. Killed halfway, it is repaired by running it again.
    """
    async with await open_pool(settings, size_max=1) as pool:
        names = [projection.name for projection in projections]
        found = await list_generations(
            pool, projections=names, statuses=[GenerationStatus.BUILDING]
        )
        # The replay looks at its status every second and stops when it is not building.
        await _move_to_dropped(pool, found)
    await _until_stopped(settings, {each.projection for each in found})
    return await _remove_dropped(settings, projections)


async def drop(
    settings: Settings, projections: Sequence[Projection[Any]], number: int | None = None
) -> list[Generation]:
    """Remove the previous generations and those for inspection, or the one of that number if it
    is not live. Killed halfway, it is repaired by running it again. Raises ReplayError.
    """
    names = [projection.name for projection in projections]
    async with await open_pool(settings, size_max=1) as pool:
        known = await list_generations(pool, projections=names)
        if number is None:
            kinds = (GenerationStatus.PREVIOUS, GenerationStatus.INSPECTION)
            chosen = [each for each in known if each.status in kinds]
        else:
            chosen = [each for each in known if each.number == number]
            _check_removable(chosen, number)
        await _move_to_dropped(pool, chosen)
    return await _remove_dropped(settings, projections)


def _check_removable(chosen: Sequence[Registered], number: int) -> None:
    if not chosen:
        message = f"there is no generation {number}"
        raise ReplayError(message)
    for each in chosen:
        if each.status is GenerationStatus.LIVE:
            message = f"generation {number} of {each.projection} is live: switch away from it first"
            raise ReplayError(message)
        if each.status is GenerationStatus.BUILDING:
            message = f"generation {number} of {each.projection} is half built: cancel it"
            raise ReplayError(message)


async def _move_to_dropped(pool: asyncpg.Pool, chosen: Iterable[Registered]) -> None:
    """First in the registry, so that workers leave them alone."""
    moves = {
        (each.projection, each.number): GenerationStatus.DROPPED
        for each in chosen
        if each.status is not GenerationStatus.DROPPED
    }
    async with pool.acquire() as connection, connection.transaction():
        await move_generations(connection, moves)


async def _until_stopped(settings: Settings, names: Iterable[str]) -> None:
    """Wait until no replay of these projections runs; raises ReplayRunningError."""
    deadline = asyncio.get_running_loop().time() + CANCEL_TIMEOUT_S
    for name in sorted(names):
        while True:
            try:
                async with only_replay(settings, [name]):
                    break
            except ReplayRunningError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(_POLL_S)


async def _remove_dropped(
    settings: Settings, projections: Sequence[Projection[Any]]
) -> list[Generation]:
    """Remove the rows of every dropped generation that still has them."""
    by_name = {projection.name: projection for projection in projections}
    removed = []
    async with (
        await open_pool(settings, size_max=1) as pool,
        opened_stores(settings, projections) as stores,
    ):
        dropped = await list_generations(
            pool, projections=by_name, statuses=[GenerationStatus.DROPPED]
        )
        for each in dropped:
            if each.detail.get(_GONE):
                continue
            generation = each.of(by_name[each.projection])
            await stores[store_name(generation.projection)].drop(generation)
            for table in ("mesh.parked", "mesh.skipped"):
                await pool.execute(
                    f"DELETE FROM {table} WHERE projection = $1 AND generation = $2",  # noqa: S608
                    each.projection,
                    each.number,
                )
            await note_detail(pool, generation, {_GONE: True})
            removed.append(generation)
    return removed
