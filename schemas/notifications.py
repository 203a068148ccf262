"""Notifications: what somebody is told of, by which channels, when, and how they want it.

All of one person's are one stream, so that what is merged, withheld and how often they are told is
judged in its order. Each notification has a number, 1, 2, 3 … for its person. Nothing is sent for
one alone: every channel gathers what is to be told of one type in a batch, which is sent when its
time has come, and may be of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias, get_args
from uuid import UUID, uuid5
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.values.numbers import NUMBER
from schemas.values.texts import SEALED, TOKEN, refusal

NOTIFICATIONS = UUID("7d1f5e6a-0c48-5a93-9b27-6e40c8d2f1b5")  # the namespace of their ids
LISTED_MAX = 20  # notifications that a batch names; of the others it says how many they are
READ_APART_MAX = 500  # that are read though one before them is not
ZONE: Final = "Asia/Colombo"  # where nothing else is chosen
MINUTES: Final = 24 * 60  # of a day
RULES: Final = 1  # the version of how it is decided who is told what, by which channel and when

SUBSCRIPTIONS_MAX = 10  # browsers and devices of one person: one more takes the place of the first

# An endpoint of 1,000 characters and its keys as JSON, and a third more in base64.
SealedSubscription = Annotated[str, StringConstraints(max_length=6_000)]
Number = Annotated[int, Field(ge=1, le=2**53), NUMBER]
Minute = Annotated[int, Field(ge=0, lt=MINUTES), NUMBER]  # of a day, by a clock on the wall


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        told = "is no time zone: send a name such as Asia/Colombo"
        raise refusal(told)
    return name


Zone = Annotated[str, StringConstraints(max_length=60), AfterValidator(_known_zone)]


class NotificationType(StrEnum):
    """What it is about; whoever does not want one of them says so by it."""

    MESSAGES = "messages"
    REVIEWS = "reviews"
    SEARCH_ALERTS = "search_alerts"
    BOOKINGS = "bookings"


class NotificationChannel(StrEnum):
    """How somebody is told who is not looking."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Pace(StrEnum):
    """How soon."""

    IMMEDIATE = "immediate"
    DAILY = "daily"  # at nine in the morning, by the person's clock
    OFF = "off"


# What can be chosen, the first where nothing is. Mails of alerts are sent as each alert says.
PACES: Final[Mapping[tuple[NotificationType, NotificationChannel], tuple[Pace, ...]]] = {
    (NotificationType.MESSAGES, NotificationChannel.EMAIL): (Pace.IMMEDIATE, Pace.DAILY, Pace.OFF),
    (NotificationType.MESSAGES, NotificationChannel.PUSH): (Pace.IMMEDIATE, Pace.OFF),
    (NotificationType.MESSAGES, NotificationChannel.SMS): (Pace.OFF, Pace.IMMEDIATE),
    (NotificationType.REVIEWS, NotificationChannel.EMAIL): (Pace.IMMEDIATE, Pace.DAILY, Pace.OFF),
    (NotificationType.REVIEWS, NotificationChannel.PUSH): (Pace.IMMEDIATE, Pace.OFF),
    (NotificationType.SEARCH_ALERTS, NotificationChannel.PUSH): (Pace.IMMEDIATE, Pace.OFF),
    (NotificationType.BOOKINGS, NotificationChannel.EMAIL): (Pace.IMMEDIATE, Pace.DAILY, Pace.OFF),
    (NotificationType.BOOKINGS, NotificationChannel.PUSH): (Pace.IMMEDIATE, Pace.OFF),
    (NotificationType.BOOKINGS, NotificationChannel.SMS): (Pace.OFF, Pace.IMMEDIATE),
}


class Withheld(StrEnum):
    """Why a channel does not tell of something."""

    OFF = "off"  # the person does not want it
    READ = "read"  # they have seen it
    ONLINE = "online"  # they were there
    NO_ADDRESS = "no_address"  # there is none that is proved to be theirs
    NOT_SET_UP = "not_set_up"  # whoever runs the place has nobody who carries it
    GONE = "gone"  # they have left, or are banned
    REFUSED = "refused"  # whoever carries it will never take it
    LATE = "late"  # it would have been no news any more


class DeviceKind(StrEnum):
    """What shows notifications."""

    WEB = "web"  # a browser, by Web Push
    FCM = "fcm"  # an app, by Firebase Cloud Messaging


class Settled(StrEnum):
    """What became of a batch."""

    SENT = "sent"
    WITHHELD = "withheld"
    FAILED = "failed"


