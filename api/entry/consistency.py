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
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from fastapi import Request

from api.backends.database import LIVE_WATERMARKS, Database
from api.backends.machines import Machines, machines_of
from api.backends.stores import clickhouse_answering, opensearch_answering
from api.backends.withheld import BeingRepaired, refuse_parked
from api.wire.deadlines import left
from api.wire.problems import Problem, StoreUnavailableError, WriteUnavailableError
from infra.clients.opensearch import alias_of, watermark_id
from projections.journal.journal import journal
from projections.projection import ClickHouseTable, PostgresTable, Projection, SearchIndex
from schemas.log.positions import (
    TOKEN_LENGTH_MAX,
    Position,
    TopicPartition,
    parse_token,
)
from schemas.topics import CONTEXTS

T = TypeVar("T")
Row = Mapping[str, Any]

HEADER = "consistency-token"
EVENT_TOPICS = frozenset(context.events_topic for context in CONTEXTS)
# What the writer appends ends in the mark of its transaction, which is nobody's place.
_MARKED = frozenset(context.events_topic for context in CONTEXTS if context.commands)
_PLACE = rf"({'|'.join(sorted(EVENT_TOPICS))}):[0-9]{{1,3}}:[0-9]{{1,18}}".replace(".", r"\.")
TOKEN_PATTERN = f"^{_PLACE}(,{_PLACE})*$"
POLL_S = 0.002
POLL_MAX_S = 0.05
ROW_POLL_S = 0.01

CLICKHOUSE_SHOWN = """
    SELECT extract(create_table_query, '__g([0-9]+)`? FINAL') FROM system.tables
    WHERE database = currentDatabase() AND name = %(projection)s
"""
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


def _token_of(request: Request) -> str | None:
    """The request's token: of several all have to be covered, as of the parts of one."""
    sent = request.headers.getlist(HEADER)
    return ",".join(sent) if sent else None


def has_token(request: Request) -> bool:
    """Whether the request must see a certain write."""
    return HEADER in request.headers


class CaughtUp:
    """Waits for the projections that one read uses."""

    def __init__(self, *projections: Projection[Any]) -> None:
        self._projections = [(each, frozenset(each.topics)) for each in projections]
        self._names = tuple(each.name for each in projections)

    async def wait(self, request: Request, *, whole: bool = True) -> None:
        """Return once the request's token, if it has one, is covered; raises a 400 problem for
        a token that is none, StoreUnavailableError when the bound passes, and BeingRepaired when
        something that the request names waits to be mended, unless the answer need not be `whole`.
        """
        machines, token = machines_of(request), _token_of(request)
        if token is not None:
            await self._reached(request, token)
        if whole:
            await machines.withheld.refuse(request, self._names)

    async def read(self, request: Request, query: Callable[[], Awaitable[T]]) -> T:
        """What `query` gives once the request's token is covered; asked again when, meanwhile,
        another generation has come to be shown, which may not be as far as the one waited for.
        Only Postgres shows the next generation at one moment with what it has read.
        """
        machines, token = machines_of(request), _token_of(request)
        await machines.withheld.refuse(request, self._names)
        if token is None:
            return await query()
        deadline = time.monotonic() + left(machines.settings.read_wait_s)
        while True:
            seen = await self._reached(request, token, deadline)
            answer = await query()
            if all([await watch.shown() == generation for watch, generation in seen]):
                return answer
            if time.monotonic() > deadline:
                raise StoreUnavailableError("read_model", "it is being exchanged; try again soon")

    async def _reached(
        self, request: Request, token: str, deadline: float | None = None
    ) -> list[tuple[Watch, str]]:
        machines = machines_of(request)
        try:
            return await self.reach(machines, _positions(machines, token), deadline)
        except BeingRepaired as problem:
            raise await machines.withheld.told(request, problem.streams) from None

    async def reach(
        self,
        machines: Machines,
        positions: Iterable[Position],
        deadline: float | None = None,
    ) -> list[tuple[Watch, str]]:
        """The same for positions in hand, until a moment of time.monotonic(). Gives which
        generations it was that have come so far.
        """
        wanted = _furthest(positions)
        if deadline is None:
            deadline = time.monotonic() + left(machines.settings.read_wait_s)
        seen = []
        for projection, topics in self._projections:
            heard = {place: offset for place, offset in wanted.items() if place.topic in topics}
            if heard:
                watch = _watch_of(machines, projection)
                seen.append((watch, await _reach(machines, projection, watch, heard, deadline)))
        return seen

    async def reach_the_end(self, machines: Machines) -> None:
        """The same for all that the log holds now: what is not there then was not there when asked.
        Raises WriteUnavailableError while nobody can tell how much that is.
        """
        partitions = range(machines.settings.topic_partitions)
        topics = {topic for _, topics in self._projections for topic in topics}
        places = [TopicPartition(topic, each) for topic in topics for each in partitions]
        last = {
            place: end - 1 - (place.topic in _MARKED)
            for place, end in (await machines.writes.ends_of(places)).items()
        }
        await self.reach(machines, [place.at(each) for place, each in last.items() if each >= 0])


