"""What a projection is: a key, a pure fold and the table, index or view that keeps its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import Table

from schemas.log.messages import Event
from schemas.log.recorded import Recorded
from schemas.registry import kind_of
from schemas.topics import topics_of

R = TypeVar("R")


@dataclass(frozen=True)
class PostgresTable:
    """Rows in a Postgres table. `table.c.key` is its text primary key; the other columns
    carry the row dataclass's field names. `extras` are SQL statements run when the public
    view is (re)made, e.g. further views over it; `{view}` stands for its name.
    """

    table: Table
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchIndex:
    """Documents in an OpenSearch index: settings and mappings as its create call takes them."""

    settings: dict[str, Any]
    mappings: dict[str, Any]


@dataclass(frozen=True)
class ClickHouseTable:
    """Rows in a ClickHouse table: (column, type) pairs without the runner's own columns,
    which keep position and version; `order_by` are columns put before `key` in the order, of rows
    that never change.
    `kept` names a column with a moment and how many days after it a row is taken away.
    """

    columns: tuple[tuple[str, str], ...]
    order_by: tuple[str, ...] = ()
    kept: tuple[str, int] | None = None


def row_of_its_id(stream_id: str) -> tuple[str, ...]:
    """The row named by the id of the stream's aggregate: what most projections have of one."""
    return (stream_id.partition("/")[2],)


Target = PostgresTable | SearchIndex | ClickHouseTable


@dataclass(frozen=True)
class Projection(Generic[R]):
    """A read model. `row` is a frozen dataclass; `key` names the row that an event changes;
    `fold(row or None, recorded) -> row or None` is pure and total over `hears`.

    `erased_by`: what takes away what the row says, and leaves the same whether it comes early, or
    early and in its turn. It is not held up by an event of its stream that waits to be mended.

    `rows_of` names the rows that a stream may change, for events of which that can't be read.

    `insert_only`: every event makes one row of its own, so rows are never loaded back.
    A changed `version` means that the stored rows are out of date: a replay is due.
    """

    name: str
    version: int
    hears: tuple[type[Event], ...]
    key: Callable[[Recorded[Any]], str]
    fold: Callable[[R | None, Recorded[Any]], R | None]
    row: type[R]
    target: Target
    insert_only: bool = False
    rows_of: Callable[[str], tuple[str, ...]] = row_of_its_id
    erased_by: tuple[type[Event], ...] = ()

    @cached_property
    def erasing(self) -> frozenset[str]:
        """The kinds of the events that take away what its rows say."""
        return frozenset(kind_of(each) for each in self.erased_by)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that hold what it hears."""
        return topics_of(*self.hears)