def notifications_stream(user_id: UUID | str) -> str:
    """The stream of one person's notifications."""
    return f"notifications/{user_id}"


def push_stream(user_id: UUID | str) -> str:
    """The stream of the browsers and devices on which one person is shown notifications."""
    return f"push/{user_id}"


def batch_id_of(notification_id: UUID, channel: NotificationChannel) -> UUID:
    """The batch of a channel that begins with this notification."""
    return uuid5(notification_id, channel)


def notification_id_of(event_id: str, user_id: UUID) -> UUID:
    """The one notification of an event to somebody."""
    return uuid5(NOTIFICATIONS, f"{event_id}/{user_id}")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class About(BaseModel):
    """The things it is about: whatever is named here, its reader may look up as they may."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    listing_id: UUID | None = None
    item_id: UUID | None = None
    booking_id: UUID | None = None
    conversation_id: UUID | None = None
    review_id: UUID | None = None
    alert_id: UUID | None = None
    search_id: UUID | None = None
    sender_id: UUID | None = None
    sender_number: Number | None = None  # of a message, among those of its sender


class Choice(_Value):
    """How soon somebody wants to be told of a type by a channel."""

    type: NotificationType
    channel: NotificationChannel
    pace: Pace


class QuietHours(_Value):
    """From when until when, by the person's clock, no channel makes a noise. Where the end lies
    before the begin, they go over midnight.
    """

    begin: Minute
    end: Minute


class _NotificationsCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return notifications_stream(self.user_id)


class RequestNotification(_NotificationsCommand):
    """Tell somebody that something has happened. The cause is an event of the log."""

    kind: Literal["notification.request"] = "notification.request"
    notification_id: UUID
    type: NotificationType
    cause_kind: Annotated[str, TOKEN, StringConstraints(max_length=100)]
    cause_id: UUID
    about: About


class SendDueBatches(_NotificationsCommand):
    """Send what waits: the time of at least one batch has come."""

    kind: Literal["notification.send_due"] = "notification.send_due"


class SettleBatch(_NotificationsCommand):
    """Say what became of a batch that was to be sent."""

    kind: Literal["notification.settle"] = "notification.settle"
    batch_id: UUID
    channel: NotificationChannel
    outcome: Settled
    reason: Withheld | None = None


class ReadNotifications(_NotificationsCommand):
    """The person has seen one notification, or all up to one, or, where neither is said, all."""

    kind: Literal["notification.mark_read"] = "notification.mark_read"
    number: Number | None = None
    up_to: Number | None = None


class DismissMessages(_NotificationsCommand):
    """The person has read the first `up_to` messages of the other one in a conversation."""

    kind: Literal["notification.dismiss_messages"] = "notification.dismiss_messages"
    conversation_id: UUID
    up_to: Number


class ChangeNotificationPreferences(_NotificationsCommand):
    """Choose how to be told; what is not said stays as it is."""

    kind: Literal["notification.change_preferences"] = "notification.change_preferences"
    choices: Annotated[tuple[Choice, ...], Field(max_length=len(PACES))] = ()
    zone: Zone | None = None
    quiet_hours: QuietHours | None = None
    no_quiet_hours: bool = False


class CloseNotifications(_NotificationsCommand):
    """The person has left: tell them of nothing any more."""

    kind: Literal["notification.close"] = "notification.close"


NotificationsCommand: TypeAlias = (
    RequestNotification
    | SendDueBatches
    | SettleBatch
    | ReadNotifications
    | DismissMessages
    | ChangeNotificationPreferences
    | CloseNotifications
)


class _PushCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return push_stream(self.user_id)


class SubscribeToPush(_PushCommand):
    """Show notifications on one more browser or device. Its id follows from what is sealed, by a
    keyed hash: the same one again is the same.
    """

    kind: Literal["push.subscribe"] = "push.subscribe"
    subscription_id: UUID
    device: DeviceKind
    subscription_sealed: Annotated[SealedSubscription, SEALED]


class UnsubscribeFromPush(_PushCommand):
    """Show none there any more: its person does not want it, or it is gone."""

    kind: Literal["push.unsubscribe"] = "push.unsubscribe"
    subscription_id: UUID


class ClosePush(_PushCommand):
    """The person has left: nothing is shown anywhere."""

    kind: Literal["push.close"] = "push.close"


PushCommand: TypeAlias = SubscribeToPush | UnsubscribeFromPush | ClosePush


class Delivery(BaseModel):
    """What a channel does about one notification: it waits in a batch until this is due, or it is
    withheld, and why.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    channel: NotificationChannel
    batch_id: UUID | None = None
    due_at: AwareDatetime | None = None
    reason: Withheld | None = None


