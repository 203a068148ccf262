"""What a projection's queries ask of Postgres: no more than any pool or connection gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Reads(Protocol):
    """Runs queries on the public views."""

    async def fetch(self, query: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Every row."""
        ...

    async def fetchrow(self, query: str, *values: Any) -> Mapping[str, Any] | None:
        """The first row, or None."""
        ...
