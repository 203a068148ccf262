"""What becomes of a batch that is due: it is carried, or it is said why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.exceptions import RedisError

from infra.channels.errors import (
    ChannelDeferredError,
    ChannelRefusedError,
    ChannelUnavailableError,
    GoneError,
)
from infra.channels.mail import EFFECT_HEADER
from infra.channels.push import PushMessage, WebSubscription
from infra.channels.subscriptions import sealed
from infra.heartbeats import Presence
from infra.vault.vault import PersonKey
from processors.reactions.mailing import notifications, pushing
from processors.reactions.mailing.notifications import NEWS_FOR, Line, send_batch
from projections.profiles.user_preferences import UserPreferences
from schemas.identity import UserStatus
from schemas.log.messages import Command
from schemas.notifications import (
    About,
    Item,
    NotificationChannel,
    NotificationDue,
    NotificationType,
    SettleBatch,
    Settled,
    UnsubscribeFromPush,
    Withheld,
)
from tests.outbox import Outbox, text_of
from tests.processors.reactions.mailing.test_mails import Person, recorded, tools

NOW = datetime.now(UTC)
LINE = Line("message.sent", "Anna", "A car", 2, "https://market.example.org/messages/x")


@dataclass
class Asked:
    """The commands that were sent."""

    commands: list[Command] = field(default_factory=list)

    async def send(self, _name: str, _recorded: Any, commands: Iterable[Command]) -> None:
        self.commands += commands


@dataclass
class Pushed:
    """A sender whose services answer as told, by endpoint."""

    answers: Mapping[str, Exception] = field(default_factory=dict)
    sent: list[tuple[str, PushMessage, UUID]] = field(default_factory=list)
    kinds: frozenset[str] = frozenset({"web"})

    async def send(self, message: PushMessage, subscription: Any, effect_id: UUID) -> None:
        if (error := self.answers.get(subscription.endpoint)) is not None:
            raise error
        self.sent.append((subscription.endpoint, message, effect_id))


@dataclass
class There:
    """Says of everybody that they are there, or not, or that nobody knows."""

    online: bool = False
    error: Exception | None = None

    async def look(self, marks: Mapping[str, str]) -> Mapping[str, Presence]:
        if self.error is not None:
            raise self.error
        return {each: Presence(online=self.online) for each in marks}


class Refusing:
    """A mail server that takes nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def send(self, *_: Any) -> None:
        raise self.error


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: Any) -> Sequence[Line]:
        return [LINE]

    monkeypatch.setattr(notifications, "lines_of", found)


def due(
    person: Person, channel: NotificationChannel = NotificationChannel.EMAIL, **changes: Any
) -> Any:
    item = Item(
        notification_id=uuid4(), number=4, cause_kind="message.sent", about=About(sender_number=1)
    )
    event = NotificationDue(
        user_id=person.user_id,
        batch_id=UUID(int=77),
        type=NotificationType.MESSAGES,
        channel=channel,
        items=(item,),
        count=9,
        due_at=NOW,
    )
    return recorded(event.model_copy(update=changes), version=5)


def somebody(**changes: Any) -> Person:
    person = Person()
    assert person.row is not None
    person.row |= {"status": UserStatus.ACTIVE, "email_verified": True, **changes}
    return person


async def settled(event: Any, person: Person, mailer: Any, **more: Any) -> list[Any]:
    """What was asked for; most of all, what became of the batch."""
    asked, more = Asked(), {"heartbeats": There(), **more}
    await send_batch(event, replace(tools(person, mailer), commands=asked, **more))
    return asked.commands


def outcome(commands: Sequence[Any]) -> tuple[Settled, Withheld | None]:
    (command,) = [each for each in commands if isinstance(each, SettleBatch)]
    assert command.batch_id == UUID(int=77)
    return command.outcome, command.reason


async def test_NO_01_a_batch_is_one_mail_that_says_how_many_there_are() -> None:
    person, outbox = somebody(), Outbox()
    assert outcome(await settled(due(person), person, outbox)) == (Settled.SENT, None)
    (mail,) = outbox.sent
    assert mail["Subject"] == "9 new messages"
    assert "Anna · A car · 2" in text_of(mail)
    assert "And 8 more" in text_of(mail)
    assert "/notifications/" in text_of(mail)
    assert "/why" in text_of(mail)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_NO_01_what_is_sent_again_after_a_crash_has_the_same_id() -> None:
    """Between the server's yes and the log nothing can be known: the same mail goes out again, and
    both copies say that they are one.
    """
    person, outbox = somebody(), Outbox()
    event = due(person)
    for _ in range(2):
        assert outcome(await settled(event, person, outbox)) == (Settled.SENT, None)
    assert len(outbox.sent) == 2
    assert {each[EFFECT_HEADER] for each in outbox.sent} == {str(UUID(int=77))}
    assert len({each["Message-ID"] for each in outbox.sent}) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"email_verified": False}, Withheld.NO_ADDRESS),
        ({"status": UserStatus.BANNED}, Withheld.GONE),
        ({"status": UserStatus.DELETED}, Withheld.GONE),
        ({"status": UserStatus.DEACTIVATED}, Withheld.GONE),
    ],
)
async def test_NO_01_whoever_is_not_to_be_told_is_not(row: Any, reason: Withheld) -> None:
    person, outbox = somebody(**row), Outbox()
    assert outcome(await settled(due(person), person, outbox)) == (Settled.WITHHELD, reason)
    assert outbox.sent == []


