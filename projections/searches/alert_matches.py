"""What alerts have found, and of what somebody has been told. Postgres, one row per alert and
listing: its key follows from both, so that there never are two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import Index, MetaData, Table, text

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from projections.searches.alert_views import SEARCH_ALERTS_VIEW
from schemas.recorded import Recorded
from schemas.searches import AlertMatched, AlertNotified, Frequency, MatchReason

Heard: TypeAlias = AlertMatched | AlertNotified


@dataclass(frozen=True, slots=True)
class AlertMatch:
    """What was found last of it: why, at what price, and how often its alert told then.
    `matched_version` is the place of that in the stream, `notified_version` up to where somebody
    has been told.
    """

    alert_id: str
    search_id: str
    user_id: str
    listing_id: str
    reason: MatchReason
    frequency: Frequency
    price_minor: int
    currency: str
    matched_at: datetime
    matched_version: int
    notified_version: int = 0
    notified_at: datetime | None = None


def key(recorded: Recorded[Heard]) -> str:
    """The id of the match."""
    return str(recorded.event.match_id)


def fold(row: AlertMatch | None, recorded: Recorded[Heard]) -> AlertMatch | None:
    """The match after the event. Its time is the log's: what was found while the matcher was away
    is found when it is back.
    """
    match recorded.event:
        case AlertMatched() as event:
            return AlertMatch(
                alert_id=str(event.alert_id),
                search_id=str(event.search_id),
                user_id=str(event.user_id),
                listing_id=str(event.listing_id),
                reason=event.reason,
                frequency=event.frequency,
                price_minor=event.price_minor,
                currency=event.currency,
                matched_at=recorded.recorded_at,
                matched_version=recorded.version,
                notified_version=0 if row is None else row.notified_version,
                notified_at=None if row is None else row.notified_at,
            )
        case AlertNotified(up_to=up_to, notified_at=at):
            return row and replace(row, notified_version=up_to, notified_at=at)
        case _:
            assert_never(recorded.event)


table = Table("alert_matches", MetaData(), *columns_of(AlertMatch))
Index("of_alert", table.c.alert_id, table.c.matched_at.desc(), table.c.key.desc())
Index("last_notified", table.c.alert_id, table.c.notified_at)
Index("of_person", table.c.user_id, table.c.key)
Index(
    "untold",
    table.c.frequency,
    table.c.user_id,
    table.c.key,
    postgresql_where=text("notified_version < matched_version"),
)

alert_matches = Projection(
    name="alert_matches",
    version=1,
    hears=(AlertMatched, AlertNotified),
    key=key,
    fold=fold,
    row=AlertMatch,
    target=PostgresTable(table, extras=(SEARCH_ALERTS_VIEW,)),
)

_SHOWN = """
    page.seller_id, page.status, page.title, page.price_minor, page.currency, page.year, page.make,
    page.model, page.mileage_km, page.fuel_type, page.location, page.published_at, page.sold_at,
    page.thumbnail_keys
"""
_OF_SEARCH = f"""
    SELECT found.key AS match_id, found.listing_id AS key, found.reason, found.matched_at,
           found.notified_at, found.price_minor AS found_minor, found.currency AS found_currency,
           {_SHOWN}
    FROM (
        SELECT * FROM reads.alert_matches WHERE alert_id = $1 {{after}}
        ORDER BY matched_at DESC, key DESC {{limit}}
    ) AS found LEFT JOIN reads.listing_page AS page ON page.key = found.listing_id
    ORDER BY found.matched_at DESC, found.key DESC
"""  # noqa: S608 - our own names
# What was found for a digest and not told yet, of alerts that still tell, and that can still be seen.
_TO_TELL = """
    reads.alert_matches AS found
    JOIN reads.saved_searches AS own ON own.key = found.user_id
        AND own.alert_ids @> ARRAY[found.alert_id]
        AND own.frequencies[array_position(own.alert_ids, found.alert_id)] <> 'off'
    JOIN reads.listing_page AS page ON page.key = found.listing_id AND page.status = 'active'
"""
_UNTOLD = f"""
    SELECT found.key AS match_id, found.alert_id, found.listing_id, found.reason,
           found.price_minor, found.currency, found.matched_at, found.matched_version,
           page.title, page.year, page.make, page.model,
           own.names_sealed[array_position(own.search_ids, found.search_id)] AS name_sealed
    FROM {_TO_TELL}
    WHERE found.user_id = $1 AND found.frequency = $2
      AND found.notified_version < found.matched_version AND found.key > $3
    ORDER BY found.key LIMIT $4
"""  # noqa: S608 - our own names
_PEOPLE = f"""
    SELECT DISTINCT found.user_id FROM {_TO_TELL}
    WHERE found.frequency = $1 AND found.notified_version < found.matched_version
      AND found.user_id > $2
    ORDER BY found.user_id LIMIT $3
"""  # noqa: S608 - our own names
_STATE = "SELECT notified_version FROM reads.alert_matches WHERE key = $1"


async def of_alert(reads: Reads, alert_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """What an alert has found, the last first, each with what its page says in a list; of a
    listing that has none the columns are null.
    """
    return await fetch_slice(reads, _OF_SEARCH, "matched_at, key", part, alert_id)


async def untold_of(
    reads: Reads, user_id: str, frequency: Frequency, after: str, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Of what somebody has to be told in their next digest, in the order of the matches' ids."""
    return await reads.fetch(_UNTOLD, user_id, frequency.value, after, limit)


async def people_to_tell(
    reads: Reads, frequency: Frequency, after: str, limit: int
) -> Sequence[str]:
    """Who has to be told of something in a digest, in the order of their ids."""
    rows = await reads.fetch(_PEOPLE, frequency.value, after, limit)
    return [row["user_id"] for row in rows]


async def notified_version(reads: Reads, match_id: str) -> int | None:
    """Up to which version somebody has been told of a match; None: it can't be read."""
    row = await reads.fetchrow(_STATE, match_id)
    return None if row is None else int(row["notified_version"])
