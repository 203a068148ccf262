"""Values that never change and are made by the million: recorded events and rows.

A frozen dataclass guards every assignment, its own first ones included: that makes it three
times as slow to make (18 fields: 1.9 µs against 0.7; a fold with `dataclasses.replace` over 46
fields 11 µs against 3). A replay makes several for each event. So the type checker guards
these, and the interpreter does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """A dataclass with slots whose fields the type checker holds read-only."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


def names_of(kind: type[Any]) -> tuple[str, ...]:
    """The fields of such a class, in their order."""
    return tuple(each.name for each in fields(kind))


def changed(value: T, /, **changes: Any) -> T:
    """A copy with these fields changed, as `dataclasses.replace` makes it; TypeError for a name
    that is no field.
    """
    kind = type(value)
    known = _FIELDS.get(kind)
    if known is None:
        known = _FIELDS[kind] = _fields_of(kind)
    read, places = known
    values = list(read(value))
    try:
        for name, each in changes.items():
            values[places[name]] = each
    except KeyError as error:
        message = f"{kind.__name__} has no field {error}"
        raise TypeError(message) from None
    return kind(*values)


_FIELDS: dict[type[Any], tuple[Callable[[Any], Any], dict[str, int]]] = {}


def _fields_of(kind: type[Any]) -> tuple[Callable[[Any], Any], dict[str, int]]:
    names = names_of(kind)
    # A single name would make attrgetter give a bare value.
    read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return read, {name: place for place, name in enumerate(names)}
