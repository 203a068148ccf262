"""One generation's table in Postgres: its DDL, its SQL and its rows as tuples, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import Enum
from functools import cached_property
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
from sqlalchemy import ARRAY, JSON, MetaData, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from processors.stores.port import Change, Generation
from processors.stores.rows import plain_value, row_of
from projections.projection import PostgresTable

SCHEMA = "reads"
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # sqlalchemy leaves it untyped

Converter = Callable[[Any], Any]


class PhysicalTable:
    """SQL and conversions of one generation's table; immutable once built."""

    def __init__(self, generation: Generation) -> None:
        projection = generation.projection
        target = projection.target
        if not isinstance(target, PostgresTable):
            message = f"{projection.name} is not kept in Postgres"
            raise TypeError(message)
        self.generation = generation
        self.name = generation.name
        self.qualified = f'{SCHEMA}."{generation.name}"'
        self.view = f'{SCHEMA}."{projection.name}"'
        self.extras = target.extras
        self._row_type = projection.row
        self._table = _physical(target.table, generation.name)
        _check_columns(projection.row, self._table)
        self.columns = tuple(
            column.name for column in self._table.columns if column.computed is None
        )
        hints = get_type_hints(projection.row)
        self._convert = tuple(
            (place, converter)
            for place, name in enumerate(self.columns)
            if (converter := _to_postgres(self._table.c[name].type, hints.get(name, str)))
        )
        row_columns = [name for name in self.columns if name != "key"]
        self._values: Callable[[Any], Any] = attrgetter(*row_columns)
        self._single = len(row_columns) == 1
        self._key_place = self.columns.index("key")
        self._json = frozenset(
            name for name in self.columns if isinstance(self._table.c[name].type, JSON)
        )
        self._composite = [
            self.columns.index(column.name) if column.computed is None else None
            for column in self._table.columns
        ]
        self._composite_is_plain = None not in self._composite

    def ddl(self) -> list[str]:
        """The statements that make the empty table and its indexes."""
        statements = [str(CreateTable(self._table, if_not_exists=True).compile(dialect=_DIALECT))]
        for index in sorted(self._table.indexes, key=lambda each: str(each.name)):
            statement = CreateIndex(index, if_not_exists=True)
            statements.append(str(statement.compile(dialect=_DIALECT)))
        return statements

    @property
    def create_view(self) -> str:
        """Let the public name show this table."""
        names = ", ".join(f'"{column.name}"' for column in self._table.columns)
        return (
            f"CREATE OR REPLACE VIEW {self.view} AS"  # noqa: S608 - our own names
            f" SELECT {names} FROM {self.qualified}{self._shown}"
        )

    @property
    def _shown(self) -> str:
        """Which rows: not those that a parked event would change, for it may hide them."""
        projection = self.generation.projection
        if projection.insert_only:
            return ""
        return (
            " WHERE key NOT IN (SELECT unnest(row_keys) FROM mesh.parked"  # noqa: S608
            f" WHERE projection = '{projection.name}' AND generation = {self.generation.number})"
        )

    @property
    def drop_view(self) -> str:
        """Take the public name away, with the views over it."""
        return f"DROP VIEW IF EXISTS {self.view} CASCADE"

    @cached_property
    def load(self) -> str:
        """Rows by key, each with its row version: $1 keys."""
        return (
            f"SELECT {_listed(self.columns)}, xmin::text AS row_version"  # noqa: S608 - our own names
            f" FROM {self.qualified} WHERE key = ANY($1::text[])"
        )

    @cached_property
    def load_locked(self) -> str:
        """The same, locked. One order for all, so that workers can't deadlock."""
        return f"{self.load} ORDER BY key FOR UPDATE"

    @cached_property
    def write(self) -> str:
        """Insert $1, update $2, delete $3 and move watermarks ($4 projection, $5 generation,
        $6… columns) in one round trip; gives how many were inserted.
        """
        return f"""
            WITH inserted AS ({self.insert_from(self._given(1))}),
            updated AS ({self.update_from(self._given(2))}),
            deleted AS (DELETE FROM {self.qualified} WHERE key = ANY($3::text[])),
            moved AS ({MOVE_WATERMARKS})
            SELECT count(*) FROM inserted
        """  # noqa: S608 - our own names

    @cached_property
    def write_checked(self) -> str:
        """The same where nothing is locked: divides by zero, and so does nothing, unless the
        rows ($11 keys) still have the versions $12.
        """
        return self._checked(MOVE_WATERMARKS, "true")

    @cached_property
    def write_since(self) -> str:
        """The same, unless the watermarks are still at $13, too."""
        return self._checked(
            MOVE_WATERMARKS_SINCE, "(SELECT count(*) FROM moved) = cardinality($6::text[])"
        )

    def _checked(self, move: str, moved: str) -> str:
        inserted = "SELECT count(*) FROM inserted"
        added = f"({inserted}) = cardinality($1::{self.qualified}[])"
        if self.generation.projection.insert_only:
            added = "true"
        return f"""
            WITH seen AS (
                SELECT * FROM unnest($11::text[], $12::text[]) AS seen (key, row_version)
            ),
            inserted AS ({self.insert_from(self._given(1))}),
            updated AS (
                {self.update_from(self._given(2))}
                  AND held.xmin::text = (SELECT row_version FROM seen WHERE seen.key = held.key)
                RETURNING 1
            ),
            deleted AS (
                DELETE FROM {self.qualified} AS held WHERE held.key = ANY($3::text[])
                  AND held.xmin::text = (SELECT row_version FROM seen WHERE seen.key = held.key)
                RETURNING 1
            ),
            moved AS ({move})
            SELECT ({inserted}) / CASE WHEN
                (SELECT count(*) FROM updated) = cardinality($2::{self.qualified}[])
                AND (SELECT count(*) FROM deleted) = cardinality($3::text[])
                AND {moved} AND {added}
                THEN 1 ELSE 0 END
        """  # noqa: S608 - our own names

    def _given(self, parameter: int) -> str:
        return f"unnest(${parameter}::{self.qualified}[])"

    def insert_from(self, source: str) -> str:
        """Insert rows of a source with this table's columns; gives the keys inserted.

        A key that is there means a race to the caller. Where every event has a row of its own,
        any unique column may say that the event is there already.
        """
        target = "" if self.generation.projection.insert_only else "(key)"
        names = _listed(self.columns)
        return (
            f"INSERT INTO {self.qualified} ({names}) SELECT {names} FROM {source}"  # noqa: S608
            f" ON CONFLICT {target} DO NOTHING RETURNING key"
        )

    def update_from(self, source: str) -> str:
        """Give existing rows the values of a source."""
        changed = ", ".join(f'"{each}" = given."{each}"' for each in self.columns if each != "key")
        return (
            f"UPDATE {self.qualified} AS held SET {changed} FROM {source} AS given"  # noqa: S608
            " WHERE held.key = given.key"
        )

    def records(self, changes: Iterable[Change]) -> list[tuple[Any, ...]]:
        """One tuple a change, in the order of `columns`."""
        return [self._record(change) for change in changes]

    def composites(self, changes: Iterable[Change]) -> list[tuple[Any, ...]]:
        """One tuple a change, in the order of the table's row type, computed columns empty."""
        records = self.records(changes)
        if self._composite_is_plain:
            return records
        return [
            tuple(None if place is None else record[place] for place in self._composite)
            for record in records
        ]

    def _record(self, change: Change) -> tuple[Any, ...]:
        values = self._values(change.held.row)
        record = [values] if self._single else list(values)
        record.insert(self._key_place, change.key)
        for place, convert in self._convert:
            record[place] = convert(record[place])
        return tuple(record)

    def row(self, record: Mapping[str, Any]) -> Any:
        """The row that a record of this table holds."""
        values = dict(record)
        values.pop("key", None)
        for name in self._json:
            if values[name] is not None:
                values[name] = orjson.loads(values[name])
        return row_of(self._row_type, values)


