"""Every event class by its kind, and the upcasters that read older shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from schemas.log.messages import Event

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Upcasters = Mapping[tuple[str, int], Upcaster]


class Registry:
    """Decodes event data of any schema version ever stored. Immutable once built."""

    def __init__(self, types: Iterable[type[Event]], upcasters: Upcasters) -> None:
        self._types = {kind_of(each): each for each in types}
        self._upcasters = dict(upcasters)

    def decode(self, kind: str, schema: int, value: bytes) -> Event:
        """The event of `kind` whose data is `value`; ValueError when it can't be read.

        What is unknown is ignored at every depth, though the value types of commands forbid
        it: a newer writer may have stated more than this process knows.
        """
        known = self._types.get(kind)
        if known is None:
            message = f"unknown event {kind}"
            raise ValueError(message)
        if schema == known.SCHEMA:
            return known.model_validate_json(value, extra="ignore")
        data = self._upcast(kind, schema, known.SCHEMA, json.loads(value))
        return known.model_validate(data, extra="ignore")

    def _upcast(self, kind: str, stored: int, wanted: int, data: dict[str, Any]) -> dict[str, Any]:
        if stored > wanted:
            message = f"{kind}/{stored} is newer than this process, which knows {wanted}"
            raise ValueError(message)
        for schema in range(stored, wanted):
            data = self._upcasters[kind, schema](data)
        return data

    def __getitem__(self, kind: str) -> type[Event]:
        return self._types[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)


def kind_of(message_type: type[Any]) -> str:
    """`listing.created` of ListingCreated: the default of its `kind` field."""
    kind: str = message_type.model_fields["kind"].default
    return kind