async def awaited_row(mesh: Machines, read: Callable[[], Awaitable[Row | None]], what: str) -> Row:
    """A row that must come, for its event is in the log; raises StoreUnavailableError when the
    read model has not caught up within the bound.
    """
    deadline = time.monotonic() + left(mesh.settings.read_wait_s)
    while (row := await read()) is None:
        if time.monotonic() > deadline:
            raise StoreUnavailableError(what, f"{what} have not caught up; try again soon")
        await asyncio.sleep(ROW_POLL_S)
    return row


Offsets = Mapping[TopicPartition, int]


def _positions(machines: Machines, token: str) -> list[Position]:
    try:
        positions = parse_token(token)
    except ValueError:
        raise _invalid() from None
    partitions = machines.settings.topic_partitions
    if any(each.topic not in EVENT_TOPICS or each.partition >= partitions for each in positions):
        raise _invalid()
    return positions


def _invalid() -> Problem:
    return Problem(
        400, "consistency_token_invalid", "Send the Consistency-Token of a write's answer"
    )


async def _are_there(machines: Machines, wanted: Offsets, deadline: float) -> bool:
    """Raises a 400 problem for a place behind the log's end, which nobody was ever given. False
    while nobody can tell: then waiting is right, and asking again.
    """
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            ends = await machines.writes.ends_of(wanted)
    except (WriteUnavailableError, TimeoutError):
        return False
    if any(
        offset >= ends.get(place, 0) - (place.topic in _MARKED) for place, offset in wanted.items()
    ):
        raise _invalid()
    return True


def _furthest(positions: Iterable[Position]) -> dict[TopicPartition, int]:
    wanted: dict[TopicPartition, int] = {}
    for position in positions:
        place = position.topic_partition
        wanted[place] = max(position.offset, wanted.get(place, 0))
    return wanted


async def _reach(
    machines: Machines,
    projection: Projection[Any],
    watch: Watch,
    wanted: Offsets,
    deadline: float,
) -> str:
    seen = await _passed(machines, projection, watch, wanted, deadline)
    if seen.parked:

        async def journal_has(places: Offsets) -> None:
            await _passed(machines, journal, _watch_of(machines, journal), places, deadline)

        await refuse_parked(machines.postgres, projection.name, wanted, journal_has)
    await watch.settle(seen)
    return seen.generation


async def _passed(
    machines: Machines,
    projection: Projection[Any],
    watch: Watch,
    wanted: Offsets,
    deadline: float,
) -> Seen:
    """What was seen when the projection had read all of it; raises StoreUnavailableError when the
    bound passes.
    """
    pause, there = POLL_S, False
    while True:
        seen = await watch.look(list(wanted))
        if all(seen.next_offsets.get(place, 0) > offset for place, offset in wanted.items()):
            return seen
        if pause >= POLL_MAX_S and not there:
            # Most are read by now. What is not may be a place that the log does not have.
            there = await _are_there(machines, wanted, deadline)
        if time.monotonic() + pause > deadline:
            raise StoreUnavailableError(
                "read_model", f"{projection.name} has not caught up with your write; try again soon"
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, POLL_MAX_S)


