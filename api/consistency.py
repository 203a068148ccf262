"""Reading one's own writes: a read that carries a Consistency-Token waits, within a bound,
until the projections it uses have folded everything up to the token's positions.

    CAUGHT_UP = CaughtUp(listing_page)

    @router.get("/api/listings/{listing_id}", ...)
    async def read_listing(request: Request, ...):
        await CAUGHT_UP.wait(request)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request

from api.database import LIVE_WATERMARKS, Database
from api.gateway import WriteUnavailableError
from api.machines import Machines, machines_of
from api.problems import Problem, StoreUnavailableError
from api.stores import clickhouse_answering, opensearch_answering
from infra.opensearch import alias_of, watermark_id
from projections.projection import ClickHouseTable, PostgresTable, Projection, SearchIndex
from schemas.positions import (
    TOKEN_LENGTH_MAX,
    Position,
    TopicPartition,
    parse_token,
)
from schemas.topics import CONTEXTS, PARTITIONS

HEADER = "consistency-token"
EVENT_TOPICS = frozenset(context.events_topic for context in CONTEXTS)
_PLACE = rf"({'|'.join(sorted(EVENT_TOPICS))}):({'|'.join(map(str, range(PARTITIONS)))}):[0-9]{{1,18}}".replace(
    ".", r"\."
)
TOKEN_PATTERN = f"^{_PLACE}(,{_PLACE})*$"
POLL_S = 0.002
POLL_MAX_S = 0.05

LIVE_GENERATION = "SELECT number FROM mesh.generations WHERE projection = $1 AND status = 'live'"
CLICKHOUSE_WATERMARKS = """
    SELECT topic, partition, max(next_offset) FROM mesh_watermarks
    WHERE projection = %(projection)s AND generation = %(generation)s
    GROUP BY topic, partition
"""
HEADER_PARAMETER: dict[str, Any] = {
    "name": "Consistency-Token",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": TOKEN_LENGTH_MAX, "pattern": TOKEN_PATTERN},
    "description": "Wait until this place in the log can be read here; from a write's answer",
    "example": "events.listings:3:1042",
}
OPENAPI_EXTRA: dict[str, Any] = {"parameters": [HEADER_PARAMETER]}


class CaughtUp:
    """Waits for the projections that one read uses."""

    def __init__(self, *projections: Projection[Any]) -> None:
        self._projections = [(each, frozenset(each.topics)) for each in projections]

    async def wait(self, request: Request) -> None:
        """Return once the request's token, if it has one, is covered; raises a 400 problem for
        a token that is none, StoreUnavailableError when the bound passes.
        """
        token = request.headers.get(HEADER)
        if token is not None:
            await self.reach(machines_of(request), _positions(token))

    async def reach(self, machines: Machines, positions: Iterable[Position]) -> None:
        """The same for positions in hand."""
        wanted = _furthest(positions)
        deadline = time.monotonic() + machines.settings.read_wait_s
        for projection, topics in self._projections:
            heard = {place: offset for place, offset in wanted.items() if place.topic in topics}
            if heard:
                await _reach(machines, projection, heard, deadline)


Offsets = Mapping[TopicPartition, int]


def _positions(token: str) -> list[Position]:
    try:
        positions = parse_token(token)
    except ValueError:
        raise _invalid() from None
    if any(each.topic not in EVENT_TOPICS or each.partition >= PARTITIONS for each in positions):
        raise _invalid()
    return positions


def _invalid() -> Problem:
    return Problem(
        400, "consistency_token_invalid", "Send the Consistency-Token of a write's answer"
    )


async def _require_there(machines: Machines, wanted: Offsets) -> None:
    """Raises a 400 problem for a place behind the log's end, which nobody was ever given."""
    try:
        ends = await machines.writes.ends_of(wanted)
    except WriteUnavailableError:
        return  # then nobody can tell, and waiting is right
    if any(offset >= ends.get(place, 0) for place, offset in wanted.items()):
        raise _invalid()


def _furthest(positions: Iterable[Position]) -> dict[TopicPartition, int]:
    wanted: dict[TopicPartition, int] = {}
    for position in positions:
        place = position.topic_partition
        wanted[place] = max(position.offset, wanted.get(place, 0))
    return wanted


async def _reach(
    machines: Machines, projection: Projection[Any], wanted: Offsets, deadline: float
) -> None:
    watch = _watch_of(machines, projection)
    pause, doubted = POLL_S, False
    while True:
        next_offsets = await watch.next_offsets(list(wanted))
        if all(next_offsets.get(place, 0) > offset for place, offset in wanted.items()):
            await watch.settle()
            return
        if pause >= POLL_MAX_S and not doubted:
            # Most are read by now. What is not may be a place that the log does not have.
            await _require_there(machines, wanted)
            doubted = True
        if time.monotonic() + pause > deadline:
            raise StoreUnavailableError(
                "read_model", f"{projection.name} has not caught up with your write; try again soon"
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, POLL_MAX_S)


class Watch(Protocol):
    """Looks how far the live generation of one projection has read."""

    async def next_offsets(self, places: Sequence[TopicPartition]) -> Offsets:
        """The next offset to read; absent: 0."""
        ...

    async def settle(self) -> None:
        """Make what has been read visible to queries."""
        ...


def _watch_of(machines: Machines, projection: Projection[Any]) -> Watch:
    match projection.target:
        case PostgresTable():
            return _PostgresWatch(machines.postgres, projection.name)
        case SearchIndex():
            return _OpenSearchWatch(machines, projection.name)
        case ClickHouseTable():
            return _ClickHouseWatch(machines, projection.name)


@dataclass(frozen=True)
class _PostgresWatch:
    postgres: Database
    projection: str

    async def next_offsets(self, places: Sequence[TopicPartition]) -> Offsets:
        del places  # a projection has a handful of rows: all of them cost what one costs
        rows = await self.postgres.fetch(LIVE_WATERMARKS, self.projection)
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def settle(self) -> None:
        """Rows and watermark were committed together."""


@dataclass
class _OpenSearchWatch:
    machines: Machines
    projection: str
    index: str = ""

    async def next_offsets(self, places: Sequence[TopicPartition]) -> Offsets:
        client, settings = self.machines.opensearch, self.machines.settings
        with opensearch_answering():
            if not self.index:
                shown = await client.indices.get_alias(name=alias_of(settings, self.projection))
                self.index = next(iter(shown))
            generation = self.index.rpartition("-g")[2]
            name = f"{self.projection}__g{generation}"
            ids = {watermark_id(name, *each): each for each in places}
            answer = await client.mget(index=alias_of(settings, "watermarks"), body={"ids": [*ids]})
        return {
            ids[each["_id"]]: each["_source"]["next_offset"]
            for each in answer["docs"]
            if each.get("found")
        }

    async def settle(self) -> None:
        """Documents are searchable only after a refresh; who brings a token asks for one."""
        with opensearch_answering():
            await self.machines.opensearch.indices.refresh(index=self.index)


@dataclass
class _ClickHouseWatch:
    machines: Machines
    projection: str
    generation: int | None = None

    async def next_offsets(self, places: Sequence[TopicPartition]) -> Offsets:
        del places  # a projection has a handful of rows: all of them cost what one costs
        if self.generation is None:
            self.generation = await self.machines.postgres.fetchval(
                LIVE_GENERATION, self.projection
            )
        with clickhouse_answering():
            rows = await self.machines.clickhouse.fetch(
                CLICKHOUSE_WATERMARKS,
                {"projection": self.projection, "generation": self.generation or 0},
            )
        return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    async def settle(self) -> None:
        """An inserted block is visible at once."""
