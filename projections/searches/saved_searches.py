"""Who looks for what, and how they are told of it. Postgres, one row per person: an event changes
one row, and all of a person's are gone at once when they leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias, assert_never

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from projections.searches.alert_views import SEARCH_ALERTS_VIEW
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.searches import (
    SEARCHES_MAX,
    AlertCreated,
    AlertDeleted,
    AlertUpdated,
    SearchDeleted,
    SearchSaved,
)

Heard: TypeAlias = (
    SearchSaved | SearchDeleted | AlertCreated | AlertUpdated | AlertDeleted | UserDeleted
)

NEW_WITHIN = timedelta(days=30)
NEW_MAX = 1_000  # counted; beyond that nobody reads the number


@dataclass(frozen=True, slots=True)
class SavedSearches:
    """Searches in parallel columns, a place a search, the first saved first; behind them alerts
    likewise. `texts_sealed` is empty where there are no words. Of a deleted person nothing is left
    but that they are.
    """

    search_ids: tuple[str, ...] = ()
    names_sealed: tuple[str, ...] = ()
    texts_sealed: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    filters_hashes: tuple[str, ...] = ()
    saved_at: tuple[datetime, ...] = ()
    alert_ids: tuple[str, ...] = ()
    alert_searches: tuple[str, ...] = ()
    frequencies: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    alerts_since: tuple[datetime, ...] = ()
    version: int = 0
    deleted: bool = False


_SEARCH = ("search_ids", "names_sealed", "texts_sealed", "filters", "filters_hashes", "saved_at")
_ALERT = ("alert_ids", "alert_searches", "frequencies", "channels", "alerts_since")


def key(recorded: Recorded[Heard]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: SavedSearches | None, recorded: Recorded[Heard]) -> SavedSearches:
    """The searches after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return SavedSearches(deleted=True)
    row = row or SavedSearches()
    return row if row.deleted else replace(_after(row, event), version=recorded.version)


def _after(
    row: SavedSearches,
    event: SearchSaved | SearchDeleted | AlertCreated | AlertUpdated | AlertDeleted,
) -> SavedSearches:
    match event:
        case SearchSaved():
            row = _without(row, _SEARCH, str(event.search_id))
            return _with(
                row,
                _SEARCH,
                str(event.search_id),
                event.name_sealed,
                event.text_sealed or "",
                event.filters,
                event.filters_hash,
                event.saved_at,
            )
        case SearchDeleted():
            return _without(row, _SEARCH, str(event.search_id))
        case AlertCreated():
            row = _without(row, _ALERT, str(event.alert_id))
            return _with(
                row,
                _ALERT,
                str(event.alert_id),
                str(event.search_id),
                event.frequency.value,
                ",".join(event.channels),
                event.created_at,
            )
        case AlertUpdated():
            return _updated(row, event)
        case AlertDeleted():
            return _without(row, _ALERT, str(event.alert_id))
        case _:
            assert_never(event)


def _with(row: SavedSearches, names: Sequence[str], *values: Any) -> SavedSearches:
    pairs = zip(names, values, strict=True)
    columns: dict[str, Any] = {name: (*getattr(row, name), value) for name, value in pairs}
    return replace(row, **columns)


def _without(row: SavedSearches, names: Sequence[str], gone: str) -> SavedSearches:
    """The columns of these names without the place of an id, which stands in the first."""
    ids = getattr(row, names[0])
    if gone not in ids:
        return row
    place = ids.index(gone)
    columns: dict[str, Any] = {
        name: getattr(row, name)[:place] + getattr(row, name)[place + 1 :] for name in names
    }
    return replace(row, **columns)


def _updated(row: SavedSearches, event: AlertUpdated) -> SavedSearches:
    if str(event.alert_id) not in row.alert_ids:
        return row
    place = row.alert_ids.index(str(event.alert_id))
    frequencies, channels = list(row.frequencies), list(row.channels)
    frequencies[place], channels[place] = event.frequency.value, ",".join(event.channels)
    return replace(row, frequencies=tuple(frequencies), channels=tuple(channels))


table = Table("saved_searches", MetaData(), *columns_of(SavedSearches))
Index("of_filters", table.c.filters_hashes, postgresql_using="gin")

# SE-13 as its columns are named there.
SEARCHES_VIEW = """
    CREATE OR REPLACE VIEW reads.searches AS
    SELECT one.id, own.key AS user_id, one.name_sealed AS name, one.filters::jsonb AS filters,
           one.saved_at AS created_at
    FROM {view} AS own CROSS JOIN LATERAL
        unnest(own.search_ids, own.names_sealed, own.filters, own.saved_at)
        AS one (id, name_sealed, filters, saved_at)
"""

