"""Rows as dataclasses, as plain JSON values and as a hash: the same in every store.

`plain_value` is canonical: two equal rows give equal plain values whatever store they were
read from, so `row_hash` compares generations, stores and pure folds with one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter

# Beyond it a float no longer names one integer, and orjson refuses integers over 64 bits.
_EXACT_MAX = 2**53

_AS_IS = frozenset({str, int, bool, type(None)})


def plain_value(value: Any) -> Any:
    """A value of a row as JSON can hold it; TypeError for a type that no row may have."""
    kind = type(value)
    if kind in _AS_IS:
        return value
    for known, convert in _CONVERSIONS:
        if isinstance(value, known):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain_value(getattr(value, each.name)) for each in fields(value)}
    message = f"a row can't hold a {kind.__name__}"
    raise TypeError(message)


def _plain_float(value: float) -> float | int:
    # A store may hand back 5 for 5.0: JSON tells them apart, a number does not.
    return int(value) if value.is_integer() and abs(value) < _EXACT_MAX else value


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(plain_value(name)): plain_value(each) for name, each in value.items()}


_CONVERSIONS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (Enum, lambda value: plain_value(value.value)),
    (float, _plain_float),
    (datetime, lambda value: value.astimezone(UTC).isoformat(timespec="microseconds")),
    (date, date.isoformat),
    (UUID, str),
    (Decimal, lambda value: format(value.normalize(), "f")),
    (Mapping, _plain_mapping),
    ((tuple, list), lambda value: [plain_value(each) for each in value]),
    (AbstractSet, lambda value: sorted(plain_value(each) for each in value)),
    (BaseModel, lambda value: plain_value(dict(value))),
    ((str, int), lambda value: value),
)


_FIELD_NAMES: dict[type[Any], tuple[str, ...]] = {}
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def field_names(row_type: type[Any]) -> tuple[str, ...]:
    """The fields of a row, in the order of its dataclass."""
    names = _FIELD_NAMES.get(row_type)
    if names is None:
        names = _FIELD_NAMES[row_type] = tuple(each.name for each in fields(row_type))
    return names


def plain_row(row: Any) -> dict[str, Any]:
    """A row as a JSON object."""
    return {name: plain_value(getattr(row, name)) for name in field_names(type(row))}


def row_of(row_type: type[Any], values: Mapping[str, Any]) -> Any:
    """The row that plain values, or a store's own, stand for; ValueError when they can't."""
    adapter = _ADAPTERS.get(row_type)
    if adapter is None:
        adapter = _ADAPTERS[row_type] = TypeAdapter(row_type)
    return adapter.validate_python(values)


def row_hash(key: str, row: Any) -> bytes:
    """Sixteen bytes that are equal for equal rows of equal keys, whatever the store."""
    text = orjson.dumps([key, plain_row(row)], option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).digest()
