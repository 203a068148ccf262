"""What may happen to somebody's notifications: they are requested by what happens, gathered in
batches, sent when these are due, and seen by their person, who says how they want it.

Whatever is asked for once is told once by each channel, or withheld for one reason. All of it is
decided here, in the order of the log, but for what only the outside knows: whether the person is
there, and whether whoever carries it takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from producers.notifications.times import GAPS, GRACES, NINE, after_quiet, is_quiet, next_at
from schemas.log.messages import Fault, Role
from schemas.notifications import (
    LISTED_MAX,
    PACES,
    READ_APART_MAX,
    ZONE,
    ChangeNotificationPreferences,
    Choice,
    CloseNotifications,
    Delivery,
    DismissMessages,
    Item,
    NotificationChannel,
    NotificationDue,
    NotificationFailed,
    NotificationPreferencesChanged,
    NotificationPutOff,
    NotificationRequested,
    NotificationsClosed,
    NotificationsCommand,
    NotificationSent,
    NotificationsEvent,
    NotificationsRead,
    NotificationType,
    NotificationWithheld,
    Pace,
    QuietHours,
    ReadNotifications,
    RequestNotification,
    SendDueBatches,
    SettleBatch,
    Settled,
    Withheld,
    batch_id_of,
)

WAITING_MAX = 1_000  # of one batch that are kept one by one; of others it is counted that they are
MESSAGES_MAX = 1_000  # unread ones of which is known which message they tell of, the last

Pair = tuple[NotificationType, NotificationChannel]


@dataclass(frozen=True)
class Batch:
    """What waits to be told together, the first first; `more`: of older ones only how many."""

    batch_id: UUID
    pair: Pair
    due_at: datetime
    items: tuple[Item, ...] = ()
    more: int = 0

    def with_item(self, item: Item) -> Batch:
        """One more waits."""
        items = (*self.items, item)
        dropped = max(len(items) - WAITING_MAX, 0)
        return replace(self, items=items[dropped:], more=self.more + dropped)


@dataclass(frozen=True)
class Notifications:
    """What somebody has been told, what waits for them, and how they want it. `waiting`: at most
    one batch a type and channel. `sent_at`: when the last batch of each was due.
    """

    last_number: int = 0
    read_to: int = 0
    read_apart: frozenset[int] = frozenset()
    messages: tuple[Item, ...] = ()
    waiting: Mapping[Pair, Batch] = field(default_factory=dict)
    under_way: frozenset[UUID] = frozenset()
    sent_at: Mapping[Pair, datetime] = field(default_factory=dict)
    choices: Mapping[Pair, Pace] = field(default_factory=dict)
    zone: str = ZONE
    quiet_hours: QuietHours | None = None
    closed: bool = False

    def pace(self, pair: Pair) -> Pace:
        """How soon they want to be told of this type by this channel."""
        return self.choices.get(pair, PACES[pair][0])

    def is_read(self, number: int) -> bool:
        """Whether they have seen this one."""
        return number <= self.read_to or number in self.read_apart


def decide(command: NotificationsCommand, state: Notifications) -> Sequence[NotificationsEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    own = isinstance(command, ReadNotifications | ChangeNotificationPreferences)
    if command.asked_role is not Role.SYSTEM and not (own and _asks_for_oneself(command)):
        raise Rejected("not_yours", 403)
    if state.closed:
        return []
    match command:
        case RequestNotification():
            return [request(command, state)]
        case SendDueBatches():
            return send_due(command, state)
        case SettleBatch():
            return settle(command, state)
        case ReadNotifications():
            return read(command, state)
        case DismissMessages():
            return dismiss(command, state)
        case ChangeNotificationPreferences():
            return change(command, state)
        case CloseNotifications():
            return [NotificationsClosed(user_id=command.user_id, closed_at=command.asked_at)]
        case _:
            assert_never(command)


def _asks_for_oneself(command: NotificationsCommand) -> bool:
    return command.asked_by == str(command.user_id)


def request(command: RequestNotification, state: Notifications) -> NotificationRequested:
    """Each channel of its type has it in the batch that waits, or in a new one, unless the person
    does not want that.
    """
    pairs = [pair for pair in PACES if pair[0] is command.type]
    deliveries = tuple(_delivery(command, state, pair) for pair in pairs)
    dues = [batch.due_at for batch in state.waiting.values()]
    dues += [each.due_at for each in deliveries if each.due_at]
    return NotificationRequested(
        user_id=command.user_id,
        notification_id=command.notification_id,
        number=state.last_number + 1,
        type=command.type,
        cause_kind=command.cause_kind,
        cause_id=command.cause_id,
        about=command.about,
        deliveries=deliveries,
        requested_at=command.asked_at,
        wakes_at=min(dues, default=None),
    )


def _delivery(command: RequestNotification, state: Notifications, pair: Pair) -> Delivery:
    channel = pair[1]
    if state.pace(pair) is Pace.OFF:
        return Delivery(channel=channel, reason=Withheld.OFF)
    batch = state.waiting.get(pair)
    if batch is not None:
        return Delivery(channel=channel, batch_id=batch.batch_id, due_at=batch.due_at)
    batch_id = batch_id_of(command.notification_id, channel)
    return Delivery(channel=channel, batch_id=batch_id, due_at=_due(state, pair, command.asked_at))


def _due(state: Notifications, pair: Pair, moment: datetime) -> datetime:
    """When a batch is due that begins now."""
    if state.pace(pair) is Pace.DAILY:
        due = next_at(moment, state.zone, NINE)
    else:
        due = moment + GRACES[pair] if pair in GRACES else moment
        if (last := state.sent_at.get(pair)) is not None:
            due = max(due, last + GAPS[pair[1]])
    return after_quiet(due, state.zone, state.quiet_hours)


def send_due(command: SendDueBatches, state: Notifications) -> Sequence[NotificationsEvent]:
    """Each batch whose time has come is sent, unless it is quiet now, all of it has been seen, or
    the person does not want it any more.
    """
    now, found = command.asked_at, []
    left = dict(state.waiting)
    for pair, batch in state.waiting.items():
        if batch.due_at <= now:
            event = _sent_now(command, state, batch)
            found.append(event)
            del left[pair]
            if isinstance(event, NotificationPutOff):
                left[pair] = replace(batch, due_at=event.due_at)
    wakes_at = min((batch.due_at for batch in left.values()), default=None)
    return [each.model_copy(update={"wakes_at": wakes_at}) for each in found]


def _sent_now(
    command: SendDueBatches, state: Notifications, batch: Batch
) -> NotificationDue | NotificationPutOff | NotificationWithheld:
    user_id, now = command.user_id, command.asked_at
    unread = [each for each in batch.items if not state.is_read(each.number)]
    off = state.pace(batch.pair) is Pace.OFF
    if off or not unread:
        return NotificationWithheld(
            user_id=user_id,
            batch_id=batch.batch_id,
            channel=batch.pair[1],
            reason=Withheld.OFF if off else Withheld.READ,
            withheld_at=now,
        )
    if is_quiet(now, state.zone, state.quiet_hours):
        until = after_quiet(now, state.zone, state.quiet_hours)
        return NotificationPutOff(user_id=user_id, batch_id=batch.batch_id, due_at=until)
    return NotificationDue(
        user_id=user_id,
        batch_id=batch.batch_id,
        type=batch.pair[0],
        channel=batch.pair[1],
        items=tuple(unread[-LISTED_MAX:]),
        count=len(unread) + batch.more,
        due_at=now,
    )


def settle(command: SettleBatch, state: Notifications) -> Sequence[NotificationsEvent]:
    """Once a batch."""
    if command.batch_id not in state.under_way:
        return []
    named = {
        "user_id": command.user_id,
        "batch_id": command.batch_id,
        "channel": command.channel,
    }
    reason = command.reason or Withheld.REFUSED
    match command.outcome:
        case Settled.SENT:
            return [NotificationSent(**named, sent_at=command.asked_at)]
        case Settled.WITHHELD:
            return [
                NotificationWithheld(
                    **named,
                    reason=reason,
                    withheld_at=command.asked_at,
                    wakes_at=_wakes_at(state),
                )
            ]
        case Settled.FAILED:
            return [NotificationFailed(**named, reason=reason, failed_at=command.asked_at)]
        case _:
            assert_never(command.outcome)


def _wakes_at(state: Notifications) -> datetime | None:
    return min((batch.due_at for batch in state.waiting.values()), default=None)


def read(command: ReadNotifications, state: Notifications) -> Sequence[NotificationsEvent]:
    """What has been seen stays seen."""
    if command.number is not None:
        if command.number > state.last_number:
            raise Rejected("notification_unknown", 404)
        return _seen(command, state, state.read_to, {command.number})
    up_to = state.last_number if command.up_to is None else command.up_to
    return _seen(command, state, min(up_to, state.last_number), ())


def dismiss(command: DismissMessages, state: Notifications) -> Sequence[NotificationsEvent]:
    """Whoever has read a message needs not be told of it; as many as may be read apart."""
    numbers = [
        each.number
        for each in state.messages
        if each.about.conversation_id == command.conversation_id
        and (each.about.sender_number or 0) <= command.up_to
    ]
    room = READ_APART_MAX - len(state.read_apart)
    return _seen(command, state, state.read_to, numbers[:room])


def _seen(
    command: ReadNotifications | DismissMessages,
    state: Notifications,
    read_to: int,
    numbers: Iterable[int],
) -> Sequence[NotificationsEvent]:
    read_to = max(read_to, state.read_to)
    apart = frozenset(each for each in {*state.read_apart, *numbers} if each > read_to)
    while read_to + 1 in apart:
        read_to += 1
        apart -= {read_to}
    if len(apart) > READ_APART_MAX:
        raise Rejected("read_apart_full")
    if (read_to, apart) == (state.read_to, state.read_apart):
        return []
    return [
        NotificationsRead(
            user_id=command.user_id,
            read_to=read_to,
            read_apart=tuple(sorted(apart)),
            read_at=command.asked_at,
        )
    ]


def change(
    command: ChangeNotificationPreferences, state: Notifications
) -> Sequence[NotificationsEvent]:
    """What is said anew, with the rest as it was."""
    faults = [*_faults(command.choices)]
    quiet = None if command.no_quiet_hours else command.quiet_hours or state.quiet_hours
    if quiet is not None and quiet.begin == quiet.end:
        faults.append(Fault(pointer="/quiet_hours", detail="end when they begin: leave them out"))
    if faults:
        raise Rejected("invalid_field", 422, faults)
    choices = {
        **state.choices,
        **{(each.type, each.channel): each.pace for each in command.choices},
    }
    zone = command.zone or state.zone
    if (choices, zone, quiet) == (state.choices, state.zone, state.quiet_hours):
        return []
    return [
        NotificationPreferencesChanged(
            user_id=command.user_id,
            choices=tuple(
                Choice(type=pair[0], channel=pair[1], pace=choices[pair])
                for pair in PACES
                if pair in choices
            ),
            zone=zone,
            quiet_hours=quiet,
            changed_at=command.asked_at,
        )
    ]


def _faults(choices: Iterable[Choice]) -> Iterator[Fault]:
    for each in choices:
        offered = PACES.get((each.type, each.channel), ())
        if each.pace not in offered:
            detail = f"can be {', '.join(offered)}" if offered else "is not told by this channel"
            yield Fault(pointer=f"/types/{each.type}/{each.channel}", detail=detail)


def evolve(state: Notifications, event: NotificationsEvent) -> Notifications:
    """The notifications after the event."""
    match event:
        case NotificationRequested():
            return _requested(state, event)
        case NotificationDue():
            sent_at = {**state.sent_at, (event.type, event.channel): event.due_at}
            under_way = state.under_way | {event.batch_id}
            return replace(_without(state, event.batch_id), sent_at=sent_at, under_way=under_way)
        case NotificationPutOff():
            return _put_off(state, event)
        case NotificationSent() | NotificationFailed() | NotificationWithheld():
            state = _without(state, event.batch_id)
            return replace(state, under_way=state.under_way - {event.batch_id})
        case NotificationsRead():
            return _read(state, event)
        case NotificationPreferencesChanged():
            chosen = {(each.type, each.channel): each.pace for each in event.choices}
            return replace(state, choices=chosen, zone=event.zone, quiet_hours=event.quiet_hours)
        case NotificationsClosed():
            return Notifications(closed=True)
        case _:
            assert_never(event)


def _requested(state: Notifications, event: NotificationRequested) -> Notifications:
    item = Item(
        notification_id=event.notification_id,
        number=event.number,
        cause_kind=event.cause_kind,
        about=event.about,
    )
    waiting = dict(state.waiting)
    for each in event.deliveries:
        if each.batch_id is not None and each.due_at is not None:
            pair = (event.type, each.channel)
            batch = waiting.get(pair) or Batch(each.batch_id, pair, each.due_at)
            waiting[pair] = batch.with_item(item)
    messages = state.messages
    if event.type is NotificationType.MESSAGES:
        messages = (*messages, item)[-MESSAGES_MAX:]
    return replace(state, last_number=event.number, waiting=waiting, messages=messages)


def _without(state: Notifications, batch_id: UUID) -> Notifications:
    waiting = {pair: batch for pair, batch in state.waiting.items() if batch.batch_id != batch_id}
    return replace(state, waiting=waiting)


def _put_off(state: Notifications, event: NotificationPutOff) -> Notifications:
    waiting = {
        pair: replace(batch, due_at=event.due_at) if batch.batch_id == event.batch_id else batch
        for pair, batch in state.waiting.items()
    }
    return replace(state, waiting=waiting)


def _read(state: Notifications, event: NotificationsRead) -> Notifications:
    state = replace(state, read_to=event.read_to, read_apart=frozenset(event.read_apart))
    messages = tuple(each for each in state.messages if not state.is_read(each.number))
    return replace(state, messages=messages)


notifications: Decider[NotificationsCommand, Notifications, NotificationsEvent] = Decider(
    initial=Notifications(), decide=decide, evolve=evolve
)
