"""Compared listings as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.comparisons.table import table_of
from api.entry.auth import Caller
from api.listings.sight import summary_for


def compared(row: Mapping[str, Any], caller: Caller, *, own: bool) -> dict[str, Any]:
    """One of the listings; what this caller may not see is told as gone, to others than the owner
    without its id: it may be a draft, of which nobody knows.
    """
    status, summary = summary_for(row, caller)
    listing_id = row["key"] if summary or own else None
    return {"listing_id": listing_id, "status": status, "listing": summary}


def beside_each_other(
    rows: Sequence[Mapping[str, Any]], caller: Caller, *, own: bool
) -> dict[str, Any]:
    """The listings, and what tells them apart; of what is gone the table tells nothing either."""
    items = [compared(row, caller, own=own) for row in rows]
    there = [item["listing"] is not None for item in items]
    cars = [row if seen else None for row, seen in zip(rows, there, strict=True)]
    return {"items": items, **table_of(cars)}
