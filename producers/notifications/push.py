"""What may happen to the browsers and devices on which somebody is shown notifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.notifications import (
    SUBSCRIPTIONS_MAX,
    ClosePush,
    PushCommand,
    PushEvent,
    PushSubscribed,
    PushUnsubscribed,
    SubscribeToPush,
    UnsubscribeFromPush,
)


@dataclass(frozen=True)
class Push:
    """The subscriptions, the first made first."""

    subscriptions: tuple[UUID, ...] = ()


def decide(command: PushCommand, state: Push) -> Sequence[PushEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    ends = not isinstance(command, SubscribeToPush) and command.asked_role is Role.SYSTEM
    if command.asked_by != str(command.user_id) and not ends:
        raise Rejected("not_yours", 403)
    match command:
        case SubscribeToPush():
            return subscribe(command, state)
        case UnsubscribeFromPush(subscription_id=subscription_id):
            if subscription_id not in state.subscriptions:
                return []
            return [_ended(command, subscription_id)]
        case ClosePush():
            return [_ended(command, each) for each in state.subscriptions]
        case _:
            assert_never(command)


def subscribe(command: SubscribeToPush, state: Push) -> Sequence[PushEvent]:
    """The same one again is the same; beyond the most that there may be the first gives way."""
    if command.subscription_id in state.subscriptions:
        return []
    found: list[PushEvent] = [
        PushSubscribed(
            user_id=command.user_id,
            subscription_id=command.subscription_id,
            device=command.device,
            subscription_sealed=command.subscription_sealed,
            subscribed_at=command.asked_at,
        )
    ]
    if len(state.subscriptions) >= SUBSCRIPTIONS_MAX:
        found.insert(0, _ended(command, state.subscriptions[0]))
    return found


def _ended(command: PushCommand, subscription_id: UUID) -> PushUnsubscribed:
    return PushUnsubscribed(
        user_id=command.user_id,
        subscription_id=subscription_id,
        gone=isinstance(command, UnsubscribeFromPush) and command.asked_role is Role.SYSTEM,
        unsubscribed_at=command.asked_at,
    )


def evolve(state: Push, event: PushEvent) -> Push:
    """The subscriptions after the event."""
    match event:
        case PushSubscribed(subscription_id=subscription_id):
            return Push((*state.subscriptions, subscription_id))
        case PushUnsubscribed(subscription_id=gone):
            return Push(tuple(each for each in state.subscriptions if each != gone))
        case _:
            assert_never(event)


push: Decider[PushCommand, Push, PushEvent] = Decider(initial=Push(), decide=decide, evolve=evolve)
