"""The registry of generations: which builds of each projection exist and what they are for.

    building ──▶ ready ──▶ live ──▶ previous ──▶ dropped
        │         └──────────┴─ rollback: live ─▶ ready, previous ─▶ live
        └──▶ inspection ──▶ dropped

A worker feeds what is ready, live or previous, so a switch and a rollback lose nothing. It
feeds only generations that were made by the fold it runs: rows of one table must all come
from one version of the code. After a deployment with a raised VERSION the live generation is
therefore still served but stands still ("replay due") until a replay has built the next one.
To keep it fresh meanwhile, leave workers of the old code running and start the new ones after
the switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
import orjson

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Connection, Generation, Store
from projections.projection import Projection


class GenerationStatus(StrEnum):
    """What a generation is for."""

    BUILDING = "building"  # a replay fills it; workers leave it alone
    READY = "ready"  # complete and fed, not yet shown
    LIVE = "live"  # what readers see; one a projection
    PREVIOUS = "previous"  # was live, still fed, so that a rollback is instant
    INSPECTION = "inspection"  # made of part of the log: to look at, never fed nor shown
    DROPPED = "dropped"  # its rows are gone; its number is never used again


FED = (GenerationStatus.READY, GenerationStatus.LIVE, GenerationStatus.PREVIOUS)

_NEXT: Mapping[GenerationStatus, frozenset[GenerationStatus]] = {
    GenerationStatus.BUILDING: frozenset(
        {GenerationStatus.READY, GenerationStatus.INSPECTION, GenerationStatus.DROPPED}
    ),
    GenerationStatus.INSPECTION: frozenset({GenerationStatus.DROPPED}),
    GenerationStatus.READY: frozenset({GenerationStatus.LIVE, GenerationStatus.DROPPED}),
    GenerationStatus.LIVE: frozenset({GenerationStatus.PREVIOUS, GenerationStatus.READY}),
    GenerationStatus.PREVIOUS: frozenset({GenerationStatus.LIVE, GenerationStatus.DROPPED}),
    GenerationStatus.DROPPED: frozenset(),
}


class TransitionError(Exception):
    """A generation can't go from its status to the wanted one; the text names both."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One generation as the registry knows it. `version` is that of the fold that made it;
    `detail` is the replay's own memory of how it was built.
    """

    projection: str
    number: int
    version: int
    store: str
    status: GenerationStatus
    created_at: datetime
    changed_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)

    def of(self, projection: Projection[Any]) -> Generation:
        """The same for the stores."""
        return Generation(projection, self.number)


_SYSTEM_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS mesh;
    CREATE SCHEMA IF NOT EXISTS reads;

    CREATE TABLE IF NOT EXISTS mesh.generations (
        projection text NOT NULL,
        number int NOT NULL CHECK (number > 0),
        version int NOT NULL,
        store text NOT NULL,
        status text NOT NULL
            CHECK (status IN
                ('building', 'ready', 'live', 'previous', 'inspection', 'dropped')),
        created_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now(),
        detail jsonb NOT NULL DEFAULT '{}',
        PRIMARY KEY (projection, number)
    );
    CREATE UNIQUE INDEX IF NOT EXISTS generations_one_live
        ON mesh.generations (projection) WHERE status = 'live';

    -- One row a partition, written with every batch: room on the page keeps updates in place.
    CREATE TABLE IF NOT EXISTS mesh.watermarks (
        projection text NOT NULL,
        generation int NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        next_offset bigint NOT NULL,
        recorded_at double precision NOT NULL DEFAULT 0,
        writer_epoch bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (projection, generation, topic, partition)
    ) WITH (fillfactor = 25);

    CREATE TABLE IF NOT EXISTS mesh.parked (
        projection text NOT NULL,
        generation int NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        position_offset bigint NOT NULL,
        stream_id text NOT NULL,
        version int NOT NULL,
        kind text NOT NULL,
        headers bytea NOT NULL,
        value bytea,
        reason text NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (projection, generation, topic, partition, position_offset)
    );
    CREATE INDEX IF NOT EXISTS parked_by_stream
        ON mesh.parked (projection, generation, stream_id);
    -- The rows that the event would change: readers don't see them while it waits.
    ALTER TABLE mesh.parked ADD COLUMN IF NOT EXISTS row_keys text[];
    UPDATE mesh.parked SET row_keys = ARRAY[split_part(stream_id, '/', 2)]
        WHERE row_keys IS NULL;

    -- Parked events that were given up: no row will ever tell of them.
    CREATE TABLE IF NOT EXISTS mesh.skipped (
        projection text NOT NULL,
        generation int NOT NULL,
        topic text NOT NULL,
        partition int NOT NULL,
        position_offset bigint NOT NULL,
        stream_id text NOT NULL,
        kind text NOT NULL,
        reason text NOT NULL,
        skipped_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (projection, generation, topic, partition, position_offset)
    );

    -- `parked`: whether an event of this partition waits; who asks for the watermark learns both
    -- at one moment.
    CREATE OR REPLACE VIEW mesh.live_watermarks AS
        SELECT projection, topic, partition, next_offset,
            EXISTS (
                SELECT FROM mesh.parked AS waiting
                WHERE waiting.projection = read.projection AND waiting.generation = read.generation
                  AND waiting.topic = read.topic AND waiting.partition = read.partition
            ) AS parked
        FROM mesh.watermarks AS read JOIN mesh.generations USING (projection)
        WHERE generation = number AND status = 'live';

    CREATE OR REPLACE VIEW mesh.live_parked AS
        SELECT parked.* FROM mesh.parked JOIN mesh.generations USING (projection)
        WHERE generation = number AND status = 'live';
"""


