"""Which timers are set, and when each is due. Postgres, one row per stream that has any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, get_args
from uuid import UUID

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from projections.timers.timer import Timer
from schemas.bookings import BookingEvent, BookingsClosed, ExpireBookings
from schemas.identity import LiftBan, UserBanned, UserDeleted, UserUnbanned
from schemas.items import ItemActivated, ItemCreated, ItemDeleted, StopWaitingForImages
from schemas.listings import (
    ExpireListing,
    ListingDeleted,
    ListingEvent,
    ListingExpired,
    ListingPublished,
    ListingRenewed,
    ListingSold,
    ListingUnpublished,
)
from schemas.log.messages import Command
from schemas.log.recorded import Recorded
from schemas.media import (
    MediaDeleted,
    MediaFailed,
    MediaProcessed,
    MediaPutOff,
    MediaRetried,
    MediaWanted,
    RetryDrawing,
)
from schemas.notifications import (
    NotificationDue,
    NotificationPutOff,
    NotificationRequested,
    NotificationsClosed,
    NotificationWithheld,
    SendDueBatches,
)


def _banned_until(recorded: Recorded[UserBanned | UserUnbanned | UserDeleted]) -> datetime | None:
    event = recorded.event
    return event.until if isinstance(event, UserBanned) else None


def _lift_ban(stream_id: str, asked: Mapping[str, Any]) -> Command:
    return LiftBan(user_id=UUID(stream_id.partition("/")[2]), **asked)


IMAGES_WAIT = timedelta(minutes=1)  # where the event says nothing


def _images_until(recorded: Recorded[ItemCreated | ItemActivated | ItemDeleted]) -> datetime | None:
    event = recorded.event
    if isinstance(event, ItemCreated):
        return event.images_until or event.created_at + IMAGES_WAIT
    return None


def _stop_waiting(stream_id: str, asked: Mapping[str, Any]) -> Command:
    return StopWaitingForImages(item_id=UUID(stream_id.partition("/")[2]), **asked)


def _offered_until(recorded: Recorded[ListingEvent]) -> datetime | None:
    event = recorded.event
    return event.expires_at if isinstance(event, ListingPublished | ListingRenewed) else None


def _expire(stream_id: str, asked: Mapping[str, Any]) -> Command:
    return ExpireListing(listing_id=UUID(stream_id.partition("/")[2]), **asked)


def _answered_until(recorded: Recorded[BookingEvent | BookingsClosed]) -> datetime | None:
    event = recorded.event
    return None if isinstance(event, BookingsClosed) else event.next_expires_at


def _expire_bookings(stream_id: str, asked: Mapping[str, Any]) -> Command:
    return ExpireBookings(item_id=UUID(stream_id.partition("/")[2]), **asked)


def _drawn_again(
    recorded: Recorded[
        MediaPutOff | MediaWanted | MediaRetried | MediaProcessed | MediaFailed | MediaDeleted
    ],
) -> datetime | None:
    event = recorded.event
    return event.until if isinstance(event, MediaPutOff) else None


def _retry(stream_id: str, asked: Mapping[str, Any]) -> Command:
    return RetryDrawing(media_id=UUID(stream_id.partition("/")[2]), **asked)


def _batch_due(
    recorded: Recorded[
        NotificationRequested
        | NotificationDue
        | NotificationPutOff
        | NotificationWithheld
        | NotificationsClosed
    ],
) -> datetime | None:
    return recorded.event.wakes_at


def _send_due(stream_id: str, asked: Mapping[str, Any]) -> Command:
    return SendDueBatches(user_id=UUID(stream_id.partition("/")[2]), **asked)


DRAWN = (MediaPutOff, MediaWanted, MediaRetried, MediaProcessed, MediaFailed, MediaDeleted)
OFFERED = (
    ListingPublished,
    ListingRenewed,
    ListingExpired,
    ListingUnpublished,
    ListingSold,
    ListingDeleted,
)
GATHERED = (
    NotificationRequested,
    NotificationDue,
    NotificationPutOff,
    NotificationWithheld,
    NotificationsClosed,
)

# Every timer. A new one is listed here and nowhere else, with the read model's version raised: what
# is in the log already sets it by a replay.
TIMERS: tuple[Timer, ...] = (
    Timer("lift_ban", (UserBanned, UserUnbanned, UserDeleted), _banned_until, _lift_ban),
    Timer("item_images", (ItemCreated, ItemActivated, ItemDeleted), _images_until, _stop_waiting),
    Timer("expire_listing", OFFERED, _offered_until, _expire),
    Timer(
        "expire_bookings",
        (*get_args(BookingEvent), BookingsClosed),
        _answered_until,
        _expire_bookings,
    ),
    Timer("retry_media", DRAWN, _drawn_again, _retry),
    Timer("send_notifications", GATHERED, _batch_due, _send_due),
)
BY_NAME: Mapping[str, Timer] = {each.name: each for each in TIMERS}


@dataclass(frozen=True, slots=True)
class Timers:
    """The timers of one stream, by name, each with its due time; `due_at` is the first."""

    due_at: datetime
    names: tuple[str, ...]
    dues: tuple[datetime, ...]


class Due(NamedTuple):
    """A timer that is due, or will be."""

    name: str
    stream_id: str
    due_at: datetime


def key(recorded: Recorded[Any]) -> str:
    """The stream."""
    return recorded.stream_id


def fold(row: Timers | None, recorded: Recorded[Any]) -> Timers | None:
    """What the stream waits for after the event; nothing: it has no row."""
    dues = {} if row is None else dict(zip(row.names, row.dues, strict=True))
    for timer in TIMERS:
        if isinstance(recorded.event, timer.hears):
            dues.pop(timer.name, None)
            if (due := timer.due(recorded)) is not None:
                dues[timer.name] = due
    if not dues:
        return None
    names = sorted(dues)
    return Timers(min(dues.values()), tuple(names), tuple(dues[each] for each in names))


table = Table("timers", MetaData(), *columns_of(Timers))
Index("due", table.c.due_at, table.c.key)

timers: Projection[Timers] = Projection(
    name="timers",
    version=4,
    hears=tuple(dict.fromkeys(event for timer in TIMERS for event in timer.hears)),
    key=key,
    fold=fold,
    row=Timers,
    target=PostgresTable(table),
    rows_of=lambda stream_id: (stream_id,),
    erased_by=(UserDeleted, ItemDeleted, ListingDeleted, MediaDeleted, NotificationsClosed),
)

# Only streams whose first timer is due can have one that is. `mesh.timers_sent` says which commands
# the broker has: their events take the timers away once they are folded.
_DUE = """
    SELECT each.name, waiting.key AS stream_id, each.due_at
    FROM reads.timers AS waiting
    CROSS JOIN LATERAL unnest(waiting.names, waiting.dues) AS each (name, due_at)
    WHERE waiting.due_at <= $1 AND each.due_at <= $1
      AND ($2::text[] IS NULL OR each.name = ANY($2))
      AND NOT EXISTS (
          SELECT FROM mesh.timers_sent AS sent
          WHERE sent.name = each.name AND sent.stream_id = waiting.key
            AND sent.due_at = each.due_at
      )
    ORDER BY each.due_at, waiting.key LIMIT $3
"""
_SET = """
    SELECT each.name, waiting.key AS stream_id, each.due_at
    FROM reads.timers AS waiting
    CROSS JOIN LATERAL unnest(waiting.names, waiting.dues) AS each (name, due_at)
    ORDER BY waiting.due_at, waiting.key, each.due_at LIMIT $1
"""


async def due_by(
    reads: Reads, moment: datetime, limit: int, names: Sequence[str] | None = None
) -> Sequence[Due]:
    """Timers that are due at this moment and whose commands nobody has sent, the first due
    first; of these names, or all.
    """
    rows = await reads.fetch(_DUE, moment, None if names is None else list(names), limit)
    return [Due(**row) for row in rows]


async def all_set(reads: Reads, limit: int) -> Sequence[Due]:
    """The timers that are set, roughly the first due first."""
    return [Due(**row) for row in await reads.fetch(_SET, limit)]
