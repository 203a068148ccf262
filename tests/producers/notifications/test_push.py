"""On which browsers and devices somebody is shown notifications, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.notifications.push import push
from schemas.log.messages import Role
from schemas.notifications import (
    SUBSCRIPTIONS_MAX,
    ClosePush,
    DeviceKind,
    PushSubscribed,
    PushUnsubscribed,
    SubscribeToPush,
    UnsubscribeFromPush,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)
OWN: dict[str, Any] = {"asked_at": NOW, "asked_by": str(ID), "asked_role": Role.BUYER}
SYSTEM: dict[str, Any] = {"asked_at": NOW, "asked_by": "effect/x", "asked_role": Role.SYSTEM}
spec = Spec(push)


def subscribe(number: int, **asked: Any) -> SubscribeToPush:
    return SubscribeToPush(
        user_id=ID,
        subscription_id=UUID(int=number),
        device=DeviceKind.WEB,
        subscription_sealed=f"sealed{number}",
        **(asked or OWN),
    )


def subscribed(number: int) -> PushSubscribed:
    return PushSubscribed(
        user_id=ID,
        subscription_id=UUID(int=number),
        device=DeviceKind.WEB,
        subscription_sealed=f"sealed{number}",
        subscribed_at=NOW,
    )


def unsubscribe(number: int, **asked: Any) -> UnsubscribeFromPush:
    return UnsubscribeFromPush(user_id=ID, subscription_id=UUID(int=number), **(asked or OWN))


def ended(number: int, *, gone: bool = False) -> PushUnsubscribed:
    return PushUnsubscribed(
        user_id=ID, subscription_id=UUID(int=number), gone=gone, unsubscribed_at=NOW
    )


def test_NO_03_the_same_one_again_is_the_same() -> None:
    spec.when(subscribe(1)).then(subscribed(1))
    spec.given(subscribed(1)).when(subscribe(1)).then()


def test_NO_03_one_beyond_the_most_takes_the_place_of_the_first() -> None:
    full = [subscribed(each) for each in range(1, SUBSCRIPTIONS_MAX + 1)]
    new = SUBSCRIPTIONS_MAX + 1
    spec.given(*full).when(subscribe(new)).then(ended(1), subscribed(new))
    spec.given(*full[1:]).when(subscribe(new)).then(subscribed(new))


def test_NO_03_one_that_is_dead_is_dropped_once() -> None:
    spec.given(subscribed(1)).when(unsubscribe(1, **SYSTEM)).then(ended(1, gone=True))
    spec.given(subscribed(1), ended(1, gone=True)).when(unsubscribe(1, **SYSTEM)).then()
    spec.given(subscribed(1)).when(unsubscribe(1)).then(ended(1))


def test_with_its_person_all_go() -> None:
    close = ClosePush(user_id=ID, **SYSTEM)
    spec.given(subscribed(1), subscribed(2)).when(close).then(ended(1), ended(2))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_nobody_subscribes_others(role: Role) -> None:
    asked = {"asked_at": NOW, "asked_by": str(UUID(int=2)), "asked_role": role}
    for command in (subscribe(1, **asked), unsubscribe(1, **asked)):
        spec.given(subscribed(1)).when(command).refused("not_yours", 403)


def test_not_even_the_system_subscribes_anybody() -> None:
    spec.when(subscribe(1, **SYSTEM)).refused("not_yours", 403)
