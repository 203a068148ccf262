"""Which generation readers see: switch forward, roll back.

The registry is the truth. One Postgres transaction moves the statuses of all generations and
the Postgres views; OpenSearch's aliases and ClickHouse's views follow. Killed in between, the
registry already names the new generations while those two still show the old ones, which the
workers go on feeding: running the switch again publishes what the registry says.

A reader never sees a projection go back in time: the next generation must have read at least
as far as the live one, in every partition. For Postgres this is compared while no worker can
commit. The other stores have no such moment; there the candidate is read first and the live
one after it, so what is seen as "not behind" was so, and a batch of the worker may lie
between the comparison and the alias (milliseconds, under load).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from asyncpg import exceptions

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.feeding.generations import (
    GenerationStatus,
    Registered,
    list_generations,
    move_generations,
)
from processors.feeding.parking import Parking
from processors.feeding.showing import show
from processors.replay.leftovers import leftovers, named
from processors.stores.opening import opened_stores
from processors.stores.port import Connection, Generation, Store
from processors.stores.postgres import PostgresStore
from projections.projection import Projection
from schemas.log.positions import TopicPartition

WAIT_S = 30.0
_POLL_S = 0.05
# Readers queue behind a waiting lock, so give way to whoever holds the view for long.
_LOCK_TIMEOUT = "500ms"

Offsets = Mapping[TopicPartition, int]


class SwitchRefusedError(Exception):
    """The read models can't be exchanged now; the text says which and why."""


@dataclass(frozen=True)
class _Exchange:
    """One projection's live generation and the one to take its place."""

    projection: Projection[Any]
    live: Registered | None
    next: Registered

    @property
    def generation(self) -> Generation:
        return self.next.of(self.projection)

    def lag(self, live: Offsets, candidate: Offsets) -> str:
        """Where the candidate is behind, in words; empty when nowhere."""
        behind = {
            place: offset - candidate.get(place, 0)
            for place, offset in live.items()
            if candidate.get(place, 0) < offset
        }
        if not behind:
            return ""
        place = max(behind, key=lambda each: behind[each])
        return (
            f"generation {self.next.number} of {self.projection.name} is {behind[place]} records"
            f" behind the live one in {place.topic}/{place.partition}"
        )


async def switch(
    settings: Settings,
    projections: Sequence[Projection[Any]],
    wait_s: float = WAIT_S,
    *,
    partly: bool = False,
    despite_parked: bool = False,
) -> list[Generation]:
    """Show readers the newest ready generation of all these projections at once.

    One that leaves out parked or skipped events which the live one tells of, or other ones, is
    refused unless `despite_parked`.

    Waits up to `wait_s` seconds for workers to catch up. Without any ready generation it only
    publishes again what is live (the repair after a crash); `partly` leaves out projections
    that have none. Returns the generations that became live; raises SwitchRefusedError
    (nothing has changed then) and StoreUnavailableError (run it again).
    """
    move = _Move(GenerationStatus.READY, GenerationStatus.PREVIOUS, wait_s, partly, despite_parked)
    return await move.make(settings, projections)


async def rollback(
    settings: Settings,
    projections: Sequence[Projection[Any]],
    wait_s: float = WAIT_S,
    *,
    partly: bool = False,
) -> list[Generation]:
    """Show readers the generation that was live before, which is still fed. The one that
    steps down is ready again, so `switch` leads forward once more. Errors as for `switch`.
    """
    # Back is the way out of trouble: nothing that is parked bars it.
    move = _Move(
        GenerationStatus.PREVIOUS, GenerationStatus.READY, wait_s, partly, despite_parked=True
    )
    return await move.make(settings, projections)


@dataclass(frozen=True)
class _Move:
    """A switch or a rollback: where the next generation comes from, where the live one goes."""

    source: GenerationStatus
    stepping_down: GenerationStatus
    wait_s: float
    partly: bool
    despite_parked: bool

    async def make(
        self, settings: Settings, projections: Sequence[Projection[Any]]
    ) -> list[Generation]:
        """Do it; the generations that became live."""
        names = [projection.name for projection in projections]
        async with (
            await open_pool(settings, size_max=2) as pool,
            opened_stores(settings, projections) as stores,
        ):
            known = await list_generations(pool, projections=names)
            # Whatever an interrupted switch or rollback left undone.
            await _publish_elsewhere(pool, stores, projections)
            exchanges = self._exchanges(projections, known)
            if exchanges:
                if not self.despite_parked:
                    await _check_leftovers(pool, exchanges)
                for each in exchanges:
                    await stores[each.next.store].settle(each.generation)
                await _exchange(pool, stores, exchanges, self.stepping_down, self.wait_s)
                await _publish_elsewhere(pool, stores, projections)
        return [each.generation for each in exchanges]

    def _exchanges(
        self, projections: Sequence[Projection[Any]], known: Iterable[Registered]
    ) -> list[_Exchange]:
        """What is to be exchanged: all of these projections, or none of them."""
        exchanges, without = [], []
        for projection in projections:
            own = [each for each in known if each.projection == projection.name]
            following = shown_next(own, self.source)
            if following is None:
                without.append(projection.name)
                continue
            _check_version(following, projection)
            exchanges.append(_Exchange(projection, live_of(own), following))
        if without and exchanges and not self.partly:
            message = (
                f"no generation that is {self.source}: {', '.join(without)}"
                " (see `mesh replay status`)"
            )
            raise SwitchRefusedError(message)
        return exchanges