async def test_NO_07_whoever_is_there_is_told_of_messages_by_their_socket_alone() -> None:
    person, outbox = somebody(), Outbox()
    for channel in NotificationChannel:
        found = await settled(
            due(person, channel), person, outbox, push=Pushed(), heartbeats=There(online=True)
        )
        if channel is not NotificationChannel.SMS:  # which nobody wants who has not said so
            assert outcome(found) == (Settled.WITHHELD, Withheld.ONLINE)
    assert outbox.sent == []
    news = due(person, type=NotificationType.REVIEWS)
    found = await settled(news, person, outbox, heartbeats=There(online=True))
    assert outcome(found) == (Settled.SENT, None)


async def test_NO_07_where_nobody_knows_who_is_there_people_are_told() -> None:
    person, outbox = somebody(), Outbox()
    found = await settled(due(person), person, outbox, heartbeats=There(error=RedisError()))
    assert outcome(found) == (Settled.SENT, None)


async def test_NO_10_the_switches_stand_above_all() -> None:
    for channel, chosen in (
        (NotificationChannel.EMAIL, {"email_notifications": False}),
        (NotificationChannel.EMAIL, {"notifications": False}),
        (NotificationChannel.PUSH, {"push_notifications": False}),
        (NotificationChannel.SMS, {"sms_notifications": False}),
    ):
        person, outbox = somebody(), Outbox()
        preferences = UserPreferences(user_id=str(person.user_id), **chosen)
        person.preferences = {
            name: getattr(preferences, name) for name in UserPreferences.__dataclass_fields__
        }
        found = await settled(due(person, channel), person, outbox, push=Pushed())
        assert outcome(found) == (Settled.WITHHELD, Withheld.OFF)
        assert outbox.sent == []


async def test_NO_11_whoever_was_erased_is_not_told_what_waited() -> None:
    person, outbox = somebody(), Outbox()
    person.key = None
    assert outcome(await settled(due(person), person, outbox)) == (Settled.WITHHELD, Withheld.GONE)
    assert outbox.sent == []


async def test_NO_01_what_could_not_be_sent_for_days_is_no_news() -> None:
    person, outbox = somebody(), Outbox()
    event = due(person, due_at=NOW - NEWS_FOR - timedelta(minutes=1))
    assert outcome(await settled(event, person, outbox)) == (Settled.WITHHELD, Withheld.LATE)
    assert outbox.sent == []


async def test_NO_01_what_is_refused_has_failed_and_what_is_down_is_tried_again() -> None:
    person = somebody()
    refused = Refusing(ChannelRefusedError("no"))
    assert outcome(await settled(due(person), person, refused)) == (
        Settled.FAILED,
        Withheld.REFUSED,
    )
    for error in (ChannelUnavailableError("down"), ChannelDeferredError("later")):
        with pytest.raises(type(error)):
            await settled(due(person), person, Refusing(error))


@pytest.fixture
def subscribe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has somebody subscribe these endpoints."""

    def made(key: PersonKey, *endpoints: str) -> None:
        async def rows(*_: Any) -> Sequence[Mapping[str, Any]]:
            return [
                {
                    "id": str(UUID(int=place)),
                    "device": "web",
                    "subscription_sealed": sealed(key, WebSubscription(each, "p", "a")),
                }
                for place, each in enumerate(endpoints, 1)
            ]

        monkeypatch.setattr(pushing.push_subscriptions, "of_person", rows)

    return made


async def test_NO_03_a_dead_subscription_is_dropped_and_the_others_are_shown_it(
    subscribe: Any,
) -> None:
    person, push = somebody(email_verified=False), Pushed({"https://a": GoneError("410")})
    subscribe(person.key, "https://a", "https://b")
    found = await settled(due(person, NotificationChannel.PUSH), person, Outbox(), push=push)
    assert outcome(found) == (Settled.SENT, None)
    ((endpoint, message, effect_id),) = push.sent
    assert (endpoint, effect_id) == ("https://b", UUID(int=77))
    assert (message.title, message.body) == ("9 new messages", "Anna · A car")
    (dropped,) = [each for each in found if isinstance(each, UnsubscribeFromPush)]
    assert dropped.subscription_id == UUID(int=1)


async def test_NO_03_one_browsers_trouble_is_none_of_the_others(subscribe: Any) -> None:
    person = somebody()
    subscribe(person.key, "https://a", "https://b")
    late = Pushed({"https://a": ChannelDeferredError("429")})
    found = await settled(due(person, NotificationChannel.PUSH), person, Outbox(), push=late)
    assert outcome(found) == (Settled.SENT, None)
    all_late = Pushed(dict.fromkeys(("https://a", "https://b"), ChannelDeferredError("429")))
    with pytest.raises(ChannelDeferredError):
        await settled(due(person, NotificationChannel.PUSH), person, Outbox(), push=all_late)
    all_gone = Pushed(dict.fromkeys(("https://a", "https://b"), GoneError("410")))
    found = await settled(due(person, NotificationChannel.PUSH), person, Outbox(), push=all_gone)
    assert outcome(found) == (Settled.WITHHELD, Withheld.NO_ADDRESS)


async def test_NO_03_without_anybody_who_carries_it_it_says_so(subscribe: Any) -> None:
    person = somebody()
    subscribe(person.key, "https://a")
    none = Pushed(kinds=frozenset())
    found = await settled(due(person, NotificationChannel.PUSH), person, Outbox(), push=none)
    assert outcome(found) == (Settled.WITHHELD, Withheld.NOT_SET_UP)
