"""What follows from bookings, and what they follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from processors.reacting.effects import Tools
from processors.reactions.bookings.ending import END_BOOKINGS
from processors.reactions.reactor import REACTIONS
from schemas.bookings import (
    BookingExpired,
    BookingReason,
    CloseBookings,
    EndBookingsOf,
    bookings_stream,
)
from schemas.identity import UserDeleted, user_stream
from schemas.items import ItemStatus, SettleItemBooking, item_stream
from schemas.log.messages import Command, Event, Role
from schemas.messaging import NoticeKind, PostNotice, conversation_id_of
from schemas.wallet import RefundReason, RefundTokens, contact_of
from tests.producers.bookings.test_bookings import (
    ACCEPTED,
    ANOTHER,
    ITEM,
    NOW,
    SELLER,
    about,
    accepted,
    booking,
    buyer,
    cancelled,
    completed,
    rejected,
    requested,
)
from tests.producers.test_items import DELETED
from tests.projections.history import recorded

LEFT_BY, OFF, GONE = BookingReason.BUYER_LEFT, BookingReason.BY_BUYER, BookingReason.ITEM_DELETED
EXPIRED = BookingExpired(**about(1), expired_at=NOW)


def following(name: str, event: Event, version: int = 2, stream: str = "") -> list[Command]:
    (reaction,) = (each for each in REACTIONS if each.name == name)
    if not isinstance(event, reaction.hears):
        return []
    told = recorded(stream or bookings_stream(ITEM), version, event)
    return [each.command for each in reaction.envelopes(told)]


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (accepted(1), ItemStatus.RESERVED),
        (cancelled(1, OFF, ACCEPTED), ItemStatus.ACTIVE),
        (completed, ItemStatus.SOLD),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_BK_02_the_item_follows_its_bookings_by_their_order(
    event: Event, outcome: ItemStatus
) -> None:
    (command,) = following("settle_item", event, version=7)
    assert isinstance(command, SettleItemBooking)
    assert (command.stream_id, command.booking_id) == (item_stream(ITEM), booking(1))
    assert (command.turn, command.outcome) == (7, outcome)


@pytest.mark.parametrize("event", [requested(1), rejected(1), cancelled(1, OFF), EXPIRED])
def test_BK_02_what_was_not_accepted_is_none_of_the_items_business(event: Event) -> None:
    assert following("settle_item", event) == []


@pytest.mark.parametrize(
    ("event", "kind", "by_id"),
    [
        (requested(1), NoticeKind.BOOKING_REQUESTED, buyer(1)),
        (accepted(1), NoticeKind.BOOKING_ACCEPTED, SELLER),
        (rejected(1, ANOTHER), NoticeKind.BOOKING_REJECTED, SELLER),
        (cancelled(1, OFF), NoticeKind.BOOKING_CANCELLED, buyer(1)),
        (cancelled(1, LEFT_BY), NoticeKind.BOOKING_CANCELLED, buyer(1)),
        (cancelled(1, GONE), NoticeKind.BOOKING_CANCELLED, SELLER),
        (cancelled(1, BookingReason.BY_SELLER, ACCEPTED), NoticeKind.BOOKING_CANCELLED, SELLER),
        (completed, NoticeKind.BOOKING_COMPLETED, SELLER),
        (EXPIRED, NoticeKind.BOOKING_EXPIRED, SELLER),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_BK_03_each_event_is_told_in_the_conversation_of_the_two(
    event: Event, kind: NoticeKind, by_id: UUID
) -> None:
    (command,) = following("tell_of_booking", event)
    assert isinstance(command, PostNotice)
    assert command.conversation_id == conversation_id_of(ITEM, buyer(1), SELLER)
    assert (command.notice.kind, command.notice.booking_id) == (kind, booking(1))
    assert (command.by_id, command.asked_role) == (by_id, Role.SYSTEM)
    assert command.notice.reason == getattr(event, "reason", None)


def test_BK_03_hearing_an_event_again_asks_for_the_very_same() -> None:
    (reaction,) = (each for each in REACTIONS if each.name == "tell_of_booking")
    told = recorded(bookings_stream(ITEM), 1, requested(1))
    assert reaction.envelopes(told) == reaction.envelopes(told)


@pytest.mark.parametrize("event", [rejected(1), rejected(1, ANOTHER), cancelled(1, OFF)])
def test_WA_03_half_a_token_comes_back_when_nothing_came_of_asking(event: Event) -> None:
    (command,) = following("return_half_token", event)
    assert isinstance(command, RefundTokens)
    assert (command.user_id, command.amount) == (buyer(1), Decimal("0.5"))
    assert (command.reason, command.reference) == (RefundReason.BOOKING_ENDED, contact_of(ITEM))


@pytest.mark.parametrize("event", [cancelled(1, OFF, ACCEPTED), completed, EXPIRED, accepted(1)])
def test_WA_03_nothing_comes_back_of_what_was_accepted_or_ran_out(event: Event) -> None:
    assert following("return_half_token", event) == []


def test_BK_02_with_an_item_its_bookings_close() -> None:
    (command,) = following("close_bookings", DELETED, stream=item_stream(ITEM))
    assert isinstance(command, CloseBookings)
    assert command.stream_id == bookings_stream(ITEM)


@dataclass
class Store:
    """Tools of an effect: read models that hold what a test says, commands that are kept."""

    status: str = "active"
    open: Sequence[UUID] = ()
    parked: Sequence[UUID] = ()
    sent: list[tuple[str, Command]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    @property
    def postgres(self) -> Store:
        return self

    @property
    def commands(self) -> Store:
        return self

    async def send(self, name: str, _recorded: Any, commands: Sequence[Command]) -> None:
        self.sent += [(name, command) for command in commands]

    async def fetchval(self, _query: str, projection: str, *_place: Any) -> Any:
        self.looked.append(f"until {projection} has read it")
        return 1_000

    async def fetchrow(self, _query: str, *_values: Any) -> dict[str, Any]:
        self.looked.append("buyer")
        return {"status": self.status}

    async def fetch(self, query: str, *values: Any) -> Any:
        if "live_parked" in query:
            return [{"stream_id": bookings_stream(each)} for each in self.parked]
        _, last, _ = values
        self.looked.append("bookings")
        return [{"item_id": str(each)} for each in sorted(self.open) if str(each) > last]


LEFT = recorded(
    user_stream(buyer(1)),
    2,
    UserDeleted(user_id=buyer(1), email_hash="0" * 64, deleted_at=NOW),
)
ASKED = recorded(bookings_stream(ITEM), 1, requested(1))


async def test_BK_02_of_whoever_leaves_every_open_booking_ends() -> None:
    ids = [UUID(int=number) for number in (11, 12, 13)]
    store = Store(open=ids[:2], parked=ids[2:])
    await END_BOOKINGS.run(LEFT, cast("Tools", store))
    commands = [command for _, command in store.sent]
    assert [each.stream_id for each in commands] == [bookings_stream(each) for each in ids]
    assert {each.buyer_id for each in commands if isinstance(each, EndBookingsOf)} == {buyer(1)}
    assert len({name for name, _ in store.sent}) == 3
    assert store.looked[:2] == ["until users has read it", "bookings"]


@pytest.mark.parametrize(("status", "count"), [("deleted", 1), ("active", 0), ("deactivated", 0)])
async def test_BK_02_what_somebody_asks_for_who_has_left_ends(status: str, count: int) -> None:
    store = Store(status)
    await END_BOOKINGS.run(ASKED, cast("Tools", store))
    assert len(store.sent) == count
    assert store.looked == ["until bookings has read it", "buyer"]
