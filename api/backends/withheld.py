"""What readers are not shown because an event about it waits to be mended.

Views, aliases and tables leave such rows out already (processors/feeding/showing.py). Here a reader is
told so: what somebody asks for by its id is not gone, it is being repaired. Staff, and whoever
began the stream, are told which read models wait, since when and for what reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import structlog
from fastapi import Request

from api.backends.database import Database
from api.wire.emitted import moment
from api.wire.problems import Problem, StoreUnavailableError
from schemas.log.positions import TopicPartition

RETRY_AFTER_S = 60
FRESH_S = 0.5
PATIENCE_S = 1.0
ROWS_MAX = 10_000
TOLD_MAX = 20
BEING_REPAIRED = "being_repaired"
DETAIL = (
    "This can't be shown now: something that was said about it waits to be mended. Nothing is"
    " lost, and nothing old is shown in its place"
)

_WITHHELD = """
    SELECT DISTINCT ON (projection, row_key) projection, row_key, stream_id
    FROM mesh.live_parked, unnest(row_keys) AS row_key
    ORDER BY projection, row_key, parked_at LIMIT $1
"""
# What waits of the streams of these rows or of a stream, the first of each projection.
_WHY = """
    SELECT DISTINCT ON (projection, stream_id) projection, parked_at, reason
    FROM mesh.live_parked WHERE stream_id = ANY($1::text[])
    ORDER BY projection, stream_id, topic, partition, position_offset LIMIT $2
"""
_AT = """
    SELECT DISTINCT waiting.stream_id, waiting.position_offset = wanted.position_offset AS itself,
           wanted.topic, wanted.partition, wanted.position_offset
    FROM mesh.live_parked AS waiting
    JOIN unnest($2::text[], $3::int[], $4::bigint[]) AS wanted (topic, partition, position_offset)
      ON waiting.topic = wanted.topic AND waiting.partition = wanted.partition
     AND waiting.position_offset <= wanted.position_offset
    WHERE waiting.projection = $1 ORDER BY itself DESC LIMIT $5
"""
_STREAM_AT = """
    SELECT stream_id FROM reads.journal
    WHERE stream_id = ANY($1::text[]) AND topic = $2 AND partition = $3 AND position_offset = $4
    LIMIT 1
