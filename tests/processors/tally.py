"""A small projection for tests of the runner: it can be told to fail, and mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Column, MetaData, Table, Text

from projections.projection import (
    ClickHouseTable,
    PostgresTable,
    Projection,
    SearchIndex,
    Target,
)
from schemas.listings import ListingCreated, ListingPublished, ListingUpdated

POISON = "poison"


@dataclass(frozen=True, slots=True)
class Tally:
    """Titles in the order in which they came, and how many they were."""

    titles: tuple[str, ...]
    count: int


class Fold:
    """Fails on the title POISON until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.calls = 0

    def __call__(self, row: Tally | None, recorded: Any) -> Tally:
        self.calls += 1
        title = recorded.event.fields.title or ""
        if self.broken and title == POISON:
            raise ZeroDivisionError
        if row is None:
            row = Tally((), 0)
        # A price over 2**60 makes a count that no store's column can hold.
        far = 2**63 if (recorded.event.fields.price_minor or 0) == 10**15 else 1
        return replace(row, titles=(*row.titles, title), count=row.count + far)

    @contextmanager
    def mended(self) -> Iterator[None]:
        self.broken = False
        try:
            yield
        finally:
            self.broken = True


TARGETS: dict[str, Target] = {
    "postgres": PostgresTable(
        Table(
            "tally",
            MetaData(),
            Column("key", Text, primary_key=True),
            Column("titles", ARRAY(Text), nullable=False),
            Column("count", BigInteger, nullable=False),
        )
    ),
    "opensearch": SearchIndex(
        settings={"refresh_interval": "60s"},
        mappings={
            "dynamic": "strict",
            "properties": {"titles": {"type": "keyword"}, "count": {"type": "long"}},
        },
    ),
    "clickhouse": ClickHouseTable(columns=(("titles", "Array(String)"), ("count", "Int64"))),
}


def tally(store: str, fold: Fold, name: str = "tally") -> Projection[Tally]:
    """One row a stream."""
    return Projection(
        name=name,
        version=1,
        hears=(ListingCreated, ListingUpdated),
        key=lambda recorded: recorded.stream_id,
        fold=fold,
        row=Tally,
        target=TARGETS[store],
        rows_of=lambda stream_id: (stream_id,),
    )


def unheard() -> type[ListingPublished]:
    """An event of the same topic that the projection does not hear."""
    return ListingPublished
