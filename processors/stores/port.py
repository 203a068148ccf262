"""The port that every store of read models fulfils: Postgres, OpenSearch and ClickHouse.

Contract, held by one test suite over every store:
- `write` makes rows and watermarks durable together, or rows first; a crash in between is
  harmless because a row remembers what it has seen (`Held.applied`) or the watermark moved
  with it.
- the generation that readers see changes only in `publish`, and at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from projections.projection import Projection
from schemas.log.positions import TopicPartition


class StoreUnavailableError(Exception):
    """The store can't be reached or does not answer; wait and try again."""


class ConflictError(Exception):
    """Another worker wrote the same row in between; load and fold again."""


class GenerationGoneError(Exception):
    """The table or index of a generation is not there: dropped, or never made."""


class RowsRefusedError(Exception):
    """The store will never take these rows (a value out of range, a mapping that does not fit).

    `reasons` says why by key. It is empty where only the rows together were refused: smaller
    batches find the ones to blame.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(f"{len(reasons)} rows refused")
        self.reasons = reasons


@dataclass(frozen=True)
class Generation:
    """One physical build of a projection, numbered 1, 2, 3 …"""

    projection: Projection[Any]
    number: int

    @property
    def name(self) -> str:
        """The physical name, e.g. `listing_page__g3`."""
        return f"{self.projection.name}__g{self.number}"


@dataclass(frozen=True, slots=True)
class Held:
    """A row as a store holds it. `version` counts its writes; `applied` holds, per partition,
    the offset of the last event folded into it (empty where row and watermark move together).
    A store that keeps `applied` keeps it for rows taken away, too: `row` is None then.
    """

    row: Any
    version: int = 0
    applied: Mapping[TopicPartition, int] = field(default_factory=dict)


# In front of a stream's id in `Held.applied` instead of a topic: the last parked event of that
# stream which was folded into the row later than its place in the log says.
RETRIED = "retried:"


@dataclass(frozen=True, slots=True)
class Change:
    """What a row shall be now; `held.row` None takes it away. `held.version` is the loaded one
    plus 1, so 1 states that there was no row. `was`: the last row that there was on the way; a
    killed worker may have written it, and that may still arrive.
    """

    key: str
    held: Held
    was: Any = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a generation has read one partition: the next offset to read, the time in the
    log (epoch seconds) of the last event before it and the highest writer epoch up to there.
    """

    next_offset: int
    recorded_at: float = 0.0
    writer_epoch: int = 0


Watermarks = Mapping[TopicPartition, Watermark]
# By a generation's name the keys of rows that readers are not to see.
Withheld = Mapping[str, Collection[str]]
NOTHING_WITHHELD: Withheld = {}
Connection = asyncpg.Connection | PoolConnectionProxy


class Session(Protocol):
    """One load-fold-write round on a generation.

    Where it `locks`, asking for watermarks makes the round one transaction: what must be atomic
    with the rows (parked events) goes through `transaction` then, which is None before and in
    other stores.
    """

    locks: bool
    transaction: Connection | None

    async def watermarks(self, partitions: Iterable[TopicPartition]) -> Watermarks:
        """The stored watermarks of these partitions (locked where the store can); absent: 0."""
        ...

    async def load(self, keys: Sequence[str]) -> Mapping[str, Held]:
        """The rows of these keys that exist."""
        ...

    async def write(
        self,
        changes: Sequence[Change],
        watermarks: Watermarks,
        since: Watermarks | None = None,
    ) -> None:
        """Make the changes and move the watermarks, never back; raises ConflictError and
        RowsRefusedError (then the watermarks have not moved).

        `since`: where the caller believes these watermarks to be without having asked in this
        round. A store that can tell raises ConflictError when they are elsewhere.
        """
        ...


class Store(Protocol):
    """A kind of store. Every method raises StoreUnavailableError when it can't be reached; what
    reads or writes rows raises GenerationGoneError when there is no place for them.
    """

    name: str  # "postgres", "opensearch" or "clickhouse"

    async def create(self, generation: Generation) -> None:
        """Make the empty table or index; harmless when it is there."""
        ...

    def session(self, generation: Generation) -> AbstractAsyncContextManager[Session]:
        """A round; in Postgres one transaction, committed when the block ends well."""
        ...

    async def watermarks(self, generation: Generation) -> Watermarks:
        """Every stored watermark of a generation."""
        ...

    def scan(self, generation: Generation) -> AsyncIterator[tuple[str, Any]]:
        """Every (key, row), in batches inside, in no order; for verification."""
        ...

    async def publish(
        self, generations: Sequence[Generation], withheld: Withheld = NOTHING_WITHHELD
    ) -> None:
        """Let the public names point to these generations, all at once in this store, without the
        rows to be withheld. Views in Postgres look those up themselves.
        """
        ...

    async def drop(self, generation: Generation) -> None:
        """Remove the table or index and its watermarks; harmless when gone."""
        ...

    async def settle(self, generation: Generation) -> None:
        """Make everything written visible to readers (an index refresh); no-op elsewhere."""
        ...

    async def close(self) -> None:
        """Give back every connection."""
        ...