"""
_BEGUN_BY = "SELECT 1 FROM reads.journal WHERE stream_id = $1 AND version = 1 AND actor = $2"

log = structlog.get_logger()


async def refuse_parked(
    postgres: Database,
    projection: str,
    wanted: Mapping[TopicPartition, int],
    journal_has: Callable[[Mapping[TopicPartition, int]], Awaitable[object]],
) -> None:
    """Raises BeingRepaired when one of these positions is of a stream that is parked for the
    projection, at it or behind what waits: passed by the watermark, and yet not to be seen.
    `journal_has` returns once the journal, which alone can tell whose an event is, has read
    positions.
    """
    places = list(wanted)
    rows = await postgres.fetch(
        _AT,
        projection,
        [place.topic for place in places],
        [place.partition for place in places],
        [wanted[place] for place in places],
        ROWS_MAX,
    )
    for place in places:
        own = [row for row in rows if (row["topic"], row["partition"]) == place]
        streams = {row["stream_id"] for row in own}
        found = next((row["stream_id"] for row in own if row["itself"]), None)
        if found is None and streams:
            await journal_has({place: wanted[place]})
            found = await _stream_at(postgres, streams, place, wanted[place])
        if found is not None:
            raise BeingRepaired({found})


async def _stream_at(
    postgres: Database, streams: Iterable[str], place: TopicPartition, offset: int
) -> str | None:
    """Of which of the streams the event there is. It need not be parked for that: the projection
    may not hear it.
    """
    found: str | None = await postgres.fetchval(_STREAM_AT, list(streams), *place, offset)
    return found


class BeingRepaired(Problem):
    """503: something of these streams waits. `why` only for those who may know."""

    def __init__(self, streams: AbstractSet[str], why: Sequence[Mapping[str, Any]] = ()) -> None:
        told = [
            {
                "projection": each["projection"],
                "since": moment(each["parked_at"]),
                "reason": each["reason"],
            }
            for each in why
        ]
        super().__init__(
            503,
            BEING_REPAIRED,
            DETAIL,
            headers={"Retry-After": str(RETRY_AFTER_S)},
            told={"parked": told} if told else {},
        )
        self.streams = streams


class Withheld:
    """The rows that are left out now, half a second old at most."""

    def __init__(self, postgres: Database) -> None:
        self._postgres = postgres
        self._rows: dict[str, dict[str, str]] = {}  # stream by projection and key
        self._read_at = -FRESH_S
        self._reading: asyncio.Task[None] | None = None

    async def refuse(
        self, request: Request, projections: Sequence[str], *, fresh_s: float = FRESH_S
    ) -> None:
        """Raises a 503 problem when the request names a row of these projections that is left
        out: in its path, its query, or as the caller's own.
        """
        request.scope.setdefault("reads", set()).update(projections)
        await self._renew(fresh_s)
        if self._named_by(request, projections):
            # What has just been mended must not be refused for what is remembered.
            await self._renew(0.0)
        if streams := self._named_by(request, projections):
            raise await self.told(request, streams)

    async def told(self, request: Request, streams: AbstractSet[str]) -> BeingRepaired:
        """What the caller is told of these parked streams."""
        return BeingRepaired(streams, await self._why(request, streams))

    async def of(self, projection: str, key: str, *, why: bool = True) -> BeingRepaired | None:
        """What whoever the row is about, and has shown that, is told; None where it is shown.
        Others are not told `why`.
        """
        await self._renew(0.0)
        stream = self._rows.get(projection, {}).get(key)
        if stream is None:
            return None
        if not why:
            return BeingRepaired({stream})
        return BeingRepaired({stream}, await self._postgres.fetch(_WHY, [stream], TOLD_MAX))

    async def among(self, projection: str, keys: Iterable[str]) -> frozenset[str]:
        """Which of these rows are left out."""
        await self._renew(FRESH_S)
        return frozenset(self._rows.get(projection, {}).keys() & set(keys))

    async def any_of(self, projection: str) -> BeingRepaired | None:
        """What is told of a row that is not found, where it can't be known which one it would be."""
        await self._renew(0.0)
        streams = self._rows.get(projection, {}).values()
        return BeingRepaired(set(streams)) if streams else None

    def _named_by(self, request: Request, projections: Sequence[str]) -> set[str]:
        """The parked streams of rows that the request names."""
        if not self._rows:
            return set()
        named = _named(request)
        return {
            stream
            for each in projections
            for key, stream in self._rows.get(each, {}).items()
            if key in named
        }

    async def _why(
        self, request: Request, streams: AbstractSet[str]
    ) -> Sequence[Mapping[str, Any]]:
        caller = request.scope.get("caller")
        if caller is None or not caller.signed_in:
            return ()
        if not caller.of_staff and not await self._are_of(streams, caller.user_id):
            return ()
        return await self._postgres.fetch(_WHY, list(streams), TOLD_MAX)

    async def _are_of(self, streams: Iterable[str], user_id: str) -> bool:
        for stream in streams:
            own = stream.partition("/")[2] == user_id
            if not own and await self._postgres.fetchval(_BEGUN_BY, stream, user_id) is None:
                return False
        return True

    async def _renew(self, fresh_s: float) -> None:
        """Read them again where that was long ago; a Postgres that does not answer holds nobody up,
        for the stores leave the rows out by themselves.
        """
        if time.monotonic() - self._read_at < fresh_s:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="withheld-rows")
        await asyncio.wait({self._reading}, timeout=PATIENCE_S)

    async def _read(self) -> None:
        found: dict[str, dict[str, str]] = {}
        try:
            for row in await self._postgres.fetch(_WITHHELD, ROWS_MAX):
                found.setdefault(row["projection"], {})[row["row_key"]] = row["stream_id"]
        except StoreUnavailableError:
            log.info("withheld_not_read")
        else:
            self._rows = found
        self._read_at = time.monotonic()


def _named(request: Request) -> frozenset[str]:
    """Every id that a request mentions, its caller's among them."""
    caller = request.scope.get("caller")
    named = [*request.path_params.values(), *request.query_params.values()]
    return frozenset([*map(str, named), *([caller.user_id] if caller else [])])