saved_searches = Projection(
    name="saved_searches",
    version=1,
    hears=(SearchSaved, SearchDeleted, AlertCreated, AlertUpdated, AlertDeleted, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=SavedSearches,
    target=PostgresTable(table, extras=(SEARCHES_VIEW, SEARCH_ALERTS_VIEW)),
)

_SEARCHES = """
    SELECT own.key AS user_id, saved.*, alert.alert_id, alert.frequency, alert.channels,
           alert.alert_since
    FROM reads.saved_searches AS own CROSS JOIN LATERAL
        unnest(own.search_ids, own.names_sealed, own.texts_sealed, own.filters,
               own.filters_hashes, own.saved_at)
        AS saved (search_id, name_sealed, text_sealed, filters, filters_hash, saved_at)
    {kind} JOIN LATERAL
        unnest(own.alert_ids, own.alert_searches, own.frequencies, own.channels,
               own.alerts_since)
        AS alert (alert_id, search_id, frequency, channels, alert_since)
        ON alert.search_id = saved.search_id
"""
_NEW = f"""(
    SELECT count(*) FROM (
        SELECT FROM reads.alert_matches AS found
        WHERE found.alert_id = own.alert_id AND found.matched_at > $2
        LIMIT {NEW_MAX + 1}
    ) AS few
)"""  # noqa: S608 - our own figure
_LAST_SENT = """(
    SELECT max(found.notified_at) FROM reads.alert_matches AS found
    WHERE found.alert_id = own.alert_id AND found.notified_at IS NOT NULL
)"""
_OF_OWNER = f"""
    SELECT own.*, {_NEW} AS new_matches
    FROM ({_SEARCHES.format(kind="LEFT")} WHERE own.key = $1) AS own
    ORDER BY own.saved_at DESC, own.search_id DESC LIMIT {SEARCHES_MAX}
"""  # noqa: S608 - our own names
_ONE = f"""
    SELECT own.*, {_NEW} AS new_matches
    FROM ({_SEARCHES.format(kind="LEFT")} WHERE own.key = $1) AS own WHERE own.search_id = $3
"""  # noqa: S608 - our own names
_ALERTS = f"""
    SELECT own.*, {_LAST_SENT} AS last_sent_at
    FROM ({_SEARCHES.format(kind="")} WHERE own.key = $1) AS own
    ORDER BY own.alert_since DESC, own.alert_id DESC LIMIT {SEARCHES_MAX}
"""  # noqa: S608 - our own names
# Those of a whole page of people at once: a person is never on two.
_WATCHERS = f"""
    {_SEARCHES.format(kind="")}
    JOIN (
        SELECT key FROM reads.saved_searches
        WHERE filters_hashes && $1 AND key > $2 ORDER BY key LIMIT $3
    ) AS page ON page.key = own.key
    WHERE saved.filters_hash = ANY($1) ORDER BY own.key
"""  # noqa: S608 - our own names
_HAS_ENDED = "SELECT $2 <> ALL(alert_ids) AS has_ended FROM reads.saved_searches WHERE key = $1"
_ALERT_BY_ID = f"{_SEARCHES.format(kind='')} WHERE own.key = $1 AND alert.alert_id = $2"


async def of_owner(reads: Reads, user_id: str, now: datetime) -> Sequence[Mapping[str, Any]]:
    """One person's searches, the last saved first, each with its alert, where it has one, and how
    much that has found of late: one more than NEW_MAX where it is more.
    """
    return await reads.fetch(_OF_OWNER, user_id, now - NEW_WITHIN)


async def by_id(
    reads: Reads, user_id: str, search_id: str, now: datetime
) -> Mapping[str, Any] | None:
    """One of somebody's searches, likewise."""
    return await reads.fetchrow(_ONE, user_id, now - NEW_WITHIN, search_id)


async def alerts_of(reads: Reads, user_id: str) -> Sequence[Mapping[str, Any]]:
    """One person's alerts with their searches, the last made first."""
    return await reads.fetch(_ALERTS, user_id)


async def alert_by_id(reads: Reads, user_id: str, alert_id: str) -> Mapping[str, Any] | None:
    """One of somebody's alerts with its search."""
    return await reads.fetchrow(_ALERT_BY_ID, user_id, alert_id)


async def has_ended(reads: Reads, user_id: str, alert_id: str) -> bool:
    """Whether somebody has an alert no longer; False where that can't be read."""
    row = await reads.fetchrow(_HAS_ENDED, user_id, alert_id)
    return row is not None and bool(row["has_ended"])


async def watchers(
    reads: Reads, hashes: Sequence[str], after: str, people: int
) -> Sequence[Mapping[str, Any]]:
    """The searches that have alerts and are of these filters, with those: of so many people at
    most, in the order of their ids.
    """
    return await reads.fetch(_WATCHERS, list(hashes), after, people)