@dataclass(frozen=True)
class Seen:
    """How far a live generation has read, and whether anything of it may be parked: read at the
    same moment or known to somebody else, who is to be asked then.
    """

    next_offsets: Offsets
    generation: str = ""
    parked: bool = True


class Watch(Protocol):
    """Looks how far the live generation of one projection has read."""

    async def look(self, places: Sequence[TopicPartition]) -> Seen:
        """What there is to see of these partitions; next offsets that are absent: 0."""
        ...

    async def settle(self, seen: Seen) -> None:
        """Make what has been read visible to queries."""
        ...

    async def shown(self) -> str:
        """Which generation queries see; nothing where it can't change unseen."""
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

    async def look(self, places: Sequence[TopicPartition]) -> Seen:
        wanted = set(places)  # a projection has a handful of rows: all of them cost what one costs
        rows = await self.postgres.fetch(LIVE_WATERMARKS, self.projection)
        found = {TopicPartition(row["topic"], row["partition"]): row for row in rows}
        parked = any(row["parked"] for place, row in found.items() if place in wanted)
        return Seen({place: row["next_offset"] for place, row in found.items()}, parked=parked)

    async def settle(self, seen: Seen) -> None:
        """Rows and watermark were committed together."""

    async def shown(self) -> str:
        """Views, registry and watermarks change at one moment, and never go back."""
        return ""


@dataclass(frozen=True)
class _OpenSearchWatch:
    machines: Machines
    projection: str

    async def shown(self) -> str:
        alias = alias_of(self.machines.settings, self.projection)
        with opensearch_answering():
            found = await self.machines.opensearch.indices.get_alias(name=alias)
        return str(next(iter(found)))

    async def look(self, places: Sequence[TopicPartition]) -> Seen:
        # Asked each time: what is shown may change while somebody waits.
        index = await self.shown()
        name = f"{self.projection}__g{index.rpartition('-g')[2]}"
        ids = {watermark_id(name, *each): each for each in places}
        watermarks = alias_of(self.machines.settings, "watermarks")
        with opensearch_answering():
            answer = await self.machines.opensearch.mget(index=watermarks, body={"ids": [*ids]})
        found = {
            ids[each["_id"]]: each["_source"]["next_offset"]
            for each in answer["docs"]
            if each.get("found")
        }
        return Seen(found, index)

    async def settle(self, seen: Seen) -> None:
        """Documents are searchable only after a refresh; who brings a token asks for one."""
        with opensearch_answering():
            told = await self.machines.opensearch.indices.refresh(index=seen.generation)
        if told["_shards"]["failed"]:
            raise StoreUnavailableError("opensearch")


@dataclass(frozen=True)
class _ClickHouseWatch:
    machines: Machines
    projection: str

    async def shown(self) -> str:
        # What the view itself shows: the registry is ahead of it during a switch.
        with clickhouse_answering():
            rows = await self.machines.clickhouse.fetch(
                CLICKHOUSE_SHOWN, {"projection": self.projection}
            )
        return str(rows[0][0]) if rows else ""

    async def look(self, places: Sequence[TopicPartition]) -> Seen:
        del places  # a projection has a handful of rows: all of them cost what one costs
        shown = await self.shown()
        with clickhouse_answering():
            rows = await self.machines.clickhouse.fetch(
                CLICKHOUSE_WATERMARKS,
                {"projection": self.projection, "generation": int(shown or 0)},
            )
        found = {TopicPartition(topic, partition): offset for topic, partition, offset in rows}
        return Seen(found, shown)

    async def settle(self, seen: Seen) -> None:
        """An inserted block is visible at once."""
