"""What clients send and get of notifications, with examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.wire.changes import ChangedAnswer
from api.wire.forms import Body, Chosen
from schemas.notifications import (
    MINUTES,
    ZONE,
    DeviceKind,
    NotificationChannel,
    NotificationType,
    Pace,
    QuietHours,
    Zone,
)
from schemas.values.numbers import NUMBER, Switch
from schemas.values.texts import Form

NOTIFICATION_ID: Final = "01980000-0000-5000-8000-0000000000a1"
CHANGED = {"id": "01980000-0000-7000-8000-000000000003", "version": 7}
DELIVERY = {
    "channel": "email",
    "status": "sent",
    "reason": None,
    "settled_at": "2026-03-01T12:01:00Z",
}
NOTIFICATION: dict[str, Any] = {
    "id": NOTIFICATION_ID,
    "number": 12,
    "type": "messages",
    "cause": "message.sent",
    "about": {
        "listing_id": None,
        "item_id": None,
        "booking_id": None,
        "conversation_id": "01980000-0000-5000-8000-0000000000c1",
        "review_id": None,
        "alert_id": None,
        "search_id": None,
    },
    "sender": {"id": "01980000-0000-7000-8000-000000000004", "name": "Nimali"},
    "is_read": False,
    "requested_at": "2026-03-01T12:00:00Z",
    "deliveries": [DELIVERY],
}
WHY: dict[str, Any] = {
    "id": NOTIFICATION_ID,
    "cause": {
        "event_id": "01980000-0000-5000-8000-0000000000e1",
        "kind": "message.sent",
        "happened_at": "2026-03-01T12:00:00Z",
        "stream": "conversation/01980000-0000-5000-8000-0000000000c1",
        "version": 4,
    },
    "rule": {"type": "messages", "version": 1, "alert_id": None, "search_id": None},
    "preferences": [{"channel": "email", "pace": "immediate", "enabled": True}],
    "deliveries": [DELIVERY],
}
PREFERENCES: dict[str, Any] = {
    "types": {
        "messages": {"email": "immediate", "push": "immediate", "sms": "off"},
        "reviews": {"email": "daily", "push": "immediate"},
        "search_alerts": {"push": "immediate"},
        "bookings": {"email": "immediate", "push": "immediate", "sms": "off"},
    },
    "zone": ZONE,
    "quiet_hours": {"begin": "22:00", "end": "07:00"},
    "email_enabled": True,
    "sms_enabled": False,
    "push_enabled": True,
}
SUBSCRIPTION = {
    "id": "01980000-0000-4000-8000-0000000000d1",
    "device": "web",
    "subscribed_at": "2026-03-01T12:00:00Z",
}
_HOUR = 60

ClockTime = Annotated[
    str,
    Form(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "is no time of day: send hours and minutes, 07:00"),
]


class QuietTimes(Body):
    """From when until when nothing is sent, by the clock of `zone`; over midnight where the end is
    the earlier of the two.
    """

    begin: ClockTime
    end: ClockTime

    @property
    def minutes(self) -> QuietHours:
        """As commands have it."""
        return QuietHours(begin=_minute(self.begin), end=_minute(self.end))


class ChannelPaces(Body):
    """How soon each channel tells; what is left out stays."""

    email: Pace | None = None
    sms: Pace | None = None
    push: Pace | None = None


class TypePaces(Body):
    """By what it is about; what is left out stays."""

    messages: ChannelPaces = ChannelPaces()
    reviews: ChannelPaces = ChannelPaces()
    search_alerts: ChannelPaces = ChannelPaces()
    bookings: ChannelPaces = ChannelPaces()

    def chosen(self) -> Iterator[tuple[NotificationType, NotificationChannel, Pace]]:
        """Each that is said."""
        for kind, channels in self:
            for channel, pace in channels:
                if pace is not None:
                    yield NotificationType(kind), NotificationChannel(channel), pace


class NotificationPreferenceChanges(Body):
    """What shall be different: what is left out stays. `quiet_hours: null` ends them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "types": {"messages": {"email": "daily"}},
                    "quiet_hours": {"begin": "22:00", "end": "07:00"},
                }
            ]
        }
    )

    types: Annotated[TypePaces, Chosen] = TypePaces()
    zone: Annotated[Zone, Chosen] = ZONE
    quiet_hours: QuietTimes | None = None
    email_enabled: Annotated[Switch, Chosen] = True
    sms_enabled: Annotated[Switch, Chosen] = False
    push_enabled: Annotated[Switch, Chosen] = True


