"""A Postgres table's columns, derived from the row's dataclass: stated once, so never apart."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Date, DateTime, Double, Text
from sqlalchemy.types import TypeEngine

_TYPES: dict[type, TypeEngine[Any]] = {
    str: Text(),
    bool: Boolean(),
    int: BigInteger(),
    float: Double(),
    date: Date(),
    datetime: DateTime(timezone=True),
}


def columns_of(row_type: type[Any]) -> list[Column[Any]]:
    """The text primary key `key` and a column a field; `X | None` may be null. TypeError for a
    field whose type has no column type.
    """
    hints = get_type_hints(row_type)
    return [
        Column("key", Text, primary_key=True),
        *(_column(name, hint) for name, hint in hints.items()),
    ]


def _column(name: str, hint: Any) -> Column[Any]:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [option for option in options if option is not NoneType]
    if len(kinds) != 1:
        message = f"{name}: no column is several types"
        raise TypeError(message)
    return Column(name, _type_of(name, kinds[0]), nullable=NoneType in options)


def _type_of(name: str, kind: Any) -> TypeEngine[Any]:
    if get_origin(kind) is tuple:
        return ARRAY(_type_of(name, get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _TYPES[str]
    if kind not in _TYPES:
        message = f"{name}: no column type for {kind}"
        raise TypeError(message)
    return _TYPES[kind]
