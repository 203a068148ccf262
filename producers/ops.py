"""What may be decided about the shop's machinery: anything, by those who run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.ops import (
    OpsCommand,
    OpsEvent,
    ParkedRetryDecided,
    ParkedSkipDecided,
    RetryParked,
    SkipParked,
)

DECIDERS = frozenset({Role.SYSTEM, Role.ADMIN, Role.OPS})


def decide(command: OpsCommand, _: None) -> Sequence[OpsEvent]:
    """The decision as a fact, each time: whether anything waits there, the reactor knows."""
    if command.asked_role not in DECIDERS:
        raise Rejected("role_not_allowed", 403)
    about: dict[str, Any] = {
        "handler": command.handler,
        "topic": command.topic,
        "partition": command.partition,
        "offset": command.offset,
        "why": command.why,
        "decided_at": command.asked_at,
    }
    match command:
        case RetryParked():
            return [ParkedRetryDecided(**about)]
        case SkipParked():
            return [ParkedSkipDecided(**about)]
        case _:
            assert_never(command)


def evolve(_: None, __: OpsEvent) -> None:
    """Nothing is decided by what was decided before."""


handlers: Decider[OpsCommand, None, OpsEvent] = Decider(None, decide, evolve)
