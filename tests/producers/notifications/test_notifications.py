"""What somebody is told of, by which channel, when, and what of it is withheld, rule by rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.decider import Rejected
from producers.notifications.notifications import MESSAGES_MAX, WAITING_MAX, notifications
from producers.notifications.times import GAPS, GRACES
from schemas.log.messages import Event, Role
from schemas.notifications import (
    LISTED_MAX,
    PACES,
    READ_APART_MAX,
    About,
    ChangeNotificationPreferences,
    Choice,
    CloseNotifications,
    DismissMessages,
    NotificationChannel,
    NotificationDue,
    NotificationFailed,
    NotificationPreferencesChanged,
    NotificationPutOff,
    NotificationRequested,
    NotificationsClosed,
    NotificationSent,
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
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)  # noon in Colombo
ID = UUID(int=1)
CHAT = UUID(int=7)
MESSAGES, REVIEWS = NotificationType.MESSAGES, NotificationType.REVIEWS
EMAIL, PUSH, SMS = NotificationChannel.EMAIL, NotificationChannel.PUSH, NotificationChannel.SMS
NIGHT = QuietHours(begin=22 * 60, end=7 * 60)
spec = Spec(notifications)


def system(at: datetime = NOW) -> dict[str, Any]:
    return {"asked_at": at, "asked_by": "reaction/test", "asked_role": Role.SYSTEM}


def own(at: datetime = NOW) -> dict[str, Any]:
    return {"asked_at": at, "asked_by": str(ID), "asked_role": Role.BUYER}


def request(
    number: int, kind: NotificationType = MESSAGES, at: datetime = NOW, chat: UUID = CHAT
) -> RequestNotification:
    about = About(conversation_id=chat, sender_number=number) if kind is MESSAGES else About()
    return RequestNotification(
        user_id=ID,
        notification_id=uuid5(ID, str(number)),
        type=kind,
        cause_kind="message.sent",
        cause_id=UUID(int=number),
        about=about,
        **system(at),
    )


def send_due(at: datetime) -> SendDueBatches:
    return SendDueBatches(user_id=ID, **system(at))


def choose(
    *choices: tuple[NotificationType, NotificationChannel, Pace], at: datetime = NOW, **more: Any
) -> ChangeNotificationPreferences:
    wanted = [Choice(type=kind, channel=channel, pace=pace) for kind, channel, pace in choices]
    return ChangeNotificationPreferences(user_id=ID, choices=wanted, **more, **own(at))


def read(at: datetime = NOW, **which: int) -> ReadNotifications:
    return ReadNotifications(user_id=ID, **which, **own(at))


def told(*commands: Any) -> list[Event]:
    """All events of these commands, one after another."""
    state, events = notifications.initial, []
    for command in commands:
        for event in notifications.decide(command, state):
            state = notifications.evolve(state, event)
            events.append(event)
    return events


def of(kind: type[Event], events: Iterable[Event]) -> list[Any]:
    return [each for each in events if isinstance(each, kind)]


def by_channel(event: NotificationRequested) -> dict[NotificationChannel, Any]:
    return {each.channel: each for each in event.deliveries}


def test_NO_07_a_message_may_be_read_for_a_minute_before_a_mail_tells_of_it() -> None:
    (event,) = told(request(1))
    found = by_channel(event)
    assert found[EMAIL].due_at == NOW + timedelta(seconds=60)
    assert found[PUSH].due_at == NOW
    assert (found[SMS].batch_id, found[SMS].reason) == (None, Withheld.OFF)
    assert event.wakes_at == NOW
    assert set(found) == {channel for kind, channel in PACES if kind is MESSAGES}


def test_NO_07_what_was_read_meanwhile_is_not_told() -> None:
    at = NOW + timedelta(seconds=60)
    events = told(
        request(1),
        DismissMessages(user_id=ID, conversation_id=CHAT, up_to=1, **system()),
        send_due(at),
    )
    assert of(NotificationDue, events) == []
    withheld = of(NotificationWithheld, events)
    assert {each.channel: each.reason for each in withheld} == dict.fromkeys(
        (EMAIL, PUSH), Withheld.READ
    )


def test_NO_07_another_conversation_is_told_all_the_same() -> None:
    events = told(
        request(1),
        DismissMessages(user_id=ID, conversation_id=UUID(int=8), up_to=9, **system()),
        request(2, chat=UUID(int=8)),
        DismissMessages(user_id=ID, conversation_id=UUID(int=8), up_to=1, **system()),
        send_due(NOW + timedelta(seconds=60)),
    )
    mail = next(each for each in of(NotificationDue, events) if each.channel is EMAIL)
    assert [each.number for each in mail.items] == [1, 2]


def test_NO_01_a_thousand_at_once_are_one_mail_that_counts_a_thousand() -> None:
    events = told(
        *(request(each) for each in range(1, 1_001)), send_due(NOW + timedelta(minutes=1))
    )
    mails = [each for each in of(NotificationDue, events) if each.channel is EMAIL]
    assert [each.count for each in mails] == [1_000]
    assert [each.number for each in mails[0].items] == list(range(1_001 - LISTED_MAX, 1_001))


def test_more_than_are_kept_one_by_one_are_counted() -> None:
    more = WAITING_MAX + 5
    events = told(
        *(request(each) for each in range(1, more + 1)), send_due(NOW + timedelta(minutes=1))
    )
    mail = next(each for each in of(NotificationDue, events) if each.channel is EMAIL)
    assert mail.count == more


def test_what_comes_while_a_batch_waits_is_in_it() -> None:
    first, second = told(request(1), request(2, at=NOW + timedelta(seconds=20)))
    assert by_channel(first)[EMAIL] == by_channel(second)[EMAIL]


def test_the_next_mail_of_a_type_keeps_its_distance() -> None:
    sent = NOW + timedelta(minutes=1)
    events = told(request(1), send_due(sent), request(2, at=sent), request(3, REVIEWS, sent))
    second, third = of(NotificationRequested, events)[1:]
    assert by_channel(second)[EMAIL].due_at == sent + GAPS[EMAIL]
    assert by_channel(second)[PUSH].due_at == sent + GAPS[PUSH]
    assert by_channel(third)[EMAIL].due_at == sent


def test_what_waits_is_woken_for_at_the_first_that_is_due() -> None:
    events = told(request(1), send_due(NOW))
    (push,) = of(NotificationDue, events)
    assert (push.channel, push.wakes_at) == (PUSH, NOW + GRACES[MESSAGES, EMAIL])
    assert (
        told(request(1), send_due(NOW), send_due(NOW + timedelta(minutes=1)))[-1].wakes_at is None
    )


def test_nothing_is_due_before_its_time() -> None:
    assert told(request(1, at=NOW), send_due(NOW - timedelta(seconds=1)))[1:] == []


@pytest.mark.parametrize("pace", [Pace.OFF])
def test_NO_10_a_type_that_is_not_wanted_is_not_sent(pace: Pace) -> None:
    events = told(choose((MESSAGES, EMAIL, pace), (MESSAGES, PUSH, pace)), request(1))
    assert {each.reason for each in events[-1].deliveries} == {Withheld.OFF}
    assert events[-1].wakes_at is None


def test_NO_10_what_waits_goes_by_what_is_chosen_later() -> None:
    events = told(
        request(1), choose((MESSAGES, EMAIL, Pace.OFF)), send_due(NOW + timedelta(minutes=1))
    )
    assert [each.channel for each in of(NotificationDue, events)] == [PUSH]
    assert [(each.channel, each.reason) for each in of(NotificationWithheld, events)] == [
        (EMAIL, Withheld.OFF)
    ]


def test_NO_10_never_at_once_and_in_a_digest() -> None:
    events = told(
        request(1, REVIEWS),
        choose((REVIEWS, EMAIL, Pace.DAILY)),
        request(2, REVIEWS),
        send_due(NOW),
        request(3, REVIEWS),
    )
    (mail,) = [each for each in of(NotificationDue, events) if each.channel is EMAIL]
    assert [each.number for each in mail.items] == [1, 2]
    at_nine = datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
    assert by_channel(events[-1])[EMAIL].due_at == at_nine


@pytest.mark.parametrize(
    "choice",
    [
        (MESSAGES, SMS, Pace.DAILY),
        (MESSAGES, PUSH, Pace.DAILY),
        (NotificationType.SEARCH_ALERTS, EMAIL, Pace.OFF),
    ],
)
def test_NO_10_a_pace_that_is_not_offered_is_refused(
    choice: tuple[NotificationType, NotificationChannel, Pace],
) -> None:
    spec.when(choose(choice)).refused("invalid_field", 422, [f"/types/{choice[0]}/{choice[1]}"])


def test_NO_10_quiet_hours_that_end_when_they_begin_are_refused() -> None:
    quiet = QuietHours(begin=60, end=60)
    spec.when(choose(quiet_hours=quiet)).refused("invalid_field", 422, ["/quiet_hours"])


def test_NO_10_what_is_chosen_is_told_whole_and_once() -> None:
    first, second = choose((MESSAGES, EMAIL, Pace.DAILY), quiet_hours=NIGHT), choose(zone="UTC")
    events = told(first, second, second)
    assert [type(each) for each in events] == [NotificationPreferencesChanged] * 2
    last = events[-1]
    assert last.choices == (Choice(type=MESSAGES, channel=EMAIL, pace=Pace.DAILY),)
    assert (last.zone, last.quiet_hours) == ("UTC", NIGHT)
    (ended,) = told(first, choose(no_quiet_hours=True))[1:]
    assert ended.quiet_hours is None


def test_NO_10_quiet_hours_hold_back_what_would_be_sent() -> None:
    midnight = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)
    morning = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    events = told(choose(quiet_hours=NIGHT), request(1, at=midnight), request(2, at=midnight))
    assert {each.due_at for each in events[-1].deliveries if each.batch_id} == {morning}
    sent = told(
        choose(quiet_hours=NIGHT),
        request(1, at=midnight),
        request(2, at=midnight),
        send_due(morning),
    )
    assert {each.channel: each.count for each in of(NotificationDue, sent)} == {EMAIL: 2, PUSH: 2}


def test_NO_10_quiet_hours_that_are_chosen_later_hold_back_what_waits() -> None:
    late = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)
    events = told(
        request(1, at=late),
        choose(quiet_hours=NIGHT, at=late),
        send_due(late + timedelta(minutes=1)),
    )
    morning = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    assert {(each.due_at, each.wakes_at) for each in of(NotificationPutOff, events)} == {
        (morning, morning)
    }
    assert of(NotificationDue, events) == []


def test_NO_09_what_is_read_stays_read() -> None:
    history = [request(each) for each in (1, 2, 3)]
    (second,) = told(*history, read(number=2))[3:]
    assert (second.read_to, second.read_apart) == (0, (2,))
    (first,) = told(*history, read(number=2), read(number=1), read(number=1))[4:]
    assert (first.read_to, first.read_apart) == (2, ())
    (everything,) = told(*history, read(number=3), read())[4:]
    assert (everything.read_to, everything.read_apart) == (3, ())
    assert told(*history, read(up_to=2), read(up_to=1))[4:] == []


def test_NO_09_what_is_not_there_is_not_read() -> None:
    spec.given(*told(request(1))).when(read(number=2)).refused("notification_unknown", 404)
    (event,) = told(request(1), read(up_to=99))[1:]
    assert event.read_to == 1


def test_NO_09_how_many_are_read_apart_is_bounded() -> None:
    count = 2 * READ_APART_MAX + 4
    history = told(*(request(each, REVIEWS) for each in range(1, count + 1)))
    reads = [read(number=each) for each in range(2, count, 2)][:READ_APART_MAX]
    state = notifications.fold(history)
    for each in reads:
        for event in notifications.decide(each, state):
            state = notifications.evolve(state, event)
    with pytest.raises(Rejected, match="read_apart_full"):
        notifications.decide(read(number=count), state)
    assert notifications.decide(read(up_to=count), state)


def test_a_chat_that_is_read_dismisses_as_many_as_may_be_read_apart() -> None:
    count = READ_APART_MAX + 10
    other = UUID(int=8)
    history = told(request(1, chat=other), *(request(each) for each in range(2, count + 2)))
    state = notifications.fold(history)
    dismissal = DismissMessages(user_id=ID, conversation_id=CHAT, up_to=count + 1, **system())
    (event,) = notifications.decide(dismissal, state)
    assert len(event.read_apart) == READ_APART_MAX


def test_which_messages_unread_ones_tell_of_is_bounded() -> None:
    state = notifications.fold(told(*(request(each) for each in range(1, MESSAGES_MAX + 11))))
    assert len(state.messages) == MESSAGES_MAX
    assert (
        len(notifications.evolve(state, told(*(request(1),), read())[-1]).messages) == MESSAGES_MAX
    )


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_nobody_reads_or_chooses_for_others(role: Role) -> None:
    for command in (read(), choose(zone="UTC")):
        other = command.model_copy(update={"asked_by": str(UUID(int=2)), "asked_role": role})
        spec.given(*told(request(1))).when(other).refused("not_yours", 403)


@pytest.mark.parametrize(
    "command",
    [
        request(1),
        send_due(NOW),
        CloseNotifications(user_id=ID, **system()),
        DismissMessages(user_id=ID, conversation_id=CHAT, up_to=1, **system()),
        SettleBatch(user_id=ID, batch_id=ID, channel=EMAIL, outcome=Settled.SENT, **system()),
    ],
    ids=lambda each: each.kind,
)
def test_nobody_tells_themselves_or_others_of_anything(command: Any) -> None:
    asked = command.model_copy(update={"asked_by": str(ID), "asked_role": Role.ADMIN})
    spec.when(asked).refused("not_yours", 403)


def test_a_batch_is_settled_once() -> None:
    (due,) = of(NotificationDue, told(request(1, REVIEWS), send_due(NOW)))[:1]
    settle = SettleBatch(
        user_id=ID, batch_id=due.batch_id, channel=due.channel, outcome=Settled.SENT, **system()
    )
    events = told(request(1, REVIEWS), settle, send_due(NOW), settle, settle)
    assert len(of(NotificationSent, events)) == 1


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Settled.SENT, NotificationSent),
        (Settled.WITHHELD, NotificationWithheld),
        (Settled.FAILED, NotificationFailed),
    ],
)
def test_what_became_of_a_batch_is_told(outcome: Settled, kind: type[Event]) -> None:
    history = told(request(1, REVIEWS), send_due(NOW), request(2, REVIEWS))
    due = of(NotificationDue, history)[0]
    settle = SettleBatch(
        user_id=ID, batch_id=due.batch_id, channel=due.channel, outcome=outcome, **system()
    )
    (event,) = notifications.decide(settle, notifications.fold(history))
    assert (type(event), event.batch_id) == (kind, due.batch_id)
    if kind is NotificationWithheld:
        # Its timer must not forget what waits besides.
        assert event.wakes_at == history[-1].wakes_at is not None


def test_NO_11_whoever_has_left_is_told_of_nothing() -> None:
    closed = told(request(1), CloseNotifications(user_id=ID, **system()))
    assert isinstance(closed[-1], NotificationsClosed)
    assert closed[-1].wakes_at is None
    for command in (request(2), send_due(NOW + timedelta(days=1)), read(), choose(zone="UTC")):
        spec.given(*closed).when(command).then()


PAUSES = (0, 10, 45, 600, 4_000, 40_000)  # seconds
_MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("request"), st.sampled_from(list(NotificationType))),
        st.tuples(st.just("choose"), st.sampled_from(sorted(PACES))),
        st.tuples(st.just("quiet"), st.integers(0, 1_438)),
        st.tuples(st.just("read"), st.integers(0, 3)),
        st.tuples(st.just("settle"), st.sampled_from(list(Settled))),
    ),
    max_size=40,
)


@given(moves=_MOVES, pauses=st.lists(st.sampled_from(PAUSES), min_size=40, max_size=40))
def test_NO_10_NO_11_by_each_channel_everything_ends_in_exactly_one_way(
    moves: Sequence[tuple[str, Any]], pauses: Sequence[int]
) -> None:
    """Whatever is chosen, read and said meanwhile: each notification is, by each channel of its
    type, withheld at once or in one batch, and each batch is sent, withheld or failed once.
    """
    desk, now = _Desk(), NOW
    for (move, value), pause in zip(moves, pauses, strict=False):
        desk.wake(now)
        desk.do(move, value, now)
        now += timedelta(seconds=pause)
    for _ in range(3):  # quiet hours may put a batch off
        now += timedelta(days=2)
        desk.wake(now)
    desk.settle_all(Settled.SENT, now)
    ended: dict[UUID, list[str]] = defaultdict(list)
    for each in desk.events:
        if isinstance(each, NotificationSent | NotificationWithheld | NotificationFailed):
            ended[each.batch_id].append(each.kind)
    for event in of(NotificationRequested, desk.events):
        expected = [channel for kind, channel in PACES if kind is event.type]
        assert [each.channel for each in event.deliveries] == expected
        for each in event.deliveries:
            assert (each.batch_id is None) is (each.reason is not None)
            assert each.batch_id is None or len(ended[each.batch_id]) == 1
    assert desk.state.waiting == {}
    assert desk.state.under_way == frozenset()


class _Desk:
    """A person's notifications, their timer and whoever sends."""

    def __init__(self) -> None:
        self.state, self.events, self.wakes_at, self.count = notifications.initial, [], None, 0

    def tell(self, command: Any) -> None:
        for event in notifications.decide(command, self.state):
            self.state = notifications.evolve(self.state, event)
            self.events.append(event)
            if hasattr(event, "wakes_at"):
                self.wakes_at = event.wakes_at

    def wake(self, now: datetime) -> None:
        if self.wakes_at is not None and self.wakes_at <= now:
            self.tell(send_due(now))

    def do(self, move: str, value: Any, now: datetime) -> None:
        match move:
            case "request":
                self.count += 1
                self.tell(request(self.count, value, now))
            case "choose":
                self.tell(choose((*value, PACES[value][-1]), at=now))
            case "quiet":
                self.tell(choose(quiet_hours=QuietHours(begin=value, end=value + 1), at=now))
            case "read" if self.count > value:
                self.tell(read(now, up_to=self.count - value))
            case "settle":
                self.settle_all(value, now)

    def settle_all(self, outcome: Settled, now: datetime) -> None:
        for due in of(NotificationDue, self.events):
            if due.batch_id in self.state.under_way:
                named = {"batch_id": due.batch_id, "channel": due.channel, "outcome": outcome}
                self.tell(SettleBatch(user_id=ID, **named, **system(now)))
