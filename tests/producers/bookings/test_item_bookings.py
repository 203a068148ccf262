"""An item shows what its bookings have come to, in whatever order the news of them arrive."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from producers.items import items
from schemas.items import (
    Booked,
    ItemFreed,
    ItemImage,
    ItemReserved,
    ItemSold,
    ItemStatus,
    SettleItemBooking,
)
from schemas.log.messages import Role
from tests.producers.spec import Spec
from tests.producers.test_items import (
    DELETED,
    ITEM,
    NOW,
    ON_OFFER,
    OWNER,
    SYSTEM,
    TWO,
    asked,
    created,
    settled,
    was_drawn,
    were_added,
)

spec = Spec(items)
BOOKING = UUID(int=77)
SHOWN = ON_OFFER


def settle(turn: int, outcome: Booked, **more: Any) -> SettleItemBooking:
    return SettleItemBooking(**{**SYSTEM, **more}, booking_id=BOOKING, turn=turn, outcome=outcome)


def about(turn: int) -> dict[str, Any]:
    return {"item_id": ITEM, "booking_id": BOOKING, "turn": turn}


RESERVED = ItemReserved(**about(2), reserved_at=NOW)
FREED = ItemFreed(**about(3), freed_at=NOW)
SOLD = ItemSold(**about(3), sold_at=NOW)


def test_BK_02_an_item_is_kept_freed_and_sold() -> None:
    spec.given(*SHOWN).when(settle(2, ItemStatus.RESERVED)).then(RESERVED)
    spec.given(*SHOWN, RESERVED).when(settle(3, ItemStatus.ACTIVE)).then(FREED)
    spec.given(*SHOWN, RESERVED).when(settle(3, ItemStatus.SOLD)).then(SOLD)


def test_BK_02_older_news_change_nothing() -> None:
    spec.given(*SHOWN, RESERVED, FREED).when(settle(2, ItemStatus.RESERVED)).then()
    spec.given(*SHOWN, RESERVED).when(settle(2, ItemStatus.RESERVED)).then()


def test_BK_02_what_is_not_shown_is_not_kept() -> None:
    for history in ((), (created(),), (*SHOWN, DELETED)):
        spec.given(*history).when(settle(2, ItemStatus.RESERVED)).then()


def test_BK_02_nobody_says_by_hand_that_an_item_is_kept() -> None:
    for role in (Role.BUYER, Role.ADMIN):
        by_hand = settle(2, ItemStatus.SOLD, **asked(OWNER, role))
        spec.given(*SHOWN).when(by_hand).refused("role_not_allowed", 403)


def test_BK_02_new_images_of_a_kept_item_do_not_free_it() -> None:
    more = (were_added(ItemImage(media_id=TWO)), was_drawn(TWO, "b"), settled("failed"))
    spec.given(*SHOWN, RESERVED, *more).when(settle(2, ItemStatus.ACTIVE)).then()


NEWS = (
    settle(2, ItemStatus.RESERVED),
    settle(4, ItemStatus.ACTIVE),
    settle(7, ItemStatus.RESERVED),
    settle(9, ItemStatus.SOLD),
)


@pytest.mark.parametrize("order", permutations(NEWS), ids=lambda o: "".join(str(e.turn) for e in o))
def test_BK_02_in_whatever_order_the_news_come_the_end_is_the_same(
    order: Sequence[SettleItemBooking],
) -> None:
    history: list[Any] = [*SHOWN]
    for command in order:
        history += items.decide(command, items.fold(history))
    assert history[-1] == ItemSold(**about(9), sold_at=NOW)