class _NotificationsEvent(Event):
    user_id: UUID


class _Waking(_NotificationsEvent):
    """`wakes_at`: when the first of the batches that wait then is due; None: none waits."""

    wakes_at: AwareDatetime | None = None


class NotificationRequested(_Waking):
    """Somebody is to be told of something. `rules`: the version of how that was decided."""

    kind: Literal["notification.requested"] = "notification.requested"
    notification_id: UUID
    number: Number
    type: NotificationType
    cause_kind: str
    cause_id: UUID
    about: About
    deliveries: tuple[Delivery, ...]
    rules: int = RULES
    requested_at: AwareDatetime


class Item(BaseModel):
    """One notification of a batch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    notification_id: UUID
    number: Number
    cause_kind: str
    about: About


class NotificationDue(_Waking):
    """A batch is to be sent now: of `count` notifications that were not seen yet, the last."""

    kind: Literal["notification.due"] = "notification.due"
    batch_id: UUID
    type: NotificationType
    channel: NotificationChannel
    items: tuple[Item, ...]
    count: int
    due_at: AwareDatetime


class NotificationPutOff(_Waking):
    """A batch waits until then: its person has quiet hours."""

    kind: Literal["notification.put_off"] = "notification.put_off"
    batch_id: UUID
    due_at: AwareDatetime


class NotificationSent(_NotificationsEvent):
    """A batch has been taken by whoever carries it."""

    kind: Literal["notification.sent"] = "notification.sent"
    batch_id: UUID
    channel: NotificationChannel
    sent_at: AwareDatetime


class NotificationWithheld(_Waking):
    """A batch is not sent, and why."""

    kind: Literal["notification.withheld"] = "notification.withheld"
    batch_id: UUID
    channel: NotificationChannel
    reason: Withheld
    withheld_at: AwareDatetime


class NotificationFailed(_NotificationsEvent):
    """A batch could not be sent, and will not be."""

    kind: Literal["notification.failed"] = "notification.failed"
    batch_id: UUID
    channel: NotificationChannel
    reason: Withheld
    failed_at: AwareDatetime


class NotificationsRead(_NotificationsEvent):
    """The person has seen all up to `read_to`, and those of `read_apart`, which lie behind it."""

    kind: Literal["notifications.read"] = "notifications.read"
    read_to: Annotated[int, Field(ge=0)]
    read_apart: tuple[Number, ...]
    read_at: AwareDatetime


class NotificationPreferencesChanged(_NotificationsEvent):
    """What the person has chosen, all of it; a pair that is not among `choices` is as it is where
    nothing is chosen.
    """

    kind: Literal["notification.preferences_changed"] = "notification.preferences_changed"
    choices: tuple[Choice, ...]
    zone: str
    quiet_hours: QuietHours | None = None
    changed_at: AwareDatetime


class NotificationsClosed(_Waking):
    """The person has left: nothing waits for them any more."""

    kind: Literal["notification.closed"] = "notification.closed"
    closed_at: AwareDatetime


NotificationsEvent: TypeAlias = (
    NotificationRequested
    | NotificationDue
    | NotificationPutOff
    | NotificationSent
    | NotificationWithheld
    | NotificationFailed
    | NotificationsRead
    | NotificationPreferencesChanged
    | NotificationsClosed
)


class PushSubscribed(Event):
    """Notifications are shown on one more browser or device."""

    kind: Literal["push.subscribed"] = "push.subscribed"
    user_id: UUID
    subscription_id: UUID
    device: DeviceKind
    subscription_sealed: str
    subscribed_at: AwareDatetime


class PushUnsubscribed(Event):
    """None is shown there any more; `gone`: whoever carries them says that it is there no longer."""

    kind: Literal["push.unsubscribed"] = "push.unsubscribed"
    user_id: UUID
    subscription_id: UUID
    gone: bool = False
    unsubscribed_at: AwareDatetime


PushEvent: TypeAlias = PushSubscribed | PushUnsubscribed

CONTEXT = Context(
    "notifications",
    (*get_args(NotificationsCommand), *get_args(PushCommand)),
    (*get_args(NotificationsEvent), *get_args(PushEvent)),
)
