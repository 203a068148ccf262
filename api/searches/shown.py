"""Saved searches and alerts as their owner sees them: what is sealed is opened with their key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.vault.vault import PersonKey
from projections.searches.canonical import whole_of
from schemas.searches import Frequency

NAME, TEXT = "search_name", "search_text"  # what their key seals them as


def search_shown(row: Mapping[str, Any], key: PersonKey) -> dict[str, Any]:
    """A saved search of theirs."""
    private = key.unseal(TEXT, row["text_sealed"]) if row["text_sealed"] else ""
    return {
        "id": row["search_id"],
        "name": key.unseal(NAME, row["name_sealed"]),
        "filters": whole_of(row["filters"], private),
        "created_at": row["saved_at"],
        "new_matches": row["new_matches"],
        "alert": row["alert_id"]
        and {
            "id": row["alert_id"],
            "frequency": row["frequency"],
            "channels": row["channels"].split(","),
        },
    }


def alert_shown(row: Mapping[str, Any], key: PersonKey) -> dict[str, Any]:
    """An alert of theirs."""
    return {
        "id": row["alert_id"],
        "search_id": row["search_id"],
        "search_name": key.unseal(NAME, row["name_sealed"]),
        "frequency": row["frequency"],
        "channels": row["channels"].split(","),
        "active": row["frequency"] != Frequency.OFF,
        "created_at": row["alert_since"],
        "last_sent_at": row["last_sent_at"],
    }


def match_shown(
    row: Mapping[str, Any], status: str, summary: dict[str, Any] | None
) -> dict[str, Any]:
    """What an alert has found; of what can't be seen any more nothing but that."""
    return {
        "listing_id": row["key"],
        "reason": row["reason"],
        "price_minor": row["found_minor"],
        "currency": row["found_currency"],
        "matched_at": row["matched_at"],
        "notified_at": row["notified_at"],
        "status": status,
        "listing": summary,
    }
