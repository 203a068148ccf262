"""Given events, when a command, then events or a refusal: how decider tests are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from producers.decider import Decider, Rejected
from schemas.log.messages import Command, Event


@dataclass(frozen=True)
class Spec:
    """What is known of a stream and, later, what is asked of it."""

    decider: Decider[Any, Any, Any]
    history: tuple[Event, ...] = ()
    command: Command | None = field(default=None)

    def given(self, *events: Event) -> Spec:
        return Spec(self.decider, (*self.history, *events))

    def when(self, command: Command) -> Spec:
        return Spec(self.decider, self.history, command)

    def then(self, *expected: Event) -> None:
        assert tuple(self.decided()) == expected

    def refused(self, reason: str, status: int = 409, pointers: Sequence[str] = ()) -> None:
        with pytest.raises(Rejected) as refusal:
            self.decided()
        found = refusal.value
        assert (found.reason, found.status) == (reason, status)
        assert [fault.pointer for fault in found.faults] == list(pointers)

    def decided(self) -> Sequence[Event]:
        decided: Sequence[Event] = self.decider.decide(
            self.command, self.decider.fold(self.history)
        )
        return decided
