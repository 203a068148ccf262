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
from schemas.log.recorded import Recorded
from schemas.searches import (
    SEARCHES_MAX,
    AlertMatched,
    AlertNotified,
    Frequency,
    MatchDeleted,
    MatchReason,
)

Heard: TypeAlias = AlertMatched | AlertNotified | MatchDeleted

WAITS_DAYS = 14  # what waits longer to be told is news no more: it stands in the list
OVERDUE_HOURS = 1  # after which a digest takes along what was to be told at once


@dataclass(frozen=True, slots=True)
class AlertMatch:
    """What was found last of it: why, at what price, and how often its alert told then; where it
    told nothing but had something to tell, how often it told before. `matched_version` is the place
    of that in the stream, `notified_version` up to where somebody has been told.
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
                frequency=_tellable(row, event.frequency),
                price_minor=event.price_minor,
                currency=event.currency,
                matched_at=recorded.recorded_at,
                matched_version=recorded.version,
                notified_version=0 if row is None else row.notified_version,
                notified_at=None if row is None else row.notified_at,
            )
        case AlertNotified(up_to=up_to, notified_at=at):
            return row and replace(row, notified_version=up_to, notified_at=at)
        case MatchDeleted():
            return None
        case _:
            assert_never(recorded.event)


def _tellable(row: AlertMatch | None, frequency: Frequency) -> Frequency:
    """What is found while an alert is off is never told; but what waits to be told still is."""
    if row is None or frequency is not Frequency.OFF or row.notified_version >= row.matched_version:
        return frequency
    return row.frequency


table = Table("alert_matches", MetaData(), *columns_of(AlertMatch))
Index("of_alert", table.c.alert_id, table.c.matched_at.desc(), table.c.key.desc())
Index("last_notified", table.c.alert_id, table.c.notified_at)
Index("of_person", table.c.user_id, table.c.key)
Index(
    "untold",
    table.c.user_id,
    table.c.matched_at.desc(),
    table.c.key.desc(),
    postgresql_where=text("notified_version < matched_version"),
)

alert_matches = Projection(
    name="alert_matches",
    version=2,
    hears=(AlertMatched, AlertNotified, MatchDeleted),
    key=key,
    fold=fold,
    erased_by=(MatchDeleted,),
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
_PRESENT = "own.frequencies[array_position(own.alert_ids, found.alert_id)]"
# What waits to be told, of alerts that still tell, and that can still be seen.
_WAITING = """
    reads.saved_searches AS own
    JOIN reads.alert_matches AS found ON found.user_id = own.key
        AND found.notified_version < found.matched_version AND found.frequency <> 'off'
    JOIN reads.listing_page AS page ON page.key = found.listing_id AND page.status = 'active'
"""
# How often it is told, the alert says as it is now: whoever has stopped digests gets none. What was
# to be told at once and was not rides along, with who gets a daily digest anyway.
_IN_DIGEST = f"""
    found.matched_at > {{moment}} - interval '{WAITS_DAYS} days'
    AND ({_PRESENT} = ANY({{frequencies}})
         OR ({_PRESENT} = 'instant' AND 'daily' = ANY({{frequencies}})
             AND 'daily' = ANY(own.frequencies)
             AND found.matched_at < {{moment}} - interval '{OVERDUE_HOURS} hours'))
"""
# What mails have told stands there before the log says so.
_TO_TELL = f"""
    FROM {_WAITING}
    LEFT JOIN (
        SELECT told.match_id, max(told.version) AS version
        FROM mesh.alert_mails AS mail
        CROSS JOIN LATERAL unnest(mail.match_ids, mail.versions) AS told (match_id, version)
        WHERE mail.user_id = $1 AND mail.sent_at IS NOT NULL GROUP BY told.match_id
    ) AS told ON told.match_id = found.key
    WHERE own.key = $1 AND coalesce(told.version, 0) < found.matched_version
"""  # noqa: S608 - our own names
_OF_DIGEST = (
    f"{_TO_TELL} AND {_IN_DIGEST.format(frequencies='$2::text[]', moment='$3::timestamptz')}"
)
_NAME = "own.names_sealed[array_position(own.search_ids, found.search_id)] AS name_sealed"
_UNTOLD = f"""
    SELECT found.key AS match_id, found.alert_id, found.listing_id, found.reason,
           found.price_minor, found.currency, found.matched_at, found.matched_version,
           page.title, page.year, page.make, page.model, {_NAME}
    {_OF_DIGEST} ORDER BY found.matched_at DESC, found.key DESC LIMIT $4