async def create_system_schema(pool: asyncpg.Pool) -> None:
    """Make the tables that workers and replays share; harmless when they are there."""
    async with pool.acquire() as connection, connection.transaction():
        await one_at_a_time(connection, "system_schema")
        await connection.execute(_SYSTEM_SCHEMA)


async def one_at_a_time(connection: Connection, what: str) -> None:
    """Wait until no other transaction does the same thing; held until this one ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", what)


async def ensure_generations(settings: Settings, projections: Sequence[Projection[Any]]) -> None:
    """Give every projection that has no live generation its first one, empty, and publish it.

    Killed halfway it goes on where it stopped. Raises StoreUnavailableError.
    """
    async with await open_pool(settings, size_max=2) as pool:
        shown = await list_generations(pool, statuses=[GenerationStatus.LIVE])
        live = {each.projection for each in shown}
        missing = [each for each in projections if each.name not in live]
        if not missing:
            return
        async with opened_stores(settings, missing) as stores:
            for projection in missing:
                await _make_first(pool, stores[store_name(projection)], projection)


_LIVE = (GenerationStatus.LIVE,)


async def _make_first(pool: asyncpg.Pool, store: Store, projection: Projection[Any]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await one_at_a_time(connection, f"first generation of {projection.name}")
        known = await list_generations(connection, projections=[projection.name])
        if any(each.status is GenerationStatus.LIVE for each in known):
            return
        generation = Generation(projection, 1 + max((each.number for each in known), default=0))
        # Store first: a crash after it leaves an empty table, which the next try takes over.
        await store.create(generation)
        await store.publish([generation])
        await _insert(connection, generation, GenerationStatus.LIVE, {})


async def register_building(
    connection: Connection, projection: Projection[Any], detail: Mapping[str, Any]
) -> Generation:
    """Enter the next generation of a projection as building; its table is the caller's to make.

    Must run in a transaction: the number is this one's when that commits.
    """
    await one_at_a_time(connection, f"next generation of {projection.name}")
    number = await connection.fetchval(
        "SELECT coalesce(max(number), 0) + 1 FROM mesh.generations WHERE projection = $1",
        projection.name,
    )
    generation = Generation(projection, number)
    await _insert(connection, generation, GenerationStatus.BUILDING, detail)
    return generation


async def _insert(
    connection: Connection,
    generation: Generation,
    status: GenerationStatus,
    detail: Mapping[str, Any],
) -> None:
    projection = generation.projection
    await connection.execute(
        "INSERT INTO mesh.generations (projection, number, version, store, status, detail)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        projection.name,
        generation.number,
        projection.version,
        store_name(projection),
        status.value,
        orjson.dumps(dict(detail)).decode(),
    )


async def list_generations(
    connection: Connection | asyncpg.Pool,
    *,
    projections: Iterable[str] | None = None,
    statuses: Iterable[GenerationStatus] | None = None,
    lock: bool = False,
) -> list[Registered]:
    """Generations by projection and number; None: of every projection, in every status.

    With `lock` (in a transaction) nobody else can change them until the transaction ends.
    """
    records = await connection.fetch(
        "SELECT * FROM mesh.generations"  # noqa: S608 - nothing of it comes from outside
        " WHERE ($1::text[] IS NULL OR projection = ANY($1))"
        "   AND ($2::text[] IS NULL OR status = ANY($2))"
        " ORDER BY projection, number" + (" FOR UPDATE" if lock else ""),
        None if projections is None else list(projections),
        None if statuses is None else [each.value for each in statuses],
    )
    return [_registered(record) for record in records]


def _registered(record: asyncpg.Record) -> Registered:
    return Registered(
        projection=record["projection"],
        number=record["number"],
        version=record["version"],
        store=record["store"],
        status=GenerationStatus(record["status"]),
        created_at=record["created_at"],
        changed_at=record["changed_at"],
        detail=orjson.loads(record["detail"]),
    )


async def move_generations(
    connection: Connection, moves: Mapping[tuple[str, int], GenerationStatus]
) -> None:
    """Give generations, by (projection, number), their next status: all of them or none.

    Must run in a transaction; rows are locked in one order, so two switches queue up. Raises
    TransitionError when one of them can't go there, and nothing has changed then.
    """
    known = {
        (each.projection, each.number): each
        for each in await list_generations(
            connection, projections={name for name, _ in moves}, lock=True
        )
    }
    for identity, status in moves.items():
        _check_move(identity, known.get(identity), status)
    # The live one steps down before another steps up: one live a projection at any time.
    for identity, status in sorted(moves.items(), key=lambda move: move[1] is _UP):
        await connection.execute(
            "UPDATE mesh.generations SET status = $3, changed_at = now()"
            " WHERE projection = $1 AND number = $2",
            *identity,
            status.value,
        )


_UP = GenerationStatus.LIVE


def _check_move(
    identity: tuple[str, int], known: Registered | None, status: GenerationStatus
) -> None:
    name = f"generation {identity[1]} of {identity[0]}"
    if known is None:
        message = f"{name} does not exist"
        raise TransitionError(message)
    if status not in _NEXT[known.status]:
        message = f"{name} is {known.status}: it can't become {status}"
        raise TransitionError(message)


async def note_detail(
    connection: Connection | asyncpg.Pool, generation: Generation, detail: Mapping[str, Any]
) -> None:
    """Remember something of how a generation is built, beside what is remembered already."""
    await connection.execute(
        "UPDATE mesh.generations SET detail = detail || $3::jsonb"
        " WHERE projection = $1 AND number = $2",
        generation.projection.name,
        generation.number,
        orjson.dumps(dict(detail)).decode(),
    )


def replay_due(
    projections: Iterable[Projection[Any]], registered: Iterable[Registered]
) -> list[str]:
    """Names of the projections whose live rows were made by another version of the fold."""
    live = {each.projection: each.version for each in registered if each.status is _UP}
    return [each.name for each in projections if live.get(each.name, each.version) != each.version]


def fed_generations(
    projections: Iterable[Projection[Any]], registered: Iterable[Registered]
) -> list[Generation]:
    """What workers of this code feed: complete generations made by this version of the fold."""
    by_name = {each.name: each for each in projections}
    return [
        each.of(by_name[each.projection])
        for each in registered
        if each.status in FED
        and each.projection in by_name
        and each.version == by_name[each.projection].version
    ]