MOVE_WATERMARKS = """
    INSERT INTO mesh.watermarks AS held
        (projection, generation, topic, partition, next_offset, recorded_at, writer_epoch)
    SELECT $4::text, $5::int, given.*
    FROM unnest($6::text[], $7::int[], $8::bigint[], $9::float8[], $10::bigint[]) AS given
    ON CONFLICT (projection, generation, topic, partition) DO UPDATE
    SET next_offset = excluded.next_offset, recorded_at = excluded.recorded_at,
        writer_epoch = excluded.writer_epoch
    WHERE excluded.next_offset > held.next_offset
"""
MOVE_WATERMARKS_SINCE = """
    UPDATE mesh.watermarks AS held
    SET next_offset = given.next_offset, recorded_at = given.recorded_at,
        writer_epoch = given.writer_epoch
    FROM unnest($6::text[], $7::int[], $8::bigint[], $9::float8[], $10::bigint[], $13::bigint[])
        AS given (topic, partition, next_offset, recorded_at, writer_epoch, since)
    WHERE held.projection = $4::text AND held.generation = $5::int AND held.topic = given.topic
      AND held.partition = given.partition AND held.next_offset = given.since
    RETURNING 1
"""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _physical(table: Table, name: str) -> Table:
    """A copy of a projection's table under a generation's name. Index and constraint names are
    unique in a schema, so they carry the generation, too.
    """
    copy = table.to_metadata(MetaData(), schema=SCHEMA, name=name)
    for index in copy.indexes:
        index.name = quoted_name(f"{name}__{index.name}", quote=None)
    for constraint in copy.constraints:
        if constraint.name is not None:
            constraint.name = quoted_name(f"{name}__{constraint.name}", quote=None)
    return copy


def _check_columns(row_type: type[Any], table: Table) -> None:
    named = {column.name for column in table.columns if column.computed is None} - {"key"}
    wanted = {each.name for each in fields(row_type)}
    if named != wanted or "key" not in table.c:
        message = f"{table.name}: columns and row fields differ: {sorted(named ^ wanted)}"
        raise TypeError(message)


def _to_postgres(kind: TypeEngine[Any], hint: Any) -> Converter | None:
    """How a row's value becomes what asyncpg takes for a column; None: it is that already."""
    if isinstance(kind, JSON):
        return _json_text
    if isinstance(kind, ARRAY):
        return _texts if isinstance(kind.item_type, String) else _values
    if isinstance(kind, String) and not _is_text(hint):
        return _text
    return None


def _is_text(hint: Any) -> bool:
    """Whether every value of this type is a str or None."""
    options = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    return all(isinstance(each, type) and issubclass(each, str | NoneType) for each in options)


def _json_text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(plain_value(value)).decode()


def _texts(value: Any) -> list[Any] | None:
    return None if value is None else [_text(each) for each in value]


def _values(value: Any) -> list[Any] | None:
    return None if value is None else list(value)


def _text(value: Any) -> Any:
    if type(value) is str or value is None:
        return value
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, int | float) else str(value)
