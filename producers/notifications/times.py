"""When a channel tells: how long it gathers, how often it makes itself heard, and by the person's
clock on the wall, which may be put forward or back, what is night and what is nine in the morning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.notifications import NotificationChannel, NotificationType, QuietHours

# So long a message may be read in the chat before anything else tells of it.
GRACES: Final[Mapping[tuple[NotificationType, NotificationChannel], timedelta]] = {
    (NotificationType.MESSAGES, NotificationChannel.EMAIL): timedelta(seconds=60),
    (NotificationType.MESSAGES, NotificationChannel.SMS): timedelta(seconds=60),
}
# Between two batches of one type: what comes meanwhile is gathered.
GAPS: Final[Mapping[NotificationChannel, timedelta]] = {
    NotificationChannel.EMAIL: timedelta(minutes=15),
    NotificationChannel.SMS: timedelta(hours=1),
    NotificationChannel.PUSH: timedelta(seconds=30),
}
NINE: Final = 9 * 60  # minutes of a day
_HOUR: Final = 60  # minutes


def is_quiet(moment: datetime, zone: str, quiet: QuietHours | None) -> bool:
    """Whether the person has quiet hours then."""
    if quiet is None:
        return False
    local = moment.astimezone(ZoneInfo(zone))
    minute = local.hour * _HOUR + local.minute
    if quiet.begin < quiet.end:
        return quiet.begin <= minute < quiet.end
    return minute >= quiet.begin or minute < quiet.end


def after_quiet(moment: datetime, zone: str, quiet: QuietHours | None) -> datetime:
    """The moment, or where that is in quiet hours the end of them."""
    if quiet is None or not is_quiet(moment, zone, quiet):
        return moment
    return next_at(moment, zone, quiet.end)


def next_at(moment: datetime, zone: str, minute: int) -> datetime:
    """When the person's clock shows this minute of a day next. An hour that is left out ends when
    the clock is put forward, and of one that comes twice each time counts.
    """
    local = moment.astimezone(ZoneInfo(zone))
    return next(
        shown
        for day in (local.date(), local.date() + timedelta(days=1))
        for shown in _shown(day, minute, zone)
        if shown > moment
    )


def _shown(day: date, minute: int, zone: str) -> Iterator[datetime]:
    hour, rest = divmod(minute, _HOUR)
    for fold in (0, 1):
        yield datetime(
            day.year, day.month, day.day, hour, rest, tzinfo=ZoneInfo(zone), fold=fold
        ).astimezone(UTC)
