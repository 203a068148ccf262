"""What a projection's queries ask of Postgres: no more than any pool or connection gives; and
lists, of which one part at a time is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Reads(Protocol):
    """Runs queries on the public views."""

    async def fetch(self, query: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Every row."""
        ...

    async def fetchrow(self, query: str, *values: Any) -> Mapping[str, Any] | None:
        """The first row, or None."""
        ...


@dataclass(frozen=True)
class Slice:
    """Which rows of a list: `limit` of them after the one with the sort values `after`, or,
    without it, from row `offset` on.
    """

    limit: int
    offset: int = 0
    after: tuple[Any, ...] | None = None


async def fetch_slice(
    reads: Reads, query: str, order: str, part: Slice, *values: Any
) -> Sequence[Mapping[str, Any]]:
    """One slice of a list that begins with the highest values of the columns `order`. In `query`
    `{after}` stands for the condition on them, `{limit}` for how many rows.
    """
    number = len(values) + 1
    limit = f"LIMIT ${number} OFFSET ${number + 1}"
    after = part.after or ()
    places = ", ".join(f"${number + 2 + each}" for each in range(len(after)))
    condition = f"AND ({order}) < ({places})" if after else ""
    text = query.format(after=condition, limit=limit)
    return await reads.fetch(text, *values, part.limit, part.offset, *after)
