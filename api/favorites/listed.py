"""A favourite as a list shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.entry.auth import Caller
from api.listings.sight import summary_for


def saved(row: Mapping[str, Any], caller: Caller, *, own: bool) -> dict[str, Any]:
    """A row of the list; what this caller may not see is told as gone, to others than the owner
    without its id: it may be a draft, of which nobody knows.
    """
    status, summary = summary_for(row, caller)
    return {
        "listing_id": row["key"] if summary or own else None,
        "added_at": row["favored_at"],
        "status": status,
        "listing": summary,
    }