class ReadUpTo(Body):
    """Up to which number all have been seen."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"up_to": 12}]})

    up_to: Annotated[int, Field(ge=1, le=2**53), NUMBER]


class QuietAnswer(BaseModel):
    """From when until when nothing is sent, `HH:MM` by the clock of `zone`."""

    begin: str
    end: str


class NotificationPreferencesAnswer(BaseModel):
    """What holds, chosen or not. A type and channel that is not named is never told that way. The
    switches of the channels are those of the caller's preferences and stand above all else.
    """

    types: dict[NotificationType, dict[NotificationChannel, Pace]]
    zone: str
    quiet_hours: QuietAnswer | None
    email_enabled: bool
    sms_enabled: bool
    push_enabled: bool


class NotificationChangedAnswer(ChangedAnswer):
    """Whose they are, and the version that the caller's notifications have now."""


class PushSubscriptionAnswer(BaseModel):
    """One browser or device."""

    id: UUID
    device: DeviceKind
    subscribed_at: AwareDatetime


class PushSubscriptionsAnswer(BaseModel):
    """The caller's, the first added first."""

    items: list[PushSubscriptionAnswer]
    vapid_public_key: str


class UnreadNotificationsAnswer(BaseModel):
    """How many the caller has not seen, and the number of the last there is, 0 without any."""

    unread: int
    last_number: int


class DeliveryAnswer(BaseModel):
    """What became of it by one channel: it is `waiting`, `due` (being sent), `sent`, `withheld` or
    `failed`; `reason` says why it was withheld or failed.
    """

    channel: NotificationChannel
    status: str
    reason: str | None
    settled_at: AwareDatetime | None


class AboutAnswer(BaseModel):
    """The things it is about."""

    listing_id: UUID | None
    item_id: UUID | None
    booking_id: UUID | None
    conversation_id: UUID | None
    review_id: UUID | None
    alert_id: UUID | None
    search_id: UUID | None


class SenderAnswer(BaseModel):
    """Whose doing it was."""

    id: UUID
    name: str


class NotificationAnswer(BaseModel):
    """One notification; `number` counts the caller's from 1, `cause` is the kind of the event."""

    id: UUID
    number: int
    type: NotificationType
    cause: str
    about: AboutAnswer
    sender: SenderAnswer | None
    is_read: bool
    requested_at: AwareDatetime
    deliveries: list[DeliveryAnswer]


class NotificationsAnswer(BaseModel):
    """A page of notifications, the last first."""

    items: list[NotificationAnswer]
    next_cursor: str | None


class CauseAnswer(BaseModel):
    """The event of the log that led to it, and its place in its stream."""

    event_id: UUID
    kind: str
    happened_at: AwareDatetime | None = Field(description="Null while it can't be looked up")
    stream: str | None
    version: int | None


class RuleAnswer(BaseModel):
    """By which rule it was told: the version of the rules, and the caller's own search, if any."""

    type: NotificationType
    version: int
    alert_id: UUID | None
    search_id: UUID | None


class PreferenceAnswer(BaseModel):
    """What the caller's preferences say of a channel for this type now."""

    channel: NotificationChannel
    pace: Pace
    enabled: bool


class WhyAnswer(BaseModel):
    """Why the caller was told of something."""

    id: UUID
    cause: CauseAnswer
    rule: RuleAnswer
    preferences: list[PreferenceAnswer]
    deliveries: list[DeliveryAnswer]


def clock_time(minute: int) -> str:
    """A minute of a day as people write it."""
    return f"{minute // _HOUR % (MINUTES // _HOUR):02}:{minute % _HOUR:02}"


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * _HOUR + int(minutes)
