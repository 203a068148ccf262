"""What the contract suite runs over: one projection, kept by each kind of store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Computed,
    DateTime,
    Float,
    Index,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from processors.stores.port import Generation
from projections.projection import (
    ClickHouseTable,
    PostgresTable,
    Projection,
    SearchIndex,
    Target,
)
from schemas.listings import ListingCreated


class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild"


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    total: int
    share: float | None
    tags: tuple[str, ...]
    detail: Mapping[str, Any]
    mood: Mood
    seen_at: datetime | None


POSTGRES = PostgresTable(
    Table(
        "subject",
        MetaData(),
        Column("key", Text, primary_key=True),
        Column("title", Text, nullable=False),
        Column("total", BigInteger, nullable=False),
        Column("share", Float(53)),
        Column("tags", ARRAY(Text), nullable=False),
        Column("title_length", BigInteger, Computed("length(title)", persisted=True)),
        Column("detail", JSONB, nullable=False),
        Column("mood", Text, nullable=False),
        Column("seen_at", DateTime(timezone=True)),
        Index("by_total", "total"),
    ),
    extras=("CREATE OR REPLACE VIEW reads.subject_moods AS SELECT DISTINCT mood FROM {view}",),
)
OPENSEARCH = SearchIndex(
    settings={"refresh_interval": "60s"},
    mappings={
        "dynamic": "strict",
        "properties": {
            "title": {"type": "text"},
            "total": {"type": "long"},
            "share": {"type": "double"},
            "tags": {"type": "keyword"},
            "detail": {"type": "object", "enabled": False},
            "mood": {"type": "keyword"},
            "seen_at": {"type": "date"},
        },
    },
)
CLICKHOUSE = ClickHouseTable(
    columns=(
        ("title", "String"),
        ("total", "Int64"),
        ("share", "Nullable(Float64)"),
        ("tags", "Array(String)"),
        ("detail", "String"),
        ("mood", "LowCardinality(String)"),
        ("seen_at", "Nullable(DateTime64(6, 'UTC'))"),
    ),
)
TARGETS: Mapping[str, Target] = {
    "postgres": POSTGRES,
    "opensearch": OPENSEARCH,
    "clickhouse": CLICKHOUSE,
}


def subject(store: str, name: str = "subject", *, insert_only: bool = False) -> Projection[Row]:
    return Projection(
        name=name,
        version=1,
        hears=(ListingCreated,),
        key=lambda recorded: recorded.stream_id,
        fold=lambda row, _recorded: row,
        row=Row,
        target=TARGETS[store],
        insert_only=insert_only,
    )


def generation(store: str, number: int = 1, **options: Any) -> Generation:
    return Generation(subject(store, **options), number)


def row(title: str = "Alfa", total: int = 1, **values: Any) -> Row:
    return Row(
        **{
            "title": title,
            "total": total,
            "share": 0.25,
            "tags": ("red", "two seats"),
            "detail": {"doors": 2, "seller": {"name": 'Ö\'Neil \\ "x"'}, "none": None},
            "mood": Mood.WILD,
            "seen_at": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
            **values,
        }
    )