"""
_COUNTED = f"""
    SELECT count(DISTINCT found.listing_id) AS listings, max(found.matched_at) AS until
    {_OF_DIGEST}
"""
_REST = f"""
    SELECT found.key AS match_id, found.matched_version
    {_OF_DIGEST} AND found.matched_at <= $4 AND found.key > $5 ORDER BY found.key LIMIT $6
"""
_AT_ONCE = f"""
    SELECT found.key AS match_id, found.matched_version, {_NAME}
    {_TO_TELL} AND {_PRESENT} = 'instant' AND found.frequency = 'instant'
        AND found.listing_id = $2 AND found.reason = $3 AND found.price_minor = $4
        AND found.currency = $5
    ORDER BY found.key LIMIT {SEARCHES_MAX}
"""
# Who gets no mails gets no digest either: the same as processors.reactions.mailing.addressees asks.
_PEOPLE = f"""
    SELECT own.key AS user_id FROM reads.saved_searches AS own
    JOIN reads.users AS person ON person.key = own.key
        AND person.status = 'active' AND person.email_verified
    LEFT JOIN reads.user_preferences AS chosen ON chosen.key = own.key
    WHERE $1::text = ANY(own.frequencies) AND own.key > $3
      AND coalesce(chosen.notifications AND chosen.email_notifications, true)
      AND EXISTS (
          SELECT FROM {_WAITING.replace("reads.saved_searches AS own", "(SELECT own.*) AS own")}
          WHERE {_IN_DIGEST.format(frequencies="ARRAY[$1::text]", moment="$2::timestamptz")}
      )
    ORDER BY own.key LIMIT $4
"""  # noqa: S608 - our own names
_OF_ALERT = """
    SELECT key FROM reads.alert_matches WHERE alert_id = $1 AND key > $2 ORDER BY key LIMIT $3
"""
_STATE = "SELECT notified_version FROM reads.alert_matches WHERE key = $1"


async def of_alert(reads: Reads, alert_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """What an alert has found, the last first, each with what its page says in a list; of a
    listing that has none the columns are null.
    """
    return await fetch_slice(reads, _OF_SEARCH, "matched_at, key", part, alert_id)


@dataclass(frozen=True)
class Digest:
    """Whose digest, of which frequencies, and when it was due."""

    user_id: str
    frequencies: Sequence[Frequency]
    due_at: datetime

    @property
    def values(self) -> tuple[str, list[str], datetime]:
        """As queries take them."""
        return self.user_id, [each.value for each in self.frequencies], self.due_at


async def ids_of_alert(reads: Reads, alert_id: str, after: str, limit: int) -> Sequence[str]:
    """Some of the ids of what an alert has found, in their order."""
    return [row["key"] for row in await reads.fetch(_OF_ALERT, alert_id, after, limit)]


async def untold_of(reads: Reads, digest: Digest, limit: int) -> Sequence[Mapping[str, Any]]:
    """Of what a digest has to tell, what was found last."""
    return await reads.fetch(_UNTOLD, *digest.values, limit)


async def counted(reads: Reads, digest: Digest) -> tuple[int, datetime]:
    """Of how many listings a digest has to tell, and when the last was found."""
    row = await reads.fetchrow(_COUNTED, *digest.values)
    return (0, digest.due_at) if row is None else (row["listings"], row["until"] or digest.due_at)


async def rest_of(
    reads: Reads, digest: Digest, until: datetime, after: str, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Of what a digest had to tell that was found by then, in the order of the matches' ids."""
    return await reads.fetch(_REST, *digest.values, until, after, limit)


async def at_once(reads: Reads, user_id: str, match: AlertMatched) -> Sequence[Mapping[str, Any]]:
    """What somebody's searches that tell at once have found of the same listing, and not told."""
    found = (str(match.listing_id), match.reason.value, match.price_minor, match.currency)
    return await reads.fetch(_AT_ONCE, user_id, *found)


async def people_to_tell(
    reads: Reads, frequency: Frequency, due_at: datetime, after: str, limit: int
) -> Sequence[str]:
    """Who has to be told of something in a digest, and gets mails, in the order of their ids."""
    rows = await reads.fetch(_PEOPLE, frequency.value, due_at, after, limit)
    return [row["user_id"] for row in rows]


async def notified_version(reads: Reads, match_id: str) -> int | None:
    """Up to which version somebody has been told of a match; None: it can't be read."""
    row = await reads.fetchrow(_STATE, match_id)
    return None if row is None else int(row["notified_version"])
