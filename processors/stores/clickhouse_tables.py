"""One generation's table in ClickHouse: its DDL, its SQL and its rows as columns, both ways."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson

from processors.stores.port import Change, Generation, Held
from processors.stores.rows import field_names, plain_value, row_of
from projections.projection import ClickHouseTable
from schemas.log.positions import TopicPartition

# What the runner keeps in each row beside the projection's own columns. `_applied` is JSON of
# the offsets seen, for the rows that have seen more than `_topic`, `_partition`, `_offset`.
_OWN = (
    ("_topic", "LowCardinality(String)"),
    ("_partition", "Int32"),
    ("_offset", "Int64"),
    ("_applied", "String"),
    ("_version", "UInt64"),
    ("_deleted", "UInt8"),
)

WATERMARKS = """
    CREATE TABLE IF NOT EXISTS mesh_watermarks (
        `projection` String, generation UInt32, topic String, partition Int32,
        next_offset Int64, recorded_at Float64, writer_epoch Int64
    ) ENGINE = ReplacingMergeTree(next_offset)
    ORDER BY (`projection`, generation, topic, partition)
"""

Converter = Callable[[Any], Any]


class PhysicalTable:
    """SQL and conversions of one generation's table; immutable once built."""

    def __init__(self, generation: Generation) -> None:
        projection = generation.projection
        target = projection.target
        if not isinstance(target, ClickHouseTable):
            message = f"{projection.name} is not kept in ClickHouse"
            raise TypeError(message)
        if target.kept is not None and not projection.insert_only:
            message = f"{projection.name}: only rows of one event each may go by their age"
            raise TypeError(message)
        if target.order_by and not projection.insert_only:
            # A row that moves is not replaced where it was, least of all by who comes late.
            message = f"{projection.name}: only rows of one event each have an order of their own"
            raise TypeError(message)
        self.generation = generation
        self.name = generation.name
        self._target = target
        self._row_type = projection.row
        self._names = tuple(name for name, _ in target.columns)
        if set(self._names) != set(field_names(projection.row)):
            wrong = sorted(set(self._names) ^ set(field_names(projection.row)))
            message = f"{projection.name}: columns and row fields differ: {wrong}"
            raise TypeError(message)
        self.inserted = ("key", *self._names, *(name for name, _ in _OWN))
        hints = get_type_hints(projection.row)
        self._convert = [_to_clickhouse(hints[name], kind) for name, kind in target.columns]
        self._json = frozenset(
            place for place, convert in enumerate(self._convert) if convert is _json_text
        )

    @property
    def ddl(self) -> str:
        """The statement that makes the empty table."""
        columns = [("key", "String"), *self._target.columns, *_OWN]
        listed = ", ".join(f"`{name}` {kind}" for name, kind in columns)
        index = "" if self.generation.projection.insert_only else _KEY_INDEX
        return (
            f"CREATE TABLE IF NOT EXISTS `{self.name}` ({listed}{index})"
            f" ENGINE = ReplacingMergeTree(_version)"
            f" ORDER BY ({', '.join((*self._target.order_by, 'key'))}){self._ttl}"
        )

    @property
    def _ttl(self) -> str:
        if self._target.kept is None:
            return ""
        column, days = self._target.kept
        return f" TTL toDateTime(`{column}`) + INTERVAL {days} DAY"

    def view(self, withheld: Collection[str]) -> str:
        """Let the public name show this table's rows, each once, without what was taken away and
        without the rows of these keys.
        """
        keys = ", ".join(_quoted(key) for key in sorted(withheld))
        without = f" AND key NOT IN ({keys})" if keys else ""
        return (
            f"CREATE OR REPLACE VIEW `{self.generation.projection.name}` AS"  # noqa: S608
            f" SELECT {self._listed} FROM `{self.name}` FINAL WHERE _deleted = 0{without}"
        )

    @property
    def scan(self) -> str:
        """Every row, each once: key, then the row's columns."""
        return f"SELECT {self._listed} FROM `{self.name}` FINAL WHERE _deleted = 0"  # noqa: S608

    @property
    def load(self) -> str:
        """The newest row of each of %(keys)s, whether merged already or not."""
        listed = ", ".join(f"`{name}`" for name in self.inserted)
        return (
            f"SELECT {listed} FROM `{self.name}` WHERE key IN %(keys)s"  # noqa: S608
            " ORDER BY key, _version DESC, _deleted LIMIT 1 BY key"
        )

    @property
    def _listed(self) -> str:
        return ", ".join(f"`{name}`" for name in ("key", *self._names))

    def row(self, values: Sequence[Any]) -> Any:
        """The row that a record's columns (without key) stand for."""
        named = {
            name: orjson.loads(value) if place in self._json and value is not None else value
            for place, (name, value) in enumerate(zip(self._names, values, strict=True))
        }
        return row_of(self._row_type, named)

    def held(self, record: Sequence[Any]) -> Held:
        """What a record of `load` holds."""
        topic, partition, offset, applied, version, deleted = record[-len(_OWN) :]
        seen = (
            {TopicPartition(*place): last for *place, last in orjson.loads(applied)}
            if applied
            else {TopicPartition(topic, partition): offset}
        )
        row = None if deleted else self.row(record[1 : -len(_OWN)])
        return Held(row, version, seen)

    def block(
        self, changes: Sequence[Change], loaded: Mapping[str, Sequence[Any]]
    ) -> list[list[Any]]:
        """Columns of one insert. `loaded` has the records that the changes replace."""
        records: list[Sequence[Any]] = []
        for change in changes:
            old = loaded.get(change.key)
            own = self._own(change)
            if change.held.row is not None:
                records.append([change.key, *self._values(change.held.row), *own, 0])
            elif old is not None:
                records.append([*old[: -len(_OWN)], *own, 1])
            elif change.was is not None:
                records.append([change.key, *self._values(change.was), *own, 1])
        return [list(column) for column in zip(*records, strict=True)] or [[]]

    def _values(self, row: Any) -> list[Any]:
        return [
            convert(getattr(row, name)) if convert else getattr(row, name)
            for name, convert in zip(self._names, self._convert, strict=True)
        ]

    def _own(self, change: Change) -> list[Any]:
        """Everything of `_OWN` but `_deleted`."""
        applied = change.held.applied
        if not applied:
            return ["", 0, -1, "[]", change.held.version]
        place, offset = max(applied.items(), key=lambda item: item[1])
        several = len(applied) > 1
        listed = orjson.dumps([[*each, last] for each, last in applied.items()]).decode()
        # Grows with what the row has seen, however that was cut into batches.
        version = sum(last + 1 for last in applied.values())
        return [place.topic, place.partition, offset, listed if several else "", version]


def _quoted(text: str) -> str:
    """A text as ClickHouse reads it in a statement: views take no parameters."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_KEY_INDEX = ", INDEX by_key key TYPE bloom_filter GRANULARITY 1"


def _to_clickhouse(hint: Any, kind: str) -> Converter | None:
    """How a row's value becomes what the driver takes; None: it is that already."""
    options = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    classes = [each for each in options if each is not NoneType]
    if not all(isinstance(each, type) and issubclass(each, str | UUID | Enum) for each in classes):
        return _json_text if "String" in kind and "Array" not in kind else _items(kind)
    if classes == [str] or (classes == [UUID] and "UUID" in kind):
        return None
    return _text


def _items(kind: str) -> Converter | None:
    return _plain_list if kind.startswith("Array") else None


def _plain_list(value: Any) -> list[Any]:
    return [_text(each) for each in value]


def _text(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def _json_text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(plain_value(value)).decode()