def live_of(own: Iterable[Registered]) -> Registered | None:
    """Which of one projection's generations readers see."""
    return next((each for each in own if each.status is GenerationStatus.LIVE), None)


def shown_next(
    own: Sequence[Registered], source: GenerationStatus = GenerationStatus.READY
) -> Registered | None:
    """Which of one projection's generations a switch would show, or a rollback with PREVIOUS."""
    live = live_of(own)
    found = [
        each
        for each in own
        if each.status is source
        # A switch only leads forward: a ready generation may be older than the live one.
        and (source is not GenerationStatus.READY or live is None or each.number > live.number)
    ]
    return max(found, key=lambda each: (each.changed_at, each.number), default=None)


def _check_version(found: Registered, projection: Projection[Any]) -> None:
    if found.version != projection.version:
        message = (
            f"generation {found.number} of {projection.name} was made by version"
            f" {found.version} of its fold and this code has version {projection.version}:"
            " it is no longer fed"
        )
        raise SwitchRefusedError(message)


async def _check_leftovers(pool: asyncpg.Pool, exchanges: Iterable[_Exchange]) -> None:
    """Raises SwitchRefusedError where readers would miss something else than they do now."""
    for each in exchanges:
        own = await leftovers(pool, each.generation)
        if own.none or each.live is None:
            continue
        live = await leftovers(pool, each.live.of(each.projection))
        if differing := own.unlike(live):
            message = (
                f"generation {each.next.number} of {each.projection.name} has {own}, the live one"
                f" has {live}; they differ in {named(differing)}: mend them with `mesh parked`,"
                " or switch with --despite-parked"
            )
            raise SwitchRefusedError(message)


async def _exchange(
    pool: asyncpg.Pool,
    stores: Mapping[str, Store],
    exchanges: Sequence[_Exchange],
    stepping_down: GenerationStatus,
    wait_s: float,
) -> None:
    """Change the registry and the Postgres views as soon as no candidate is behind."""
    deadline = time.monotonic() + wait_s
    while True:
        lags = await _lags_elsewhere(stores, exchanges)
        if not lags:
            try:
                lags = await _try_to_exchange(pool, stores, exchanges, stepping_down)
            except exceptions.LockNotAvailableError:
                lags = ["somebody holds the watermarks or a view in Postgres for long"]
            if not lags:
                return
        if time.monotonic() > deadline:
            message = f"not switched after {wait_s:.0f} s: {'; '.join(lags)}"
            raise SwitchRefusedError(message)
        await asyncio.sleep(_POLL_S)


async def _lags_elsewhere(stores: Mapping[str, Store], exchanges: Sequence[_Exchange]) -> list[str]:
    """Who is behind in the stores that have no transaction with the registry."""
    lags = []
    for each in exchanges:
        if each.live is not None and each.next.store != PostgresStore.name:
            store = stores[each.next.store]
            candidate = await store.watermarks(each.generation)
            live = await store.watermarks(each.live.of(each.projection))
            lags.append(each.lag(_offsets(live), _offsets(candidate)))
    return [lag for lag in lags if lag]


def _offsets(watermarks: Mapping[TopicPartition, Any]) -> dict[TopicPartition, int]:
    return {place: each.next_offset for place, each in watermarks.items()}


async def _try_to_exchange(
    pool: asyncpg.Pool,
    stores: Mapping[str, Store],
    exchanges: Sequence[_Exchange],
    stepping_down: GenerationStatus,
) -> list[str]:
    """One transaction over registry and Postgres views; who is behind, when it did nothing."""
    own = [each for each in exchanges if each.next.store == PostgresStore.name]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        # Workers can still read; their commits wait until this transaction ends.
        await connection.execute("LOCK TABLE mesh.watermarks IN SHARE ROW EXCLUSIVE MODE")
        lags = await _lags_within(connection, own)
        if lags:
            return lags
        moves: dict[tuple[str, int], GenerationStatus] = {}
        for each in exchanges:
            if each.live is not None:
                moves[each.projection.name, each.live.number] = stepping_down
            moves[each.projection.name, each.next.number] = GenerationStatus.LIVE
        await move_generations(connection, moves)
        if own:
            store = stores[PostgresStore.name]
            assert isinstance(store, PostgresStore)
            await store.publish_within(connection, [each.generation for each in own])
    return []


async def _lags_within(connection: Connection, exchanges: Sequence[_Exchange]) -> list[str]:
    records = await connection.fetch(
        "SELECT projection, generation, topic, partition, next_offset FROM mesh.watermarks"
        " WHERE projection = ANY($1)",
        [each.projection.name for each in exchanges],
    )
    offsets: dict[tuple[str, int], dict[TopicPartition, int]] = {}
    for record in records:
        place = TopicPartition(record["topic"], record["partition"])
        identity = (record["projection"], record["generation"])
        offsets.setdefault(identity, {})[place] = record["next_offset"]
    lags = []
    for each in exchanges:
        if each.live is not None:
            live = offsets.get((each.projection.name, each.live.number), {})
            candidate = offsets.get((each.projection.name, each.next.number), {})
            lags.append(each.lag(live, candidate))
    return [lag for lag in lags if lag]


async def _publish_elsewhere(
    pool: asyncpg.Pool, stores: Mapping[str, Store], projections: Sequence[Projection[Any]]
) -> None:
    """Make every store but Postgres show what the registry calls live."""
    for store in stores.values():
        await show(Parking(pool), store, projections)
