"""Somebody's saved searches and alerts, as a fold."""

from __future__ import annotations

from datetime import UTC, datetime

from projections.searches.saved_searches import SavedSearches, saved_searches
from schemas.identity import UserDeleted
from schemas.log.messages import Event
from schemas.searches import Frequency, searches_stream
from tests.producers.searches.looking import (
    ID,
    alert,
    created,
    deleted,
    ended,
    saved,
    search,
    updated,
)
from tests.projections.history import history, rows_of

LEFT = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=datetime(2026, 3, 2, tzinfo=UTC))


def folded(*events: Event) -> SavedSearches:
    row: SavedSearches = rows_of(saved_searches, history(searches_stream(ID), *events))[str(ID)]
    return row


def test_SE_13_searches_stand_in_their_order_each_with_what_is_its_own() -> None:
    row = folded(saved(1), saved(2, text_sealed="words"), saved(3), deleted(1))
    assert row.search_ids == (str(search(2)), str(search(3)))
    assert row.texts_sealed == ("words", "")
    assert len(row.filters) == len(row.filters_hashes) == len(row.saved_at) == 2
    assert row.version == 4


def test_SE_14_alerts_follow_their_events() -> None:
    row = folded(saved(1), saved(2), created(1), created(2), updated(Frequency.OFF, 2), ended(1))
    assert row.alert_ids == (str(alert(2)),)
    assert (row.alert_searches, row.frequencies) == ((str(search(2)),), ("off",))
    assert row.channels == ("email",)


def test_of_whoever_has_left_nothing_is_kept_whatever_comes() -> None:
    assert folded(saved(), created(), LEFT, saved(2)) == SavedSearches(deleted=True)
