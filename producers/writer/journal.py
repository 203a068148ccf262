"""What the writer asks Postgres: histories of streams, first replies, watermarks.

Postgres is an index here, never the truth: when it is away the writer waits, and nothing is
refused or decided for want of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import groupby
from typing import NamedTuple, Protocol

import asyncpg
import structlog

from infra.clients.postgres import open_pool
from infra.metrics import STORE_WAITS
from infra.settings import Settings
from producers.writer.history import JournalRow
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Reply, event_id_of, first_reply_of

QUERY_TIMEOUT_S = 5.0
CONNECTIONS_MAX = 4
RETRY_MIN_S = 0.05
RETRY_MAX_S = 1.0

_HISTORIES = """
    SELECT stream_id, version, kind, schema_version, data, position_offset
    FROM reads.journal WHERE stream_id = ANY($1::text[]) ORDER BY stream_id, version
"""
_WITHHELD = """
    SELECT DISTINCT stream_id FROM mesh.parked JOIN mesh.generations USING (projection)
    WHERE generation = number AND status = 'live' AND projection = 'journal'
      AND stream_id = ANY($1::text[])
"""
_DECIDED = """
    SELECT command_id, stream_id, version, event_count, fingerprint, topic, partition,
           position_offset
    FROM reads.journal WHERE key = ANY($1::text[])
"""
_REFUSED = "SELECT key, reply FROM reads.outcomes WHERE key = ANY($1::text[])"
_WATERMARKS = """
    SELECT projection, topic, partition, next_offset FROM mesh.live_watermarks
    WHERE projection IN ('journal', 'outcomes') AND topic = ANY($1::text[])
"""

# InternalClientError: what asyncpg says of a connection that broke in the middle of something.
_UNANSWERED = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

log = structlog.get_logger()


class JournalUnavailableError(Exception):
    """Postgres can't be asked now; `retry_s` (seconds) is how long to wait before the next try."""

    def __init__(self, reason: str, retry_s: float) -> None:
        super().__init__(reason)
        self.retry_s = retry_s


class Found(NamedTuple):
    """What the journal knows. `histories` has every stream asked for, `replies` only commands
    that were answered; streams in `withheld` are not wholly readable in the journal.
    """

    histories: Mapping[str, list[JournalRow]]
    withheld: frozenset[str]
    replies: Mapping[str, Reply]


class Watermarks(NamedTuple):
    """The next offsets that the live journal and outcomes will read, by topic and partition."""

    journal: Mapping[TopicPartition, int]
    outcomes: Mapping[TopicPartition, int]


class Journal(Protocol):
    """The questions. Every method raises JournalUnavailableError."""

    async def look_up(self, streams: Collection[str], commands: Collection[str]) -> Found:
        """Histories of `streams`, and the first replies to `commands` if they had any."""
        ...

    async def watermarks(self, topics: Iterable[str]) -> Watermarks:
        """How far the live journal and outcomes have come in these topics."""
        ...


class PostgresJournal:
    """The journal in Postgres. Connects when first asked and again whenever it must.

    While Postgres is away every question fails at once until the next try is due, so that
    the partitions of one writer don't wait for one time-out after the other.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._retry_s = RETRY_MIN_S
        self._retry_at = 0.0

    async def look_up(self, streams: Collection[str], commands: Collection[str]) -> Found:
        """See Journal.look_up: one query for each kind of question."""
        ids = list(commands)
        rows = await self._fetch(_HISTORIES, list(streams)) if streams else []
        withheld = await self._fetch(_WITHHELD, list(streams)) if streams else []
        decided = await self._fetch(_DECIDED, [event_id_of(each, 0) for each in ids]) if ids else []
        known = {row["command_id"] for row in decided}
        rest = [each for each in ids if each not in known]
        refused = await self._fetch(_REFUSED, rest) if rest else []
        histories: dict[str, list[JournalRow]] = {each: [] for each in streams}
        for stream_id, events in groupby(rows, key=lambda row: str(row["stream_id"])):
            histories[stream_id] = [JournalRow(*row) for row in events]
        return Found(
            histories=histories,
            withheld=frozenset(row["stream_id"] for row in withheld),
            replies={row["command_id"]: first_reply_of(dict(row)) for row in decided}
            | {row["key"]: Reply.model_validate_json(row["reply"]) for row in refused},
        )

    async def watermarks(self, topics: Iterable[str]) -> Watermarks:
        """See Journal.watermarks."""
        marks: Mapping[str, dict[TopicPartition, int]] = {"journal": {}, "outcomes": {}}
        for name, topic, partition, next_offset in await self._fetch(_WATERMARKS, list(topics)):
            marks[name][TopicPartition(topic, partition)] = next_offset
        return Watermarks(marks["journal"], marks["outcomes"])

    async def close(self) -> None:
        """Give the connections back; those that don't answer are cut."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def _fetch(self, query: str, values: list[str]) -> list[asyncpg.Record]:
        try:
            pool = await self._open()
            rows = await pool.fetch(query, values, timeout=QUERY_TIMEOUT_S)
        except _UNANSWERED as error:
            raise self._unavailable(error) from error
        self._retry_s = RETRY_MIN_S
        return rows

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            wait_s = self._retry_at - self._clock()
            if wait_s > 0:
                message = "Postgres was away a moment ago"
                raise JournalUnavailableError(message, wait_s)
            if self._pool is None:
                try:
                    self._pool = await open_pool(
                        self._settings, size_max=CONNECTIONS_MAX, command_timeout_s=QUERY_TIMEOUT_S
                    )
                except _UNANSWERED as error:
                    raise self._unavailable(error) from error
            return self._pool

    def _unavailable(self, error: Exception) -> JournalUnavailableError:
        STORE_WAITS.labels("postgres").inc()
        reason = f"{type(error).__name__}: {error}"
        log.warning("journal_unavailable", error=reason, retry_s=self._retry_s)
        self._retry_at = self._clock() + self._retry_s
        self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
        return JournalUnavailableError(reason, self._retry_at - self._clock())
