"""Rows that their store is certain to take, told without asking it.

Only what is plain is certain: text of a usual length and without NUL, numbers within the
column's range. Anything else may be fine as well; the store itself decides on it then. So a rule
here may be too narrow, at the price of smaller batches, but never too wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from math import isfinite
from typing import Any, assert_never
from uuid import UUID

import sqlalchemy as sql
from pydantic import BaseModel

from projections.projection import ClickHouseTable, PostgresTable, Projection, SearchIndex
from schemas.values.vehicles import GeoPoint

Certain = Callable[[Any], bool]  # of a row, or of one of its values

# A page of a Postgres index holds entries of up to 2,704 bytes, a character takes up to 4; terms
# of OpenSearch end at 32,766 bytes.
INDEXED_LENGTH_MAX = 500
LENGTH_MAX = 100_000
ITEMS_MAX = 1_000
FLOAT_MAX = 1e15
LAT_MAX, LON_MAX = 90, 180
YEARS = range(1901, 2290)  # what ClickHouse's DateTime64 can say, the narrowest of the three
NANOS_YEARS = range(1970, 2262)  # OpenSearch counts nanoseconds since 1970 in 63 bits


def certainty_of(projection: Projection[Any]) -> Certain:
    """Says of a row whether its store takes it for certain; no row (None) is always taken."""
    rules = _rules(projection)
    names = [each.name for each in fields(projection.row)]

    def certain(row: Any) -> bool:
        return row is None or all(rules[name](getattr(row, name)) for name in names)

    return certain


def _rules(projection: Projection[Any]) -> Mapping[str, Certain]:
    names = [each.name for each in fields(projection.row)]
    match projection.target:
        case PostgresTable(table=table):
            indexed = {column.name for index in table.indexes for column in index.columns}
            longest = {
                name: INDEXED_LENGTH_MAX if name in indexed else LENGTH_MAX for name in names
            }
            return {name: _of_column(table.c[name], longest[name]) for name in names}
        case SearchIndex(mappings=mappings):
            kinds = mappings.get("properties", {})
            return {name: _of_mapping(kinds.get(name, {})) for name in names}
        case ClickHouseTable(columns=columns):
            return {name: _of_clickhouse(kind) for name, kind in columns}
        case _:
            assert_never(projection.target)


def _never(_value: Any) -> bool:
    return False


def _or_none(rule: Certain) -> Certain:
    return lambda value: value is None or rule(value)


def _text(length_max: int) -> Certain:
    def certain(value: Any) -> bool:
        text = value.value if isinstance(value, Enum) else value
        if isinstance(text, UUID):
            return True
        return isinstance(text, str) and len(text) <= length_max and _is_plain(text)

    return certain


def _is_plain(text: str) -> bool:
    """No NUL, which Postgres can't keep, and no half of a pair, which is no UTF-8."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _whole(low: int, high: int) -> Certain:
    return lambda value: isinstance(value, int) and low <= value <= high


def _signed(bits: int) -> Certain:
    return _whole(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value) and abs(value) <= FLOAT_MAX


def _moment(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None and value.year in YEARS


def _moment_of_nanos(value: Any) -> bool:
    return _moment(value) and value.year in NANOS_YEARS


def _day(value: Any) -> bool:
    return isinstance(value, date) and value.year in YEARS


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _items(rule: Certain) -> Certain:
    def certain(value: Any) -> bool:
        return (
            isinstance(value, tuple | list | frozenset | set)
            and len(value) <= ITEMS_MAX
            and all(rule(each) for each in value)
        )

    return certain


def _document(value: Any) -> bool:
    """Whether every text and number in it is plain."""
    if isinstance(value, Mapping):
        return _items(_document)([*value, *value.values()])
    if isinstance(value, BaseModel):
        return _document(dict(value))
    if is_dataclass(value) and not isinstance(value, type):
        return _items(_document)([getattr(value, each.name) for each in fields(value)])
    if isinstance(value, tuple | list | frozenset | set):
        return _items(_document)(value)
    return value is None or any(rule(value) for rule in _PLAIN)


_PLAIN: Iterable[Certain] = (_boolean, _signed(54), _real, _text(LENGTH_MAX), _moment, _day)


def _place(value: Any) -> bool:
    return isinstance(value, GeoPoint) and abs(value.lat) <= LAT_MAX and abs(value.lon) <= LON_MAX


def _of_column(column: sql.Column[Any], length_max: int) -> Certain:
    rule = _of_type(column.type, length_max)
    return _or_none(rule) if column.nullable else rule


def _of_type(kind: Any, length_max: int) -> Certain:
    if isinstance(kind, sql.ARRAY):
        return _items(_of_type(kind.item_type, INDEXED_LENGTH_MAX))
    if isinstance(kind, sql.String):
        return _text(min(length_max, kind.length or length_max))
    return next((rule for known, rule in _TYPES if isinstance(kind, known)), _never)


_TYPES: Sequence[tuple[type[Any], Certain]] = (
    (sql.Boolean, _boolean),
    (sql.BigInteger, _signed(64)),
    (sql.SmallInteger, _signed(16)),
    (sql.Integer, _signed(32)),
    (sql.Float, _real),
    (sql.DateTime, _moment),
    (sql.Date, _day),
    (sql.JSON, _document),
)


_MAPPED: Mapping[str, Certain] = {
    "keyword": _text(INDEXED_LENGTH_MAX),
    "text": _text(LENGTH_MAX),
    "long": _signed(64),
    "integer": _signed(32),
    "double": _real,
    "scaled_float": _real,
    "boolean": _boolean,
    "date": _moment,
    "date_nanos": _moment_of_nanos,
    "object": _document,
    "percolator": _document,  # made here of filters, whose schema bounds their values
    "geo_point": _place,
}


def _of_mapping(mapping: Mapping[str, Any]) -> Certain:
    kind = mapping.get("type", "")
    rule = _nested(mapping["properties"]) if kind == "nested" else _MAPPED.get(kind, _never)
    several = _items(rule)
    return _or_none(lambda value: rule(value) or several(value))


def _nested(mappings: Mapping[str, Any]) -> Certain:
    rules = {name: _of_mapping(each) for name, each in mappings.items()}

    def certain(value: Any) -> bool:
        return (
            is_dataclass(value)
            and rules.keys() == {each.name for each in fields(value)}
            and all(rule(getattr(value, name)) for name, rule in rules.items())
        )

    return certain


def _of_clickhouse(kind: str) -> Certain:
    for wrapper in ("LowCardinality", "Nullable", "Array"):
        if kind.startswith(f"{wrapper}("):
            rule = _of_clickhouse(kind[len(wrapper) + 1 : -1])
            return {"Nullable": _or_none, "Array": _items}.get(wrapper, lambda same: same)(rule)
    if kind.startswith("DateTime64("):
        return _moment
    return _COLUMNS.get(kind, _never)


_COLUMNS: Mapping[str, Certain] = {
    "String": _document,  # a text, or whatever is kept as JSON
    "Bool": _boolean,
    "Float64": _real,
    "Date32": _day,
    **{f"Int{bits}": _signed(bits) for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": _whole(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
